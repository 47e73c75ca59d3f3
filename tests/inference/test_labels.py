"""Labels, probabilities and ranks, against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_cases import multi, single, task
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

from arttl.inference.labels import decide_labels, predict_labels, probabilities
from arttl.numbers import NumberStatistics
from arttl.tasks import Task, Vocabulary

seeds = st.integers(0, 2**32 - 1)
VOCABULARY = Vocabulary(("a", "b", "c"), (1, 1, 1), (0,))


def test_logits_become_labels() -> None:
    logits = np.array([[0.1, 2.0, 1.0], [-3.0, -2.0, -1.0]], dtype=np.float32)
    one, several = (Task("t", kind, VOCABULARY) for kind in ("single-label", "multi-label"))
    assert [row.names for row in predict_labels(one, logits)] == [("b",), ("c",)]
    assert [row.names for row in predict_labels(several, logits)] == [("b", "c", "a"), ("c",)]
    year = Task("t", "number", NumberStatistics(9, 1600.0, 50.0, 1610.0))
    years = predict_labels(year, np.array([[0.0], [-2.005]], dtype=np.float32), top=5)
    assert [row.names for row in years] == [("1600",), ("1500",)] and str(years[0]) == "1600"
    assert years[0].labels[0].probability is None


def test_every_object_has_at_least_one_label() -> None:
    logits = np.array([[-3.0, -1.0, -2.0], [1.0, 2.0, -1.0]])
    assert decide_labels(logits).tolist() == [[False, True, False], [True, True, False]]


@given(seed=seeds, n=st.integers(0, 30), classes=st.integers(2, 7), temperature=st.floats(0.1, 20))
@settings(max_examples=30, deadline=None)
def test_a_single_label_has_the_softmax_of_its_scaled_logits(seed, n, classes, temperature) -> None:
    logits, _ = single(seed, n, classes)
    expected = softmax(logits / temperature, axis=1)
    found = predict_labels(task("single-label", classes), logits, temperature, top=3)
    assert len(found) == n
    for row, prediction in zip(expected, found, strict=True):
        order = np.argsort(-row, kind="stable")[:3]
        assert [label.label for label in prediction.ranked] == [f"class {index}" for index in order]
        assert [label.probability for label in prediction.ranked] == pytest.approx(row[order].tolist())
        assert [label.rank for label in prediction.ranked] == list(range(1, len(order) + 1))
        assert prediction.labels == prediction.ranked[:1]


@given(seed=seeds, n=st.integers(1, 30), classes=st.integers(2, 7), temperature=st.floats(0.1, 20))
@settings(max_examples=30, deadline=None)
def test_labels_of_a_multi_label_task_have_a_sigmoid_each(seed, n, classes, temperature) -> None:
    logits, _ = multi(seed, n, classes)
    found = predict_labels(task("multi-label", classes), logits, temperature, top=2)
    for row, prediction in zip(logits, found, strict=True):
        order = np.argsort(-row, kind="stable")
        predicted = [index for index in order if row[index] > 0] or [order[0]]
        assert prediction.names == tuple(f"class {index}" for index in predicted)
        assert [label.probability for label in prediction.labels] == pytest.approx(
            expit(row[predicted] / temperature).tolist()
        )
        assert len(prediction.ranked) == max(2, len(predicted))
        assert prediction.ranked[: len(predicted)] == prediction.labels


def test_of_classes_as_likely_the_first_leads() -> None:
    found = predict_labels(Task("t", "single-label", VOCABULARY), np.array([[0.0, 1.0, 1.0]]), top=2)[0]
    assert [label.label for label in found.ranked] == ["b", "c"]


def test_a_caption_has_the_decimals_of_the_tables() -> None:
    logits = np.log(np.array([[0.8044, 0.1956, 1e-9]]))
    assert str(predict_labels(Task("t", "single-label", VOCABULARY), logits)[0]) == "a 80.4%"
    odds = np.log(np.array([[0.9, 0.6004, 0.1]]) / (1 - np.array([[0.9, 0.6004, 0.1]])))
    assert str(predict_labels(Task("t", "multi-label", VOCABULARY), odds)[0]) == "a 90.0%, b 60.0%"


def test_large_logits_do_not_overflow() -> None:
    logits = np.array([[1e4, -1e4, 0.0]])
    with np.errstate(over="raise", invalid="raise"):
        assert probabilities(task("single-label", 3), logits).tolist() == [[1, 0, 0]]
        assert probabilities(task("multi-label", 3), logits).tolist() == [[1, 0, 0.5]]
