from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, balanced_accuracy_score

from arttl.evaluation.metrics import decide_labels, measure_task, metrics_to_json
from arttl.tasks import Task, Vocabulary


def task(kind: str, classes: int, majority: tuple[int, ...] = (0,)) -> Task:
    names = tuple(f"class {index}" for index in range(classes))
    return Task("t", kind, Vocabulary(names, (1,) * classes, majority))  # type: ignore[arg-type]


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 40), classes=st.integers(2, 6))
@settings(max_examples=50)
def test_single_label_agrees_with_scikit_learn(seed: int, n: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    logits, targets = random.normal(size=(n, classes)), random.integers(classes, size=n)
    found = measure_task(task("single-label", classes, (1,)), torch.tensor(logits), torch.tensor(targets), 3)
    predicted = logits.argmax(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes predicted and not there
        assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(targets, predicted))
    assert found.accuracy == pytest.approx((predicted == targets).mean())
    assert found.majority == pytest.approx((targets == 1).mean())
    assert (found.n, found.classes, found.unknown_class) == (n, classes, 3)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 30), classes=st.integers(2, 5))
@settings(max_examples=50)
def test_multi_label_agrees_with_scikit_learn_and_counting(seed: int, n: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(size=(n, classes))
    targets = random.random((n, classes)) < 0.4
    targets[np.arange(n), random.integers(classes, size=n)] = True
    found = measure_task(
        task("multi-label", classes, (0, 1)), torch.tensor(logits), torch.tensor(targets, dtype=torch.float32)
    )
    chosen = decide_labels(torch.tensor(logits)).numpy()
    balanced, precision = [], []
    for index in range(classes):
        truth, answer = targets[:, index], chosen[:, index]
        if not truth.any():
            continue
        sides = [answer[truth].mean()] + ([(~answer[~truth]).mean()] if (~truth).any() else [])
        balanced.append(np.mean(sides))
        precision.append(average_precision_score(truth, logits[:, index]))
    usual = np.arange(classes) < 2
    assert found.accuracy == pytest.approx((chosen == targets).all(1).mean())
    assert found.balanced_accuracy == pytest.approx(np.mean(balanced))
    assert found.mean_average_precision == pytest.approx(np.mean(precision), abs=1e-5)
    assert found.majority == pytest.approx((targets == usual).all(1).mean())


def test_every_object_has_at_least_one_label() -> None:
    chosen = decide_labels(torch.tensor([[-3.0, -1.0, -2.0], [1.0, 2.0, -1.0]]))
    assert chosen.tolist() == [[False, True, False], [True, True, False]]


def test_nothing_to_measure_is_not_a_number() -> None:
    found = measure_task(task("single-label", 2), torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))
    assert found.n == 0 and math.isnan(found.accuracy) and math.isnan(found.majority)


def test_json_leaves_out_what_a_kind_of_task_does_not_have() -> None:
    single = measure_task(task("single-label", 2), torch.eye(2), torch.tensor([0, 1]))
    assert metrics_to_json({"type": single}) == {
        "tasks": {
            "type": {
                "accuracy": 1.0,
                "balanced_accuracy": 1.0,
                "majority": 0.5,
                "n": 2,
                "classes": 2,
                "unknown_class": 0,
            }
        }
    }
