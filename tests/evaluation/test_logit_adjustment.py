from __future__ import annotations

import numpy as np
import pytest
import torch
from evaluation_cases import task
from sklearn.metrics import balanced_accuracy_score

from arttl.evaluation.logit_adjustment import adjust_logits, choose_adjustment
from arttl.inference.calibration import fit_temperature
from arttl.tasks import Task

COUNTS = (800, 150, 50)
TASK: Task = task("single-label", 3, counts=COUNTS)


def skewed(seed: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The exact log-probabilities of three overlapping classes of very unequal size, and labels drawn from them."""
    random = np.random.default_rng(seed)
    prior = np.array(COUNTS) / sum(COUNTS)
    targets = random.choice(3, size=n, p=prior)
    places = np.array([0.0, 1.5, 3.0])
    values = random.normal(places[targets], 1.0)
    logits = np.log(prior) - 0.5 * (values[:, None] - places) ** 2
    return torch.from_numpy(logits), torch.from_numpy(targets)


def test_the_prior_is_taken_away() -> None:
    found = adjust_logits(TASK, torch.zeros(2, 3), 0.5)
    assert found.dtype == torch.float32
    assert found[0].tolist() == pytest.approx(-0.5 * np.log(np.array(COUNTS) / 1000))


def test_the_full_strength_is_the_best_for_balanced_accuracy_of_exact_probabilities() -> None:
    logits, targets = skewed(0, 20_000)
    found = choose_adjustment(TASK, logits, targets)
    assert found.strength == pytest.approx(1.0, abs=0.21)
    assert found.unadjusted == pytest.approx(balanced_accuracy_score(targets, logits.argmax(1)))
    adjusted = adjust_logits(TASK, logits, found.strength)
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(targets, adjusted.argmax(1)))
    assert found.balanced_accuracy > found.unadjusted + 0.1


def test_what_was_adjusted_is_calibrated_again() -> None:
    logits, targets = skewed(0, 20_000)
    found = choose_adjustment(TASK, 3 * logits, targets, strengths=(0.0,))
    assert found.strength == 0 and found.temperature == pytest.approx(3, rel=0.05)
    assert found.balanced_accuracy == found.unadjusted
    adjusted = choose_adjustment(TASK, logits, targets, strengths=(1.0,))
    assert adjusted.temperature == fit_temperature(TASK, adjust_logits(TASK, logits, 1.0), targets)
    # Without the prior the probabilities are not those of the labels any more, and no longer at their best with 1.
    assert adjusted.temperature != pytest.approx(1, rel=0.05)


def test_of_equally_good_strengths_the_smallest_is_taken() -> None:
    logits = 100 * torch.eye(3)[torch.arange(30) % 3].double()
    assert choose_adjustment(TASK, logits, torch.arange(30) % 3).strength == 0
