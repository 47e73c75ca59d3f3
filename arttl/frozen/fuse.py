"""`arttl fuse`: the best parts of several backbones in one model, beside simpler methods and controls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from rich.table import Table

from arttl.errors import ArttlError, counted
from arttl.evaluation.measures import Floats, Statistic
from arttl.frozen.fusion_methods import (
    ATTENTION,
    CHOSEN,
    CONCATENATION,
    CONCATENATION_OF_ALL,
    GATES,
    SIMPLE_FUSIONS,
    Comparison,
    Outcome,
    last_layer,
    method_names,
)
from arttl.frozen.results import write_run
from arttl.frozen.store import FeatureStore
from arttl.frozen.study import SplitSettings, Study, StudySettings, majority_values
from arttl.frozen.tables import Gain, add_row, gains_table, measure_gain, task_cells, task_tables
from arttl.frozen.tokens import Tokens
from arttl.loading.settings import TaskSettings
from arttl.models import Provenance
from arttl.models.fusion import FusedModel, TokenHead
from arttl.models.stages import PooledStages
from arttl.runs import RunFolder
from arttl.settings import AtLeastOne, OutputSettings
from arttl.tasks import TaskSet


@dataclass(frozen=True, kw_only=True)
class FuseSettings(OutputSettings, SplitSettings, TaskSettings, StudySettings):
    """Join several backbones, or the stages of one, into one model, and measure what each part of it is worth.

    Every stage of every backbone is a token; heads over one, several or all of them are fitted to convergence on
    cached features, from one backbone's last layer to gates and attention over all. The seeds after the first split
    the same pictures in other ways, near duplicates kept together.
    """

    out: Path = Path("runs/fusion")
    """Run folder to make."""
    last: AtLeastOne = 3
    """How many stages of each backbone the method over its last stages uses."""
    keep: Literal["best on validation", "concatenation", "late fusion", "gates", "attention"] = (
        "best on validation"
    )
    """The method that is kept as a model, fitted on the shards' own split. The best one is chosen per task."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if len(self.features) == 1 and self.keep in SIMPLE_FUSIONS:
            raise ArttlError(
                f"--keep {self.keep!r} joins several networks, and there is one folder of features"
            )


Outcomes = Mapping[str, Mapping[str, Sequence[Outcome]]]
"""Task name to method to the outcome on each split."""


def fuse(settings: FuseSettings) -> tuple[Outcomes, list[Gain]]:
    """Fit every method for every task on every split, print tables and write the run folder.

    Raises:
        ArttlError: for input that cannot be used; nothing is written then.
    """
    RunFolder(settings.out).check(overwrite=settings.overwrite)
    study = Study(settings.features, settings)
    backbones = study.names if len(study.names) > 1 else [""]
    methods = method_names(backbones, settings.last)
    outcomes: dict[str, dict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    majority: dict[str, list[Mapping[str, float]]] = defaultdict(list)
    kept = None
    count = len(study.task_names) * settings.seeds * len(methods)
    with study.reporter.progress("heads", count) as bar:
        for seed, (split, tasks) in enumerate(study.splits(settings.seeds)):
            tokens = Tokens(study.stores, split, study.device)
            for task in tasks:
                samples = tokens.samples(task)
                majority[task.name].append(majority_values(task, samples["test"].targets))
                comparison = Comparison(
                    task,
                    samples,
                    tokens.names,
                    backbones,
                    last=settings.last,
                    seed=seed,
                    on_fit=bar.advance,
                )
                for outcome in comparison.fit_all():
                    outcomes[task.name][outcome.method].append(outcome)
            if kept is None:
                heads = {name: by_method[settings.keep][0] for name, by_method in outcomes.items()}
                model = fused_model(study.stores, tokens, tasks, heads)
                kept = model, split, cached_logits(model, study.stores)
    assert kept is not None
    model, split, logits = kept
    gains = headline(outcomes, model.tasks, backbones)
    for table in fusion_tables(outcomes, majority, model.tasks, methods):
        study.reporter.show(table)
    study.reporter.show(gains_table(gains, "right predictions", "method"))
    lines = [
        {
            "seed": seed,
            "task": task,
            "method": method,
            "inverse_l2": outcomes[task][method][seed].fitted.inverse_l2,
            "chosen": outcomes[task][method][seed].chosen,
            "val_loss": outcomes[task][method][seed].val_loss,
            "test": outcomes[task][method][seed].values,
        }
        for seed in range(settings.seeds)
        for task in outcomes
        for method in methods
    ]
    write_run(
        settings.out, settings, model, split, logits, partial(cached_features, model, study.stores), lines
    )
    study.reporter.say(
        f"{counted(count, 'head')} in {study.seconds:.0f} s; {settings.keep} as a model in {settings.out / 'best'}"
    )
    return outcomes, gains


def fused_model(
    stores: Sequence[FeatureStore], tokens: Tokens, tasks: TaskSet, kept: Mapping[str, Outcome]
) -> FusedModel:
    """The model of one method per task.

    Args:
        stores: the backbones' features.
        tokens: normalised on the split the heads were fitted on.
        tasks: what is predicted.
        kept: task name to outcome of a method over tokens.
    """
    indices = sorted({index for outcome in kept.values() for index in outcome.indices})
    widths = [tokens.widths[index] for index in indices]
    heads = []
    for task in tasks:
        head = kept[task.name].fitted.head
        assert isinstance(head, TokenHead)
        heads.append(head.extended_to(widths, [indices.index(index) for index in kept[task.name].indices]))
    backbones = []
    for number, store in enumerate(stores):
        own = [stage for owner, stage in (tokens.names[index] for index in indices) if owner == number]
        backbones.append(PooledStages(store.load_backbone(), {stage: store.stages[stage] for stage in own}))
    origin = "; ".join(f"{store.backbone_name}: {store.recipe.weights}" for store in stores)
    mixing = {task.name: head.mixing for task, head in zip(tasks, heads, strict=True)}
    provenance = Provenance("off-the-shelf", origin)
    model = FusedModel(backbones, [store.preprocess for store in stores], tasks, mixing, provenance)
    for target, head in zip(model.heads, heads, strict=True):
        target.load_state_dict(head.state_dict())
    model.mean.copy_(torch.cat([tokens.means[index] for index in indices]))
    model.scale.copy_(torch.cat([tokens.scales[index] for index in indices]))
    return model.eval()


@torch.no_grad()
def cached_logits(model: FusedModel, stores: Sequence[FeatureStore]) -> dict[str, torch.Tensor]:
    """The logits of a fused model for every row, from its backbones' stored features: task name to [rows, Q]."""
    stages = [stores[token.backbone].values(token.stage) for token in model.tokens]
    return model.logits(model.normalise(stages))


def cached_features(
    model: FusedModel, stores: Sequence[FeatureStore], rows: npt.NDArray[np.int64]
) -> torch.Tensor:
    """What a fused model's heads see of some rows, [N, D]."""
    stages = [stores[token.backbone].values(token.stage)[rows] for token in model.tokens]
    return torch.cat(model.normalise(stages), 1)


def fusion_tables(
    outcomes: Outcomes,
    majority: Mapping[str, Sequence[Mapping[str, float]]],
    tasks: TaskSet,
    methods: Sequence[str],
) -> Iterator[Table]:
    """A row per method, with the majority baseline above: the measures of each task on the test split."""
    values = {
        (task, method): [outcome.values for outcome in of_method]
        for task, by_method in outcomes.items()
        for method, of_method in by_method.items()
    }
    splits = len(next(iter(majority.values())))
    for shown, table in task_tables("Test split, per cent", "method", tasks, splits):
        baseline = {task.name: task_cells(task, majority[task.name]) for task in shown}
        add_row(table, "majority", shown, baseline, end_section=True)
        for method in methods:
            if method in (CONCATENATION, GATES):  # a line above
                table.add_section()
            cells = {task.name: task_cells(task, values[task.name, method]) for task in shown}
            add_row(table, method, shown, cells, end_section=method == CHOSEN)
        yield table


def headline(outcomes: Outcomes, tasks: TaskSet, backbones: Sequence[str]) -> list[Gain]:
    """What fusion gains over simpler methods: the method chosen on validation, gates and attention.

    The references are the best single backbone's last layer and the better of concatenation and late fusion, both as
    it turns out on the test samples over all seeds, which is the hardest to be better than; and the concatenation of
    the very same tokens. The measure is the share of right predictions on the test samples of all seeds.
    """
    gains = []
    for task in tasks:
        by_method = outcomes[task.name]
        references = [_best(by_method, [last_layer(name) for name in backbones])]
        if len(backbones) > 1:
            references.append(_best(by_method, SIMPLE_FUSIONS))
        references.append(CONCATENATION_OF_ALL)
        for method in (CHOSEN, GATES, ATTENTION):
            gains += [measure_gain(task.name, by_method, other, method, share_right) for other in references]
    return gains


def share_right(outcomes: Sequence[Outcome]) -> Statistic:
    """The share of right predictions on the test samples of all splits together."""
    correct = np.concatenate([outcome.correct for outcome in outcomes]).astype(np.float64)

    def share(weights: Floats) -> Floats:
        return np.asarray(weights @ correct / weights.sum(1))

    return share


def _best(by_method: Mapping[str, Sequence[Outcome]], methods: Sequence[str]) -> str:
    return max(methods, key=lambda name: np.mean([outcome.correct.mean() for outcome in by_method[name]]))


def run(settings: FuseSettings) -> None:
    """Compare the methods of fusion and report."""
    fuse(settings)
