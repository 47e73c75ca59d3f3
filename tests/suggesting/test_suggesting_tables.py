"""Tables of suggestions: names of columns, encodings, and parts that join to the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from arttl.errors import ArttlError
from arttl.inference.labels import LabelWithProbability, Prediction
from arttl.inference.suggestions import Suggestion
from arttl.records.delimited_cells import Layout
from arttl.suggesting.collections import Row
from arttl.suggesting.parts import UnfinishedTable
from arttl.suggesting.tables import Columns, CsvTable, JsonLinesTable, ParquetTable, Record
from arttl.tasks import Task, TaskSet, Vocabulary

Table = CsvTable | JsonLinesTable | ParquetTable


def tasks(*names: str, label: str = "oil") -> TaskSet:
    classes = Vocabulary((label, "wood"), (1, 1), (0,))
    return TaskSet([Task(name, "single-label", classes) for name in names])


def record(number: int, task: str = "type") -> Record:
    if number % 5 == 3:
        return Record(Row((str(number),)), "damaged: cut off", {})
    label = LabelWithProbability("oil", 1 / (number + 2))
    return Record(Row((str(number),)), None, {task: Suggestion(Prediction((label,), (label,)), "unsure")})


def columns(of: TaskSet) -> Columns:
    return Columns(("picture",), (), of, 1, sets=False)


def test_labels_that_the_encoding_of_the_table_lacks_are_refused() -> None:
    layout = Layout(("a",), ",", "\n", "cp1252", b"")
    CsvTable(columns(tasks("type", label="Émail")), layout, 1)
    with pytest.raises(
        ArttlError, match=r"'Ωmega' of type cannot be written in cp1252, .* save that as UTF-8"
    ):
        CsvTable(columns(tasks("type", label="Ωmega")), layout, 1)


def test_tasks_whose_columns_collide_are_refused_and_others_renamed() -> None:
    assert CsvTable(columns(tasks("picture"))).headings[:3] == [
        "picture",
        "suggested_problem",
        "suggested_picture",
    ]
    with pytest.raises(
        ArttlError, match=r"two columns .* 'suggested_type_status': .* write --out \*.parquet"
    ):
        CsvTable(columns(tasks("type", "type_status")))


@pytest.mark.parametrize("table", [CsvTable, JsonLinesTable, ParquetTable])
def test_parts_join_to_the_same_bytes_whoever_wrote_them(table: type[Table], tmp_path: Path) -> None:
    made = table(columns(tasks("type")))

    def write(name: str, interrupted: bool) -> bytes:
        unfinished = UnfinishedTable(tmp_path / name, {"model": "x"}, 23, 10)
        missing = unfinished.begin(overwrite=False)
        assert missing == [0, 1, 2]
        for part in reversed(missing) if interrupted else missing:
            unfinished.write(part, made, [record(item) for item in unfinished.parts[part]])
            if interrupted and part == 1:
                unfinished = UnfinishedTable(tmp_path / name, {"model": "x"}, 23, 10)
                assert unfinished.begin(overwrite=False) == [0]
                assert "13 rows were there" in unfinished.resumed([0])
        assert unfinished.finish(made) == {"": {"unreadable": 4}, "type": {"unsure": 19}}
        assert not (tmp_path / f".{name}.unfinished").exists()
        return (tmp_path / name).read_bytes()

    assert write("a", interrupted=False) == write("b", interrupted=True)


def test_an_unfinished_table_of_something_else_is_neither_resumed_nor_lost(tmp_path: Path) -> None:
    made = CsvTable(columns(tasks("type")))
    first = UnfinishedTable(tmp_path / "t.csv", {"model": "x", "settings": "a"}, 12, 10)
    first.begin(overwrite=False)
    first.write(0, made, [record(item) for item in range(10)])
    other = UnfinishedTable(tmp_path / "t.csv", {"model": "y", "settings": "a"}, 12, 10)
    with pytest.raises(ArttlError, match=r"holds an unfinished table of other model; give those again"):
        other.begin(overwrite=False)
    assert first.begin(overwrite=False) == [1]
    assert other.begin(overwrite=True) == [0, 1]


def test_two_runs_at_once_on_one_table(tmp_path: Path) -> None:
    first = UnfinishedTable(tmp_path / "t.csv", {}, 12, 10)
    second = UnfinishedTable(tmp_path / "t.csv", {}, 12, 10)
    with (
        first.held(),
        pytest.raises(ArttlError, match=r"another arttl predict is writing --out .*t\.csv; wait"),
    ):
        second.held().__enter__()
    with second.held():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_finished_table_is_not_replaced_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("decisions of a week")
    unfinished = UnfinishedTable(tmp_path / "t.csv", {}, 1, 10)
    with pytest.raises(ArttlError, match=r"t\.csv exists already; choose another name, or pass --overwrite"):
        unfinished.begin(overwrite=False)
    assert unfinished.begin(overwrite=True) == [0]
    assert (tmp_path / "t.csv").read_text() == "decisions of a week"
