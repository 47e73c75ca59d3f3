"""Logit adjustment after the fact: a trained network's logits, corrected for the frequency of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from arttl.evaluation.measures import measures_of, values_of
from arttl.inference.calibration import fit_temperature
from arttl.tasks import Task

STRENGTHS = tuple(round(0.1 * step, 1) for step in range(21))
"""Strengths tried, from none to twice the prior."""


@dataclass(frozen=True)
class Adjustment:
    """What was chosen on the validation split.

    Attributes:
        strength: tau.
        temperature: of the adjusted logits.
        balanced_accuracy: of the validation split's predictions, adjusted.
        unadjusted: the same without adjustment.
    """

    strength: float
    temperature: float
    balanced_accuracy: float
    unadjusted: float


def adjust_logits(task: Task, logits: torch.Tensor, strength: float) -> torch.Tensor:
    """`logits - strength * log(share of each class in the training split)`, [N, Q] (Menon et al. 2021, equation 9).

    With strength 1 and a network that has learnt the training split's probabilities, the largest is the
    prediction of the best balanced accuracy.

    Args:
        task: a single-label task.
        logits: [N, Q], of a network trained without adjustment.
        strength: tau.
    """
    counts = np.asarray(task.vocabulary.counts, dtype=np.float64)
    prior = torch.from_numpy(np.log(counts / counts.sum())).to(logits)
    return logits - strength * prior


def choose_adjustment(
    task: Task, logits: torch.Tensor, targets: torch.Tensor, strengths: Sequence[float] = STRENGTHS
) -> Adjustment:
    """The strength with the best balanced accuracy, the smallest of equals, and the temperature that suits it.

    Adjusted logits are no longer the ones a temperature was fitted on, so that it is fitted again.

    Args:
        task: a single-label task.
        logits: [N, Q] of the validation split's labelled samples.
        targets: [N] int64.
        strengths: those tried, rising.
    """
    accuracies = [
        _balanced(task, adjust_logits(task, logits.double(), strength), targets) for strength in strengths
    ]
    best = int(np.argmax(accuracies))
    adjusted = adjust_logits(task, logits.double(), strengths[best])
    return Adjustment(
        strength=strengths[best],
        temperature=fit_temperature(task, adjusted, targets),
        balanced_accuracy=accuracies[best],
        unadjusted=_balanced(task, logits, targets),
    )


def _balanced(task: Task, logits: torch.Tensor, targets: torch.Tensor) -> float:
    measures = measures_of(task, logits.numpy(), targets.numpy())
    return values_of({"balanced_accuracy": measures["balanced_accuracy"]}, len(logits))["balanced_accuracy"]
