"""The measures of heads on cached features."""

from __future__ import annotations

import torch

from arttl.evaluation.measures import majority_logits, measures_of, values_of
from arttl.tasks import Task


def task_values(task: Task, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    """Every measure of the task's kind, by name, from logits [N, Q] of labelled samples."""
    return values_of(measures_of(task, logits.cpu().numpy(), targets.cpu().numpy()), len(targets))


def majority_values(task: Task, targets: torch.Tensor) -> dict[str, float]:
    """The measures of always answering what is most frequent in the training split."""
    return task_values(task, torch.from_numpy(majority_logits(task, len(targets))), targets)
