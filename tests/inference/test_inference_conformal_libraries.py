"""Candidate sets and intervals are those of two independent libraries of conformal prediction.

Both have more definitions than ours. `mapie` adds a random part of a label's own probability to the adaptive score:
with a generator that always draws 1 it adds nothing, which is ours; it does not take two classes. `crepes` decides by
p-values, which it smooths unless it is told not to; where (n + 1) times the coverage is a whole number, its rounding of
floats takes the next score.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from arttl.inference import candidate_sets
from arttl.inference.candidate_sets import class_scores, fit_sets, true_scores
from arttl.numbers import NumberStatistics
from arttl.tasks import Task, Vocabulary

mapie_classification = pytest.importorskip("mapie.classification")
mapie_regression = pytest.importorskip("mapie.regression")
crepes = pytest.importorskip("crepes")


class Identity(ClassifierMixin, BaseEstimator):
    """A classifier whose input is its output."""

    def __init__(self, classes: int = 2) -> None:
        self.classes = classes
        self.classes_ = np.arange(classes)
        self.is_fitted_ = True

    def fit(self, x: np.ndarray, y: np.ndarray) -> Identity:
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return x

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x.argmax(1)


class Constant(RegressorMixin, BaseEstimator):
    """Predicts the first column."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> Constant:
        self.fitted_ = True
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x[:, 0]


class Ones(np.random.RandomState):
    """A generator that always draws 1."""

    def uniform(self, *args: object, size: object = None, **options: object) -> np.ndarray:
        return np.ones(size)


def draw(count: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels that follow them."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (count, classes)) - 0.3 * np.arange(classes)
    probability = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (generator.random((count, 1)) > probability.cumsum(1)).sum(1)
    return probability, np.minimum(labels, classes - 1)


def single_label(classes: int) -> Task:
    names = tuple(f"c{index:02}" for index in range(classes))
    return Task("type", "single-label", Vocabulary(names, (1,) * classes, (0,)))


@pytest.mark.parametrize("coverage", [0.7, 0.9, 0.95])
@pytest.mark.parametrize("classes", [3, 5, 12])
def test_adaptive_sets_are_those_of_mapie(
    classes: int, coverage: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidate_sets, "_LEAST_OF_CLASS", 10**9)  # mapie has one limit for all classes
    monkeypatch.setattr(candidate_sets, "PENALTY", 0.0)  # mapie chooses the penalty itself
    task = single_label(classes)
    probability, labels = draw(153, classes, seed=classes)
    labels[:classes] = np.arange(classes)
    pictures, _ = draw(400, classes, seed=100 + classes)
    conformal = mapie_classification.SplitConformalClassifier(
        Identity(classes), coverage, "aps", prefit=True, random_state=Ones()
    ).conformalize(probability, labels)
    _, expected = conformal.predict_set(pictures, {"include_last_label": "randomized"})
    sets = fit_sets(task, *true_scores(task, probability, labels), coverage)
    members = sets.members(task, pictures)
    np.testing.assert_array_equal(members, expected[:, :, 0])
    assert members.sum(1).mean() < classes


@pytest.mark.parametrize("coverage", [0.7, 0.9, 0.95])
def test_class_conditional_sets_are_those_of_crepes(coverage: float) -> None:
    task = single_label(8)
    probability, labels = draw(900, 8, seed=1)
    pictures, _ = draw(300, 8, seed=2)
    sets = fit_sets(task, *true_scores(task, probability, labels), coverage)
    assert 2 <= len(sets.own) < 8
    # Classes without a limit of their own share one: a category of their own for crepes.
    category = np.where(np.isin(np.arange(8), sets.own), np.arange(8), 8)
    conformal = crepes.ConformalClassifier().fit(
        true_scores(task, probability, labels)[0], bins=category[labels]
    )
    scores = class_scores(task, pictures)
    expected = np.stack(
        [
            conformal.predict_set(
                scores[:, [index]],
                bins=np.full(len(scores), category[index]),
                confidence=coverage,
                smoothing=False,
            )[:, 0]
            for index in range(8)
        ],
        axis=1,
    ).astype(bool)
    expected[np.arange(len(pictures)), pictures.argmax(1)] = True  # ours are never empty
    np.testing.assert_array_equal(sets.members(task, pictures), expected)


def test_sets_of_several_labels_are_those_of_crepes() -> None:
    task = Task("material", "multi-label", single_label(6).training)
    generator = np.random.default_rng(3)
    probability, pictures = generator.beta(0.5, 2, (250, 6)), generator.beta(0.5, 2, (100, 6))
    targets = generator.random((250, 6)) < probability
    targets[np.arange(250), probability.argmax(1)] = True
    least_likely = np.where(targets, 1 - probability, -np.inf).max(1)
    expected = (
        crepes.ConformalClassifier()
        .fit(least_likely)
        .predict_set(1 - pictures, confidence=0.9, smoothing=False)
    )
    expected[np.arange(100), pictures.argmax(1)] = 1
    sets = fit_sets(task, *true_scores(task, probability, targets.astype(np.float32)), 0.9)
    np.testing.assert_array_equal(sets.members(task, pictures), expected.astype(bool))


@pytest.mark.parametrize(("objects", "coverage"), [(40, 0.8), (98, 0.9), (331, 0.95)])
def test_intervals_of_numbers_are_those_of_both(objects: int, coverage: float) -> None:
    task = Task("year", "number", NumberStatistics(count=9, mean=1650.0, std=30.0, median=1650.0))
    generator = np.random.default_rng(4)
    predicted = generator.normal(1650, 30, (objects, 1))
    years = predicted[:, 0] + generator.laplace(0, 12, objects)
    half = fit_sets(task, *true_scores(task, predicted, years), coverage).limits[0]
    of_crepes = (
        crepes.ConformalRegressor().fit(years - predicted[:, 0]).predict_int(np.zeros(1), confidence=coverage)
    )
    np.testing.assert_allclose(of_crepes, [[-half, half]])
    conformal = mapie_regression.SplitConformalRegressor(
        Constant().fit(predicted, years), coverage, prefit=True
    )
    _, interval = conformal.conformalize(predicted, years).predict_interval(np.zeros((1, 1)))
    np.testing.assert_allclose(interval[0, :, 0], [-half, half])
