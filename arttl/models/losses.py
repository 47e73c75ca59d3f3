"""The loss of one task on its labelled samples.

`LOSSES` has the loss of each kind of task. To train with another, write a function of the same form and register it:

    from arttl.models.losses import LOSSES
    LOSSES["multi-label"] = my_loss
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F

from arttl.tasks import Task, TaskKind

NUMBER_BETA = 0.25
"""Standardised error up to which a number's loss is squared: about 35 years where years spread by 140."""


@dataclass(frozen=True)
class LossOptions:
    """How a loss is computed; one of another kind than single-label ignores the smoothing and the prior."""

    label_smoothing: float = 0.0
    log_prior: torch.Tensor | None = None
    reduction: Literal["sum", "none"] = "sum"
    """Over samples; with none, see `sample_losses`, there is no smoothing."""


Loss = Callable[[Task, torch.Tensor, torch.Tensor, LossOptions], torch.Tensor]
"""Task, logits (float32), targets and options, as `summed_loss` has them, to the loss summed over samples."""


def _cross_entropy(
    task: Task, logits: torch.Tensor, targets: torch.Tensor, options: LossOptions
) -> torch.Tensor:
    if options.log_prior is not None:
        logits = logits + options.log_prior
    if options.reduction == "none":
        index = targets.expand(logits.shape[:-1])[..., None]
        return logits.logsumexp(-1) - logits.gather(-1, index)[..., 0]
    return F.cross_entropy(logits, targets, reduction="sum", label_smoothing=options.label_smoothing)


def _binary_cross_entropy(
    task: Task, logits: torch.Tensor, targets: torch.Tensor, options: LossOptions
) -> torch.Tensor:
    """Summed over the classes too."""
    loss = F.binary_cross_entropy_with_logits(logits, targets.expand_as(logits), reduction=options.reduction)
    return loss if options.reduction == "sum" else loss.sum(-1)


def _smooth_l1(task: Task, logits: torch.Tensor, targets: torch.Tensor, options: LossOptions) -> torch.Tensor:
    """Smooth L1 loss of the standardised value.

    Huber 1964, divided by its delta: squared up to `NUMBER_BETA` and linear beyond. It is near the measures, mean
    absolute error and the share within 50 years, and a few wrong dates, which every catalogue has, do not dominate it
    (`docs/metrics.md` has what was measured).
    """
    predicted = logits[..., 0]
    standardised = task.statistics.standardise(targets).float().expand_as(predicted)
    return F.smooth_l1_loss(predicted, standardised, reduction=options.reduction, beta=NUMBER_BETA)


LOSSES: dict[TaskKind, Loss] = {
    "single-label": _cross_entropy,
    "multi-label": _binary_cross_entropy,
    "number": _smooth_l1,
}
"""Kind of task to its loss."""


def summed_loss(
    task: Task,
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    log_prior: torch.Tensor | None = None,
) -> torch.Tensor:
    """The loss of one task summed over samples, a scalar, by `LOSSES`.

    Args:
        task: the task.
        logits: [N, Q], of labelled samples only.
        targets: [N] int64, [N, Q] float, or for a number [N] float in the label's unit.
        label_smoothing: the share of a single-label task's target that goes to all classes alike (Szegedy et al.
            2016, section 7); of no effect on other kinds.
        log_prior: [Q], see `log_prior`: added to a single-label task's logits, which then learn what the frequency of
            the classes does not say (Menon et al. 2021, equation 10); at test they are used alone. Of no effect on
            other kinds.
    """
    return LOSSES[task.kind](task, logits.float(), targets, LossOptions(label_smoothing, log_prior))


def sample_losses(task: Task, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The loss of each sample, [...], by `LOSSES`; `summed_loss` is their sum.

    Args:
        task: the task.
        logits: [..., Q] float32, of labelled samples only.
        targets: as for `summed_loss`, with axes that broadcast to those of the logits.
    """
    return LOSSES[task.kind](task, logits, targets, LossOptions(reduction="none"))


def log_prior(task: Task, strength: float = 1.0) -> torch.Tensor:
    """`strength * log(share of each class in the training split)`, [Q] float32: the prior of logit adjustment.

    Args:
        task: a single-label task.
        strength: tau of Menon et al. 2021; 1 makes the logits' order that of balanced accuracy.
    """
    counts = torch.tensor(task.vocabulary.counts, dtype=torch.float64)
    return (strength * (counts / counts.sum()).log()).float()
