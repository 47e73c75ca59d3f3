"""Off-the-shelf heads: converged L2-regularised logistic regression on frozen features."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from arttl.errors import ArttlError
from arttl.frozen.split_features import Features
from arttl.models.losses import summed_loss
from arttl.tasks import Task, is_labelled

INVERSE_L2_GRID = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Inverse strengths of the penalty tried, from strong to weak."""
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_PATIENCE = 2  # strengths without a lower validation loss before the search stops


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
    train: Features,
    val: Features,
    inverse_l2: float | None = None,
    on_fit: Callable[[Probe], None] = lambda probe: None,
    loss: Loss | None = None,
) -> Probe:
    """Fit one task's head on standardised features.

    Minimises `|W|^2 / 2 + C * (sum of the samples' losses)` by L-BFGS, the objective of scikit-learn's
    `LogisticRegression` (the bias is free), with the cross-entropy of a softmax or, for a multi-label task, of a
    sigmoid a class.

    Args:
        task: what is predicted.
        train, val: standardised features of the two splits.
        inverse_l2: C. None: the value of `INVERSE_L2_GRID` with the lowest validation loss, each fit starting
            from the one before.
        on_fit: called after each fit.
        loss: of logits [N, Q] and targets, summed over samples, in place of `summed_loss`; the validation loss is of
            the same kind.

    Raises:
        ArttlError: if no training sample is labelled, or no validation sample is and C is to be chosen.
    """
    train_values, train_targets = _labelled(train, task)
    val_values, val_targets = _labelled(val, task)
    if not len(train_values):
        raise ArttlError(f"no training sample carries a label of task {task.name!r}")
    if not len(val_values) and inverse_l2 is None:
        raise ArttlError(
            f"no validation sample carries a label of task {task.name!r} to choose --inverse-l2 on; give a value"
        )
    loss = loss or partial(summed_loss, task)
    head = nn.Linear(train_values.shape[1], task.outputs, device=train_values.device)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    best: Probe | None = None
    worse = 0
    for strength in INVERSE_L2_GRID if inverse_l2 is None else (inverse_l2,):
        _minimise(loss, head, train_values, train_targets, strength)
        probe = _measure(task, loss, head, val_values, val_targets, strength)
        on_fit(probe)
        if best is None or probe.val_loss < best.val_loss:
            best, worse = probe, 0
        else:
            worse += 1
            if worse == _PATIENCE:
                break
    assert best is not None
    return best


def _labelled(features: Features, task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    targets = features.targets[task.name]
    labelled = torch.from_numpy(is_labelled(targets.cpu().numpy())).to(targets.device)
    return features.values[labelled], targets[labelled]


def _minimise(
    summed: Loss, head: nn.Linear, values: torch.Tensor, targets: torch.Tensor, strength: float
) -> None:
    optimizer = torch.optim.LBFGS(
        head.parameters(),
        max_iter=500,
        history_size=20,
        tolerance_grad=1e-5,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )

    def objective() -> torch.Tensor:
        optimizer.zero_grad()
        # Per sample, so that the tolerances mean the same for any collection.
        penalty = head.weight.square().sum() / (2 * strength * len(values))
        loss = summed(head(values), targets) / len(values) + penalty
        loss.backward()
        return loss

    optimizer.step(objective)


@torch.no_grad()
def _measure(
    task: Task, summed: Loss, head: nn.Linear, values: torch.Tensor, targets: torch.Tensor, strength: float
) -> Probe:
    loss, accuracy = math.inf, None
    if len(values):
        logits = head(values)
        loss = float(summed(logits, targets)) / len(values)
        if task.kind == "single-label":
            accuracy = float((logits.argmax(1) == targets).float().mean())
    return Probe(strength, loss, accuracy, head.weight.clone(), head.bias.clone())
