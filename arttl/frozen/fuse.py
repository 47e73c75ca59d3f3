"""`arttl fuse`: the best parts of several backbones in one model, each step of the way measured."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import tyro
from rich.table import Table

from arttl.console import Reporter
from arttl.errors import ArttlError
from arttl.evaluation.bootstrap import Difference, paired_bootstrap
from arttl.evaluation.measures import MAIN_MEASURE, Floats, Statistic
from arttl.evaluation.report import measure_name, measure_text
from arttl.frozen.gains import Gain, gains_table
from arttl.frozen.ladder import (
    ATTENTION,
    CHOSEN,
    CONCATENATION,
    CONCATENATION_OF_ALL,
    GATES,
    SIMPLE_FUSIONS,
    Ladder,
    Outcome,
    last_layer,
    rungs,
)
from arttl.frozen.measuring import majority_values
from arttl.frozen.results import answers, check_out, write_run
from arttl.frozen.store import FeatureStore
from arttl.frozen.tables import figures_table, in_tables
from arttl.frozen.task_choice import TaskChoice
from arttl.frozen.tokens import Tokens, same_collection, store_names
from arttl.models import Provenance
from arttl.models.fusion import FusedModel, TokenHead
from arttl.models.stages import PooledStages
from arttl.splits.redraw import draw_splits
from arttl.tasks import Task, TaskSet


@dataclass(frozen=True)
class FuseSettings(TaskChoice):
    """Join several backbones, or the stages of one, into one model, and measure what each step of it is worth.

    Every stage of every backbone is a token; heads over one, several or all of them are fitted to convergence on
    cached features, from one backbone's last layer to gates and attention over all. The seeds after the first draw
    other splits of the same pictures, near duplicates kept together.
    """

    features: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders made with `arttl features`, of the same shards."""
    out: Path = Path("runs/fusion")
    """Run folder to make."""
    seeds: int = 1
    """How many splits: the shards' own and others drawn anew. Five for figures to report."""
    last: int = 3
    """How many of a backbone's last stages the rung of several last layers has."""
    keep: Literal["best on validation", "concatenation", "late fusion", "gates", "attention"] = (
        "best on validation"
    )
    """The rung that is kept as a model, fitted on the shards' own split; the best is of each task its own."""
    overwrite: bool = False
    """Replace the run that --out already holds."""

    def __post_init__(self) -> None:
        if not self.features:
            raise ArttlError("name folders of features, made with `arttl features`")
        if len(self.features) == 1 and self.keep in SIMPLE_FUSIONS:
            raise ArttlError(
                f"--keep {self.keep!r} joins several networks, and there is one folder of features"
            )
        for name in ("seeds", "last"):
            if getattr(self, name) < 1:
                raise ArttlError(f"--{name} must be at least 1, not {getattr(self, name)}")


Outcomes = list[dict[str, dict[str, Outcome]]]
"""For each seed, task name to rung to outcome."""


def fuse(settings: FuseSettings) -> tuple[Outcomes, list[Gain]]:
    """Climb the ladder for every task and seed, print tables and write the run folder.

    Raises:
        ArttlError: for input that cannot be used; nothing is written then.
    """
    check_out(settings.out, settings.overwrite)
    stores = [FeatureStore.open(path) for path in settings.features]
    same_collection(stores)
    names = store_names(stores) if len(stores) > 1 else [""]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    reporter = Reporter(True)
    started = time.perf_counter()
    outcomes: Outcomes = []
    majority: list[dict[str, dict[str, float]]] = []
    model, tasks, predictions = None, TaskSet([]), None
    manifest = stores[0].manifest
    count = len(settings.tasks or manifest.task_names) * settings.seeds * len(rungs(names, settings.last))
    with reporter.progress("heads", count) as bar:
        for seed in range(settings.seeds):
            draw = draw_splits(manifest, settings.tasks or manifest.task_names, seed)
            of_draw = settings.choose(draw)
            tokens = Tokens(stores, draw, device)
            outcomes.append({})
            majority.append({})
            for task in of_draw:
                samples = tokens.samples(task)
                majority[seed][task.name] = majority_values(task, samples["test"].targets)
                ladder = Ladder(
                    task,
                    samples,
                    tokens.names,
                    names,
                    last=settings.last,
                    seed=seed,
                    on_fit=bar.advance,
                )
                outcomes[seed][task.name] = {found.rung: found for found in ladder.climb()}
            if seed == 0:
                tasks = of_draw
                kept = {name: found[settings.keep] for name, found in outcomes[0].items()}
                model = fused_model(stores, tokens, tasks, kept)
                logits = cached_logits(model, stores)
                predictions = [answers(draw, split, tasks, logits) for split in ("val", "test")]
    assert model is not None and predictions is not None
    gains = headline(outcomes, tasks, names)
    for some in in_tables(tasks):
        reporter.console.print(ladder_table(outcomes, majority, some, rungs(names, settings.last)))
    reporter.console.print(gains_table(gains, "right answers", "rung"))
    val, test = predictions
    lines = [
        {
            "seed": seed,
            "task": task,
            "rung": rung,
            "inverse_l2": found.fitted.inverse_l2 if found.fitted.inverse_l2 > 0 else None,
            "chosen": found.chosen,
            "val_loss": found.val_loss,
            "test": found.values,
        }
        for seed, by_task in enumerate(outcomes)
        for task, by_rung in by_task.items()
        for rung, found in by_rung.items()
    ]
    write_run(settings.out, settings, model, lines, val, test, manifest)
    reporter.say(
        f"{count} heads in {time.perf_counter() - started:.0f} s; {settings.keep} as a model in {settings.out / 'best'}"
    )
    return outcomes, gains


def fused_model(
    stores: Sequence[FeatureStore], tokens: Tokens, tasks: TaskSet, kept: Mapping[str, Outcome]
) -> FusedModel:
    """The model of one rung a task.

    Args:
        stores: the backbones' features.
        tokens: normalised on the split the heads were fitted on.
        tasks: what is predicted.
        kept: task name to outcome of a rung over tokens.
    """
    places = sorted({place for found in kept.values() for place in found.places})
    widths = [tokens.width(place) for place in places]
    heads = []
    for task in tasks:
        head = kept[task.name].fitted.head
        assert isinstance(head, TokenHead)
        heads.append(head.extended_to(widths, [places.index(place) for place in kept[task.name].places]))
    backbones, preprocesses = [], []
    for number, store in enumerate(stores):
        own = [tokens.names[place][1] for place in places if tokens.names[place][0] == number]
        backbones.append(PooledStages(store.load_backbone(), {stage: store.stages[stage] for stage in own}))
        preprocesses.append(store.preprocess)
    origin = "; ".join(f"{store.backbone_name}: {store.recipe.weights}" for store in stores)
    mixing = {task.name: head.mixing for task, head in zip(tasks, heads, strict=True)}
    model = FusedModel(backbones, preprocesses, tasks, mixing, Provenance("off-the-shelf", origin))
    for target, head in zip(model.heads, heads, strict=True):
        target.load_state_dict(head.state_dict())
    model.mean.copy_(torch.cat([tokens.part(tokens.mean, place) for place in places]))
    model.scale.copy_(torch.cat([tokens.part(tokens.scale, place) for place in places]))
    return model.eval()


@torch.no_grad()
def cached_logits(model: FusedModel, stores: Sequence[FeatureStore]) -> dict[str, torch.Tensor]:
    """What a fused model says of every row, from its backbones' stored features: task name to [rows, Q]."""
    stages = [stores[token.backbone].values(token.stage) for token in model.tokens]
    return model.logits(model.normalise(stages))


def headline(outcomes: Outcomes, tasks: TaskSet, backbones: Sequence[str]) -> list[Gain]:
    """What fusion is worth beside simpler things: the rung chosen on validation, gates and attention.

    These are the best single backbone's last layer and the better of concatenation and late fusion, both as it turns
    out on the test samples over all seeds, which is the hardest to be better than; and the concatenation of the very
    same tokens.
    """
    gains = []
    for task in tasks:
        references = [_best(outcomes, task.name, [last_layer(name) for name in backbones])]
        if len(backbones) > 1:
            references.append(_best(outcomes, task.name, SIMPLE_FUSIONS))
        references.append(CONCATENATION_OF_ALL)
        for rung in (CHOSEN, GATES, ATTENTION):
            gains += [
                Gain(task.name, rung, other, compare(outcomes, task.name, other, rung))
                for other in references
            ]
    return gains


def compare(outcomes: Outcomes, task: str, first: str, second: str) -> Difference:
    """The gain of one rung over another in right answers, on the test samples of all seeds.

    A paired bootstrap that draws artworks, each with all the splits in whose test part it is.
    """
    rows = np.concatenate([by_task[task][first].rows for by_task in outcomes])
    measures = [
        _share(np.concatenate([by_task[task][rung].correct for by_task in outcomes]))
        for rung in (first, second)
    ]
    return paired_bootstrap(measures[0], measures[1], len(rows), groups=rows)


def _share(correct: np.ndarray) -> Statistic:
    def share(weights: Floats) -> Floats:
        return np.asarray(weights @ correct.astype(np.float64) / weights.sum(1))

    return share


def _best(outcomes: Outcomes, task: str, some: Sequence[str]) -> str:
    return max(some, key=lambda rung: np.mean([by_task[task][rung].correct.mean() for by_task in outcomes]))


def ladder_table(
    outcomes: Outcomes,
    majority: Sequence[Mapping[str, Mapping[str, float]]],
    tasks: TaskSet,
    names: Sequence[str],
) -> Table:
    """A row a rung: for each task the main measure, mean and range over the seeds, and the mean balanced accuracy."""
    table = figures_table("Test split, per cent", len(outcomes))
    table.add_column("rung", no_wrap=True)
    for task in tasks:
        table.add_column(
            f"{task.name}\n{measure_name(MAIN_MEASURE[task.kind])}", justify="right", no_wrap=True
        )
        if task.kind != "number":
            table.add_column("\nbalanced", justify="right", no_wrap=True)
    baseline = [cell for task in tasks for cell in _cells(task, [found[task.name] for found in majority])]
    table.add_row("majority", *baseline, end_section=True)
    for name in names:
        if name in (CONCATENATION, GATES):  # a line above
            table.add_section()
        found = {task.name: [by_task[task.name][name].values for by_task in outcomes] for task in tasks}
        cells = [cell for task in tasks for cell in _cells(task, found[task.name])]
        table.add_row(name, *cells, end_section=name == CHOSEN)
    return table


def _cells(task: Task, values: Sequence[Mapping[str, float]]) -> list[str]:
    measure = MAIN_MEASURE[task.kind]
    main = [one[measure] for one in values]
    text = measure_text(measure, float(np.mean(main)))
    if len(main) > 1:
        text += f" ({_whole(measure, min(main))}–{_whole(measure, max(main))})"
    if task.kind == "number":
        return [text]
    balanced = "balanced_accuracy"
    return [text, measure_text(balanced, float(np.mean([one[balanced] for one in values])))]


def _whole(measure: str, value: float) -> str:
    return f"{float(measure_text(measure, value)):.0f}"


def run(settings: FuseSettings) -> None:
    """Climb the ladder and tell how it went."""
    fuse(settings)
