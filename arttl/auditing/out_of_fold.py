"""Out-of-fold probabilities: what heads on frozen features say of objects whose labels they have not seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from arttl.inference.calibration import fit_temperature
from arttl.inference.labels import probabilities
from arttl.models.losses import summed_loss
from arttl.models.solver import INVERSE_L2_GRID, PATIENCE, Tolerances, fit_penalised
from arttl.tasks import Task

FOLDS = 5
_TOLERANCES = Tolerances(max_iterations=100, gradient=1e-4, change=1e-6)


@dataclass(frozen=True)
class OutOfFold:
    """What one network, or several together, say of N objects by heads that have not seen their labels.

    Attributes:
        logits: [N, Q] float64, calibrated.
        probabilities: [N, Q] of the same.
        inverse_l2: of each fold, C of the head that speaks of its objects; empty for several networks together.
        temperatures: of each fold.
    """

    logits: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float64]
    inverse_l2: tuple[float, ...]
    temperatures: tuple[float, ...]


@dataclass(frozen=True)
class _Fold:
    """What is said of one fold's objects, and what chose how it is said.

    Attributes:
        rows: [M] the fold's.
        others: [N - M] all the others.
        inner: [N - M, Q] logits of the others, by heads that saw neither them nor the fold.
        outer: [M, Q] logits of the fold's.
        inverse_l2: C, with the lowest loss of `inner`.
        temperature: that suits `inner`.
    """

    rows: torch.Tensor
    others: torch.Tensor
    inner: torch.Tensor
    outer: torch.Tensor
    inverse_l2: float
    temperature: float


def out_of_fold(
    task: Task,
    networks: Sequence[torch.Tensor],
    targets: torch.Tensor,
    folds: npt.NDArray[np.int64],
    on_fit: Callable[[], None] = lambda: None,
) -> tuple[OutOfFold, list[OutOfFold]]:
    """Nested cross-validation of logistic regressions on the features of one network or several.

    The head that speaks of a fold is fitted to all others. How strong its penalty is, and the temperature of its
    logits, is chosen by a cross-validation within the others: nothing that is said of an object depends on its label.
    The head that leaves out two folds serves the choices for both of them. Several networks are joined by the mean of
    their calibrated logits, which gets a temperature of its own.

    Args:
        task: single-label or multi-label.
        networks: features of each, [N, D].
        targets: [N] int64 or [N, Q] float32, all known.
        folds: [N] from 0 to `FOLDS` - 1, each of them there.
        on_fit: called `FOLDS` times for each network.

    Returns:
        What the networks say together, and each by itself.
    """
    of_networks = [_cross_validate(task, values, targets, folds, on_fit) for values in networks]
    alone = [_joined(task, [of_network], targets) for of_network in of_networks]
    return (_joined(task, of_networks, targets) if len(networks) > 1 else alone[0]), alone


def _joined(task: Task, networks: Sequence[Sequence[_Fold]], targets: torch.Tensor) -> OutOfFold:
    logits = np.empty((len(targets), task.outputs))
    temperatures = []
    for same_fold in zip(*networks, strict=True):
        first = same_fold[0]
        outer = torch.stack([fold.outer / fold.temperature for fold in same_fold]).mean(0)
        temperature = first.temperature
        if len(same_fold) > 1:
            inner = torch.stack([fold.inner / fold.temperature for fold in same_fold]).mean(0)
            temperature = fit_temperature(task, inner, targets[first.others].cpu())
            outer = outer / temperature
        temperatures.append(temperature)
        logits[first.rows.numpy()] = outer.double().numpy()
    strengths = tuple(fold.inverse_l2 for fold in networks[0]) if len(networks) == 1 else ()
    return OutOfFold(logits, probabilities(task, logits), strengths, tuple(temperatures))


def _cross_validate(
    task: Task,
    values: torch.Tensor,
    targets: torch.Tensor,
    folds: npt.NDArray[np.int64],
    on_fit: Callable[[], None],
) -> list[_Fold]:
    values = values - values.mean(0)  # of no label: all objects may be seen
    values = values / values.std(0).clamp_min(1e-6)
    fold_of = torch.from_numpy(folds)
    choices = _choose(task, values, targets, fold_of)
    of_folds = []
    for fold, (inverse_l2, logits) in enumerate(choices):
        rows, others = (torch.from_numpy(np.flatnonzero(part)) for part in (folds == fold, folds != fold))
        head = _zero_head(task, values)
        _fit(task, head, values, targets, others, inverse_l2)
        with torch.no_grad():
            outer = head(values[rows.to(values.device)]).cpu()
        inner = logits[others]
        temperature = fit_temperature(task, inner, targets.cpu()[others])
        of_folds.append(_Fold(rows, others, inner, outer, inverse_l2, temperature))
        on_fit()
    return of_folds


def _choose(
    task: Task, values: torch.Tensor, targets: torch.Tensor, fold_of: torch.Tensor
) -> list[tuple[float, torch.Tensor]]:
    """For each fold C, and logits [N, Q] of all others' objects by heads of that strength that saw neither.

    From a strong penalty to a weak one, until no fold's loss has fallen for `PATIENCE` values.
    """
    heads = {pair: _zero_head(task, values) for pair in combinations(range(FOLDS), 2)}
    rows_of = [(fold_of == fold).nonzero().flatten() for fold in range(FOLDS)]
    losses = [math.inf] * FOLDS
    choices = [(math.nan, torch.empty(0))] * FOLDS
    worse = [0] * FOLDS
    for inverse_l2 in INVERSE_L2_GRID:
        logits = torch.zeros(FOLDS, len(targets), task.outputs)
        for pair, head in heads.items():
            seen = ((fold_of != pair[0]) & (fold_of != pair[1])).nonzero().flatten()
            _fit(task, head, values, targets, seen, inverse_l2)
            with torch.no_grad():
                for fold, other in (pair, pair[::-1]):
                    rows = rows_of[other]
                    logits[fold, rows] = head(values[rows.to(values.device)]).cpu()
        for fold in range(FOLDS):
            others = (fold_of != fold).nonzero().flatten()
            loss = float(summed_loss(task, logits[fold, others], targets.cpu()[others])) / len(others)
            worse[fold] += 1
            if loss < losses[fold]:
                losses[fold], choices[fold], worse[fold] = loss, (inverse_l2, logits[fold]), 0
        if min(worse) >= PATIENCE:
            break
    return choices


def _zero_head(task: Task, values: torch.Tensor) -> nn.Linear:
    head = nn.Linear(values.shape[1], task.outputs, device=values.device)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def _fit(
    task: Task,
    head: nn.Linear,
    values: torch.Tensor,
    targets: torch.Tensor,
    rows: torch.Tensor,
    inverse_l2: float,
) -> None:
    seen, known = values[rows.to(values.device)], targets[rows.to(targets.device)]
    fit_penalised(head, lambda: summed_loss(task, head(seen), known), len(seen), inverse_l2, _TOLERANCES)
