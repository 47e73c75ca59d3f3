"""The measures of each kind of task, as functions of the samples' weights.

A measure makes a statistic from logits and targets once, which is then evaluated under any weights: all ones give its
value, the counts of a resampling give a bootstrap replicate of exactly the same quantity.

`MEASURES` lists them per kind. Tables, JSON files, intervals and comparisons show what it lists. To add a
measure, register it:

    from arttl.evaluation.measures import MEASURES, Measure, mean_of
    MEASURES["number"].append(
        Measure("within_10", "within 10", "share", "higher", lambda samples: mean_of(samples.error <= 10))
    )
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from arttl.evaluation.ranking import RankedClasses
from arttl.inference.labels import decide_labels
from arttl.tasks import Task, TaskKind

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""From weights [R, N], one row per resampling, to values [R]; NaN where a row leaves nothing to measure."""

TOP = 5
NEAR = 50.0
"""How far off a predicted number may be to count as near, in the label's unit: the Rijksmuseum Challenge's 50 years."""

MAIN_MEASURE = {
    "single-label": "accuracy",
    "multi-label": "mean_average_precision",
    "number": "mean_absolute_error",
}
"""By kind of task, the measure that a task is judged by where only one is shown."""


@dataclass(frozen=True)
class Measure:
    """A measure of predictions; `docs/metrics.md` defines those of `MEASURES`."""

    name: str
    """Its key in JSON files and for `--measure`."""
    text: str
    """Its name in tables."""
    unit: Literal["share", "label"]
    """A share of one, shown in per cent, or in the label's unit."""
    better: Literal["higher", "lower"]
    function: Callable[[Any], Statistic | None] | None
    """From the samples of the kind (`ClassSamples`, `LabelSamples`, `NumberSamples`) to the statistic; it returns None
    where the measure does not apply. None for those of `CALIBRATION`, which `measure_task` computes and does not
    resample.
    """


@dataclass(frozen=True, eq=False)
class ClassSamples:
    """The predictions of a single-label task.

    Attributes:
        logits: [N, Q].
        targets: [N] class indices.
    """

    logits: Floats
    targets: npt.NDArray[Any]

    @cached_property
    def predicted(self) -> npt.NDArray[np.intp]:
        """[N] class indices."""
        return self.logits.argmax(1)

    @cached_property
    def correct(self) -> npt.NDArray[np.bool_]:
        """[N], whether the class is right."""
        return np.asarray(self.predicted == self.targets)

    @property
    def top5(self) -> Statistic | None:
        """Share of samples whose class is one of the five likeliest; None for a task with no more than five."""
        count = self.logits.shape[1]
        if count <= TOP:
            return None
        at_target = np.take_along_axis(self.logits, self.targets[:, None], axis=1)
        # A class as likely as the target's goes first where its index is lower, as argmax has it.
        earlier = (self.logits == at_target) & (np.arange(count) < self.targets[:, None])
        return mean_of(((self.logits > at_target) | earlier).sum(1) < TOP)

    def balanced_accuracy(self, weights: Floats) -> Floats:
        """Mean over classes of the recall."""
        support = self._of_target(weights)
        return _mean_of_present(self._of_target(weights * self.correct), support, support)

    def macro_f1(self, weights: Floats) -> Floats:
        """Mean over classes of F1."""
        support = self._of_target(weights)
        twice_hit = 2 * self._of_target(weights * self.correct)
        return _mean_of_present(twice_hit, support + self._of_predicted(weights), support)

    @cached_property
    def _of_target(self) -> _ClassSums:
        return _ClassSums(self.targets, self.logits.shape[1])

    @cached_property
    def _of_predicted(self) -> _ClassSums:
        return _ClassSums(self.predicted, self.logits.shape[1])


@dataclass(frozen=True, eq=False)
class LabelSamples:
    """The predictions of a multi-label task.

    Attributes:
        logits: [N, Q].
        targets: [N, Q], whether the label is there.
    """

    logits: Floats
    targets: npt.NDArray[np.bool_]

    @cached_property
    def predicted(self) -> npt.NDArray[np.bool_]:
        """[N, Q], see `decide_labels`."""
        return decide_labels(self.logits)

    @cached_property
    def correct(self) -> npt.NDArray[np.bool_]:
        """[N], whether the whole set of labels is right."""
        return np.asarray((self.predicted == self.targets).all(1))

    @cached_property
    def ranked(self) -> RankedClasses:
        """The samples by score, per class."""
        return RankedClasses(self.logits, self.targets)

    @property
    def eleven_point_by_sample(self) -> Statistic:
        """The eleven-point form with samples as queries and classes as documents."""
        equal = np.ones((1, self.logits.shape[1]))
        return mean_of(RankedClasses(self.logits.T, self.targets.T).eleven_point(equal)[0])

    def balanced_accuracy(self, weights: Floats) -> Floats:
        """Mean over labels of the mean of recall and specificity."""
        support = weights @ self._present
        others = weights.sum(1, keepdims=True) - support
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = weights @ self._true_positive / support
            specificity = weights @ self._true_negative / others
        # A label that every sample carries has no specificity.
        both = np.where(others > 0, (recall + specificity) / 2, recall)
        return _mean_of_present(both, np.ones_like(both), support)

    def macro_f1(self, weights: Floats) -> Floats:
        """Mean over labels of F1."""
        support = weights @ self._present
        predicted = weights @ self._predicted
        return _mean_of_present(2 * (weights @ self._true_positive), support + predicted, support)

    @cached_property
    def _present(self) -> Floats:
        return self.targets.astype(np.float64)

    @cached_property
    def _predicted(self) -> Floats:
        return self.predicted.astype(np.float64)

    @cached_property
    def _true_positive(self) -> Floats:
        return (self.predicted & self.targets).astype(np.float64)

    @cached_property
    def _true_negative(self) -> Floats:
        return (~self.predicted & ~self.targets).astype(np.float64)


@dataclass(frozen=True, eq=False)
class NumberSamples:
    """The predictions of a number.

    Attributes:
        values: [N], in the label's unit.
        targets: [N], likewise.
    """

    values: Floats
    targets: Floats

    @cached_property
    def error(self) -> Floats:
        """[N], in the label's unit."""
        return np.abs(self.values - self.targets)

    @cached_property
    def correct(self) -> npt.NDArray[np.bool_]:
        """[N], whether the number is at most `NEAR` off."""
        return np.asarray(self.error <= NEAR)

    def root_mean_squared_error(self, weights: Floats) -> Floats:
        """In the label's unit."""
        return np.sqrt(mean_of(self.error**2)(weights))


_ACCURACY = Measure("accuracy", "accuracy", "share", "higher", lambda s: mean_of(s.correct))
_BALANCED = Measure(
    "balanced_accuracy", "balanced accuracy", "share", "higher", lambda s: s.balanced_accuracy
)
_MACRO_F1 = Measure("macro_f1", "macro F1", "share", "higher", lambda s: s.macro_f1)
_TOP5 = Measure("top5_accuracy", "top-5 accuracy", "share", "higher", lambda s: s.top5)
_MAP = Measure("mean_average_precision", "mAP", "share", "higher", lambda s: s.ranked.mean_average_precision)
_ELEVEN_POINTS = Measure(
    "eleven_point_map", "mAP, eleven points", "share", "higher", lambda s: s.ranked.eleven_point_map
)
_BY_IMAGE = Measure(
    "eleven_point_map_by_image",
    "mAP, eleven, by image",
    "share",
    "higher",
    lambda s: s.eleven_point_by_sample,
)
_MEAN_ABSOLUTE = Measure(
    "mean_absolute_error", "mean abs. error", "label", "lower", lambda s: mean_of(s.error)
)
_WITHIN_50 = Measure("within_50", "within 50", "share", "higher", lambda s: mean_of(s.correct))
_ROOT_MEAN_SQUARED = Measure(
    "root_mean_squared_error", "root mean sq. error", "label", "lower", lambda s: s.root_mean_squared_error
)
MEASURES: dict[TaskKind, list[Measure]] = {
    "single-label": [_ACCURACY, _TOP5, _BALANCED, _MACRO_F1],
    "multi-label": [_ACCURACY, _MAP, _ELEVEN_POINTS, _BY_IMAGE, _BALANCED, _MACRO_F1],
    "number": [_MEAN_ABSOLUTE, _WITHIN_50, _ROOT_MEAN_SQUARED],
}
"""The measures of each kind of task, in the order in which they are shown."""
CALIBRATION = (
    Measure("confidence", "mean confidence", "share", "higher", None),
    Measure("ece", "calibration error", "share", "lower", None),
    Measure("calibrated_ece", "  after temperature", "share", "lower", None),
)


def measure_named(name: str) -> Measure:
    """The measure with a name; one of several kinds of task is the same for all."""
    return {measure.name: measure for group in (*MEASURES.values(), CALIBRATION) for measure in group}[name]


def samples_of(
    task: Task, logits: npt.NDArray[Any], targets: npt.NDArray[Any]
) -> ClassSamples | LabelSamples | NumberSamples:
    """What a measure's function takes.

    Args:
        task: the task.
        logits: [N, Q], of labelled samples only.
        targets: [N] integers, [N, Q] of 0 and 1, or for a number [N] in the label's unit.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if task.kind == "single-label":
        return ClassSamples(logits, targets)
    if task.kind == "multi-label":
        return LabelSamples(logits, targets > 0.5)
    return NumberSamples(task.statistics.restore(logits[:, 0]), np.asarray(targets, dtype=np.float64))


def measures_of(task: Task, logits: npt.NDArray[Any], targets: npt.NDArray[Any]) -> dict[str, Statistic]:
    """Every measure of a task's kind that applies, by name.

    Args:
        task, logits, targets: as for `samples_of`.
    """
    samples = samples_of(task, logits, targets)
    statistics = {
        measure.name: measure.function(samples) for measure in MEASURES[task.kind] if measure.function
    }
    return {name: statistic for name, statistic in statistics.items() if statistic is not None}


def is_correct(task: Task, logits: npt.NDArray[Any], targets: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which predictions are right, [N]: the class, the whole set of labels, or a number at most `NEAR` off.

    Args:
        task, logits, targets: as for `samples_of`.
    """
    return samples_of(task, logits, targets).correct


def majority_logits(task: Task, count: int) -> Floats:
    """The baseline, [count, Q]: logits whose prediction is always the training split's most frequent.

    The classes are ordered by their frequency, so that there is a second to fifth prediction too; of a number it is
    the median.
    """
    if task.kind == "number":
        constant = np.array([task.statistics.standardise(np.float64(task.statistics.median))])
    else:
        vocabulary = task.vocabulary
        constant = np.log(
            np.asarray(vocabulary.counts, dtype=np.float64).clip(0.5) / max(1, sum(vocabulary.counts))
        )
        if task.kind == "multi-label":
            constant = constant - 1.0  # every class is left out but those of the most frequent set
            constant[list(vocabulary.majority)] += 1.0 - constant.min()
    return np.tile(constant, (count, 1))


def mean_of(values: npt.NDArray[Any]) -> Statistic:
    """The weighted mean of one value per sample, [N]."""
    values = values.astype(np.float64)

    def mean(weights: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            return np.asarray(weights @ values / weights.sum(1))

    return mean


def _mean_of_present(numerator: Floats, denominator: Floats, support: Floats) -> Floats:
    """Mean over the classes with support of numerator / denominator; all [R, Q]."""
    present = support > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(present, numerator / denominator, 0.0)
        return np.asarray(values.sum(1) / present.sum(1))


class _ClassSums:
    """Sums of weights over the samples of each class: [R, N] to [R, Q]."""

    def __init__(self, classes: npt.NDArray[Any], count: int) -> None:
        self._order = np.argsort(classes, kind="stable")
        self._present, self._starts = np.unique(classes[self._order], return_index=True)
        self._count = count

    def __call__(self, weights: Floats) -> Floats:
        sums = np.zeros((len(weights), self._count))
        if len(self._present):
            sums[:, self._present] = np.add.reduceat(weights[:, self._order], self._starts, axis=1)
        return sums


def values_of(measures: Mapping[str, Statistic], count: int) -> dict[str, float]:
    """Each measure's value on `count` samples that weigh the same."""
    ones = np.ones((1, count))
    return {name: float(measure(ones)[0]) for name, measure in measures.items()}
