"""The contradictions beside cleanlab's confident learning, and a brute-force score."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.auditing.confident import find_contradictions


def drawn(seed: int, count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and labels of which most are the likeliest class; every class has a label."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(classes, random.uniform(0.2, 2)), count)
    labels = np.where(random.random(count) < 0.7, probabilities.argmax(1), random.integers(0, classes, count))
    labels[:classes] = np.arange(classes)
    return probabilities, labels


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(20, 80), classes=st.integers(2, 6))
def test_confident_contradictions_are_cleanlabs_where_the_likeliest_class_is_meant(
    seed: int, count: int, classes: int
) -> None:
    pytest.importorskip("cleanlab")
    from cleanlab.count import get_confident_thresholds
    from cleanlab.filter import find_label_issues

    probabilities, labels = drawn(seed, count, classes)
    found = find_contradictions(probabilities, labels)
    issues = find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    # cleanlab's may mean a class that is less probable than another which stays below its own threshold.
    above = probabilities.max(1) >= get_confident_thresholds(labels, probabilities)[probabilities.argmax(1)]
    np.testing.assert_array_equal(found.confident, issues & above)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(6, 30), classes=st.integers(2, 5))
def test_every_row_is_as_the_formula_says(seed: int, count: int, classes: int) -> None:
    probabilities, labels = drawn(seed, count, classes)
    found = find_contradictions(probabilities, labels)
    for row in range(count):
        usual = {}
        for name in range(classes):
            own = [probabilities[other, name] for other in range(count) if labels[other] == name]
            usual[name] = math.fsum(own) / len(own)
        others = [name for name in range(classes) if name != labels[row]]
        best = max(others, key=lambda name: probabilities[row, name])
        against = probabilities[row, best] / math.sqrt(usual[best])
        for_label = probabilities[row, labels[row]] / math.sqrt(usual[labels[row]])
        assert found.suggested[row] == best
        assert found.contradicted[row] == (probabilities[row, best] > probabilities[row, labels[row]])
        assert found.score[row] == pytest.approx(against / (against + for_label), abs=1e-6)


def test_certain_probabilities_and_classes_without_labels_give_finite_scores() -> None:
    probabilities = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    found = find_contradictions(probabilities, np.array([0, 0, 1]))
    assert found.score == pytest.approx([0, 1, 0], abs=1e-6)
    assert found.contradicted.tolist() == [False, True, False] == found.confident.tolist()


def test_an_object_of_a_rare_class_is_less_doubtful_than_self_confidence_has_it() -> None:
    random = np.random.default_rng(0)
    frequent = random.uniform(0.85, 0.95, 90)
    rare = random.uniform(0.10, 0.20, 10)
    # The frequent class's wrong label is as improbable as a rare class's right ones.
    of_label = np.concatenate([frequent, [0.12], rare])
    labels = np.array([0] * 91 + [1] * 10)
    probabilities = np.stack([np.where(labels == 0, of_label, 1 - of_label)], 1)
    found = find_contradictions(np.hstack([probabilities, 1 - probabilities]), labels)
    assert found.score.argmax() == 90
    assert (of_label[91:] < 0.12).any()
