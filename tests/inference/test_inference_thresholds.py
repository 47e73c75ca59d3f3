"""A promise of precision holds as often as it says, and is not kept by suggesting nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from arttl.inference.thresholds import Threshold, fit_threshold, objects_needed

REDRAWN = 500


def mistakes(probability: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The probability of the suggested label where it is wrong."""
    return np.where(right, 0.0, probability)


def fit_of(probability: np.ndarray, right: np.ndarray, precision: float) -> Threshold:
    return fit_threshold(probability, mistakes(probability, right), precision)


def population(accuracy: float, count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Objects whose chance of being right is known, and their probabilities, which follow it with an error."""
    chance = generator.beta(2.5 * accuracy, 2.5 * (1 - accuracy), count)
    return np.clip(chance + generator.normal(0, 0.05, count), 0, 1), generator.random(count) < chance


@pytest.mark.parametrize(
    ("accuracy", "objects", "precision", "least_suggested"),
    [(0.85, 1000, 0.95, 0.4), (0.95, 300, 0.95, 0.8), (0.7, 2000, 0.85, 0.4), (0.4, 600, 0.9, 0.0)],
)
def test_a_promise_is_broken_no_more_often_than_its_confidence_allows(
    accuracy: float, objects: int, precision: float, least_suggested: float
) -> None:
    generator = np.random.default_rng(1)
    probability, right = population(accuracy, 400_000, generator)
    order = np.argsort(-probability)
    descending, right_above = -probability[order], right[order].cumsum()
    broken, suggested = 0, []
    for _ in range(REDRAWN):
        threshold = fit_of(*population(accuracy, objects, generator), precision)
        count = 0 if threshold.above is None else np.searchsorted(descending, -threshold.above)
        suggested.append(count / len(right))
        broken += count > 0 and right_above[count - 1] / count < precision
    assert binomtest(broken, REDRAWN, 0.1, alternative="greater").pvalue > 0.01
    assert np.mean(suggested) >= least_suggested


def test_the_worst_case_uses_the_whole_confidence_of_one_test() -> None:
    """Every object is right just too seldom: whatever threshold is chosen breaks the promise."""
    generator = np.random.default_rng(2)
    broken = 0
    for _ in range(1000):
        right = generator.random(200) < 0.8999
        broken += fit_of(generator.random(200), right, 0.9).above is not None
    assert 0.02 < broken / 1000 <= 0.1


def test_few_objects_promise_nothing_and_say_how_many_would() -> None:
    probability, right = np.linspace(0.5, 1, 50), np.ones(50, dtype=bool)
    assert fit_of(probability, right, 0.95) == Threshold(0.95, 0.9, None, 50, 0.0)
    needed = objects_needed(probability, mistakes(probability, right), 0.95)
    assert needed is not None
    # So many objects of the same kind are indeed enough, with some mistakes too.
    probability, right = np.linspace(1, 0.5, needed), np.arange(needed) % 60 != 59
    assert fit_of(probability, right, 0.95).above is not None


def test_no_number_of_objects_is_enough_for_guesses() -> None:
    generator = np.random.default_rng(3)
    probability, right = generator.random(2000), generator.random(2000) < 0.3
    assert fit_of(probability, right, 0.95).above is None
    assert objects_needed(probability, mistakes(probability, right), 0.95) is None


def test_the_share_above_the_threshold_is_that_of_the_objects() -> None:
    probability = np.linspace(0, 1, 400)
    threshold = fit_of(probability, probability > 0.3, 0.9)
    assert threshold.above is not None
    assert threshold.suggested == np.mean(probability > threshold.above)
    assert np.mean(probability[probability > threshold.above] > 0.3) >= 0.9


def test_objects_as_likely_as_the_threshold_are_not_above_it() -> None:
    probability = np.repeat([0.9, 0.6, 0.5], 100)
    right = np.repeat([True, True, False], 100)
    assert fit_of(probability, right, 0.9).above == 0.5


def test_of_several_labels_all_above_the_threshold_must_be_right() -> None:
    """Below 0.6 a second, wrong label is suggested beside the right one."""
    generator = np.random.default_rng(4)
    likeliest = generator.uniform(0.5, 1, 1000)
    threshold = fit_threshold(likeliest, np.full(1000, 0.6), 0.95)
    assert threshold.above is not None
    assert 0.6 <= threshold.above < 0.62
