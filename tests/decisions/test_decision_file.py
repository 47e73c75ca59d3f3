"""The file of decisions: what was confirmed is there after a kill, nobody overwrites anybody, nothing is deleted."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arttl.decisions.decision import Decision, Row, State, Subject
from arttl.decisions.file import Conflict, DecisionFile
from arttl.decisions.opening import APPLICATION_ID
from arttl.errors import ArttlError
from arttl.files import WriteError

SUGGESTED = Decision(
    "material", "A.1", "Museum", "a.jpg", ("wood",), ("oil paint",), 0.9, "accepted", ("oil paint",), "R"
)


def decided(
    verdict: str, *labels: str, number: str = "A.1", reviewer: str = "R", blind: bool = False
) -> Decision:
    return replace(
        SUGGESTED, object_number=number, verdict=verdict, labels=labels, reviewer=reviewer, is_blind=blind
    )


def saved(file: DecisionFile, decision: Decision, version: int) -> Row:
    (row,) = file.save([(decision, version)])
    assert isinstance(row, Row)
    return row


@pytest.fixture
def file(tmp_path: Path) -> DecisionFile:
    return DecisionFile(tmp_path / "decisions.sqlite")


def test_a_decision_is_read_as_it_was_saved(file: DecisionFile, tmp_path: Path) -> None:
    row = saved(file, SUGGESTED, 0)
    assert row.decision == SUGGESTED and row.id == 1 and row.time.endswith("Z")
    with DecisionFile(tmp_path / "decisions.sqlite", is_read_only=True) as other:
        assert other.state(SUGGESTED.subject) == State(1, (row,))
        assert list(other.states()) == [(Subject("material", "A.1", "Museum"), State(1, (row,)))]
    # What SQLite's own reader sees, without our code.
    table = sqlite3.connect(tmp_path / "decisions.sqlite").execute(
        "SELECT object_number, catalogued, suggested, probability, verdict, reviewer FROM decisions"
    )
    assert table.fetchall() == [("A.1", '["wood"]', '["oil paint"]', 0.9, "accepted", "R")]


def test_pictures_without_an_object_number_are_told_apart(file: DecisionFile) -> None:
    first, second = (replace(SUGGESTED, object_number="", key=name) for name in ("a.jpg", "b.jpg"))
    saved(file, first, 0)
    saved(file, second, 0)
    assert [subject.picture for subject, _ in file.states()] == ["a.jpg", "b.jpg"]
    # Of an object with a number the photograph does not matter.
    saved(file, SUGGESTED, 0)
    assert file.state(replace(SUGGESTED, key="other.jpg").subject).version == 3


def test_an_older_version_overwrites_nothing(file: DecisionFile, tmp_path: Path) -> None:
    first = saved(file, SUGGESTED, 0)
    with DecisionFile(tmp_path / "decisions.sqlite") as window:
        (conflict, other) = window.save([(decided("rejected"), 0), (decided("skipped", number="B"), 0)])
    assert isinstance(conflict, Conflict) and conflict.state.rows == (first,)
    assert isinstance(other, Row)
    assert "'A.1' was decided elsewhere meanwhile" in str(conflict)
    second = saved(file, decided("corrected", "ivory"), first.id)
    assert file.state(SUGGESTED.subject).rows == (second,)


def test_undoing_brings_back_what_was_before(file: DecisionFile) -> None:
    first = saved(file, SUGGESTED, 0)
    second = saved(file, decided("rejected"), first.id)
    (undone,) = file.undo([second.id], "Q")
    assert isinstance(undone, Row)
    assert (undone.undoes, undone.decision.reviewer) == (second.id, "Q")
    assert file.state(SUGGESTED.subject) == State(undone.id, (first,))
    again, undone = file.undo([second.id, first.id], "Q")
    assert isinstance(again, Conflict) and isinstance(undone, Row) and undone.id == 4
    assert file.state(SUGGESTED.subject) == State(4, ())
    with pytest.raises(ArttlError, match="has no decision 99"):
        file.undo([99], "Q")
    assert [row.id for row in file.rows_after(2)] == [3, 4]
    assert len(file.history(SUGGESTED.subject)) == 4  # nothing went


def test_blind_reviewers_keep_their_own_decisions(file: DecisionFile) -> None:
    first = saved(file, SUGGESTED, 0)
    second = saved(file, decided("rejected", reviewer="Q", blind=True), 0)
    state = file.state(SUGGESTED.subject)
    assert state.rows == (first, second) and state.is_disputed
    assert file.state(SUGGESTED.subject, "Q").rows == (second,)
    assert list(file.summaries()) == [(SUGGESTED.subject, "rejected", True)]
    assert list(file.summaries("R")) == [(SUGGESTED.subject, "accepted", False)]
    third = saved(file, decided("accepted", "oil paint", reviewer="Q", blind=True), second.id)
    state = file.state(SUGGESTED.subject)
    assert state.rows == (first, third) and not state.is_disputed
    final = saved(file, decided("corrected", "ivory", reviewer="P"), third.id)  # who has seen both
    assert file.state(SUGGESTED.subject).rows == (final,)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["accepted", "rejected", "undo"]), st.integers(0, 2)), max_size=8))
def test_any_sequence_is_that_of_a_stack(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Without blind reviewers decisions of an object are a stack, which an undo pops."""
    with DecisionFile(tmp_path_factory.mktemp("stack") / "d.sqlite") as file:
        stacks: dict[int, list[int]] = {0: [], 1: [], 2: []}
        for verdict, number in steps:
            subject = replace(SUGGESTED, object_number=f"{number}").subject
            if verdict != "undo":
                labels = SUGGESTED.suggested if verdict == "accepted" else ()
                version = file.state(subject).version
                stacks[number].append(saved(file, decided(verdict, *labels, number=f"{number}"), version).id)
            elif stacks[number]:
                file.undo([stacks[number].pop()], "R")
        expected = {f"{number}": stack[-1] for number, stack in stacks.items() if stack}
        states = {subject.object_number: state.row.id for subject, state in file.states() if state.row}
        assert states == expected
        summaries = {(subject.object_number, verdict) for subject, verdict, _ in file.summaries()}
        assert summaries == {
            (subject.object_number, state.row.decision.verdict)
            for subject, state in file.states()
            if state.row
        }


_SAVE = """
import sys
from dataclasses import replace
from pathlib import Path
from arttl.decisions.decision import Decision
from arttl.decisions.file import DecisionFile
file = DecisionFile(Path(sys.argv[1]))
for number in range(100_000):
    decision = Decision("material", f"{sys.argv[2]}.{number}", "", "", (), ("oil",), None, "accepted", ("oil",), "R")
    (row,) = file.save([(decision, 0)])
    print(number, flush=True)
"""


def test_a_kill_loses_nothing_that_was_confirmed(tmp_path: Path) -> None:
    """Two processes save at the same time, and are killed: what they had printed is there, in a sound file."""
    path = tmp_path / "decisions.sqlite"
    for attempt in range(3):
        names = [f"{attempt}{letter}" for letter in "ab"]
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", _SAVE, str(path), name], stdout=subprocess.PIPE, text=True
            )
            for name in names
        ]
        confirmed = {}
        for name, writer in zip(names, writers, strict=True):
            assert writer.stdout is not None
            for _ in range(20):
                confirmed[name] = int(writer.stdout.readline())
        for name, writer in zip(names, writers, strict=True):
            os.kill(writer.pid, signal.SIGKILL)
            rest, _ = writer.communicate()
            lines = rest.splitlines(keepends=True)
            confirmed[name] = max([confirmed[name], *(int(line) for line in lines if line.endswith("\n"))])
        with DecisionFile(path) as file:
            numbers = {subject.object_number for subject, _ in file.states()}
            for name, last in confirmed.items():
                assert {f"{name}.{number}" for number in range(last + 1)} <= numbers
        assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_many_processes_make_the_file_at_once(tmp_path: Path) -> None:
    code = _SAVE.replace("100_000", "3")
    for attempt in range(3):
        words = [sys.executable, "-c", code, str(tmp_path / f"{attempt}.sqlite")]
        processes = [
            subprocess.Popen([*words, f"{number}"], stdout=subprocess.PIPE, text=True) for number in range(6)
        ]
        assert [process.communicate()[0] for process in processes] == ["0\n1\n2\n"] * 6
        with DecisionFile(tmp_path / f"{attempt}.sqlite") as file:
            assert sum(1 for _ in file.states()) == 18


def test_a_save_is_flushed(file: DecisionFile) -> None:
    assert file._connection.execute("SELECT 1").fetchone() == (1,)
    file._connection.set_authorizer(None)
    assert file._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert file._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_many_threads_save(file: DecisionFile) -> None:
    def work(thread: int) -> None:
        for number in range(20):
            saved(file, decided("skipped", number=f"{thread}.{number}"), 0)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(1 for _ in file.states()) == 160


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM decisions",
        "UPDATE decisions SET reviewer = 'X'",
        "DROP TABLE decisions",
        "PRAGMA user_version=2",
    ],
)
def test_the_connection_cannot_delete(file: DecisionFile, statement: str) -> None:
    saved(file, SUGGESTED, 0)
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        file._connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON decisions BEGIN DELETE FROM decisions; END", "other tables than"),
        ("CREATE VIEW v AS SELECT * FROM decisions", "other tables than"),
        ("CREATE TABLE other (x)", "other tables than"),
        ("ALTER TABLE decisions ADD COLUMN x", "other tables than"),
        ("PRAGMA application_id=1", "is a database of another program"),
        ("PRAGMA user_version=9", "decisions of format 9; this version reads 1"),
        ("UPDATE decisions SET labels = '{}'", "decision 1 of"),
        ('UPDATE decisions SET labels = \'["a", "\\ud800"]\'', "half a character"),
        ("UPDATE decisions SET verdict = 'perhaps'", "its verdict is 'perhaps'"),
        ("UPDATE decisions SET verdict = 'undone'", "does not say what it undoes"),
        ("UPDATE decisions SET probability = 2", "a probability of 2"),
        ("UPDATE decisions SET task = x'00'", "'task' of the wrong type"),
        ("UPDATE decisions SET reviewer = printf('%.2000c', 'x')", "more than 1,000 characters"),
    ],
)
def test_a_strangers_file(tmp_path: Path, statement: str, sentence: str) -> None:
    path = tmp_path / "decisions.sqlite"
    with DecisionFile(path) as file:
        saved(file, SUGGESTED, 0)
    stranger = sqlite3.connect(path, isolation_level=None)
    stranger.execute(statement)
    stranger.close()
    with pytest.raises(ArttlError, match=sentence), DecisionFile(path, is_read_only=True) as file:
        list(file.states())


@pytest.mark.parametrize("data", [b"object_number,task\n", b"SQLite format 3\0" + b"\xff" * 200, b"x"])
def test_no_database_at_all(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "decisions.sqlite"
    path.write_bytes(data)
    with pytest.raises(ArttlError, match="decisions"):
        DecisionFile(path)
    assert path.read_bytes() == data


def test_where_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match="is not a file; arttl review makes one"):
        DecisionFile(tmp_path / "none.sqlite", is_read_only=True)
    with pytest.raises(ArttlError, match="make it first"):
        DecisionFile(tmp_path / "none" / "d.sqlite")
    with pytest.raises(ArttlError, match="is not a file"):
        DecisionFile(tmp_path)


def test_a_file_locked_by_another_program(
    file: DecisionFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arttl.decisions.opening._SECONDS", 0.1)
    other = sqlite3.connect(tmp_path / "decisions.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with DecisionFile(tmp_path / "decisions.sqlite") as waiting, pytest.raises(ArttlError, match="is locked"):
        saved(waiting, SUGGESTED, 0)


def test_a_full_disk(file: DecisionFile) -> None:
    saved(file, SUGGESTED, 0)
    file._connection.set_authorizer(None)
    file._connection.execute("PRAGMA max_page_count=1")  # SQLite's own word for a full disk
    with pytest.raises(WriteError, match=r"decisions\.sqlite cannot be written: database or disk is full"):
        for number in range(1000):
            saved(file, decided("skipped", number=f"B.{number}"), 0)
    assert file.state(SUGGESTED.subject).version == 1  # and the file can be read still


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"labels": ("ivory",)}, "accepts other labels"),
        ({"verdict": "corrected", "labels": ()}, "corrected with 0 labels"),
        ({"verdict": "rejected"}, "rejected with 1 labels"),
        ({"verdict": "rejected", "labels": (), "suggested": ()}, "rejects a suggestion of no label"),
        ({"probability": float("nan")}, "probability of nan"),
        ({"reviewer": ""}, "no reviewer"),
        ({"object_number": "", "key": ""}, "no object"),
        ({"catalogued": ("",)}, "an empty label"),
    ],
)
def test_a_decision_that_makes_no_sense(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(SUGGESTED, **changes)


def test_the_number_of_the_program(file: DecisionFile, tmp_path: Path) -> None:
    file.close()
    header = (tmp_path / "decisions.sqlite").read_bytes()[:100]
    assert int.from_bytes(header[68:72], "big") == APPLICATION_ID  # of the file format, section 1.3.14
