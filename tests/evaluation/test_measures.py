from __future__ import annotations

import warnings
from typing import get_args

import numpy as np
import pytest
from evaluation_cases import multi, numbers, of_kind, single, task
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    mean_absolute_error,
    recall_score,
    root_mean_squared_error,
    top_k_accuracy_score,
)

from arttl.evaluation.measures import MAIN_MEASURE, is_correct, majority_logits, measures_of, values_of
from arttl.inference.labels import decide_labels
from arttl.tasks import TaskKind

seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(get_args(TaskKind))


def some_weights(seed: int, n: int) -> np.ndarray:
    weights = np.random.default_rng(seed).integers(0, 4, size=n).astype(np.float64)
    weights[0] = 1.0
    return weights


@given(seed=seeds, n=st.integers(1, 40), classes=st.integers(2, 8))
@settings(max_examples=40, deadline=None)
def test_single_label_agrees_with_scikit_learn(seed: int, n: int, classes: int) -> None:
    logits, targets = single(seed, n, classes)
    weights = some_weights(seed, n)
    measures = measures_of(task("single-label", classes), logits, targets)
    found = {name: measure(weights[None])[0] for name, measure in measures.items()}
    predicted = logits.argmax(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes predicted and not there
        balanced = balanced_accuracy_score(targets, predicted, sample_weight=weights)
        present = np.unique(targets[weights > 0])
        f1 = f1_score(
            targets, predicted, labels=present, average="macro", sample_weight=weights, zero_division=0
        )
    assert found["accuracy"] == pytest.approx(accuracy_score(targets, predicted, sample_weight=weights))
    assert found["balanced_accuracy"] == pytest.approx(balanced)
    assert found["macro_f1"] == pytest.approx(f1)
    assert ("top5_accuracy" in found) == (classes > 5)
    if classes > 5:
        top = top_k_accuracy_score(targets, logits, k=5, labels=np.arange(classes), sample_weight=weights)
        assert found["top5_accuracy"] == pytest.approx(top)


@given(seed=seeds, n=st.integers(1, 30), classes=st.integers(2, 5), tied=st.booleans())
@settings(max_examples=40, deadline=None)
def test_multi_label_agrees_with_scikit_learn(seed: int, n: int, classes: int, tied: bool) -> None:
    logits, targets = multi(seed, n, classes, tied=tied)
    weights = some_weights(seed, n)
    measures = measures_of(task("multi-label", classes), logits, targets)
    found = {name: measure(weights[None])[0] for name, measure in measures.items()}
    chosen = decide_labels(logits)
    balanced, precision, f1 = [], [], []
    for truth, answer, scores in zip(targets.T > 0.5, chosen.T, logits.T, strict=True):
        if not weights[truth].any():
            continue
        sides = [recall_score(truth, answer, sample_weight=weights, zero_division=0)]
        if weights[~truth].any():
            sides.append(recall_score(~truth, ~answer, sample_weight=weights, zero_division=0))
        balanced.append(np.mean(sides))
        precision.append(average_precision_score(truth, scores, sample_weight=weights))
        f1.append(f1_score(truth, answer, sample_weight=weights, zero_division=0))
    assert found["accuracy"] == pytest.approx(
        accuracy_score(targets > 0.5, chosen, sample_weight=weights)  # of whole sets
    )
    assert found["balanced_accuracy"] == pytest.approx(np.mean(balanced))
    assert found["mean_average_precision"] == pytest.approx(np.mean(precision))
    assert found["macro_f1"] == pytest.approx(np.mean(f1))


@given(seed=seeds, n=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_numbers_agree_with_scikit_learn(seed: int, n: int) -> None:
    logits, targets = numbers(seed, n)
    weights = some_weights(seed, n)
    measures = measures_of(task("number"), logits, targets)
    found = {name: measure(weights[None])[0] for name, measure in measures.items()}
    answers = logits[:, 0] * 100 + 1600
    near = np.average(np.abs(answers - targets) <= 50, weights=weights)
    assert found["mean_absolute_error"] == pytest.approx(
        mean_absolute_error(targets, answers, sample_weight=weights)
    )
    assert found["root_mean_squared_error"] == pytest.approx(
        root_mean_squared_error(targets, answers, sample_weight=weights)
    )
    assert found["within_50"] == pytest.approx(near)


@given(kind=kinds, seed=seeds, n=st.integers(1, 25))
@settings(max_examples=60, deadline=None)
def test_weights_are_repetitions(kind: TaskKind, seed: int, n: int) -> None:
    """A sample that weighs three counts as three, one that weighs nothing is not there; for every measure."""
    one, logits, targets = of_kind(kind, seed, n, classes=6)
    weights = some_weights(seed, n)
    repeated = np.repeat(np.arange(n), weights.astype(int))
    several = measures_of(one, logits, targets)
    expected = values_of(measures_of(one, logits[repeated], targets[repeated]), len(repeated))
    assert MAIN_MEASURE[kind] in several
    for name, measure in several.items():
        both = measure(np.stack([weights, np.ones(n)]))
        assert both.shape == (2,)
        assert both[0] == pytest.approx(expected[name], abs=1e-9), name
        assert both[1] == pytest.approx(measure(np.ones((1, n)))[0], abs=1e-9), name


@pytest.mark.parametrize("kind", get_args(TaskKind))
def test_shares_of_right_answers(kind: TaskKind) -> None:
    one, logits, targets = of_kind(kind, 0, 50)
    share = values_of(measures_of(one, logits, targets), 50)["within_50" if kind == "number" else "accuracy"]
    assert is_correct(one, logits, targets).mean() == pytest.approx(share) and 0 < share < 1


def test_the_baseline_answers_what_is_frequent() -> None:
    one = task("single-label", 6, (2,), counts=(5, 4, 9, 1, 3, 2))
    targets = np.array([2, 2, 0, 3])
    found = values_of(measures_of(one, majority_logits(one, 4), targets), 4)
    assert (
        found["accuracy"] == 0.5 and found["top5_accuracy"] == 0.75
    )  # the rarest of six is the sixth answer
    several = task("multi-label", 3, (0, 2), counts=(9, 1, 3))
    wanted = np.array([[1, 0, 1], [1, 0, 0], [1, 1, 1], [1, 0, 1]], dtype=np.float32)
    found = values_of(measures_of(several, majority_logits(several, 4), wanted), 4)
    assert found["accuracy"] == 0.5
    assert found["mean_average_precision"] == pytest.approx(np.mean([1, 0.25, 0.75]))  # each class's share
    year = task("number")
    found = values_of(measures_of(year, majority_logits(year, 3), np.array([1650.0, 1700.0, 1701.0])), 3)
    assert found["mean_absolute_error"] == pytest.approx((0 + 50 + 51) / 3)
    assert found["within_50"] == pytest.approx(2 / 3)
