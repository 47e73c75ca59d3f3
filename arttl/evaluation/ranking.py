"""Average precision, plain and eleven-point, of many classes and many weightings at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_RECALLS = np.linspace(0, 1, 11)


@dataclass(frozen=True)
class _Ranking:
    """One class: samples by falling score, cut behind its last positive.

    Attributes:
        order: [M] the samples.
        blocks: [P] start of each positive's block: the negatives before it and itself.
        positives: [P] the positive samples.
        ends: [P] per positive the last positive with an equal score.
    """

    order: npt.NDArray[np.int64]
    blocks: npt.NDArray[np.int64]
    positives: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, scores: Floats, labels: npt.NDArray[np.bool_]) -> _Ranking:
        # At equal scores negatives go first: a threshold cannot separate them, so all count against each positive.
        order = np.lexsort((labels, -scores))
        ranks = np.flatnonzero(labels[order])
        positives = order[ranks]
        blocks = np.concatenate([[0], ranks[:-1] + 1])
        score = scores[positives]
        ends = np.searchsorted(-score, -score, side="right") - 1
        return cls(order[: ranks[-1] + 1], blocks, positives, ends)

    def precision_and_recall(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """At the threshold of each positive: precision, recall, and the positive's share of all; [R, P] each."""
        all_weights = np.add.reduceat(weights[:, self.order], self.blocks, axis=1).cumsum(1)[:, self.ends]
        own = weights[:, self.positives]
        retrieved = own.cumsum(1)
        total = retrieved[:, -1:]
        retrieved = retrieved[:, self.ends]
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(all_weights > 0, retrieved / all_weights, 0.0)
            return precision, retrieved / total, own / total


class RankedClasses:
    """The classes of a multi-label task, their samples ranked by score.

    Classes without a positive do not count; nor, under given weights, those whose positives all have weight zero.
    """

    def __init__(self, scores: npt.NDArray[Any], labels: npt.NDArray[np.bool_]) -> None:
        """Rank.

        Args:
            scores: [N, Q], higher is likelier.
            labels: [N, Q], which labels each sample has.
        """
        self._classes = [
            _Ranking.of(scores[:, index].astype(np.float64), labels[:, index])
            for index in np.flatnonzero(labels.any(0))
        ]

    def average_precision(self, weights: Floats) -> Floats:
        """Per class the sum over thresholds of precision times the gain in recall, [R, classes with a positive]."""
        return self._each(weights, _average_precision)

    def eleven_point(self, weights: Floats) -> Floats:
        """Per class the mean over the recalls 0, 0.1, .. 1 of the best precision at that recall or more."""
        return self._each(weights, _eleven_point)

    def mean_average_precision(self, weights: Floats) -> Floats:
        """The mean of `average_precision` over classes, [R]."""
        return _mean(self.average_precision(weights))

    def eleven_point_map(self, weights: Floats) -> Floats:
        """The mean of `eleven_point` over classes, [R]: the Rijksmuseum Challenge's `eval_map`."""
        return _mean(self.eleven_point(weights))

    def _each(self, weights: Floats, measure: Callable[[_Ranking, Floats], Floats]) -> Floats:
        if not self._classes:
            return np.full((len(weights), 1), np.nan)
        return np.stack([measure(ranking, weights) for ranking in self._classes], axis=1)


def _average_precision(ranking: _Ranking, weights: Floats) -> Floats:
    precision, _, share = ranking.precision_and_recall(weights)
    return np.asarray((precision * share).sum(1))


def _eleven_point(ranking: _Ranking, weights: Floats) -> Floats:
    precision, recall, _ = ranking.precision_and_recall(weights)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]  # at this recall or more
    # Recalls are ratios of sums; 3 of 10 must reach 0.3 however it is rounded.
    reached = recall[:, None, :] >= _RECALLS[:, None] - 1e-12  # [R, 11, P]
    first = reached.argmax(2)
    return np.where(np.isnan(recall[:, 0]), np.nan, np.take_along_axis(best, first, axis=1).mean(1))


def _mean(values: Floats) -> Floats:
    """Mean over classes, [R, classes] to [R], without those that are NaN."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(1) / known.sum(1))
