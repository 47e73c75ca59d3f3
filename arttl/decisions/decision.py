"""A person's decision about one task of one object, and which decisions of several are in force."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Verdict: TypeAlias = Literal["accepted", "corrected", "rejected", "skipped"]
"""The suggestion is right; other labels are right; the suggestion is wrong; somebody else should look."""
VERDICTS: tuple[str, ...] = get_args(Verdict)

LONGEST_TEXT = 1000
"""Characters of any text of a decision."""
MOST_LABELS = 100


@dataclass(frozen=True, slots=True)
class Subject:
    """What is decided about: a task of an object, or of a picture whose object has no number.

    Attributes:
        task: of the model.
        object_number: as catalogued; empty where there is none.
        institution: that holds the object; empty where it is not known.
        picture: name of the picture where there is no object number, else empty.
    """

    task: str
    object_number: str
    institution: str = ""
    picture: str = ""

    @classmethod
    def of(cls, task: str, object_number: str, institution: str, picture: str) -> Subject:
        """The subject of a photograph: pictures of one object share it."""
        return cls(task, object_number, institution, "" if object_number else picture)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided, with all that it was decided about.

    Attributes:
        task, object_number, institution: see `Subject`.
        key: name of the photograph that was looked at.
        catalogued: labels that the catalogue had.
        suggested: labels that the model suggested.
        probability: the lowest of the suggested labels, 0 to 1; None where the model gave none.
        verdict: see `Verdict`.
        labels: that are right: those suggested where they are accepted, others where they are corrected, else none.
        reviewer: who decided.
        model: SHA-256 of the weights of the model that suggested, in hexadecimal; empty where it is not known.
        is_blind: whether the reviewer did not see what others had decided.
    """

    task: str
    object_number: str
    institution: str
    key: str
    catalogued: tuple[str, ...]
    suggested: tuple[str, ...]
    probability: float | None
    verdict: Verdict
    labels: tuple[str, ...]
    reviewer: str
    model: str = ""
    is_blind: bool = False

    def __post_init__(self) -> None:
        texts = (self.task, self.object_number, self.institution, self.key, self.reviewer, self.model)
        for text in (*texts, *self.catalogued, *self.suggested, *self.labels):
            if len(text) > LONGEST_TEXT:
                raise ValueError(f"it holds a text of more than {LONGEST_TEXT:,} characters")
        for labels in (self.catalogued, self.suggested, self.labels):
            if len(labels) > MOST_LABELS or not all(labels):
                raise ValueError(f"it holds an empty label, or more than {MOST_LABELS}")
        if not self.task or not (self.object_number or self.key) or not self.reviewer:
            raise ValueError("it names no task, no object or no reviewer")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError(f"it has a probability of {self.probability}")
        if self.verdict not in VERDICTS:
            raise ValueError(f"its verdict is {self.verdict!r}")
        if self.verdict == "accepted" and (self.labels != self.suggested or not self.labels):
            raise ValueError("it accepts other labels than those suggested")
        if self.verdict != "accepted" and bool(self.labels) != (self.verdict == "corrected"):
            raise ValueError(f"it is {self.verdict} with {len(self.labels)} labels")
        if self.verdict == "rejected" and not self.suggested:
            raise ValueError("it rejects a suggestion of no label")

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return Subject.of(self.task, self.object_number, self.institution, self.key)

    @property
    def outcome(self) -> tuple[str, ...]:
        """What it says of the object; two decisions with the same outcome agree."""
        if self.verdict in ("accepted", "corrected"):
            return ("is", *sorted(self.labels))
        return ("skipped",) if self.verdict == "skipped" else ("not", *sorted(self.suggested))


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the file: a decision, or that one was undone.

    Attributes:
        id: its number, from 1; a later row has a higher one.
        time: it was saved, in UTC, such as `2026-11-30T08:15:00Z`.
        decision: that was made; where one was undone it says of what, and by whom, and its verdict means nothing.
        undoes: the number of the row that it undoes; None for a decision.
    """

    id: int
    time: str
    decision: Decision
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What is known of one subject.

    Attributes:
        version: number of the newest row that was seen, 0 for none: who decides names it.
        rows: the decisions in force, the oldest first: one, or one per reviewer who did not see the others'.
    """

    version: int = 0
    rows: tuple[Row, ...] = ()

    @property
    def row(self) -> Row | None:
        """The newest decision in force, one that was not skipped before those that were; None where there is none."""
        return max(self.rows, key=lambda row: (row.decision.verdict != "skipped", row.id), default=None)

    @property
    def is_disputed(self) -> bool:
        """Whether reviewers who did not see one another's decisions have decided differently."""
        outcomes = {row.decision.outcome for row in self.rows if row.decision.verdict != "skipped"}
        return len(outcomes) > 1


def state_of(rows: Iterable[Row]) -> State:
    """The state after all rows of a subject.

    A decision replaces all before it; one that was made blindly only those of the same reviewer. What was undone counts
    as if it had never been.

    Args:
        rows: in the order of their numbers.
    """
    every = list(rows)
    undone = {row.undoes for row in every}
    in_force: list[Row] = []
    for row in every:
        if row.undoes is not None or row.id in undone:
            continue
        if row.decision.is_blind:
            in_force = [each for each in in_force if each.decision.reviewer != row.decision.reviewer]
        else:
            in_force = []
        in_force.append(row)
    return State(every[-1].id if every else 0, tuple(in_force))
