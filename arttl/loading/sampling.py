"""How often an epoch visits each row, where classes should come more evenly than in the collection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError
from arttl.tasks import TaskSet

_POWERS = {"balanced": 0.0, "sqrt": 0.5}


@dataclass(frozen=True)
class Sampling:
    """How often an epoch visits each row; the length of an epoch stays the same.

    Attributes:
        name: `uniform`, `balanced:TASK` or `sqrt:TASK`.
        classes: [N] int64, the class of each row in that task, -1 where unknown; None for `uniform`.
        power: the visits of a class are proportional to its size to this power.
    """

    name: str
    classes: npt.NDArray[np.int64] | None = None
    power: float = 1.0

    @property
    def meaning(self) -> str:
        """What an epoch visits, in one line."""
        if self.classes is None:
            return "an epoch visits every sample once"
        task = self.name.partition(":")[2]
        quotas = _quotas(np.unique(self.classes[self.classes >= 0], return_counts=True)[1], self.power)
        visits = f"{quotas.min()} to {quotas.max()}" if np.ptp(quotas) else f"{quotas[0]}"
        unknown = int((self.classes < 0).sum())
        rest = f"; the {unknown} without a label of {task} come once each" if unknown else ""
        how = "equally" if self.power == 0 else "in proportion to the square root of their sizes"
        return (
            f"an epoch is {len(self.classes)} visits, in which the {len(quotas)} classes of {task} come {how}"
            f" ({visits} visits each), a class's samples in turn{rest}"
        )

    def visited(self, seed: int, epoch: int) -> npt.NDArray[np.int64]:
        """Indices of the rows that an epoch visits, in no order: 0 to N - 1, some never and some repeatedly.

        The samples of a class take turns, over epochs too: none comes again before all the others have come.

        Returns:
            [N] int64.
        """
        assert self.classes is not None
        known = np.flatnonzero(self.classes >= 0)
        _, index, counts = np.unique(self.classes[known], return_inverse=True, return_counts=True)
        quotas = _quotas(counts, self.power)
        turns = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, 1 << 32))))
        visited = [np.flatnonzero(self.classes < 0)]
        members = np.split(known[np.argsort(index, kind="stable")], np.cumsum(counts)[:-1])
        for quota, rows in zip(quotas.tolist(), members, strict=True):
            rows = turns.permutation(rows)
            visited.append(rows[(epoch * quota + np.arange(quota)) % len(rows)])
        return np.concatenate(visited)


UNIFORM = Sampling("uniform")


def _quotas(counts: npt.NDArray[np.int64], power: float) -> npt.NDArray[np.int64]:
    """Visits of each class, rounded by the method of largest remainders; their sum is that of `counts`."""
    shares = counts.astype(np.float64) ** power
    exact = shares * counts.sum() / shares.sum()
    quotas = np.floor(exact + 1e-9).astype(np.int64)
    remaining = int(counts.sum() - quotas.sum())
    quotas[np.argsort(quotas - exact, kind="stable")[:remaining]] += 1
    return quotas


def parse_sampling(
    text: str, tasks: TaskSet, rows: npt.NDArray[np.int64], targets: dict[str, npt.NDArray[np.generic]]
) -> Sampling:
    """Read `uniform`, `balanced:TASK` or `sqrt:TASK`.

    Args:
        text: the setting.
        tasks: of the loader.
        rows: [N], the rows of the loader.
        targets: task name to the target of each manifest row.

    Raises:
        ArttlError: for an unknown method, or a task without classes to balance.
    """
    if text == UNIFORM.name:
        return UNIFORM
    method, _, name = text.partition(":")
    if method not in _POWERS or not name:
        raise ArttlError(f"--sampling {text!r} is unknown; choose uniform, balanced:TASK or sqrt:TASK")
    if name not in tasks.names:
        raise ArttlError(f"--sampling {text}: {name!r} is none of the tasks {', '.join(tasks.names)}")
    if tasks[name].kind != "single-label":
        raise ArttlError(f"--sampling {text}: only the classes of a single-label task can be balanced")
    return Sampling(text, targets[name][rows].astype(np.int64), _POWERS[method])
