"""What has been decided so far of the objects that are reviewed: a byte per object and task, and the file beside it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arttl.decisions.decision import VERDICTS, Decision, Row, State, Subject
from arttl.decisions.file import Conflict, DecisionFile
from arttl.review.collection import Collection

Verdicts8 = npt.NDArray[np.int8]

UNDECIDED = 0
DISPUTED = len(VERDICTS) + 1
"""Reviewers who did not see one another's decisions have decided differently; 1 to 4 are `VERDICTS`."""


@dataclass(frozen=True)
class Reviewer:
    """Who decides.

    Attributes:
        name: is written beside each decision.
        is_blind: whether only decisions of that name are shown.
    """

    name: str
    is_blind: bool = False

    @property
    def alone(self) -> str | None:
        """Whose decisions are looked at; None: everybody's."""
        return self.name if self.is_blind else None


class Verdicts:
    """The verdicts on a collection, kept up with a file that other processes may write too."""

    def __init__(self, collection: Collection, file: DecisionFile, reviewer: Reviewer) -> None:
        """Read the file.

        Raises:
            ArttlError: if it cannot be read.
        """
        self._collection, self._file, self._reviewer = collection, file, reviewer
        self._lock = threading.Lock()
        self._numbers: dict[Subject, int] = {}  # of objects that were decided here
        self._of_task = {task: np.zeros(collection.object_count, np.int8) for task in collection.tasks}
        self.elsewhere = 0
        """Subjects of the file that no row shows."""
        self._last = 0
        states = list(file.states(reviewer.alone))
        self._set(states)
        self._last = max((state.version for _, state in states), default=0)
        self.sync()

    def of(self, task: str) -> Verdicts8:
        """The verdict on each object, [objects] int8: `UNDECIDED`, 1 to 4, or `DISPUTED`."""
        return self._of_task[task]

    def state(self, subject: Subject) -> State:
        """What is in force of a subject, and the version that a decision about it has to name."""
        return self._file.state(subject, self._reviewer.alone)

    def history(self, subject: Subject) -> list[Row]:
        """All that the reviewer may see of a subject, the oldest first."""
        rows = self._file.history(subject)
        return [row for row in rows if self._reviewer.alone in (None, row.decision.reviewer)]

    def save(self, decisions: Sequence[tuple[Decision, int]], rows: Sequence[int]) -> list[Row | Conflict]:
        """See `DecisionFile.save`; `rows` are those that the decisions are about."""
        for (decision, _), row in zip(decisions, rows, strict=True):
            self._numbers[decision.subject] = int(self._collection.objects[row])
        saved = self._file.save(decisions)
        self.sync()
        return saved

    def undo(self, numbers: Sequence[int]) -> list[Row | Conflict]:
        """See `DecisionFile.undo`."""
        rows = self._file.undo(numbers, self._reviewer.name, is_blind=self._reviewer.is_blind)
        self.sync()
        return rows

    def sync(self) -> None:
        """Take note of what was appended since, by this process or another."""
        with self._lock:
            rows = self._file.rows_after(self._last)
            if rows:
                subjects = list(dict.fromkeys(row.decision.subject for row in rows))
                self._set([(subject, self.state(subject)) for subject in subjects])
                self._last = rows[-1].id

    def _set(self, states: Sequence[tuple[Subject, State]]) -> None:
        known = [(subject, state) for subject, state in states if subject.task in self._of_task]
        # To look for objects takes time for each row of the collection; those that are decided here are known.
        new = [subject for subject, _ in known if subject not in self._numbers]
        found = dict(zip(new, self._collection.find_objects(new).tolist(), strict=True)) if new else {}
        for subject, state in known:
            number = self._numbers.get(subject, found.get(subject, -1))
            if number >= 0:
                self._of_task[subject.task][number] = code_of(state)
            else:
                self.elsewhere += 1


def code_of(state: State) -> int:
    """The byte of a state."""
    if state.is_disputed:
        return DISPUTED
    return UNDECIDED if state.row is None else 1 + VERDICTS.index(state.row.decision.verdict)
