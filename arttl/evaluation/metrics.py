"""Metrics per task, always beside the majority baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from arttl.evaluation.bootstrap import REPLICATES, bootstrap_intervals
from arttl.evaluation.classes import Band, class_bands
from arttl.evaluation.measures import majority_logits, measures_of, values_of
from arttl.inference.calibration import calibration_error
from arttl.inference.labels import probabilities
from arttl.inference.predictions import Predictions
from arttl.models.calibration import Calibration
from arttl.shards.manifest import Manifest
from arttl.tasks import Task, TaskKind


@dataclass(frozen=True)
class TaskMetrics:
    """How well one task was predicted on the samples that carry a label for it.

    Attributes:
        kind: of the task.
        values: measure name to value; `docs/metrics.md` defines them. NaN where there is no sample.
        baseline: the same measures of always answering what is most frequent in the training split, or its median.
        intervals: measure name to low and high of the 95% bootstrap interval.
        n: samples measured.
        classes: of the vocabulary; 0 for a number.
        unknown_class: labelled samples left out, since the vocabulary has none of their labels, or their label says
            no number.
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
        """Accuracy of always answering what is most frequent in the training split; NaN for a number."""
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
    manifest: Manifest,
    calibration: Calibration | None = None,
    *,
    groups: npt.NDArray[np.int64] | None = None,
    replicates: int = REPLICATES,
) -> dict[str, TaskMetrics]:
    """Measure every task.

    Args:
        predictions: of a split.
        manifest: of the shards predicted on; tells the samples that carry a label of no known class.
        calibration: of the model.
        groups: of each row of the manifest, equal for samples that belong together, see `bootstrap_intervals`.
        replicates: of the bootstrap; 0: no intervals.
    """
    metrics = {}
    for task in predictions.tasks:
        rows, logits, targets = predictions.labelled(task)
        labels = manifest.labels(task.name)
        carrying = sum(labels[row] is not None for row in predictions.rows.tolist())
        metrics[task.name] = measure_task(
            task,
            logits,
            targets,
            carrying - len(rows),
            temperature=calibration.temperatures.get(task.name) if calibration else None,
            groups=None if groups is None else groups[rows.numpy()],
            replicates=replicates,
        )
    return metrics


def measure_task(
    task: Task,
    logits: torch.Tensor,
    targets: torch.Tensor,
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
    count = len(logits)
    scores, wanted = logits.detach().cpu().double().numpy(), targets.cpu().numpy()
    measures = measures_of(task, scores, wanted)
    constant = majority_logits(task, count)
    if not count:
        nothing = dict.fromkeys(measures, math.nan)
        return TaskMetrics(
            task.kind, nothing, nothing, 0, _classes(task), unknown_class, temperature=temperature
        )
    values = values_of(measures, count)
    baseline = values_of(measures_of(task, constant, wanted), count)
    if task.kind != "number":
        values["confidence"] = float(probabilities(task, scores, temperature or 1.0).max(1).mean())
        values["ece"] = calibration_error(task, scores, wanted)
        if temperature is not None:
            values["calibrated_ece"] = calibration_error(task, scores, wanted, temperature)
    return TaskMetrics(
        kind=task.kind,
        values=values,
        baseline=baseline,
        n=count,
        classes=_classes(task),
        unknown_class=unknown_class,
        intervals=bootstrap_intervals(measures, count, groups=groups, replicates=replicates)
        if replicates
        else {},
        temperature=temperature,
        bands=() if task.kind == "number" else class_bands(task, scores, wanted),
    )


def metrics_to_json(metrics: Mapping[str, TaskMetrics]) -> dict[str, Any]:
    """`{"tasks": {name: {...}}}`, the form of every JSON file of results."""
    return {"tasks": {name: found.to_dict() for name, found in metrics.items()}}


def _classes(task: Task) -> int:
    return 0 if task.kind == "number" else len(task.vocabulary)


def _known(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if not np.isnan(value)}
