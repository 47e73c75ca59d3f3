"""What a report says of the model: what is promised of its suggestions, how well it does, and how it was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from arttl.errors import ArttlError
from arttl.export.description import digests, last_part
from arttl.export.run_record import RunRecord, run_of
from arttl.inference.promises import Promises
from arttl.inference.suggestions import Suggester
from arttl.models import TrainedModel
from arttl.pages import shown
from arttl.reports.counting import PageTable
from arttl.reports.suggested import Extremes

_MODES = {
    "off-the-shelf": "a frozen network, with one logistic regression per task on its features",
    "fine-tune": "all of the network was trained further, from the first weights",
    "scratch": "all of the network was trained, from random weights",
}


@dataclass(frozen=True)
class About:
    """What a report says of the model.

    Attributes:
        promises: sentences; none for an audit, or without a model.
        facts: how the model was made, as pairs of a term and what it is.
        results: on the test split of its run; None: that is not at hand.
        tested: task name to the rows of `classes.csv` of its run.
    """

    promises: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    results: PageTable | None = None
    tested: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)


def about_model(model: TrainedModel, precision: float, extremes: Extremes | None) -> About:
    """What is to be said of a model.

    Args:
        model: read from its folder.
        precision: that `arttl predict` promised, 0 to 1.
        extremes: of the suggestions; None: there are none, as in an audit.

    Raises:
        ArttlError: if a file of its run cannot be read, or the suggestions were given for another precision.
    """
    run = run_of(model)
    return About(
        promises=()
        if extremes is None
        else tuple(map(shown_sentence, _promises(model, precision, extremes))),
        facts=tuple((term, shown_sentence(text)) for term, text in _facts(model, run)),
        results=None if run is None or not run.figures else _results(run),
        tested={} if run is None else run.classes,
    )


def shown_sentence(text: str) -> str:
    """A sentence of several names of a collection, printable."""
    return shown(text) if len(text) <= 200 else " ".join(map(shown, text.split(" ")))


def _promises(model: TrainedModel, precision: float, extremes: Extremes) -> list[str]:
    assert model.folder is not None
    promises = Promises.load(model.folder, model.tasks)
    for per_object in (False, True):
        suggester = Suggester(
            model.tasks, model.temperatures, promises, precision=precision, per_object=per_object
        )
        if _gave(suggester, extremes):
            return list(suggester.sentences())
    raise ArttlError(
        f"--precision {precision:g}: the suggestions were not given for it by --model {model.folder}; name the"
        " --precision that arttl predict had, and the model that suggested"
    )


def _gave(suggester: Suggester, extremes: Extremes) -> bool:
    """Whether the suggestions have the thresholds of a promise."""
    for task, threshold in suggester.thresholds.items():
        lowest, highest = extremes.lowest_suggested.get(task), extremes.highest_unsure.get(task)
        above = 2.0 if threshold.above is None else threshold.above
        # As the suggester compares them, in single precision.
        if lowest is not None and not np.float32(lowest) > above:
            return False
        if highest is not None and np.float32(highest) > above:
            return False
    return bool(suggester.thresholds) or not extremes.lowest_suggested


def _facts(model: TrainedModel, run: RunRecord | None) -> Iterator[tuple[str, str]]:
    parameters = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    networks = " and ".join(network.name for network in model.networks)
    provenance = model.provenance
    yield "Network", f"{networks}, {parameters:.1f} million parameters"
    yield "First weights", last_part(provenance.weights)
    yield "Training", _MODES.get(provenance.mode, provenance.mode or "unknown")
    for task in model.tasks:
        if task.kind == "number":
            labels = f"{task.statistics.count:,} training samples"
        else:
            labels = f"{sum(task.vocabulary.counts):,} training labels"
        yield f"Task {shown(task.name)}", f"{task.summary}; {labels}"
    for preprocess in dict.fromkeys(map(str, model.preprocesses)):
        yield "Input", preprocess
    if run is not None:
        if shards := run.settings.get("shards"):
            yield "Collection", last_part(str(shards))
        yield "Settings", ", ".join(f"{name} {value}" for name, value in run.shown_settings().items())
    for name, digest in digests(model).items():
        yield f"SHA-256 of {name}", digest


def _results(run: RunRecord) -> PageTable:
    return PageTable(
        "On the test split",
        ("task", "measure", "value", "95% interval", "majority"),
        tuple((shown(task), *cells) for task, *cells in run.rows()),
        texts=("task", "measure"),
        note=(
            f"Per cent, or for errors of numbers their own unit: {shown(run.samples())}. The interval holds 95% of"
            " bootstrap replicates; the majority baseline always predicts what is most frequent in training."
        ),
    )
