"""The measures of each kind of task, as functions of the samples' weights.

A measure is made once from logits and targets and then asked for any number of weightings: all ones give its value, the
counts of a resampling give a bootstrap replicate of exactly the same quantity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from arttl.evaluation.ranking import RankedClasses
from arttl.inference.labels import decide_labels
from arttl.tasks import Task

Floats = npt.NDArray[np.float64]
Measure = Callable[[Floats], Floats]
"""From weights [R, N], a row a resampling, to values [R]; NaN where a row leaves nothing to measure."""

TOP = 5
NEAR = 50.0
"""How far an answered number may be off to count as near, in the label's unit: the Rijksmuseum Challenge's 50 years."""

LOWER_IS_BETTER = ("mean_absolute_error", "root_mean_squared_error")
"""Errors, in the label's unit; all other measures are shares of one."""
MAIN_MEASURE = {
    "single-label": "accuracy",
    "multi-label": "mean_average_precision",
    "number": "mean_absolute_error",
}
"""By kind of task, the measure that a task is judged by where only one is shown."""


def measures_of(task: Task, logits: npt.NDArray[Any], targets: npt.NDArray[Any]) -> dict[str, Measure]:
    """Every measure of a task's kind, by name; `docs/metrics.md` defines them.

    Args:
        task: the task.
        logits: [N, Q], of labelled samples only.
        targets: [N] integers, [N, Q] of 0 and 1, or for a number [N] in the label's unit.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if task.kind == "single-label":
        return _single_label(logits, targets)
    if task.kind == "multi-label":
        return _multi_label(logits, targets > 0.5)
    return _number(task.statistics.restore(logits[:, 0]), np.asarray(targets, dtype=np.float64))


def is_correct(task: Task, logits: npt.NDArray[Any], targets: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which answers are right, [N]: the class, the whole set of labels, or a number less than `NEAR` off."""
    if task.kind == "single-label":
        return np.asarray(logits.argmax(1) == targets)
    if task.kind == "multi-label":
        return np.asarray((decide_labels(logits) == (targets > 0.5)).all(1))
    answers = task.statistics.restore(np.asarray(logits[:, 0], dtype=np.float64))
    return np.asarray(np.abs(answers - targets) <= NEAR)


def majority_logits(task: Task, count: int) -> Floats:
    """What always answering the training split's most frequent says, [count, Q]: the baseline.

    The classes are ordered by how often they come, so that it has a second to fifth answer too; of a number it says
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


def _single_label(logits: Floats, targets: npt.NDArray[Any]) -> dict[str, Measure]:
    count = logits.shape[1]
    predicted = logits.argmax(1)
    hits = predicted == targets
    of_target, of_predicted = _ClassSums(targets, count), _ClassSums(predicted, count)

    def balanced(weights: Floats) -> Floats:
        return _mean_of_present(of_target(weights * hits), of_target(weights), of_target(weights))

    def macro_f1(weights: Floats) -> Floats:
        support = of_target(weights)
        return _mean_of_present(2 * of_target(weights * hits), support + of_predicted(weights), support)

    found: dict[str, Measure] = {"accuracy": _mean_of(hits)}
    if count > TOP:
        at_target = np.take_along_axis(logits, targets[:, None], axis=1)
        # A class as likely as the target's goes first where its index is lower, as argmax has it.
        earlier = (logits == at_target) & (np.arange(count) < targets[:, None])
        found["top5_accuracy"] = _mean_of(((logits > at_target) | earlier).sum(1) < TOP)
    return {**found, "balanced_accuracy": balanced, "macro_f1": macro_f1}


def _multi_label(logits: Floats, wanted: npt.NDArray[np.bool_]) -> dict[str, Measure]:
    chosen = decide_labels(logits)
    true_positive, present, answered = ((one).astype(np.float64) for one in (chosen & wanted, wanted, chosen))
    true_negative = (~chosen & ~wanted).astype(np.float64)
    by_class, by_sample = RankedClasses(logits, wanted), _eleven_point_by_sample(logits, wanted)

    def balanced(weights: Floats) -> Floats:
        support = weights @ present
        others = weights.sum(1, keepdims=True) - support
        with np.errstate(invalid="ignore", divide="ignore"):
            recall, specificity = weights @ true_positive / support, weights @ true_negative / others
        # A label that every sample carries has no specificity.
        both = np.where(others > 0, (recall + specificity) / 2, recall)
        return _mean_of_present(both, np.ones_like(both), support)

    def macro_f1(weights: Floats) -> Floats:
        support = weights @ present
        return _mean_of_present(2 * (weights @ true_positive), support + weights @ answered, support)

    return {
        "accuracy": _mean_of((chosen == wanted).all(1)),
        "mean_average_precision": by_class.mean_average_precision,
        "eleven_point_map": by_class.eleven_point_map,
        "eleven_point_map_by_image": by_sample,
        "balanced_accuracy": balanced,
        "macro_f1": macro_f1,
    }


def _number(answers: Floats, targets: Floats) -> dict[str, Measure]:
    error = np.abs(answers - targets)
    squared = _mean_of(error**2)
    return {
        "mean_absolute_error": _mean_of(error),
        "within_50": _mean_of(error <= NEAR),
        "root_mean_squared_error": lambda weights: np.sqrt(squared(weights)),
    }


def _eleven_point_by_sample(logits: Floats, wanted: npt.NDArray[np.bool_]) -> Measure:
    """The eleven-point form with samples as queries and classes as documents."""
    one = np.ones((1, logits.shape[1]))
    return _mean_of(RankedClasses(logits.T, wanted.T).eleven_point(one)[0])


def _mean_of(values: npt.NDArray[Any]) -> Measure:
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


def values_of(measures: Mapping[str, Measure], count: int) -> dict[str, float]:
    """Each measure's value on `count` samples that weigh the same."""
    ones = np.ones((1, count))
    return {name: float(measure(ones)[0]) for name, measure in measures.items()}
