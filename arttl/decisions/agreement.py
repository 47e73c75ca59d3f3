"""How far two reviewers agree who did not see each other's decisions: Cohen's kappa.

Cohen (1960), A coefficient of agreement for nominal scales. Its standard error is that of Fleiss, Cohen and Everitt
(1969), Large sample standard errors of kappa and weighted kappa, equation 13.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from arttl.decisions.decision import Row, Subject

_Z = 1.959963984540054  # of the normal distribution, for 95%


@dataclass(frozen=True)
class Kappa:
    """Agreement beyond chance.

    Attributes:
        objects: that both have decided.
        share: of them for which both decided the same, 0 to 1.
        kappa: 1 for full agreement, 0 for that of chance; NaN where both have decided one and the same of all objects.
        low, high: ends of its 95% interval, of a large sample; NaN where `kappa` is.
    """

    objects: int
    share: float
    kappa: float
    low: float
    high: float


@dataclass(frozen=True)
class Pair:
    """Two reviewers and a task.

    Attributes:
        task, first, second: whose decisions.
        agreement: of the objects that both have decided, the second blindly; None where there are none.
        seen: objects that both have decided too, but the later one in view of the earlier decision.
    """

    task: str
    first: str
    second: str
    agreement: Kappa | None
    seen: int


def kappa_of(first: Sequence[object], second: Sequence[object]) -> Kappa:
    """Cohen's kappa of two lists of categories, of the same objects in the same order.

    Raises:
        ValueError: for lists of different lengths, or without any object.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"{len(first)} and {len(second)} decisions")
    codes = {category: code for code, category in enumerate(dict.fromkeys((*first, *second)))}
    table: npt.NDArray[np.float64] = np.zeros((len(codes), len(codes)))
    np.add.at(table, ([codes[each] for each in first], [codes[each] for each in second]), 1)
    shares = table / len(first)
    rows, columns = shares.sum(1), shares.sum(0)
    observed, expected = float(np.trace(shares)), float(rows @ columns)
    if expected >= 1:
        return Kappa(len(first), observed, math.nan, math.nan, math.nan)
    kappa = (observed - expected) / (1 - expected)
    beside = rows[None, :] + columns[:, None]  # [i, j] the second's share of i and the first's of j
    diagonal = np.diag(shares)
    on = float(diagonal @ ((1 - expected) - (rows + columns) * (1 - observed)) ** 2)
    off = (1 - observed) ** 2 * float((shares * beside**2).sum() - diagonal @ (rows + columns) ** 2)
    variance = (on + off - (observed * expected - 2 * expected + observed) ** 2) / (1 - expected) ** 4
    width = _Z * math.sqrt(max(variance, 0) / len(first))
    return Kappa(len(first), observed, kappa, max(-1.0, kappa - width), min(1.0, kappa + width))


def agreement(histories: Iterable[tuple[Subject, list[Row]]]) -> list[Pair]:
    """The agreement of every two reviewers who have decided the same objects, by task.

    The category of a decision is its outcome: the labels that are right, or that those suggested are wrong. Of each
    reviewer the last decision counts that was not undone; what was skipped does not.

    Args:
        histories: all rows of each subject, see `DecisionFile.histories`.
    """
    outcomes: dict[tuple[str, str, str], list[tuple[object, object]]] = {}
    seen: dict[tuple[str, str, str], int] = {}
    for subject, rows in histories:
        undone = {row.undoes for row in rows}
        last = {
            row.decision.reviewer: row
            for row in rows
            if row.undoes is None and row.id not in undone and row.decision.verdict != "skipped"
        }
        for first, second in combinations(sorted(last), 2):
            pair = subject.task, first, second
            outcomes.setdefault(pair, [])
            later = max(last[first], last[second], key=lambda row: row.id)
            if later.decision.is_blind:
                outcomes[pair].append((last[first].decision.outcome, last[second].decision.outcome))
            else:
                seen[pair] = seen.get(pair, 0) + 1
    return [
        Pair(*pair, kappa_of(*zip(*of_pair, strict=True)) if of_pair else None, seen.get(pair, 0))
        for pair, of_pair in sorted(outcomes.items())
    ]
