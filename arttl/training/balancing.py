"""How the tasks' losses are weighted against each other where they share a backbone.

Each task's loss is its mean over all ranks, so that all ranks hold the same weights without exchanging them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from arttl.documents import structured
from arttl.errors import ArttlError, did_you_mean
from arttl.training.settings import MultiTaskSettings


class Balancing:
    """Fixed weights, and the interface of methods that learn them.

    With equal weights and single-task regularisation this is the baseline that special multi-task optimizers did not
    beat in Kurin et al. 2022, "In Defense of the Unitary Scalarization for Deep Multi-Task Learning".
    """

    learns = False
    """Whether `update` wants the losses of each step; reading them waits for the device."""

    def __init__(self, fixed: torch.Tensor) -> None:
        """Start.

        Args:
            fixed: [T] float64, every task's weight; methods that learn weights multiply theirs with these.
        """
        self.fixed = fixed

    def weights(self) -> torch.Tensor:
        """The weights of the next step, [T] float64."""
        return self.fixed

    def update(self, losses: torch.Tensor) -> None:
        """Learn from a step.

        Args:
            losses: [T] float64, each task's mean loss; NaN for tasks without any label in the step.
        """

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep, JSON-ready and exact."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""


class Uncertainty(Balancing):
    """Kendall, Gal and Cipolla 2018, equation 10: minimise the sum of exp(-s) loss + s / 2 over s too.

    s is the logarithm of a task's noise variance, moved by Adam. Its gradient needs the losses' values alone, so it is
    taken here and not by autograd.
    """

    learns = True

    def __init__(self, fixed: torch.Tensor, rate: float) -> None:
        """Start with s = 0 for every task.

        Args:
            fixed: see `Balancing`.
            rate: Adam's learning rate.
        """
        super().__init__(fixed)
        self.values = torch.zeros_like(fixed)
        self._adam = torch.optim.Adam([self.values], lr=rate)

    def weights(self) -> torch.Tensor:
        """See `Balancing.weights`."""
        return self.fixed * (-self.values).exp()

    def update(self, losses: torch.Tensor) -> None:
        """See `Balancing.update`; tasks without labels stay as they are."""
        gradient = 0.5 - (-self.values).exp() * losses
        self.values.grad = torch.where(losses.isnan(), 0.0, gradient)
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
        record = structured(dict(state), _UncertaintyRecord, "the weights of the tasks")
        self.values.copy_(self._of_every_task(record.values))
        if record.adam.exp_avg:
            self._adam.state[self.values] = {
                "step": torch.tensor(record.adam.step),
                "exp_avg": self._of_every_task(record.adam.exp_avg),
                "exp_avg_sq": self._of_every_task(record.adam.exp_avg_sq),
            }

    def _of_every_task(self, values: Sequence[float]) -> torch.Tensor:
        if len(values) != len(self.fixed):
            raise ValueError(f"there are {len(values)} weights of {len(self.fixed)} tasks")
        return torch.tensor(values, dtype=torch.float64)


@dataclass(frozen=True)
class _AdamRecord:
    """Without values before the first step."""

    step: float = 0.0
    exp_avg: tuple[float, ...] = ()
    exp_avg_sq: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.step < 0:  # a power of Adam's decay would overflow
            raise ValueError(f"{self.step:g} steps")


@dataclass(frozen=True)
class _UncertaintyRecord:
    values: tuple[float, ...]
    adam: _AdamRecord


def open_balancing(settings: MultiTaskSettings, tasks: Sequence[str]) -> Balancing:
    """The weighting of a run.

    Args:
        settings: of the run.
        tasks: the names of its tasks.

    Raises:
        ArttlError: see `fixed_weights`.
    """
    fixed = fixed_weights(settings.task_weights, tasks)
    if settings.balancing == "uncertainty":
        return Uncertainty(fixed, settings.balancing_rate)
    return Balancing(fixed)


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
