from __future__ import annotations

import numpy as np
import pytest
import torch
from evaluation_cases import multi, single, task
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from arttl.inference.calibration import calibrate, calibration_error, fit_temperature
from arttl.inference.labels import probabilities
from arttl.models.calibration import Calibration
from arttl.tasks import Task, TaskSet

seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds, n=st.integers(1, 200), classes=st.integers(2, 6))
@settings(max_examples=30, deadline=None)
def test_the_error_of_a_softmax_agrees_with_torchmetrics(seed: int, n: int, classes: int) -> None:
    logits, targets = single(seed, n, classes)
    expected = multiclass_calibration_error(
        torch.from_numpy(softmax(logits, axis=1)), torch.from_numpy(targets), classes, n_bins=15
    )
    found = calibration_error(task("single-label", classes), logits, targets)
    assert found == pytest.approx(float(expected), abs=1e-6)
    assert probabilities(task("single-label", classes), logits) == pytest.approx(softmax(logits, axis=1))


@given(seed=seeds, n=st.integers(1, 60), classes=st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_the_error_of_sigmoids_agrees_with_torchmetrics(seed: int, n: int, classes: int) -> None:
    logits, targets = multi(seed, n, classes)
    probability = 1 / (1 + np.exp(-logits))
    expected = binary_calibration_error(
        torch.from_numpy(probability.reshape(-1)), torch.from_numpy(targets.reshape(-1)).long(), n_bins=15
    )
    assert calibration_error(task("multi-label", classes), logits, targets) == pytest.approx(
        float(expected), abs=1e-6
    )
    assert probabilities(task("multi-label", classes), logits) == pytest.approx(probability)


def test_probabilities_of_zero_and_one_have_a_bin() -> None:
    logits = np.array([[1000.0, -1000.0], [1000.0, -1000.0]])
    assert calibration_error(task("single-label", 2), logits, np.array([0, 1])) == pytest.approx(0.5)
    assert calibration_error(task("multi-label", 2), logits, np.array([[1.0, 0], [1, 0]])) == 0


@pytest.mark.parametrize("kind", ["single-label", "multi-label"])
def test_the_temperature_is_the_one_that_was_put_in(kind) -> None:
    """Labels drawn with the probabilities of some logits; of three times these logits the temperature is 3."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 1.5, size=(20_000, 4))
    if kind == "single-label":
        drawn = (random.random((20_000, 1)) > softmax(logits, axis=1).cumsum(1)[:, :-1]).sum(1)
        targets = torch.from_numpy(drawn)
    else:
        targets = torch.from_numpy(random.random(logits.shape) < 1 / (1 + np.exp(-logits))).float()
    hot = torch.from_numpy(3 * logits).float()
    one = task(kind, 4)
    assert fit_temperature(one, hot, targets) == pytest.approx(3, rel=0.05)
    tasks = TaskSet([one])
    found = calibrate(tasks, {"t": hot.numpy()}, {"t": targets.numpy()}).tasks["t"]
    assert found.error_before > 0.1 and found.error_after < 0.02 and found.n == 20_000


@given(seed=seeds, n=st.integers(30, 100))
@settings(max_examples=15, deadline=None)
def test_the_temperature_has_the_lowest_loss(seed: int, n: int) -> None:
    logits, targets = single(seed, n, 3)
    found = fit_temperature(task("single-label", 3), torch.from_numpy(logits), torch.from_numpy(targets))

    def loss(log_temperature: float) -> float:
        return float(-log_softmax(logits / np.exp(log_temperature), axis=1)[np.arange(n), targets].mean())

    best = minimize_scalar(loss, bounds=(-4, 6), method="bounded").fun
    assert loss(np.log(found)) <= best + 1e-4


def test_answers_that_are_all_right_leave_a_temperature() -> None:
    targets = torch.arange(40) % 2
    found = fit_temperature(task("single-label", 2), torch.eye(2)[targets], targets)
    assert 0 < found < 1


def test_few_samples_and_numbers_have_no_temperature() -> None:
    few, year = task("single-label", 3), Task("year", "number", task("number").training)
    logits = {"t": np.random.default_rng(0).normal(size=(40, 3)), "year": np.zeros((40, 1))}
    targets = {"t": np.full(40, -1), "year": np.full(40, 1600.0)}
    targets["t"][:29] = 1
    assert calibrate(TaskSet([few, year]), logits, targets).tasks == {}
    targets["t"][:30] = 1
    assert set(calibrate(TaskSet([few, year]), logits, targets).temperatures) == {"t"}


def test_a_calibration_survives_its_file(tmp_path) -> None:
    assert Calibration.load(tmp_path) is None
    logits, targets = single(0, 50, 3)
    found = calibrate(TaskSet([task("single-label", 3)]), {"t": logits}, {"t": targets})
    found.save(tmp_path)
    assert Calibration.load(tmp_path) == found
    assert [path.name for path in tmp_path.iterdir()] == ["calibration.json"]
