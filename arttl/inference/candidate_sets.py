"""Sets of labels that hold the true one as often as promised (split conformal prediction).

Regularised adaptive prediction sets (Angelopoulos et al. 2021, "Uncertainty Sets for Image Classifiers using Conformal
Prediction") with a limit of their own for classes that have enough objects (class-conditional, Vovk 2012), and one for
all others together. The paper adds to the probability of all likelier labels a random part of the label's own; here
that part is nothing, so that a picture always has the same set. All of it would keep the promise too, with sets that
are two to three times as large (benchmarks/promises.md). For several labels per object the set holds all true ones; for
a number it is an interval around the predicted one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arttl.tasks import Task

PENALTY = 0.01  # per rank beyond the free ones, the paper's choice for 1,000 classes
FREE_RANKS = 5
_LEAST_OF_CLASS = 50  # objects: below, a limit of its own is so uncertain that sets grow without need


@dataclass(frozen=True, eq=False)
class CandidateSets:
    """What can be promised of one task's sets.

    Attributes:
        coverage: the share of objects whose set holds the true label, at least, on average over validation objects.
        limits: [Q], of the scores of each class; infinite where there are too few objects, so that it is in every
            set. [1], the half-width of the interval, for a number.
        objects: that the limits were fitted on.
        own: indices of classes with a limit of their own, for which the promise holds class by class.
    """

    coverage: float
    limits: npt.NDArray[np.float64]
    objects: int
    own: tuple[int, ...] = ()

    def members(self, task: Task, probability: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """The sets of samples.

        Args:
            task: a single-label or multi-label one.
            probability: [N, Q].

        Returns:
            [N, Q] bool; each set holds the likeliest label.
        """
        members = class_scores(task, probability) <= self.limits
        members[np.arange(len(members)), probability.argmax(1)] = True
        return members


def fit_sets(
    task: Task, scores: npt.NDArray[np.floating], true_class: npt.NDArray[np.int64], coverage: float
) -> CandidateSets:
    """The limits that keep a promise of coverage.

    Args:
        task: of any kind.
        scores: [N], see `true_scores`; one entry per object.
        true_class: [N], likewise.
        coverage: to promise, 0 to 1.
    """
    counts = np.bincount(true_class[true_class >= 0], minlength=task.outputs)
    own = np.flatnonzero(counts >= _LEAST_OF_CLASS)
    limits = np.full(task.outputs, conformal_limit(scores[~np.isin(true_class, own)], coverage))
    for index in own.tolist():
        limits[index] = conformal_limit(scores[true_class == index], coverage)
    return CandidateSets(coverage, limits, len(scores), tuple(own.tolist()))


def true_scores(
    task: Task, predicted: npt.NDArray[np.float64], targets: npt.NDArray[np.generic]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """How unlikely the truth is: the score of the true class, of the least likely of several, or a number's error.

    Args:
        task: of any kind.
        predicted: [N, Q] probabilities, or [N, 1] numbers in their own unit.
        targets: [N] class indices, [N, Q] of 0 and 1, or [N] numbers in their own unit; all of them known.

    Returns:
        Scores [N], and the true classes [N], -1 where the task has no single one.
    """
    none = np.full(len(predicted), -1, dtype=np.int64)
    if task.kind == "number":
        return np.abs(predicted[:, 0] - targets.astype(np.float64)), none
    scores = class_scores(task, predicted)
    if task.kind == "multi-label":
        return np.where(targets.astype(np.float64) > 0.5, scores, -np.inf).max(1), none
    true_class = targets.astype(np.int64)
    return np.take_along_axis(scores, true_class[:, None], 1)[:, 0], true_class


def class_scores(task: Task, probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How unlikely each class is, [N, Q]: the smaller, the sooner it is in the set.

    For one label per object the probability of all classes that are likelier, and a penalty per rank beyond the free
    ones; for several labels one minus the probability.
    """
    if task.kind == "multi-label":
        return np.asarray(1 - probability)
    order = np.argsort(-probability, axis=1, kind="stable")
    sorted_scores = np.zeros_like(probability)
    sorted_scores[:, 1:] = np.cumsum(np.take_along_axis(probability, order, 1), axis=1)[:, :-1]
    sorted_scores += PENALTY * np.maximum(0, np.arange(1, probability.shape[1] + 1) - FREE_RANKS)
    scores = np.empty_like(sorted_scores)
    np.put_along_axis(scores, order, sorted_scores, 1)
    return scores


def conformal_limit(scores: npt.NDArray[np.floating], coverage: float) -> float:
    """The score that the next object's is at most, with probability `coverage`: the ceil((n + 1) coverage)-th smallest.

    Args:
        scores: [n].
        coverage: 0 to 1.

    Returns:
        The limit; infinite for too few scores.
    """
    rank = math.ceil((len(scores) + 1) * coverage - 1e-9)
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf
