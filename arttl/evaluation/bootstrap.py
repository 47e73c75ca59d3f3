"""Uncertainty of measured figures: bootstrap intervals, and tests of two models on the same samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError, did_you_mean
from arttl.evaluation.measures import Statistic

REPLICATES = 1000
LEVEL = 0.95

_CHUNK = 64  # replicates weighed at once: few enough for the processor's cache, many enough for NumPy


@dataclass(frozen=True)
class Difference:
    """A measure of two models on the same samples.

    Attributes:
        first, second: its values.
        low, high: the interval of `second - first`.
        p: the paired bootstrap's two-sided p-value, see `paired_bootstrap`.
    """

    first: float
    second: float
    low: float
    high: float
    p: float

    @property
    def value(self) -> float:
        """`second - first`."""
        return self.second - self.first

    def to_dict(self) -> dict[str, float]:
        """A JSON-ready form, with the value."""
        return {**asdict(self), "value": self.value}


def bootstrap_intervals(
    measures: Mapping[str, Statistic],
    count: int,
    *,
    groups: npt.NDArray[Any] | None = None,
    replicates: int = REPLICATES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap intervals (Efron 1979), all measures on the same resamplings.

    Args:
        measures: by name, of `count` samples.
        count: N.
        groups: [N] anything that is equal for samples that belong together (pictures of one object, works of one
            artist): whole groups are resampled then, which is right where their samples are not independent. None:
            every sample by itself.
        replicates: how many resamplings.
        level: the share of replicates inside.
        seed: the same seed gives the same resamplings.

    Returns:
        By name low and high; NaN where no replicate has a value.
    """
    drawn: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in measures}
    for weights in resamplings(count, groups=groups, replicates=replicates, seed=seed):
        for name, measure in measures.items():
            drawn[name].append(measure(weights))
    return {name: _interval(np.concatenate(values), level) for name, values in drawn.items()}


def exact_interval(count: int, of: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of a binomial share, `count` of `of` at least 1 (Clopper and Pearson 1934).

    The bootstrap has none where `count` is 0 or `of`: with every sample right, every resampling is as right, and 6 of 6
    would look as certain as 6,000 of 6,000.
    """
    from scipy.special import betaincinv  # late: most commands need none of it

    tail = (1 - level) / 2
    low = betaincinv(count, of - count + 1, tail) if count else 0.0
    high = betaincinv(count + 1, of - count, 1 - tail) if count < of else 1.0
    return float(low), float(high)


def paired_bootstrap(
    first: Statistic,
    second: Statistic,
    count: int,
    *,
    groups: npt.NDArray[Any] | None = None,
    replicates: int = REPLICATES,
    level: float = LEVEL,
    seed: int = 0,
) -> Difference:
    """The difference of one measure between two models, both on the same resamplings of the same samples.

    The p-value is twice the smaller share of replicates whose difference is at most, or at least, zero, each share
    counted with one more replicate that is (Davison and Hinkley 1997, section 4.4), so that it is never 0.

    Args:
        first, second: the measure of each model.
        count, groups, replicates, level, seed: as for `bootstrap_intervals`.
    """
    samplings = resamplings(count, groups=groups, replicates=replicates, seed=seed)
    differences = np.concatenate([second(weights) - first(weights) for weights in samplings])
    differences = differences[~np.isnan(differences)]
    below, above = (differences <= 0).sum(), (differences >= 0).sum()
    p = min(1.0, 2 * (1 + min(below, above)) / (1 + len(differences)))
    ones = np.ones((1, count))
    low, high = _interval(differences, level)
    return Difference(float(first(ones)[0]), float(second(ones)[0]), low, high, float(p))


def mcnemar(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    """McNemar's exact test (1947): the two-sided p-value that two models are right equally often.

    Samples on which both are right or both wrong carry no information; of the others, either is right with probability
    1/2.

    Args:
        first, second: [N] which samples each model got right.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    count = only_first + only_second
    term, tail = 1, 0
    for successes in range(min(only_first, only_second) + 1):
        tail += term
        term = term * (count - successes) // (successes + 1)
    return min(1.0, 2 * tail / 2**count)  # whole numbers of any size: no sum is cut, no power underflows


def groups_of(labels: Sequence[tuple[str, ...] | None]) -> npt.NDArray[np.int64]:
    """Numbers that are equal where the first label is, [N]; a sample without a label is a group of its own."""
    numbers: dict[str, int] = {}
    groups = [numbers.setdefault(label[0], len(numbers)) if label else -1 for label in labels]
    alone = iter(range(len(numbers), len(numbers) + len(labels)))
    return np.array([next(alone) if number < 0 else number for number in groups], dtype=np.int64)


def group_column(
    name: str, objects: Sequence[str], labels: Mapping[str, Sequence[tuple[str, ...] | None]], of: str
) -> Sequence[tuple[str, ...] | None]:
    """The labels that --group-by names: those of a task, or what tells objects apart.

    Args:
        name: `object_number` or a task.
        objects: of each sample, see `object_names`.
        labels: task name to the labels of each sample.
        of: what has the columns, for the message.

    Raises:
        ArttlError: for another name.
    """
    of_objects = {"object_number": [(each,) for each in objects]}
    # Twice: the first in the message, and never a task of that name.
    columns = {**of_objects, **labels, **of_objects}
    if name not in columns:
        raise ArttlError(
            f"--group-by {name!r} is no column of {of}{did_you_mean(name, columns)}; give one of"
            f" {', '.join(columns)}"
        )
    return columns[name]


def resamplings(
    count: int, *, groups: npt.NDArray[Any] | None, replicates: int, seed: int
) -> Iterator[npt.NDArray[np.float64]]:
    """How often each sample is drawn, [R, N] float64 with R at most 64 at a time, `replicates` in all."""
    random = np.random.default_rng(seed)
    if groups is None:
        units, unit_of_sample = count, None
    else:
        distinct, unit_of_sample = np.unique(groups, return_inverse=True)
        units = len(distinct)
    for start in range(0, replicates, _CHUNK):
        size = min(_CHUNK, replicates - start)
        drawn = random.integers(units, size=(size, units))
        drawn += np.arange(size)[:, None] * units
        counts = (
            np.bincount(drawn.reshape(-1), minlength=size * units).reshape(size, units).astype(np.float64)
        )
        yield counts if unit_of_sample is None else counts[:, unit_of_sample]


def _interval(values: npt.NDArray[np.float64], level: float) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if not len(values):
        return math.nan, math.nan
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
