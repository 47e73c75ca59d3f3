"""What is outside: nineteen of twenty objects of the collection are kept, whichever are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from arttl.inference.outside import KEPT, surprise, surprise_at_evidence, surprise_limit

REDRAWN = 500


def draw(count: int, correlation: float, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two scores, of which the second has ties."""
    covariance = [[1.0, correlation], [correlation, 1.0]]
    first, second = generator.multivariate_normal([0.0, 0.0], covariance, count).T
    return first, second.round(1)


@pytest.mark.parametrize(
    ("objects", "correlation", "most"), [(40, 0.0, 0.98), (300, 0.8, 0.965), (2000, -0.5, 0.955)]
)
def test_objects_of_the_collection_are_kept_as_often_as_promised(
    objects: int, correlation: float, most: float
) -> None:
    generator = np.random.default_rng(0)
    others = draw(2000, correlation, generator)
    kept = []
    for _ in range(REDRAWN):
        evidence = draw(objects, correlation, generator)
        kept.append((surprise(others, evidence) <= surprise_limit(evidence)).mean())
    assert KEPT - 0.003 <= np.mean(kept) <= most


def test_surprise_is_the_product_of_the_shares_that_score_as_high() -> None:
    generator = np.random.default_rng(1)
    evidence, scores = draw(50, 0.3, generator), draw(20, 0.3, generator)
    expected = [
        -sum(np.log((1 + sum(known >= value)) / 51) for known, value in zip(evidence, pair, strict=True))
        for pair in zip(*scores, strict=True)
    ]
    np.testing.assert_allclose(surprise(scores, evidence), expected)
    without_itself = [
        surprise(
            tuple(column[[index]] for column in evidence),
            tuple(np.delete(column, index) for column in evidence),
        )[0]
        for index in range(50)
    ]
    np.testing.assert_allclose(surprise_at_evidence(evidence), without_itself)


def test_two_moderate_scores_surprise_more_than_one() -> None:
    generator = np.random.default_rng(2)
    evidence = draw(1000, 0.0, generator)
    high = np.array([1.9])
    limit = surprise_limit(evidence)
    assert surprise((high, high), evidence)[0] > limit
    assert surprise((high, np.zeros(1)), evidence)[0] < limit
