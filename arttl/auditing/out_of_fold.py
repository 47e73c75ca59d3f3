"""Out-of-fold probabilities: what heads on frozen features say of objects whose labels they have not seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from arttl.cpu import usable_cores
from arttl.inference.calibration import fit_temperature
from arttl.inference.labels import probabilities
from arttl.models.losses import summed_loss
from arttl.models.solver import INVERSE_L2_GRID, PATIENCE, Tolerances, fit_penalised
from arttl.tasks import Task

FOLDS = 5
_TOLERANCES = Tolerances(max_iterations=100, gradient=1e-4, change=1e-6)

_RunAll: TypeAlias = Callable[[Iterable[Callable[[], nn.Linear]]], list[nn.Linear]]


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
class _Judged:
    """What is said of one fold's objects, and what chose how it is said.

    Attributes:
        inner: [N - M, Q] logits of the other folds' objects, fold by fold, by heads that saw neither fold.
        outer: [M, Q] logits of this fold's objects.
        inverse_l2: C, with the lowest loss of `inner`.
        temperature: that suits `inner`.
    """

    inner: torch.Tensor
    outer: torch.Tensor
    inverse_l2: float
    temperature: float


def out_of_fold(
    task: Task,
    networks: Sequence[torch.Tensor],
    targets: torch.Tensor,
    folds: npt.NDArray[np.int64],
    on_network: Callable[[], None] = lambda: None,
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
        on_network: called after each network.

    Returns:
        What the networks say together, and each by itself.
    """
    rows = [torch.from_numpy(np.flatnonzero(folds == fold)) for fold in range(FOLDS)]
    known = [targets[of_fold.to(targets.device)] for of_fold in rows]
    of_networks = []
    with _one_thread_per_head(targets.device) as run_all:
        for values in networks:
            values = values - values.mean(0)  # of no label: all objects may be seen
            values = values / values.std(0).clamp_min(1e-6)
            parts = [values[of_fold.to(values.device)] for of_fold in rows]
            of_networks.append(_CrossValidation(task, parts, known).judge(run_all))
            on_network()
    known = [of_fold.cpu() for of_fold in known]
    alone = [_joined(task, rows, known, [of_network]) for of_network in of_networks]
    return (_joined(task, rows, known, of_networks) if len(networks) > 1 else alone[0]), alone


def _joined(
    task: Task,
    rows: Sequence[torch.Tensor],
    targets: Sequence[torch.Tensor],
    networks: Sequence[Sequence[_Judged]],
) -> OutOfFold:
    """The mean of the calibrated logits of networks, calibrated again where there are several.

    Args:
        task: what is judged.
        rows: of each fold's objects.
        targets: likewise.
        networks: of each, what it says of each fold.
    """
    logits = np.empty((sum(map(len, rows)), task.outputs))
    temperatures = []
    for fold, same_fold in enumerate(zip(*networks, strict=True)):
        outer = torch.stack([judged.outer / judged.temperature for judged in same_fold]).mean(0)
        temperature = same_fold[0].temperature
        if len(same_fold) > 1:
            inner = torch.stack([judged.inner / judged.temperature for judged in same_fold]).mean(0)
            temperature = fit_temperature(task, inner, torch.cat(_without(targets, fold)))
            outer = outer / temperature
        temperatures.append(temperature)
        logits[rows[fold].numpy()] = outer.double().numpy()
    strengths = tuple(judged.inverse_l2 for judged in networks[0]) if len(networks) == 1 else ()
    return OutOfFold(logits, probabilities(task, logits), strengths, tuple(temperatures))


class _CrossValidation:
    """The heads on one network's features.

    Attributes:
        parts, targets: standardised features [M, D], and targets, of each fold's objects.
    """

    def __init__(self, task: Task, parts: Sequence[torch.Tensor], targets: Sequence[torch.Tensor]) -> None:
        self._task, self.parts, self.targets = task, parts, targets

    def judge(self, run_all: _RunAll) -> list[_Judged]:
        """What is said of each fold."""
        choices = self._choose(run_all)
        work = [
            partial(self._fit, self._new_head(), (fold,), inverse_l2)
            for fold, (inverse_l2, _) in enumerate(choices)
        ]
        judged = []
        for fold, (head, (inverse_l2, inner)) in enumerate(zip(run_all(work), choices, strict=True)):
            known = torch.cat(_without(self.targets, fold)).cpu()
            temperature = fit_temperature(self._task, inner, known)
            judged.append(_Judged(inner, self._logits(head, fold), inverse_l2, temperature))
        return judged

    def _choose(self, run_all: _RunAll) -> list[tuple[float, torch.Tensor]]:
        """For each fold C, and logits [N - M, Q] of the others' objects by heads of that strength that saw neither.

        From a strong penalty to a weak one, until no fold's loss has fallen for `PATIENCE` values.
        """
        pairs = list(combinations(range(FOLDS), 2))
        heads = [self._new_head() for _ in pairs]
        losses, worse = [math.inf] * FOLDS, [0] * FOLDS
        choices = [(math.nan, torch.empty(0))] * FOLDS
        for inverse_l2 in INVERSE_L2_GRID:
            # Each from where it was with the penalty before.
            work = [
                partial(self._fit, head, pair, inverse_l2) for pair, head in zip(pairs, heads, strict=True)
            ]
            head_of = dict(zip(pairs, run_all(work), strict=True))
            for fold in range(FOLDS):
                others = [other for other in range(FOLDS) if other != fold]
                inner = torch.cat(
                    [self._logits(head_of[min(fold, other), max(fold, other)], other) for other in others]
                )
                known = torch.cat(_without(self.targets, fold)).cpu()
                loss = float(summed_loss(self._task, inner, known)) / len(known)
                worse[fold] += 1
                if loss < losses[fold]:
                    losses[fold], choices[fold], worse[fold] = loss, (inverse_l2, inner), 0
            if min(worse) >= PATIENCE:
                break
        return choices

    def _new_head(self) -> nn.Linear:
        head = nn.Linear(self.parts[0].shape[1], self._task.outputs, device=self.parts[0].device)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        return head

    def _fit(self, head: nn.Linear, left_out: tuple[int, ...], inverse_l2: float) -> nn.Linear:
        """Fit a head, in place, to all folds but some."""
        seen = [fold for fold in range(FOLDS) if fold not in left_out]

        def loss() -> torch.Tensor:  # fold by fold: no copy of the features for each head
            of_folds = [summed_loss(self._task, head(self.parts[fold]), self.targets[fold]) for fold in seen]
            return torch.stack(of_folds).sum()

        count = sum(len(self.parts[fold]) for fold in seen)
        fit_penalised(head, loss, count, inverse_l2, _TOLERANCES)
        return head

    @torch.no_grad()
    def _logits(self, head: nn.Linear, fold: int) -> torch.Tensor:
        logits: torch.Tensor = head(self.parts[fold])
        return logits.cpu()


def _without(parts: Sequence[torch.Tensor], fold: int) -> list[torch.Tensor]:
    return [part for other, part in enumerate(parts) if other != fold]


@contextmanager
def _one_thread_per_head(device: torch.device) -> Iterator[_RunAll]:
    """Fit heads beside one another, each in one thread, in place of one after the other in several.

    Threads that share a small product of matrices wait for one another at every step, on a busy machine for longer than
    the work takes. The results do not depend on the number of cores.

    Args:
        device: of the features; on a GPU one head is fitted at a time.

    Yields:
        A function that calls functions and returns what they return, in their order.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(usable_cores() if device.type == "cpu" else 1) as pool:
            yield lambda work: list(pool.map(lambda each: each(), work))
    finally:
        torch.set_num_threads(threads)
