"""How the tasks' losses are weighed against each other, step by step, where they share a backbone.

Every method sees each task's mean loss over all ranks, so that all ranks hold the same weights without talking.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from arttl.errors import ArttlError, did_you_mean
from arttl.training.settings import Method


class Balancing:
    """Fixed weights, and what all methods have in common.

    With equal weights and single-task regularisation this is the baseline that the special methods below did not beat
    in Kurin et al. 2022, "In Defense of the Unitary Scalarization for Deep Multi-Task Learning".
    """

    learns = False
    """Whether the steps' losses matter; those of a step are then known before its weights are asked for."""
    looks_again = False
    """Whether the losses of the same pictures are wanted once more after the step."""

    def __init__(self, fixed: torch.Tensor) -> None:
        """Start.

        Args:
            fixed: [T] float64, every task's weight; methods that find weights multiply theirs with these.
        """
        self.fixed = fixed

    def weights(self, step: int, losses: torch.Tensor | None) -> torch.Tensor:
        """The weights of a step, [T] float64.

        Args:
            step: from 0.
            losses: [T] float64, each task's mean loss; NaN for tasks without any label in the step. None where
                `learns` is not set.
        """
        return self.fixed

    def update(self, before: torch.Tensor, after: torch.Tensor | None) -> None:
        """Learn from a step.

        Args:
            before: [T] float64, the step's losses, NaN for tasks without.
            after: the losses of the same pictures after the step, where `looks_again` is set.
        """

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep, JSON-ready and exact."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""


class RandomWeights(Balancing):
    """Weights drawn anew each step: the softmax of normal numbers, times the number of tasks (Lin et al. 2022)."""

    def __init__(self, fixed: torch.Tensor, seed: int) -> None:
        super().__init__(fixed)
        self._seed = seed

    def weights(self, step: int, losses: torch.Tensor | None) -> torch.Tensor:
        """See `Balancing.weights`."""
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + step)
        drawn = torch.randn(len(self.fixed), generator=generator, dtype=torch.float64)
        return self.fixed * len(self.fixed) * drawn.softmax(0)


class _Learnt(Balancing):
    """One number a task, moved by Adam."""

    learns = True

    def __init__(self, fixed: torch.Tensor, rate: float, decay: float) -> None:
        super().__init__(fixed)
        self.values = torch.zeros_like(fixed)
        self._adam = torch.optim.Adam([self.values], lr=rate, weight_decay=decay)

    def _descend(self, gradient: torch.Tensor) -> None:
        self.values.grad = gradient
        self._adam.step()

    def state_dict(self) -> dict[str, Any]:
        """See `Balancing.state_dict`."""
        moments = self._adam.state.get(self.values, {})
        return {
            "values": self.values.tolist(),
            "adam": {name: value.tolist() for name, value in moments.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Balancing.load_state_dict`."""
        self.values.copy_(torch.tensor(state["values"], dtype=torch.float64))
        if state["adam"]:
            moments = {
                name: torch.tensor(value, dtype=torch.float32 if name == "step" else torch.float64)
                for name, value in state["adam"].items()
            }
            self._adam.state[self.values] = moments


class Uncertainty(_Learnt):
    """Kendall, Gal and Cipolla 2018, equation 10: minimise the sum of exp(-s) loss + s / 2 over s too.

    s is the logarithm of a task's noise variance. Its gradient needs the losses' values alone, so it is taken here
    and not by autograd.
    """

    def __init__(self, fixed: torch.Tensor, rate: float) -> None:
        super().__init__(fixed, rate, decay=0.0)

    def weights(self, step: int, losses: torch.Tensor | None) -> torch.Tensor:
        """See `Balancing.weights`."""
        return self.fixed * (-self.values).exp()

    def update(self, before: torch.Tensor, after: torch.Tensor | None) -> None:
        """See `Balancing.update`; tasks without labels stay as they are."""
        gradient = 0.5 - (-self.values).exp() * before
        self._descend(torch.where(before.isnan(), 0.0, gradient))


class Famo(_Learnt):
    """FAMO: fast adaptive multitask optimization (Liu et al. 2023), algorithm 1.

    The losses' logarithms are to fall equally fast. The weights of a step are z / loss, z the softmax of learnt
    numbers, scaled to add up to the number of tasks; a second look at the same pictures after the step tells how fast
    each loss fell, at the cost of a forward pass whatever the number of tasks.
    """

    looks_again = True
    _LEAST = 1e-8

    def __init__(self, fixed: torch.Tensor, rate: float) -> None:
        super().__init__(fixed, rate, decay=1e-3)

    def weights(self, step: int, losses: torch.Tensor | None) -> torch.Tensor:
        """See `Balancing.weights`."""
        assert losses is not None
        known = ~losses.isnan()
        share = torch.where(known, self.values, -math.inf).softmax(0)
        ratio = torch.where(known, share / (losses + self._LEAST), 0.0)
        return self.fixed * known.sum() * ratio / ratio.sum()

    def update(self, before: torch.Tensor, after: torch.Tensor | None) -> None:
        """See `Balancing.update`."""
        assert after is not None
        known = ~(before.isnan() | after.isnan())
        fall = torch.where(known, (before + self._LEAST).log() - (after + self._LEAST).log(), 0.0)
        share = torch.where(known, self.values, -math.inf).softmax(0)
        # The gradient of sum(softmax(values) * fall) over values.
        self._descend(share * (fall - (share * fall).sum()))


def open_balancing(method: Method, fixed: torch.Tensor, rate: float, seed: int) -> Balancing:
    """The weighing of a run.

    Args:
        method: its name. `upgrad` weighs gradients and not losses, see `arttl.training.step`; here it is as `fixed`.
        fixed: [T] float64, every task's weight.
        rate: learning rate of the methods that learn.
        seed: of the one that draws.
    """
    if method == "random":
        return RandomWeights(fixed, seed)
    if method == "uncertainty":
        return Uncertainty(fixed, rate)
    return Famo(fixed, rate) if method == "famo" else Balancing(fixed)


def fixed_weights(given: Sequence[str], tasks: Sequence[str]) -> torch.Tensor:
    """The weights of `--task-weights`, such as `artist=2`; 1 for tasks that it does not name.

    Returns:
        [T] float64.

    Raises:
        ArttlError: for an unknown task, or a weight that is not above 0.
    """
    weights = dict.fromkeys(tasks, 1.0)
    for item in given:
        name, _, text = item.partition("=")
        if name not in weights:
            raise ArttlError(
                f"--task-weights {item}: there is no task {name!r}{did_you_mean(name, tasks)} in this run"
            )
        try:
            weights[name] = float(text)
        except ValueError:
            weights[name] = math.nan
        if not 0 < weights[name] < math.inf:
            raise ArttlError(f"--task-weights {item}: write a number above 0, such as {name}=2")
    return torch.tensor([weights[name] for name in tasks], dtype=torch.float64)
