"""The probability from which suggestions are right at least as often as promised (Learn then Test).

Angelopoulos et al. 2021, "Learn then Test: Calibrating Predictive Algorithms to Achieve Risk Control": every candidate
threshold is the hypothesis that suggestions above it are right less often than promised, rejected by an exact binomial
test. They are tested from the highest threshold down, from several starts that share the error rate (section 4.2,
fixed sequence testing), so that the chance that any rejected hypothesis is true stays below `1 - confidence`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr  # the binomial distribution; scipy.stats takes half a second to import

CONFIDENCE = 0.9
STARTS = 4  # of the sequences; with one, a mistake among the surest few objects ends the whole search
_CANDIDATES = 64  # thresholds that are tried
_MOST_NEEDED = 1e6


@dataclass(frozen=True)
class Threshold:
    """What can be promised of one task's suggestions.

    Attributes:
        precision: that was asked for, 0 to 1.
        confidence: with which the promise holds, over redrawn validation objects.
        above: suggestions with a higher probability are right at least as often as `precision`; None if no threshold
            could be shown to do that.
        objects: that the promise was tested on.
        suggested: the share of these with a probability above the threshold; 0 where there is none.
    """

    precision: float
    confidence: float
    above: float | None
    objects: int
    suggested: float


def fit_threshold(
    likeliest: npt.NDArray[np.floating],
    likeliest_wrong: npt.NDArray[np.floating],
    precision: float,
    confidence: float = CONFIDENCE,
) -> Threshold:
    """The lowest threshold that keeps a promise of precision.

    The suggestion for an object is all labels above the threshold, and it is right if all of them are. Given the
    threshold, which is the probability of one of the objects, those above it are an independent sample of all objects
    above it, so that their mistakes are binomial and the test is exact.

    Args:
        likeliest: [N], the probability of each object's likeliest label; one entry per object, since photographs of
            one object are not independent.
        likeliest_wrong: [N], that of the likeliest label that is not the object's, of those that would be suggested;
            0 where there is none.
        precision: to promise, 0 to 1.
        confidence: of the promise, 0 to 1.
    """
    objects, level = len(likeliest), (1 - confidence) / STARTS
    descending = -np.sort(-likeliest)
    fewest = math.ceil(math.log(level) / math.log(precision))  # even without a mistake
    if fewest < objects:
        candidates = descending[np.linspace(fewest, objects - 1, _CANDIDATES).astype(np.int64)]
        candidates = -np.unique(-candidates)
        suggested, mistakes = _above(likeliest, candidates), _above(likeliest_wrong, candidates)
        # An object as likely as the threshold is not above it, so that there may be too few.
        passes = (suggested >= fewest) & (bdtr(mistakes, suggested, 1 - precision) <= level)
        best = _last_of_sequences(passes[np.argmax(suggested >= fewest) :])
        if best is not None:
            best += int(np.argmax(suggested >= fewest))
            return Threshold(
                precision, confidence, float(candidates[best]), objects, float(suggested[best] / objects)
            )
    return Threshold(precision, confidence, None, objects, 0.0)


def objects_needed(
    likeliest: npt.NDArray[np.floating],
    likeliest_wrong: npt.NDArray[np.floating],
    precision: float,
    confidence: float = CONFIDENCE,
) -> int | None:
    """About how many objects `fit_threshold` would need for a promise, if others were like these.

    The share of mistakes among the surest of these objects is taken for that of any number of objects, with one more
    than was seen, since few objects without any say little; at the share of the surest for which it is soonest.

    Args:
        likeliest, likeliest_wrong, precision, confidence: see `fit_threshold`; at least one object.

    Returns:
        The number of objects; None if no number would be enough.
    """
    objects, level = len(likeliest), (1 - confidence) / STARTS
    candidates = -np.unique(-np.quantile(likeliest, np.linspace(0, 1, _CANDIDATES), method="lower"))
    suggested, mistakes = _above(likeliest, candidates), _above(likeliest_wrong, candidates)
    rate = (mistakes + 1) / (suggested + 1)
    counts = np.unique(
        np.geomspace(math.log(level) / math.log(precision), _MOST_NEEDED, 200).astype(np.int64)
    )
    passes = (bdtr(np.ceil(np.outer(rate, counts)), counts, 1 - precision) <= level).T & (suggested > 0)
    soonest = counts[passes.argmax(0)] * objects / np.maximum(1, suggested)
    return math.ceil(soonest[passes.any(0)].min()) if passes.any() else None


def _above(values: npt.NDArray[np.floating], limits: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """How many of the values are above each limit."""
    return len(values) - np.searchsorted(np.sort(values), limits, side="right")


def _last_of_sequences(passes: npt.NDArray[np.bool_]) -> int | None:
    """The last index reached by a run of passes from one of the starts."""
    best = None
    for start in np.unique(np.linspace(0, len(passes), STARTS, endpoint=False).astype(np.int64)):
        failures = np.flatnonzero(~passes[start:])
        reached = start + (failures[0] if len(failures) else len(passes) - start) - 1
        if reached >= start and (best is None or reached > best):
            best = int(reached)
    return best
