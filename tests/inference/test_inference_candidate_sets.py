"""Candidate sets hold the true label as often as promised, and are no larger than they must be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from arttl.inference.candidate_sets import CandidateSets, class_scores, conformal_limit, fit_sets, true_scores
from arttl.numbers import NumberStatistics
from arttl.tasks import Task, Vocabulary

CLASSES = 12


def single_label(count: int) -> Task:
    classes = tuple(f"c{index:02}" for index in range(count))
    return Task("type", "single-label", Vocabulary(classes, (1,) * count, (0,)))


TASK = single_label(CLASSES)


def fitted(task: Task, predicted: np.ndarray, targets: np.ndarray, coverage: float) -> CandidateSets:
    return fit_sets(task, *true_scores(task, predicted, targets), coverage)


def draw(count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities of skewed classes, and the labels that they give."""
    logits = generator.normal(0, 2, (count, CLASSES)) - 0.3 * np.arange(CLASSES)
    probability = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (generator.random((count, 1)) > probability.cumsum(1)).sum(1)
    return probability, np.minimum(labels, CLASSES - 1)


@pytest.mark.parametrize(("objects", "coverage"), [(40, 0.8), (300, 0.9), (2000, 0.95)])
def test_coverage_over_redrawn_objects(objects: int, coverage: float) -> None:
    generator = np.random.default_rng(0)
    probability, labels = draw(1500, generator)
    covered, sizes = [], []
    for _ in range(500):
        sets = fitted(TASK, *draw(objects, generator), coverage)
        members = sets.members(TASK, probability)
        covered.append(members[np.arange(len(labels)), labels].mean())
        sizes.append(members.sum(1).mean())
    assert coverage - 0.005 <= np.mean(covered) <= coverage + 0.07
    assert np.mean(sizes) < CLASSES * 0.5


def test_large_classes_have_their_own_coverage() -> None:
    generator = np.random.default_rng(1)
    probability, labels = draw(20_000, generator)
    covered: dict[int, list[float]] = {}
    for _ in range(60):
        sets = fitted(TASK, *draw(1500, generator), 0.9)
        inside = sets.members(TASK, probability)[np.arange(len(labels)), labels]
        for index in sets.own:
            covered.setdefault(index, []).append(inside[labels == index].mean())
    assert len(covered) >= 5
    assert all(np.mean(of_class) > 0.88 for of_class in covered.values())


def test_of_several_labels_all_true_ones_are_in_the_set() -> None:
    task = Task("material", "multi-label", TASK.training)
    generator = np.random.default_rng(2)

    def several(count: int) -> tuple[np.ndarray, np.ndarray]:
        probability = generator.beta(0.5, 2, (count, CLASSES))
        targets = generator.random((count, CLASSES)) < probability
        targets[np.arange(count), probability.argmax(1)] = True  # a known material at least
        return probability, targets.astype(np.float32)

    probability, targets = several(4000)
    covered = [
        (fitted(task, *several(200), 0.9).members(task, probability) | (targets < 0.5)).all(1).mean()
        for _ in range(200)
    ]
    assert 0.895 <= np.mean(covered) <= 0.93


def test_too_few_objects_promise_by_naming_every_class() -> None:
    probability, labels = draw(5, np.random.default_rng(3))
    sets = fitted(TASK, probability, labels, 0.9)
    assert np.isinf(sets.limits).all()
    assert sets.members(TASK, probability).all()


def test_the_likeliest_label_is_in_every_set() -> None:
    probability, _ = draw(100, np.random.default_rng(4))
    members = CandidateSets(0.5, np.zeros(CLASSES), 100).members(TASK, probability)
    assert (members.sum(1) == 1).all()
    assert (members.argmax(1) == probability.argmax(1)).all()


def test_scores_are_those_of_the_paper() -> None:
    probability = np.array([[0.1, 0.5, 0.05, 0.2, 0.04, 0.06, 0.05]])
    task = single_label(7)
    expected = [0.7, 0.0, 0.86, 0.5, 0.96 + 0.02, 0.8, 0.91 + 0.01]
    np.testing.assert_allclose(class_scores(task, probability)[0], expected)


def test_the_limit_is_the_quantile_of_the_definition() -> None:
    scores = np.arange(1.0, 20.0)  # n = 19: the 18th of ceil(20 * 0.9)
    assert conformal_limit(scores, 0.9) == 18
    assert conformal_limit(scores[:9], 0.9) == 9
    assert conformal_limit(scores[:8], 0.9) == math.inf


def test_an_interval_of_years_holds_as_many_as_promised() -> None:
    task = Task("year", "number", NumberStatistics(count=9, mean=1650.0, std=30.0, median=1650.0))
    generator = np.random.default_rng(5)
    held = []
    for _ in range(300):
        errors = generator.laplace(0, 12, 400)
        sets = fitted(task, np.full((200, 1), 1650.0), 1650 + errors[:200], 0.9)
        held.append((np.abs(errors[200:]) <= sets.limits[0]).mean())
    assert binomtest(round(np.sum(held) * 200), 300 * 200, 0.9, alternative="less").pvalue > 1e-6
    assert np.mean(held) < 0.93
