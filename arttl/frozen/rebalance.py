"""`arttl rebalance`: what helps rare classes, over several splits, by size of the classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.table import Table

from arttl.console import Reporter
from arttl.errors import ArttlError
from arttl.evaluation.classes import FEW, MANY
from arttl.evaluation.measures import Floats, Statistic, measures_of
from arttl.evaluation.metrics import TaskMetrics
from arttl.frozen.rebalance_methods import METHODS, PLAIN, RebalanceOutcome, fit_methods
from arttl.frozen.results import write_figures
from arttl.frozen.study import SplitSettings, Study, StudySettings
from arttl.frozen.tables import Gain, figures_table, gains_table, measure_gain, spread
from arttl.frozen.tokens import labelled_samples
from arttl.loading.settings import ClassSettings
from arttl.models.stages import LAST_LAYER
from arttl.tasks import Task, TaskSet

# Sizes of classes in the training split, as headings.
_BANDS = {"many": f"over {MANY}", "medium": f"{FEW}–{MANY}", "few": f"under {FEW}"}


@dataclass(frozen=True, kw_only=True)
class RebalanceSettings(SplitSettings, ClassSettings, StudySettings):
    """Compare what helps rare classes, with heads on frozen features solved to convergence.

    A logistic regression as it is; its logits adjusted for the frequency of the classes, afterwards or in training;
    samples weighted by the size of their class; and the nearest class mean. For single-label tasks, on one folder of
    features.
    """

    out: Path = Path("runs/rebalance")
    """Folder for rebalance.json."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if len(self.features) > 1:
            raise ArttlError(
                f"arttl rebalance compares heads on one folder of features, and {len(self.features)} are given"
            )


Outcomes = Mapping[str, Mapping[str, Sequence[RebalanceOutcome]]]
"""Task name to method to the outcome on each split."""


def compare_methods(settings: RebalanceSettings) -> tuple[Outcomes, TaskSet]:
    """Fit every method for every task on every split.

    Returns:
        The outcomes, and the tasks as the first split has them.

    Raises:
        ArttlError: for input that cannot be used.
    """
    study = Study(settings.features, settings)
    values = study.stores[0].values(LAST_LAYER)
    measured, tasks = study.measure(
        settings.seeds,
        lambda split: partial(labelled_samples, split, values=[values], device=study.device),
        fit_methods,
    )
    outcomes = {
        task: dict(zip(METHODS, zip(*of_splits, strict=True), strict=True))
        for task, of_splits in measured.items()
    }
    return outcomes, tasks


def gains(outcomes: Outcomes, tasks: TaskSet) -> list[Gain]:
    """What each method adds to the balanced accuracy of the plain logistic regression, mean over the splits."""

    def mean_balanced(task: Task, outcomes: Sequence[RebalanceOutcome]) -> Statistic:
        parts = [
            measures_of(task, outcome.logits, outcome.targets)["balanced_accuracy"] for outcome in outcomes
        ]
        edges = np.cumsum([len(outcome.rows) for outcome in outcomes])[:-1]

        def mean(weights: Floats) -> Floats:
            pieces = np.split(weights, edges, axis=1)
            values = [part(piece) for part, piece in zip(parts, pieces, strict=True)]
            return np.asarray(np.mean(values, axis=0))

        return mean

    return [
        measure_gain(task.name, outcomes[task.name], PLAIN, method, partial(mean_balanced, task))
        for task in tasks
        for method in METHODS[1:]
    ]


def rebalance_table(task: Task, outcomes: Mapping[str, Sequence[RebalanceOutcome]]) -> Table:
    """A row per method: accuracy, balanced accuracy, that of the classes of each size, and calibration."""
    table = figures_table(f"{task.name}: test split, per cent", len(outcomes[PLAIN]))
    table.add_column("head", no_wrap=True)
    metrics = {method: [outcome.metrics for outcome in outcomes[method]] for method in METHODS}
    present = {band.name for of_split in metrics[PLAIN] for band in of_split.bands}
    bands = [name for name in _BANDS if name in present]
    for heading in ("accuracy", "balanced", *(_BANDS[name] for name in bands), "ECE"):
        table.add_column(heading, justify="right", no_wrap=True)
    baselines = [of_split.baseline for of_split in metrics[PLAIN]]
    table.add_row(
        "majority",
        *(
            spread(name, [of_split[name] for of_split in baselines])
            for name in ("accuracy", "balanced_accuracy")
        ),
    )
    for method, of_method in metrics.items():
        table.add_row(
            method,
            spread("accuracy", [of_split.accuracy for of_split in of_method]),
            spread("balanced_accuracy", [of_split.balanced_accuracy for of_split in of_method]),
            *(_mean([_of_band(of_split, name) for of_split in of_method]) for name in bands),
            _mean([of_split.values["calibrated_ece"] for of_split in of_method]),
            end_section=method == PLAIN,
        )
    return table


def _of_band(metrics: TaskMetrics, name: str) -> float:
    """The balanced accuracy of the classes of one size; NaN where the split has none."""
    return next((band.balanced_accuracy for band in metrics.bands if band.name == name), math.nan)


def _mean(values: Sequence[float]) -> str:
    return f"{100 * float(np.nanmean(values)):.1f}"


def rebalance(settings: RebalanceSettings) -> tuple[Outcomes, list[Gain]]:
    """Compare the methods, print the tables, and write the figures behind them.

    Raises:
        ArttlError: if something cannot be used or written.
    """
    outcomes, tasks = compare_methods(settings)
    reporter = Reporter(True)
    of_methods = gains(outcomes, tasks)
    for task in tasks:
        reporter.show(rebalance_table(task, outcomes[task.name]))
    reporter.show(gains_table(of_methods, "balanced accuracy", "head"))
    heads = [
        {"seed": seed, "task": task, "head": method, "detail": outcome.detail, **outcome.metrics.to_dict()}
        for task, by_method in outcomes.items()
        for method, of_method in by_method.items()
        for seed, outcome in enumerate(of_method)
    ]
    figures = {"heads": heads, "gains": [asdict(gain) for gain in of_methods]}
    write_figures(settings.out, settings, "rebalance.json", figures)
    reporter.say(f"the figures in {settings.out / 'rebalance.json'}")
    return outcomes, of_methods


def run(settings: RebalanceSettings) -> None:
    """Compare the methods and report."""
    rebalance(settings)
