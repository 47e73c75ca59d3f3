"""The loss of several tasks with missing labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F

from arttl.tasks import Task, TaskSet


def labelled_mask(targets: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Which samples of a batch count for a task: real ones (not padding) that carry a label, [B] bool.

    Args:
        targets: [B] int64 (-1: unknown) or [B, Q] float (a row of NaN: unknown).
        valid: [B] bool, False for padding.
    """
    labelled = targets >= 0 if targets.ndim == 1 else ~targets[:, 0].isnan()
    return labelled & valid


def summed_loss(task: Task, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The loss of one task summed over samples: cross-entropy, or binary cross-entropy summed over the classes.

    Args:
        task: the task.
        logits: [N, Q], of labelled samples only.
        targets: [N] int64 or [N, Q] float.
    """
    logits = logits.float()
    if task.kind == "single-label":
        return F.cross_entropy(logits, targets, reduction="sum")
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="sum")


def multitask_loss(
    tasks: TaskSet,
    logits: Mapping[str, torch.Tensor],
    targets: Mapping[str, torch.Tensor],
    valid: torch.Tensor,
    sum_over_ranks: Callable[[torch.Tensor], torch.Tensor],
    num_ranks: int,
) -> torch.Tensor | None:
    """Mean over a task's labelled samples in the whole global batch, added up over the tasks.

    Each task is divided by its label count over all ranks and not by its own rank's, so that the gradient (which
    is averaged over ranks) is the one a single process would compute on the global batch. A task without a label
    anywhere in the batch has no term.

    Args:
        tasks: the tasks.
        logits: task name to [B, Q].
        targets: task name to [B] or [B, Q].
        valid: [B] bool, False for padding.
        sum_over_ranks: adds a tensor up over the ranks; the identity on one.
        num_ranks: how many there are.

    Returns:
        A scalar, or None if no task has a label in the batch.
    """
    masks = [labelled_mask(targets[task.name], valid) for task in tasks]
    counts = sum_over_ranks(torch.stack([mask.sum() for mask in masks])).tolist()
    total: torch.Tensor | None = None
    for task, mask, count in zip(tasks, masks, counts, strict=True):
        if count:
            term = summed_loss(task, logits[task.name][mask], targets[task.name][mask]) * (num_ranks / count)
            total = term if total is None else total + term
    return total
