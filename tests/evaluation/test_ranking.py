from __future__ import annotations

import numpy as np
import pytest
from evaluation_cases import multi
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from arttl.evaluation.ranking import RankedClasses

seeds = st.integers(0, 2**32 - 1)


def eleven_point(scores: np.ndarray, wanted: np.ndarray) -> float:
    """From its definition, a threshold and a recall at a time; equal scores stand together."""
    points = []
    for threshold in np.unique(scores):
        answered = scores >= threshold
        found = int((answered & wanted).sum())
        points.append((found, int(wanted.sum()), found / answered.sum()))
    # Recall f/t is at least k/10, in whole numbers.
    return float(np.mean([max(p for f, t, p in points if 10 * f >= k * t) for k in range(11)]))


@given(seed=seeds, n=st.integers(1, 40), classes=st.integers(1, 5), tied=st.booleans())
@settings(max_examples=60, deadline=None)
def test_both_forms_agree_with_their_definitions(seed: int, n: int, classes: int, tied: bool) -> None:
    scores, targets = multi(seed, n, classes, tied=tied)
    wanted = targets > 0.5
    present = np.flatnonzero(wanted.any(0))
    ranked = RankedClasses(scores, wanted)
    ones = np.ones((1, n))
    plain = [average_precision_score(wanted[:, place], scores[:, place]) for place in present]
    np.testing.assert_allclose(ranked.average_precision(ones)[0], plain, atol=1e-12)
    interpolated = [eleven_point(scores[:, place], wanted[:, place]) for place in present]
    np.testing.assert_allclose(ranked.eleven_point(ones)[0], interpolated, atol=1e-12)


def test_the_eleven_point_form_by_hand() -> None:
    """Ranks 1, 3 and 6 of 6 are right: precisions 1, 2/3 and 1/2 at recalls 1/3, 2/3 and 1."""
    ranked = RankedClasses(-np.arange(6.0)[:, None], np.array([[1, 0, 1, 0, 0, 1]], dtype=bool).T)
    # Recalls 0 to 0.3 reach 1, 0.4 to 0.6 reach 2/3, 0.7 to 1 reach 1/2.
    assert ranked.eleven_point_map(np.ones((1, 6)))[0] == pytest.approx((4 * 1 + 3 * 2 / 3 + 4 * 1 / 2) / 11)
    assert ranked.mean_average_precision(np.ones((1, 6)))[0] == pytest.approx((1 + 2 / 3 + 1 / 2) / 3)


def test_classes_without_a_weighing_positive_do_not_count() -> None:
    scores = np.array([[2.0, 0.0, 1.0], [1.0, 1.0, 2.0], [0.0, 2.0, 3.0]])
    wanted = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=bool)
    weights = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    found = RankedClasses(scores, wanted).mean_average_precision(weights)
    assert (
        found[0] == pytest.approx((1 + 1 / 2) / 2) and found[1] == pytest.approx(1.0) and np.isnan(found[2])
    )
    assert np.isnan(RankedClasses(scores, wanted & False).eleven_point_map(weights)).all()
