"""What the browser sends, checked, and what is sent to it of decisions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from arttl.decisions.decision import LONGEST_TEXT, MOST_LABELS, Row, State, Verdict
from arttl.exchange.predictions import Ranked
from arttl.review.details import MOST_RANKED

MOST_ROWS = 200
"""Rows of a request."""
LARGEST_NUMBER = 2**53
"""Of JavaScript."""
MOST_DECISIONS = 500
"""Decisions of a request, which are saved in one transaction."""


@dataclass(frozen=True)
class Choice:
    """What a person chose.

    Attributes:
        row: that was looked at.
        version: of its state, as it was shown.
        verdict: see `Decision`.
        labels: that are right, for `corrected`.
    """

    row: int
    version: int
    verdict: Verdict
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if min(self.row, self.version) < 0 or max(self.row, self.version) > LARGEST_NUMBER:
            raise ValueError("a row or version that is out of range")
        if bool(self.labels) != (self.verdict == "corrected"):
            raise ValueError("labels are given with the verdict corrected, and with no other")
        if len(self.labels) > MOST_LABELS or any(not 0 < len(label) <= LONGEST_TEXT for label in self.labels):
            raise ValueError(f"up to {MOST_LABELS} labels of up to {LONGEST_TEXT:,} characters are saved")


@dataclass(frozen=True)
class Choices:
    """Decisions about one task, which are saved together.

    Attributes:
        task: of the model.
        decisions: at most `MOST_DECISIONS`.
        new_labels: whether labels that nobody has used are allowed.
    """

    task: str
    decisions: tuple[Choice, ...]
    new_labels: bool = False

    def __post_init__(self) -> None:
        _check_count(self.decisions)


@dataclass(frozen=True)
class Undoing:
    """Numbers of decisions that are undone together."""

    ids: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_count(self.ids)
        if min(self.ids) < 1 or max(self.ids) > LARGEST_NUMBER:
            raise ValueError("a number that is out of range")


def _check_count(values: Sequence[object]) -> None:
    if not 0 < len(values) <= MOST_DECISIONS:
        raise ValueError(f"from 1 to {MOST_DECISIONS} decisions at once, not {len(values)}")


def of_state(state: State) -> dict[str, Any]:
    """A state as the browser gets it."""
    row = state.row
    return {
        "version": state.version,
        "decision": None if row is None else of_row(row),
        "disputed": state.is_disputed,
        "differing": [of_row(each) for each in state.rows if each.decision.verdict != "skipped"]
        if state.is_disputed
        else [],
    }


def of_row(row: Row) -> dict[str, Any]:
    """A decision, or that one was undone, as the browser gets it."""
    decision = row.decision
    return {
        "id": row.id,
        "verdict": decision.verdict,
        "undoes": row.undoes,
        "labels": list(decision.labels),
        "reviewer": decision.reviewer[:LONGEST_TEXT],
        "time": row.time,
    }


def of_ranked(ranked: Sequence[Ranked] | None) -> list[list[Any]]:
    """Labels with their probabilities, the first `MOST_RANKED`."""
    return [[each.label, finite(each.probability)] for each in (ranked or ())[:MOST_RANKED]]


def finite(value: float | None) -> float | None:
    """A number, or None for what JSON cannot hold."""
    return value if value is not None and math.isfinite(value) else None
