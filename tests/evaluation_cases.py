"""Tasks, logits and targets for the tests of evaluation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from arttl.numbers import NumberStatistics
from arttl.tasks import Task, TaskKind, Vocabulary


def task(
    kind: TaskKind, classes: int = 3, majority: tuple[int, ...] = (0,), counts: tuple[int, ...] = ()
) -> Task:
    """A task `t` with classes `class 0`, `class 1` and so on; or a number of mean 1600 and standard deviation 100."""
    if kind == "number":
        return Task("t", kind, NumberStatistics(count=50, mean=1600.0, std=100.0, median=1650.0))
    names = tuple(f"class {index}" for index in range(classes))
    return Task("t", kind, Vocabulary(names, counts or (1,) * classes, majority))


def single(seed: int, n: int, classes: int, *, tied: bool = False) -> tuple[npt.NDArray, npt.NDArray]:
    """Logits [n, classes] and targets [n]; tied: with many equal logits."""
    random = np.random.default_rng(seed)
    targets = random.integers(classes, size=n)
    logits = random.normal(size=(n, classes)) + 1.0 * (np.arange(classes) == targets[:, None])
    return (np.round(logits) if tied else logits), targets


def multi(seed: int, n: int, classes: int, *, tied: bool = False) -> tuple[npt.NDArray, npt.NDArray]:
    """Logits and targets [n, classes], each sample with at least one label."""
    random = np.random.default_rng(seed)
    targets = random.random((n, classes)) < 0.3
    targets[np.arange(n), random.integers(classes, size=n)] = True
    logits = random.normal(size=(n, classes)) + 1.0 * targets
    return (np.round(logits) if tied else logits), targets.astype(np.float32)


def numbers(seed: int, n: int) -> tuple[npt.NDArray, npt.NDArray]:
    """Logits [n, 1] and targets [n] in years."""
    random = np.random.default_rng(seed)
    targets = random.normal(1600, 100, size=n).astype(np.float32)
    return (targets[:, None] - 1600) / 100 + random.normal(0, 0.7, size=(n, 1)), targets


def of_kind(kind: TaskKind, seed: int, n: int, classes: int = 4) -> tuple[Task, npt.NDArray, npt.NDArray]:
    """A task of a kind with logits and targets."""
    if kind == "number":
        return (task(kind), *numbers(seed, n))
    return (task(kind, classes), *(single if kind == "single-label" else multi)(seed, n, classes))
