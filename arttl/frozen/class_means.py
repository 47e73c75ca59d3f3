"""The nearest class mean: a head that is not trained at all."""

from __future__ import annotations

import torch
from torch import nn

from arttl.frozen.tokens import Samples
from arttl.models.losses import summed_loss
from arttl.models.solver import Tolerances, minimise
from arttl.tasks import Task


def class_mean_head(task: Task, train: Samples) -> tuple[torch.Tensor, torch.Tensor]:
    """A head whose likeliest class is the one whose mean makes the smallest angle with the features.

    The class's row is the mean of its samples (for a multi-label task less the mean of the others), at length one
    (nearest class mean: Mensink et al. 2013; by cosine: Gidaris and Komodakis 2018). The features' own length, which
    the cosine divides by, changes nothing about which class is nearest, and is left to one scale for all classes,
    fitted with one bias on the training split, so that the head is a linear layer like any other (for a single-label
    task that bias changes nothing). Frequent and rare classes count alike.

    Args:
        task: single-label or multi-label.
        train: samples with one token, standardised features [N, D].

    Returns:
        Weight [Q, D] and bias [Q], on standardised features. A class without a sample has a row of zeros.
    """
    (values,) = train.tokens
    if task.kind == "single-label":
        member = nn.functional.one_hot(train.targets, task.outputs).float()
    else:
        member = train.targets
    of_class = member.T @ values / member.sum(0).clamp_min(1)[:, None]
    if task.kind == "multi-label":
        others = 1 - member
        of_class = of_class - others.T @ values / others.sum(0).clamp_min(1)[:, None]
    direction = nn.functional.normalize(of_class, dim=1)
    scores = values @ direction.T
    log_scale = torch.zeros((), device=values.device, requires_grad=True)
    bias = torch.zeros((), device=values.device, requires_grad=True)
    minimise(
        [log_scale, bias],
        lambda: summed_loss(task, scores * log_scale.exp() + bias, train.targets) / len(values),
        Tolerances(),
    )
    return (direction * log_scale.exp()).detach(), bias.detach().expand(task.outputs).clone()
