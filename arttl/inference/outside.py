"""Whether a picture is unlike the training collection, or of none of a task's classes.

Two scores say so: the distance of its features to those of the nearest training picture (Sun et al. 2022), and for a
task with one label per object how low its largest logit is (Hendrycks et al. 2022, "Scaling Out-of-Distribution
Detection for Real-World Settings"). Each is compared with those of the validation objects, and the two shares of
objects that score as high are multiplied, as Fisher (1932) combines tests. benchmarks/outside.md has the rules that
this was chosen from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from arttl.inference.candidate_sets import conformal_limit

KEPT = 0.95
"""Share of validation objects that are not called outside."""

Scores = Sequence[npt.NDArray[np.floating]]
"""One array [N] per score, high for a picture from outside."""


def surprise(scores: Scores, evidence: Scores) -> npt.NDArray[np.float64]:
    """How rarely objects score as high, [N]: minus the sum over the scores of the logarithm of their share.

    The share counts the object itself too, so that it is never zero.

    Args:
        scores: of N pictures.
        evidence: of A validation objects, in the same order.
    """
    return _surprise(scores, evidence, len(evidence[0]), itself=0)


def surprise_limit(evidence: Scores) -> float:
    """What the surprise at the next object of the collection is at most, with a probability of `KEPT`.

    Each validation object is compared with the others, as a new object is compared with all.

    Args:
        evidence: of A validation objects.
    """
    return conformal_limit(surprise_at_evidence(evidence), KEPT)


def surprise_at_evidence(evidence: Scores) -> npt.NDArray[np.float64]:
    """How rarely the others of the validation objects score as high as each of them, [A]."""
    return _surprise(evidence, evidence, len(evidence[0]) - 1, itself=1)


def _surprise(scores: Scores, evidence: Scores, others: int, itself: int) -> npt.NDArray[np.float64]:
    total = np.zeros(len(scores[0]))
    for values, known in zip(scores, evidence, strict=True):
        as_high = len(known) - itself - np.searchsorted(np.sort(known), values, side="left")
        total += np.log((others + 1) / (as_high + 1))
    return total
