"""`arttl tails`: what helps rare classes, over several splits, by size of the classes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from rich.table import Table

from arttl.console import Reporter
from arttl.errors import ArttlError
from arttl.evaluation.bootstrap import paired_bootstrap
from arttl.evaluation.classes import FEW, MANY
from arttl.evaluation.measures import Floats, Statistic, measures_of
from arttl.evaluation.metrics import TaskMetrics
from arttl.files import write_whole
from arttl.frozen.gains import Gain, gains_table
from arttl.frozen.long_tails import PLAIN, REMEDIES, TailOutcome, fit_remedies
from arttl.frozen.store import FeatureStore
from arttl.frozen.tables import figures_table
from arttl.frozen.tokens import labelled_samples
from arttl.models.stages import LAST_LAYER
from arttl.splits.redraw import draw_splits
from arttl.tasks import Task, TaskSet

# Sizes of classes in the training split, as headings.
_BANDS = {"many": f"over {MANY}", "medium": f"{FEW}–{MANY}", "few": f"under {FEW}"}


@dataclass(frozen=True)
class TailSettings:
    """Compare what helps rare classes, with heads on frozen features solved to convergence.

    A logistic regression as it is; its answers adjusted for the frequency of the classes, afterwards or in training;
    classes drawn evenly; and the nearest class mean. For single-label tasks.
    """

    features: Annotated[Path, tyro.conf.Positional]
    """Folder made with `arttl features`."""
    out: Path = Path("tails")
    """Folder for the table."""
    tasks: tuple[str, ...] = ()
    """Tasks, in order; by default all that the shards have."""
    classes: str = "train"
    """Class rule: train (every class of the training split), all-splits, min-count=N or rijks2014."""
    seeds: int = 1
    """How many splits: the shards' own and others drawn anew. Five for figures to report."""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ArttlError(f"--seeds must be at least 1, not {self.seeds}")


Outcomes = Mapping[str, Mapping[str, Sequence[TailOutcome]]]
"""Task name to remedy to an outcome a split."""


def compare_remedies(settings: TailSettings, reporter: Reporter) -> tuple[Outcomes, TaskSet]:
    """Fit every remedy for every task on every split.

    Returns:
        The outcomes, and the tasks as the first split has them.

    Raises:
        ArttlError: for input that cannot be used.
    """
    store = FeatureStore.open(settings.features)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    names = settings.tasks or store.manifest.task_names
    values = store.values(LAST_LAYER)
    found: dict[str, dict[str, list[TailOutcome]]] = {}
    first: TaskSet | None = None
    with reporter.progress("heads", len(names) * settings.seeds) as bar:
        for seed in range(settings.seeds):
            draw = draw_splits(store.manifest, names, seed)
            tasks = TaskSet.from_manifest(draw, names, classes=settings.classes)
            first = first or tasks
            for task in tasks:
                samples = labelled_samples(draw, task, [values], device)
                for outcome in fit_remedies(task, samples):
                    found.setdefault(task.name, {}).setdefault(outcome.remedy, []).append(outcome)
                bar.advance()
    assert first is not None
    return found, first


def gains(outcomes: Outcomes, tasks: TaskSet) -> list[Gain]:
    """What each remedy adds to the balanced accuracy of the plain logistic regression, mean over the splits.

    A paired bootstrap that draws artworks, each with all the splits in whose test part it is.
    """
    found = []
    for task in tasks:
        by_remedy = outcomes[task.name]
        rows = np.concatenate([one.rows for one in by_remedy[PLAIN]])
        plain = _mean_balanced(task, by_remedy[PLAIN])
        for remedy in REMEDIES[1:]:
            other = _mean_balanced(task, by_remedy[remedy])
            difference = paired_bootstrap(plain, other, len(rows), groups=rows)
            found.append(Gain(task.name, remedy, PLAIN, difference))
    return found


def _mean_balanced(task: Task, splits: Sequence[TailOutcome]) -> Statistic:
    parts = [measures_of(task, one.logits, one.targets)["balanced_accuracy"] for one in splits]
    edges = np.cumsum([len(one.rows) for one in splits])[:-1]

    def mean(weights: Floats) -> Floats:
        pieces = np.split(weights, edges, axis=1)
        return np.asarray(np.mean([part(piece) for part, piece in zip(parts, pieces, strict=True)], axis=0))

    return mean


def tails_table(task: Task, outcomes: Mapping[str, Sequence[TailOutcome]]) -> Table:
    """A row a remedy: accuracy, balanced accuracy, that of the classes of each size, and calibration."""
    table = figures_table(f"{task.name}: test split, per cent", len(outcomes[PLAIN]))
    table.add_column("head", no_wrap=True)
    there = {band.name for splits in outcomes.values() for one in splits for band in one.metrics.bands}
    bands = {name: heading for name, heading in _BANDS.items() if name in there}
    for heading in ("accuracy", "balanced", *bands.values(), "ECE"):
        table.add_column(heading, justify="right", no_wrap=True)
    baselines = [one.metrics.baseline for one in outcomes[PLAIN]]
    table.add_row(
        "majority",
        *(_spread([one[measure] for one in baselines]) for measure in ("accuracy", "balanced_accuracy")),
    )
    for remedy in REMEDIES:
        metrics = [one.metrics for one in outcomes[remedy]]
        table.add_row(
            remedy,
            _spread([one.accuracy for one in metrics]),
            _spread([one.balanced_accuracy for one in metrics]),
            *(_mean([_of_band(one, name) for one in metrics]) for name in bands),
            _mean([one.values["calibrated_ece"] for one in metrics]),
            end_section=remedy == PLAIN,
        )
    return table


def _of_band(metrics: TaskMetrics, name: str) -> float:
    """The balanced accuracy of the classes of one size; NaN where the split has none."""
    return next((band.balanced_accuracy for band in metrics.bands if band.name == name), math.nan)


def _mean(values: Sequence[float]) -> str:
    return f"{100 * float(np.nanmean(values)):.1f}"


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return _mean(values)
    return f"{_mean(values)} ({100 * min(values):.0f}–{100 * max(values):.0f})"


def run(settings: TailSettings) -> None:
    """Compare, print the tables, and write the figures behind them.

    Raises:
        ArttlError: if something cannot be used or written.
    """
    reporter = Reporter(True)
    outcomes, tasks = compare_remedies(settings, reporter)
    found = gains(outcomes, tasks)
    for task in tasks:
        reporter.console.print(tails_table(task, outcomes[task.name]))
    reporter.console.print(gains_table(found, "balanced accuracy", "head"))
    lines = [
        {"seed": seed, "task": task, "head": remedy, "detail": one.detail, **one.metrics.to_dict()}
        for task, by_remedy in outcomes.items()
        for remedy, splits in by_remedy.items()
        for seed, one in enumerate(splits)
    ]
    told = {"heads": lines, "gains": [asdict(one) for one in found]}
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
        write_whole(settings.out / "tails.json", text.encode(), settings.out)
    except OSError as error:
        raise ArttlError(f"--out {settings.out} cannot be written: {error.strerror}") from error
    reporter.say(f"the figures in {settings.out / 'tails.json'}")
