"""The loss of one task on its labelled samples."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from arttl.tasks import Task

NUMBER_BETA = 0.25
"""Standardised error up to which a number's loss is squared: about 35 years where years spread by 140."""


def summed_loss(
    task: Task,
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    log_prior: torch.Tensor | None = None,
) -> torch.Tensor:
    """The loss of one task summed over samples, a scalar.

    Cross-entropy for a single-label task; binary cross-entropy summed over the classes for a multi-label one. For a
    number the smooth L1 loss of the standardised value (Huber 1964, divided by its delta), squared up to `NUMBER_BETA`
    and linear beyond: it is near the measures, mean absolute error and the share within 50 years, and a few wrong
    dates, which every catalogue has, do not take it over (`docs/metrics.md` has what was measured).

    Args:
        task: the task.
        logits: [N, Q], of labelled samples only.
        targets: [N] int64, [N, Q] float, or for a number [N] float in the label's unit.
        label_smoothing: the share of a single-label task's target that goes to all classes alike (Szegedy et al.
            2016, section 7); other kinds take no notice of it.
        log_prior: [Q], see `log_prior`: added to a single-label task's logits, which then learn what the frequency of
            the classes does not say (Menon et al. 2021, equation 10); at test they are used alone. Other kinds
            take no notice of it.
    """
    logits = logits.float()
    if task.kind == "number":
        wanted = task.statistics.standardise(targets).float()
        return F.smooth_l1_loss(logits[:, 0], wanted, reduction="sum", beta=NUMBER_BETA)
    if task.kind == "single-label":
        if log_prior is not None:
            logits = logits + log_prior
        return F.cross_entropy(logits, targets, reduction="sum", label_smoothing=label_smoothing)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="sum")


def log_prior(task: Task, strength: float = 1.0) -> torch.Tensor:
    """`strength * log(share of each class in the training split)`, [Q] float32: the prior of logit adjustment.

    Args:
        task: a single-label task.
        strength: tau of Menon et al. 2021; 1 makes the logits' order that of balanced accuracy.
    """
    counts = torch.tensor(task.vocabulary.counts, dtype=torch.float64)
    return (strength * (counts / counts.sum()).log()).float()
