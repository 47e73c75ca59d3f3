"""Features of which the classes are partly a linear function."""

from __future__ import annotations

import numpy as np
import torch

from arttl.frozen.tokens import Samples
from arttl.numbers import NumberStatistics
from arttl.tasks import Task, Vocabulary


def problem(
    kind: str, count: int, seed: int = 0, widths: tuple[int, ...] = (6,), useful: tuple[int, ...] = (0,)
) -> tuple[Task, Samples]:
    """A task of three classes, or a number, that only the useful tokens say something about."""
    random = np.random.default_rng(seed)
    tokens = [random.normal(size=(count, width)).astype(np.float32) / width**0.5 for width in widths]
    directions = np.random.default_rng(9)
    scores = sum(
        tokens[place] @ directions.normal(size=(widths[place], 3)) * widths[place] ** 0.5 for place in useful
    ) + 0.5 * random.normal(size=(count, 3))
    if kind == "number":
        years = 1600 + 50 * scores[:, 0]
        statistics = NumberStatistics.of(years.tolist())
        return Task("t", "number", statistics), _samples(tokens, torch.tensor(years, dtype=torch.float32))
    task = Task("t", kind, Vocabulary(("a", "b", "c"), (1, 1, 1), (0,)))  # type: ignore[arg-type]
    if kind == "single-label":
        return task, _samples(tokens, torch.tensor(scores.argmax(1)))
    return task, _samples(tokens, torch.tensor((scores > 0.5).astype(np.float32)))


def _samples(tokens: list[np.ndarray], targets: torch.Tensor) -> Samples:
    return Samples(torch.arange(len(targets)), tuple(map(torch.from_numpy, tokens)), targets)
