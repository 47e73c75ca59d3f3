"""Metrics per task, always beside the majority baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from arttl.evaluation.bootstrap import REPLICATES, bootstrap_intervals, exact_interval
from arttl.evaluation.classes import Band, class_bands
from arttl.evaluation.measures import majority_logits, measure_named, measures_of, values_of
from arttl.inference.calibration import calibration_error
from arttl.inference.labels import probabilities
from arttl.inference.predictions import Predictions
from arttl.tasks import Task, TaskKind


@dataclass(frozen=True)
class TaskMetrics:
    """How well one task was predicted on the samples that carry a label for it.

    Attributes:
        kind: of the task.
        values: measure name to value; `docs/metrics.md` defines them. NaN where there is no sample.
        baseline: the same measures of always predicting what is most frequent in the training split, or its median.
        intervals: measure name to low and high of the 95% bootstrap interval.
        n: samples measured.
        classes: of the vocabulary; 0 for a number.
        unknown_class: labelled samples left out, since the vocabulary has none of their labels, or their label is
            not a number.
        temperature: what the logits were divided by for `confidence` and `calibrated_ece`; None where the model has
            none.
        bands: by size of the classes in the training split.
    """

    kind: TaskKind
    values: Mapping[str, float]
    baseline: Mapping[str, float]
    n: int
    classes: int
    unknown_class: int = 0
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    temperature: float | None = None
    bands: tuple[Band, ...] = ()

    @property
    def accuracy(self) -> float:
        """Share of samples whose class, or whole set of labels, was predicted; NaN for a number."""
        return self.values.get("accuracy", math.nan)

    @property
    def balanced_accuracy(self) -> float:
        """Mean over classes of the recall, see `docs/metrics.md`; NaN for a number."""
        return self.values.get("balanced_accuracy", math.nan)

    @property
    def majority(self) -> float:
        """Accuracy of always predicting what is most frequent in the training split; NaN for a number."""
        return self.baseline.get("accuracy", math.nan)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form; measures without a value are left out."""
        described: dict[str, Any] = {"kind": self.kind, **_known(self.values)}
        if self.kind != "number":
            described |= _known({"majority": self.majority})
        described |= {"n": self.n, "classes": self.classes, "unknown_class": self.unknown_class}
        if self.temperature is not None:
            described["temperature"] = self.temperature
        described["baseline"] = _known(self.baseline)
        described["intervals"] = {
            name: list(ends) for name, ends in self.intervals.items() if not any(map(math.isnan, ends))
        }
        if self.bands:
            described["bands"] = [band.to_dict() for band in self.bands]
        return described


def measure_predictions(
    predictions: Predictions,
    *,
    groups: npt.NDArray[np.int64] | None = None,
    replicates: int = REPLICATES,
) -> dict[str, TaskMetrics]:
    """Measure every task.

    Args:
        predictions: of a split, with the temperatures of the model.
        groups: of each row of the manifest, equal for samples that belong together, see `bootstrap_intervals`.
        replicates: of the bootstrap; 0: no intervals.
    """
    metrics = {}
    for task in predictions.tasks:
        rows, logits, targets = predictions.labelled(task)
        with_label = sum(labels is not None for labels in predictions.catalogued[task.name])
        metrics[task.name] = measure_task(
            task,
            logits,
            targets,
            with_label - len(rows),
            temperature=predictions.temperatures.get(task.name),
            groups=None if groups is None else groups[rows],
            replicates=replicates,
        )
    return metrics


def measure_task(
    task: Task,
    logits: npt.ArrayLike,
    targets: npt.ArrayLike,
    unknown_class: int = 0,
    *,
    temperature: float | None = None,
    groups: npt.NDArray[Any] | None = None,
    replicates: int = REPLICATES,
) -> TaskMetrics:
    """Measure one task.

    A class without a sample does not enter the means over classes.

    Args:
        task: the task.
        logits: [N, Q], of labelled samples only.
        targets: [N] int64, [N, Q] float of 0 and 1, or for a number [N] float in the label's unit.
        unknown_class: count of labelled samples that are left out.
        temperature: of the model's calibration.
        groups: [N] anything equal for samples that belong together, see `bootstrap_intervals`.
        replicates: of the bootstrap; 0: no intervals.
    """
    scores, labels = np.asarray(logits, dtype=np.float64), np.asarray(targets)
    count, has_classes = len(scores), task.kind != "number"
    measures = measures_of(task, scores, labels)
    intervals: dict[str, tuple[float, float]] = {}
    bands: tuple[Band, ...] = ()
    values = baseline = dict.fromkeys(measures, math.nan)
    if count:
        values = values_of(measures, count)
        baseline = values_of(measures_of(task, majority_logits(task, count), labels), count)
        if replicates:
            intervals = bootstrap_intervals(measures, count, groups=groups, replicates=replicates)
            units = count if groups is None else len(np.unique(groups))
            for name, (low, high) in intervals.items():
                # 1 or 0 but for the rounding of means over classes; NaN is neither.
                certain = [share for share in (0, 1) if max(abs(low - share), abs(high - share)) < 1e-9]
                if certain and measure_named(name).unit == "share":
                    intervals[name] = exact_interval(certain[0] * units, units)
    if count and has_classes:
        values["confidence"] = float(probabilities(task, scores, temperature or 1.0).max(1).mean())
        values["ece"] = calibration_error(task, scores, labels)
        if temperature is not None:
            values["calibrated_ece"] = calibration_error(task, scores, labels, temperature)
        bands = class_bands(task, scores, labels)
    return TaskMetrics(
        kind=task.kind,
        values=values,
        baseline=baseline,
        n=count,
        classes=len(task.vocabulary) if has_classes else 0,
        unknown_class=unknown_class,
        intervals=intervals,
        temperature=temperature,
        bands=bands,
    )


def metrics_to_json(metrics: Mapping[str, TaskMetrics]) -> dict[str, Any]:
    """`{"tasks": {name: {...}}}`, the form of every JSON file of results."""
    return {"tasks": {name: of_task.to_dict() for name, of_task in metrics.items()}}


def _known(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if not np.isnan(value)}
