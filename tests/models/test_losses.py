from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.models.losses import log_prior, summed_loss
from arttl.numbers import NumberStatistics
from arttl.tasks import Task, Vocabulary

TYPE = Task("type", "single-label", Vocabulary(("a", "b", "c"), (6, 3, 1), (0,)))
MATERIAL = Task("material", "multi-label", Vocabulary(("d", "e"), (1, 1), (0,)))
YEAR = Task("year", "number", NumberStatistics(count=9, mean=1600.0, std=50.0, median=1610.0))

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(0, 12)


def softmax_loss(scores: np.ndarray, target: np.ndarray) -> float:
    """Cross-entropy with any distribution as target, from its definition."""
    log_probability = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    return float(-(target * log_probability).sum())


@given(seed=seeds, n=counts, smoothing=st.sampled_from([0.0, 0.1, 0.5]))
@settings(max_examples=50)
def test_a_single_label_task_has_the_cross_entropy(seed: int, n: int, smoothing: float) -> None:
    random = np.random.default_rng(seed)
    logits, targets = random.normal(size=(n, 3)), random.integers(3, size=n)
    found = summed_loss(TYPE, torch.tensor(logits), torch.tensor(targets), label_smoothing=smoothing)
    wanted = (1 - smoothing) * np.eye(3)[targets] + smoothing / 3
    assert found.item() == pytest.approx(softmax_loss(logits, wanted), rel=1e-5)


@given(seed=seeds, n=counts)
@settings(max_examples=50)
def test_a_multi_label_task_has_the_binary_cross_entropy_of_every_class(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    logits, targets = random.normal(size=(n, 2)), random.integers(2, size=(n, 2)).astype(np.float32)
    found = summed_loss(MATERIAL, torch.tensor(logits), torch.tensor(targets))
    probability = 1 / (1 + np.exp(-logits))
    expected = -np.log(np.where(targets == 1, probability, 1 - probability)).sum()
    assert found.item() == pytest.approx(float(expected), rel=1e-5)


def test_a_number_is_squared_near_and_linear_far() -> None:
    logits = torch.tensor([[0.0], [0.5], [-1.0], [0.1]], requires_grad=True)
    targets = torch.tensor(
        [1605.0, 1625.0, 1700.0, 1600.0]
    )  # 0.1, 0.5, 2 and 0 standard deviations above the mean
    found = summed_loss(YEAR, logits, targets)
    found.backward()
    assert found.item() == pytest.approx(0.5 * 0.1**2 / 0.25 + 0.0 + (3 - 0.125) + 0.5 * 0.1**2 / 0.25)
    assert logits.grad[:, 0].tolist() == pytest.approx([-0.4, 0.0, -1.0, 0.4], abs=1e-5)


def test_logit_adjustment_learns_what_the_frequencies_do_not_say() -> None:
    """With equal logits the adjusted loss is that of answering the frequencies; its minimum is then at zero."""
    prior = log_prior(TYPE)
    assert prior.tolist() == pytest.approx(np.log([0.6, 0.3, 0.1]))
    assert log_prior(TYPE, 0.5).tolist() == pytest.approx(0.5 * np.log([0.6, 0.3, 0.1]))
    targets = torch.tensor([0] * 6 + [1] * 3 + [2])
    logits = torch.zeros(10, 3, requires_grad=True)
    shared = logits.mean(0).expand(10, 3)
    summed_loss(TYPE, shared, targets, log_prior=prior).backward()
    torch.testing.assert_close(logits.grad, torch.zeros(10, 3), atol=1e-6, rtol=0)
    plain = softmax_loss(np.log(np.tile([0.6, 0.3, 0.1], (10, 1))), np.eye(3)[targets])
    assert summed_loss(TYPE, torch.zeros(10, 3), targets, log_prior=prior).item() == pytest.approx(
        plain, rel=1e-5
    )


def test_half_precision_is_summed_in_single() -> None:
    logits = torch.full((3000, 3), 0.1, dtype=torch.bfloat16)
    found = summed_loss(TYPE, logits, torch.zeros(3000, dtype=torch.int64))
    assert found.dtype == torch.float32 and found.item() == pytest.approx(3000 * np.log(3), rel=1e-5)
