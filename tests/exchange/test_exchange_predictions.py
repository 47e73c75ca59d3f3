"""Suggestions read back: both formats alike, and every damaged file a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from exchange_cases import PREDICTIONS, suggestion

from arttl.errors import ArttlError
from arttl.exchange.predictions import read_object_numbers, read_predictions
from arttl.inference.labels import LabelWithProbability, Prediction
from arttl.inference.suggestions import Suggestion
from arttl.suggesting.collections import Row
from arttl.suggesting.neighbours import Neighbour
from arttl.suggesting.tables import Columns, JsonLinesTable, ParquetTable, Record
from arttl.tasks import Task, TaskSet, Vocabulary

_TASKS = TaskSet([Task("type", "single-label", Vocabulary(("bowl", "vase"), (4, 5), (1,)))])


def _lines(tmp_path: Path, *records: Any) -> Path:
    path = tmp_path / "suggestions.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("sets", [False, True])
def test_what_arttl_predict_writes(tmp_path: Path, suffix: str, sets: bool) -> None:
    path = tmp_path / f"suggestions{suffix}"
    ranked = (LabelWithProbability("bowl", 0.75), LabelWithProbability("vase", 0.25, 2))
    made = Suggestion(Prediction(ranked[:1], ranked), "suggested", ("bowl",) if sets else None)
    columns = Columns(("key", "object_number"), ("type",), _TASKS, 2, sets=sets, nearest=1)
    table = JsonLinesTable(columns) if suffix == ".jsonl" else ParquetTable(columns)
    row = Row(("a", "A.1"), "A.1", {"type": ("jug",)})
    near = Neighbour("A.2", "c", 0.5, {"type": ("vase",)})
    records = [Record(row, None, {"type": made}, (near,)), Record(Row(("b", "")), "damaged: cut off", {})]
    table.write_part(tmp_path / "part", records)
    table.join(path, [tmp_path / "part"])
    first, second = read_predictions(path)
    assert (first.object_number, first.picture) == ("A.1", "a")
    assert first.tasks["type"].labels == ("bowl",) and first.tasks["type"].status == "suggested"
    assert first.tasks["type"].probability("vase") == 0.25 and first.tasks["type"].probability("jug") is None
    assert (second.object_number, second.picture, dict(second.tasks)) == ("", "b", {})
    assert list(read_object_numbers(path)) == ["A.1", ""]


def test_columns_that_are_not_known_are_passed_over(tmp_path: Path) -> None:
    own = {
        "picture": "a.jpg",
        "title": "x",
        "inscriptions": ["y"],
        "size": {"width": 3},
        "type": suggestion(("vase", 0.9)),
    }
    (read,) = read_predictions(_lines(tmp_path, own))
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([{**own, "when": 3.5, "picture": "a.jpg"}]), path)
    assert list(read_predictions(path)) == [read]
    assert list(read.tasks) == ["type"] and read.picture == "a.jpg" and read.object_number == ""


def _with(**changes: Any) -> dict[str, Any]:
    return {**PREDICTIONS[0], **changes}


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        ([], "holds no records"),
        ([[1]], "line 1 of .*: it must be an object, not a list"),
        ([_with(object_number=5)], "'object_number' must be a text, not 5"),
        (
            [_with(type={"labels": ["a"], "status": "sure"})],
            "'type': 'status' must be 'suggested' or 'unsure' or",
        ),
        ([_with(type={"labels": "a", "status": "unsure"})], "'labels' must be a list, not a text"),
        ([_with(type={**suggestion(("a", 1.0)), "ranked": [{}]})], r"'ranked\[0\]' lacks 'label'"),
        ([_with(type=suggestion(("a", 1.5)))], r"'ranked\[0\]' cannot be used: a probability of 1.5"),
        ([{"object_number": "1", "title": "x"}], "has no column with labels and a status"),
        ([_with(), _with(title="x" * 2**20)], "line 2 of .* has more than 1 MiB"),
    ],
)
def test_records_that_cannot_be_used(tmp_path: Path, records: list[Any], sentence: str) -> None:
    with pytest.raises(ArttlError, match=sentence):
        list(read_predictions(_lines(tmp_path, *records)))


def test_an_object_number_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=r"line 2 of .* has an object number of more than 1,000 characters"):
        list(read_object_numbers(_lines(tmp_path, _with(), _with(object_number="1" * 1001))))


def test_a_probability_that_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    record = {"key": "a", "type": suggestion(("vase", float("nan")))}
    pq.write_table(pa.Table.from_pylist([record]), path)
    with pytest.raises(ArttlError, match=r"row 1 of .*: 'ranked\[0\]' cannot be used: a probability of nan"):
        list(read_predictions(path))


def _not_parquet(path: Path) -> None:
    path.write_bytes(b"PAR1, but no more")


def _repeated(path: Path) -> None:
    column = pa.array(["a"])
    pq.write_table(pa.Table.from_arrays([column, column], names=["picture", "picture"]), path)


def _swollen(path: Path) -> None:
    """A text of 3 MB in each of 200 rows, stored once."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 200), pa.array(["x" * 3_000_000]))
    pq.write_table(pa.table({"picture": texts}), path, compression="zstd")


def _nested(path: Path) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0]), pa.array(["suggested"]))
    task = pa.StructArray.from_arrays([pa.array([["a"]]), texts], names=["labels", "status"])
    pq.write_table(pa.table({"type": task}), path)


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (_nested, "it has a dictionary within a column"),
        (_not_parquet, "cannot be read as Parquet"),
        (_repeated, "has two columns 'picture'"),
        (_swollen, "hold more than 1 MiB each"),
        (Path.mkdir, "is not a file"),
        (lambda path: None, "is not a file"),
    ],
)
def test_parquet_that_cannot_be_used(tmp_path: Path, write: Callable[[Path], object], sentence: str) -> None:
    path = tmp_path / "a.parquet"
    write(path)
    with pytest.raises(ArttlError, match=sentence):
        list(read_predictions(path))


def test_texts_that_are_stored_once(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    names = pa.DictionaryArray.from_arrays(pa.array([0, 0]), pa.array(["a.jpg"]))
    pq.write_table(pa.table({"picture": names, "type": pa.array([suggestion(("vase", 0.9))] * 2)}), path)
    assert [each.picture for each in read_predictions(path)] == ["a.jpg", "a.jpg"]


def test_another_kind_of_file(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=r"must end in \.parquet or \.jsonl"):
        list(read_predictions(tmp_path / "suggestions.csv"))
