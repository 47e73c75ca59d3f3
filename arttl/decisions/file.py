"""The file of decisions: one table in SQLite to which rows are appended, and from which nothing is ever deleted.

A row is on the disk before `save` returns (write-ahead log, `synchronous=FULL`), so that a kill or a power cut loses
none that was confirmed. A file may come from a stranger: it is read if its schema is exactly ours, which has no
triggers and no views, and the connection may do nothing but select and insert.
"""

from __future__ import annotations

import datetime
import itertools
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from arttl.decisions.decision import VERDICTS, Decision, Row, State, Subject, state_of
from arttl.decisions.opening import check_header, connected
from arttl.documents import parse_json
from arttl.errors import ArttlError, one_line
from arttl.files import WriteError

MOST_ROWS_OF_A_SUBJECT = 10_000
"""Decisions and undone ones of one object and task, which are read at once."""
_UNDONE = "undone"
_COLUMNS = (
    *("id", "time", "object_number", "key", "institution", "task", "catalogued", "suggested", "probability"),
    *("verdict", "labels", "reviewer", "model", "blind", "undoes"),
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM decisions"
_GROUPED = (
    "SELECT count(*), min(verdict), task, object_number, institution, iif(object_number = '', key, '') AS picture"
    " FROM decisions{} GROUP BY object_number, task, institution, picture"
)
_INSERT = f"INSERT INTO decisions ({', '.join(_COLUMNS[1:])}) VALUES ({', '.join('?' * len(_COLUMNS[1:]))})"
# Without an object number it is the picture that tells subjects apart. Each uses the index.
_OF_OBJECT = f"{_SELECT} WHERE object_number = ? AND task = ? AND institution = ?"
_OF_PICTURE = f"{_SELECT} WHERE object_number = '' AND task = ? AND institution = ? AND key = ?"
T = TypeVar("T")


class Conflict(ArttlError):
    """A decision that was made without knowledge of a newer one.

    Attributes:
        state: what there is now.
    """

    def __init__(self, subject: Subject, state: State) -> None:
        number = subject.object_number or subject.picture
        super().__init__(
            f"the {subject.task} of {number!r} was decided elsewhere meanwhile: look at it again, then decide"
        )
        self.state = state


class NoDecision(ArttlError):
    """A number of a decision that there is none of."""


class DecisionFile:
    """An open file of decisions, for any number of threads; other processes may have it open too."""

    def __init__(self, path: Path, *, is_read_only: bool = False, flag: str = "--decisions") -> None:
        """Open a file, or make it.

        Args:
            path: the file.
            is_read_only: whether it must be there, and is not written.
            flag: the one that named it.

        Raises:
            ArttlError: if it cannot be opened, is no file of decisions, or of another version.
        """
        self.path = path
        self._lock = threading.RLock()
        if path.exists() and not path.is_file():
            raise ArttlError(f"{flag} {path} is not a file")
        if is_read_only and not path.exists():
            raise ArttlError(f"{flag} {path} is not a file; arttl review makes one")
        if not path.parent.is_dir():
            raise ArttlError(f"{flag} {path}: there is no folder {path.parent}; make it first")
        if path.exists() and path.stat().st_size:
            check_header(path, flag)
        with self._errors():
            self._connection = connected(path, is_read_only=is_read_only, flag=flag)

    def save(self, decisions: Sequence[tuple[Decision, int]]) -> list[Row | Conflict]:
        """Append decisions, in one transaction.

        Args:
            decisions: each with the version of the state that it was made in view of.

        Returns:
            For each its row, on the disk, or why it was not saved.

        Raises:
            ArttlError: if the file cannot be written; then none is saved.
        """

        def work() -> list[Row | Conflict]:
            saved: list[Row | Conflict] = []
            for decision, version in decisions:
                state = self._state(decision.subject, decision.reviewer if decision.is_blind else None)
                if state.version == version:
                    saved.append(self._append(decision))
                else:
                    saved.append(Conflict(decision.subject, state))
            return saved

        return self._transaction(work)

    def undo(self, numbers: Sequence[int], reviewer: str, *, is_blind: bool = False) -> list[Row | Conflict]:
        """Append that decisions are undone, in one transaction.

        Args:
            numbers: of their rows, which are in force.
            reviewer: who undoes them.
            is_blind: whether that person sees only decisions of their own.

        Returns:
            For each its row, on the disk, or why it was not undone: it is not in force any more.

        Raises:
            NoDecision: if there is no such decision; then none is undone.
            ArttlError: if the file cannot be written; then none is undone.
        """

        def work() -> list[Row | Conflict]:
            undone: list[Row | Conflict] = []
            for number in numbers:
                row = next(self._rows(f"{_SELECT} WHERE id = ?", (number,)), None)
                if row is None:
                    raise NoDecision(f"{self.path} has no decision {number}")
                subject = row.decision.subject
                state = self._state(subject, reviewer if is_blind else None)
                if number in [each.id for each in state.rows]:
                    undone.append(self._append(row.decision, undoes=number, reviewer=reviewer))
                else:
                    undone.append(Conflict(subject, state))
            return undone

        return self._transaction(work)

    def state(self, subject: Subject, reviewer: str | None = None) -> State:
        """What is known of a subject.

        Args:
            subject: itself.
            reviewer: whose decisions alone are looked at; None: all.

        Raises:
            ArttlError: if the file cannot be read.
        """
        with self._lock, self._errors():
            return self._state(subject, reviewer)

    def states(self, reviewer: str | None = None) -> Iterator[tuple[Subject, State]]:
        """The state of every subject that anything was decided about, in the order of object numbers.

        Args:
            reviewer: see `state`.

        Raises:
            ArttlError: if the file cannot be read.
        """
        for subject, rows in self.histories():
            if reviewer is not None:
                rows = [row for row in rows if row.decision.reviewer == reviewer]
            if rows:
                yield subject, state_of(rows)

    def summaries(self, reviewer: str | None = None) -> Iterator[tuple[Subject, str, bool]]:
        """The verdict in force on every subject that has one, and whether reviewers differ; faster than `states`.

        Args:
            reviewer: see `state`.

        Raises:
            ArttlError: if the file cannot be read.
        """
        only = "" if reviewer is None else " WHERE reviewer = ?"
        values = () if reviewer is None else (reviewer,)
        several = list[Subject]()
        with self._lock, self._errors():
            for count, verdict, *names in self._connection.execute(_GROUPED.format(only), values):
                if count == 1 and verdict in VERDICTS and all(isinstance(name, str) for name in names):
                    yield Subject(*names), verdict, False
                else:  # read with all checks
                    several.append(Subject(*map(str, names)))
            for subject in several:
                state = self._state(subject, reviewer)
                if state.row is not None:
                    yield subject, state.row.decision.verdict, state.is_disputed

    def last(self) -> int:
        """The number of the newest row, 0 where there is none."""
        with self._lock, self._errors():
            (number,) = self._connection.execute("SELECT max(id) FROM decisions").fetchone()
        return int(number or 0)

    def histories(self) -> Iterator[tuple[Subject, list[Row]]]:
        """All rows of each subject, in the order of object numbers."""
        query = f"{_SELECT} ORDER BY object_number, task, institution, iif(object_number = '', key, ''), id"
        with self._lock, self._errors():
            for subject, rows in itertools.groupby(self._rows(query), lambda row: row.decision.subject):
                yield subject, self._limited(rows)

    def rows_after(self, number: int) -> list[Row]:
        """The rows that were appended after one, by any process, in their order."""
        with self._lock, self._errors():
            return list(self._rows(f"{_SELECT} WHERE id > ? ORDER BY id", (number,)))

    def history(self, subject: Subject) -> list[Row]:
        """All rows of a subject, the oldest first."""
        with self._lock, self._errors():
            return self._of(subject)

    def close(self) -> None:
        """Close the file; the last process to do so folds the log into it."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> DecisionFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _state(self, subject: Subject, reviewer: str | None) -> State:
        rows = self._of(subject)
        return state_of(row for row in rows if reviewer in (None, row.decision.reviewer))

    def _of(self, subject: Subject) -> list[Row]:
        if subject.object_number:
            query, values = _OF_OBJECT, (subject.object_number, subject.task, subject.institution)
        else:
            query, values = _OF_PICTURE, (subject.task, subject.institution, subject.picture)
        return self._limited(self._rows(f"{query} ORDER BY id", values))

    def _limited(self, rows: Iterator[Row]) -> list[Row]:
        taken = list(itertools.islice(rows, MOST_ROWS_OF_A_SUBJECT + 1))
        if len(taken) > MOST_ROWS_OF_A_SUBJECT:
            raise ArttlError(
                f"{self.path} has more than {MOST_ROWS_OF_A_SUBJECT:,} decisions about the {taken[0].decision.task} of"
                f" {taken[0].decision.object_number!r}; it is not used"
            )
        return taken

    def _append(self, decision: Decision, *, undoes: int | None = None, reviewer: str = "") -> Row:
        time = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        labels = () if undoes else decision.labels
        cells = (
            *(time, decision.object_number, decision.key, decision.institution, decision.task),
            *(_text(decision.catalogued), _text(decision.suggested), decision.probability),
            *(_UNDONE if undoes else decision.verdict, _text(labels), reviewer or decision.reviewer),
            *(decision.model, int(decision.is_blind), undoes),
        )
        number = self._connection.execute(_INSERT, cells).lastrowid
        return next(self._rows(f"{_SELECT} WHERE id = ?", (number,)))

    def _rows(self, query: str, values: Sequence[Any] = ()) -> Iterator[Row]:
        for cells in self._connection.execute(query, values):
            yield self._row(dict(zip(_COLUMNS, cells, strict=True)))

    def _row(self, cells: dict[str, Any]) -> Row:
        where = f"decision {cells['id']} of {self.path}"
        for name, kinds in _TYPES.items():
            if not isinstance(cells[name], kinds):
                raise ArttlError(f"{where} has a {name!r} of the wrong type; the file is not used")
        of_decision: dict[str, Any] = {
            name: cells[name] for name in _TEXTS if name not in ("time", "verdict")
        }
        of_decision |= {name: _labels(cells[name], where) for name in _LISTS}
        if (cells["verdict"] == _UNDONE) != (cells["undoes"] is not None):
            raise ArttlError(f"{where} does not say what it undoes; the file is not used")
        of_decision["verdict"] = "skipped" if cells["verdict"] == _UNDONE else cells["verdict"]
        try:
            decision = Decision(
                **of_decision,
                probability=cells["probability"],
                is_blind=bool(cells["blind"]),
            )
        except ValueError as error:
            raise ArttlError(f"{where} cannot be used: {one_line(error)}") from error
        return Row(cells["id"], cells["time"], decision, cells["undoes"])

    def _transaction(self, work: Callable[[], T]) -> T:
        with self._lock, self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = work()
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            return result

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise ArttlError(f"{self.path} is locked by another program; try again") from error
            raise WriteError(self.path, one_line(error)) from error
        except sqlite3.Error as error:
            raise ArttlError(f"{self.path} cannot be used: {one_line(error)}") from error


_LISTS = ("catalogued", "suggested", "labels")
_TEXTS = ("time", "object_number", "key", "institution", "task", "verdict", "reviewer", "model")
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys((*_TEXTS, *_LISTS), (str,)),
    "id": (int,),
    "blind": (int,),
    "probability": (float, type(None)),
    "undoes": (int, type(None)),
}


def _text(labels: Sequence[str]) -> str:
    return json.dumps(labels, ensure_ascii=False)


def _labels(text: str, where: str) -> tuple[str, ...]:
    if text == "[]":
        return ()
    if text.startswith('["') and text.endswith('"]') and text.count('"') == 2 and "\\" not in text:
        return (text[2:-2],)  # as nearly all are, and ten times as fast as a parser
    return parse_json(text, tuple[str, ...], where)
