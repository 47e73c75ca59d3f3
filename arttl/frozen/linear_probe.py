"""Off-the-shelf heads: converged L2-regularised logistic regression on frozen features."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from arttl.errors import ArttlError
from arttl.frozen.tokens import Samples
from arttl.models.losses import summed_loss
from arttl.models.solver import INVERSE_L2_GRID, PathPoint, Tolerances, fit_path
from arttl.tasks import Task

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_TOLERANCES = Tolerances(max_iterations=500, gradient=1e-5, change=1e-9)


@dataclass(frozen=True)
class Probe:
    """One fitted head.

    Attributes:
        inverse_l2: its penalty's inverse strength.
        val_loss: mean loss over the validation split's labelled samples; infinite where it has none.
        val_accuracy: for a single-label task, on the same samples.
        weight: [Q, D].
        bias: [Q].
    """

    inverse_l2: float
    val_loss: float
    val_accuracy: float | None
    weight: torch.Tensor
    bias: torch.Tensor


def fit_probe(
    task: Task,
    train: Samples,
    val: Samples,
    inverse_l2: float | None = None,
    on_fit: Callable[[PathPoint], None] = lambda point: None,
    loss: Loss | None = None,
) -> Probe:
    """Fit one task's head on standardised features.

    Minimises `|W|^2 / 2 + C * (sum of the samples' losses)`, see `arttl.models.solver.fit_penalised`, with the
    cross-entropy of a softmax or, for a multi-label task, of one sigmoid per class.

    Args:
        task: what is predicted.
        train, val: samples with one token, standardised features.
        inverse_l2: C. None: the value of `INVERSE_L2_GRID` with the lowest validation loss, each fit starting
            from the one before.
        on_fit: called after each fit.
        loss: of logits [N, Q] and targets, summed over samples, instead of `summed_loss`; the validation loss is of
            the same kind.

    Raises:
        ArttlError: if no training sample is labelled, or no validation sample is and C is to be chosen.
    """
    (values,), (val_values,) = train.tokens, val.tokens
    if not len(values):
        raise ArttlError(f"no training sample carries a label of task {task.name!r}")
    if not len(val_values) and inverse_l2 is None:
        raise ArttlError(
            f"no validation sample carries a label of task {task.name!r} to choose --inverse-l2 on; give a value"
        )
    loss = loss or partial(summed_loss, task)
    head = nn.Linear(values.shape[1], task.outputs, device=values.device)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    best = fit_path(
        head,
        lambda: loss(head(values), train.targets),
        len(values),
        lambda: float(loss(head(val_values), val.targets)) / len(val_values) if len(val_values) else math.inf,
        tolerances=_TOLERANCES,
        grid=INVERSE_L2_GRID if inverse_l2 is None else (inverse_l2,),
        on_fit=on_fit,
    )
    accuracy = None
    if task.kind == "single-label" and len(val_values):
        accuracy = float((head(val_values).argmax(1) == val.targets).float().mean())
    return Probe(best.inverse_l2, best.val_loss, accuracy, head.weight.detach(), head.bias.detach())
