from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from arttl.errors import ArttlError
from arttl.frozen.linear_probe import fit_probe
from arttl.frozen.split_features import Features
from arttl.frozen.tokens import Samples
from arttl.models.solver import INVERSE_L2_GRID
from arttl.tasks import Task, Vocabulary


def problem(n: int, kind: str, seed: int = 0, classes: int = 3) -> tuple[Task, Samples]:
    """Noisy features of which the classes are partly a linear function, and some labels are missing."""
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(9).normal(size=(10, classes))
    values = random.normal(size=(n, 10)).astype(np.float32)
    scores = values @ directions + random.normal(size=(n, classes)) * 2
    task = Task("t", kind, Vocabulary(tuple("abcdef"[:classes]), (1,) * classes, (0,)))  # type: ignore[arg-type]
    if kind == "single-label":
        targets = torch.tensor(scores.argmax(1))
        targets[::7] = -1
    else:
        targets = torch.tensor((scores > 1).astype(np.float32))
        targets[::7] = float("nan")
    features = Features(torch.arange(n), torch.tensor(values), {"t": targets})
    return task, features.samples(task, torch.device("cpu"))


@pytest.mark.parametrize("strength", [0.003, 1.0])
def test_the_fit_is_scikit_learns_logistic_regression(strength: float) -> None:
    task, train = problem(200, "single-label")
    _, val = problem(50, "single-label", seed=1)
    probe = fit_probe(task, train, val, strength)
    reference = LogisticRegression(C=strength, tol=1e-10, max_iter=5000)
    reference.fit(train.tokens[0].double().numpy(), train.targets.numpy())
    assert np.abs(probe.weight.numpy() - reference.coef_).max() < 1e-3
    expected = reference.score(val.tokens[0].numpy(), val.targets.numpy())
    assert probe.val_accuracy == pytest.approx(expected)


def test_a_multi_label_head_is_one_logistic_regression_a_class() -> None:
    task, train = problem(200, "multi-label")
    probe = fit_probe(task, train, train, 0.1)
    for index in range(3):
        reference = LogisticRegression(C=0.1, tol=1e-10, max_iter=5000)
        reference.fit(train.tokens[0].double().numpy(), train.targets[:, index].numpy())
        assert np.abs(probe.weight[index].numpy() - reference.coef_[0]).max() < 1e-3
        assert probe.bias[index] == pytest.approx(reference.intercept_[0], abs=1e-3)
    assert probe.val_accuracy is None


def test_the_strength_is_chosen_on_the_validation_split() -> None:
    task, train = problem(40, "single-label")
    _, val = problem(400, "single-label", seed=1)
    tried: dict[float, float] = {}
    best = fit_probe(task, train, val, on_fit=lambda probe: tried.update({probe.inverse_l2: probe.val_loss}))
    alone = {strength: fit_probe(task, train, val, strength).val_loss for strength in INVERSE_L2_GRID}
    assert best.inverse_l2 == min(alone, key=lambda strength: alone[strength])
    for (
        strength,
        loss,
    ) in tried.items():  # starting from the fit before changes nothing: the problem is convex
        assert loss == pytest.approx(alone[strength], abs=1e-3)


def test_without_labels_there_is_nothing_to_fit_or_choose_on() -> None:
    task, train = problem(20, "single-label")
    features = Features(torch.arange(20), torch.zeros(20, 10), {"t": torch.full((20,), -1)})
    unknown = features.samples(task, torch.device("cpu"))
    with pytest.raises(ArttlError, match="no training sample carries a label of task 't'"):
        fit_probe(task, unknown, train)
    with pytest.raises(ArttlError, match="to choose --inverse-l2 on"):
        fit_probe(task, train, unknown)
    assert fit_probe(task, train, unknown, 1.0).val_loss == float("inf")


def test_the_samples_of_a_task_are_the_labelled_rows() -> None:
    task, _ = problem(4, "single-label")
    values = torch.arange(8.0).reshape(4, 2)
    features = Features(torch.tensor([3, 5, 8, 9]), values, {"t": torch.tensor([2, -1, 0, -1])})
    samples = features.samples(task, torch.device("cpu"))
    assert samples.rows.tolist() == [3, 8] and samples.targets.tolist() == [2, 0]
    assert torch.equal(samples.tokens[0], values[[0, 2]])
