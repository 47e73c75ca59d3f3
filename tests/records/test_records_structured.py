from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.records.rows import column_names, read_any_rows

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries({"a": _TEXT, "b": st.lists(_TEXT, max_size=3)}), min_size=1, max_size=5
    )
)
def test_any_text_comes_back(rows: list[dict[str, object]], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("rows")
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "r.jsonl").write_bytes(b"\xef\xbb\xbf" + text.encode())
    schema = pa.schema([("a", pa.string()), ("b", pa.list_(pa.string()))])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "r.parquet")
    for name in ("r.jsonl", "r.parquet"):
        found = list(read_any_rows(folder / name, [("--x", "a"), ("--y", "b")]))
        assert [{"a": row.cells["a"], "b": list(row.lists["b"])} for row in found] == rows
        assert sorted(column_names(folder / name)) == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (1.0, "1"), (1.5, "1.5"), (True, "true"), (None, ""), ({"x": "é"}, '{"x": "é"}'), (-0.0, "0")],
)
def test_values_as_a_person_types_them(value: object, text: str, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(json.dumps({"a": value}))
    (row,) = read_any_rows(tmp_path / "r.jsonl", [])
    assert row.cells == {"a": text}


@pytest.mark.parametrize("name", ["r.jsonl", "r.json"])
@pytest.mark.parametrize(
    "number", ["1907.10", "1907.1", "1907.100", "1907.00", "0.1000000000000000055511", "1.65e3", "-0.50"]
)
def test_numbers_in_json_keep_their_text(number: str, name: str, tmp_path: Path) -> None:
    row = f'{{"a": {number}, "b": [{number}]}}'
    (tmp_path / name).write_text(row if name == "r.jsonl" else f"[{row}]")
    (read,) = read_any_rows(tmp_path / name, [])
    assert (read.cells["a"], read.lists["b"]) == (number, (number,))


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("r.json", b'{"a": {"0": 1}}', r"r\.json is not a list of JSON objects; save one"),
        ("r.json", b'{"n": 2,\n "all": [{"a": 1}]}', "its 'all' is such a list: save that alone"),
        ("r.json", b'[{"a": 1}, 2]', r"entry 2 of .*r\.json is not a JSON object"),
        ("r.json", b'[{"a": 1},', r"r\.json is not JSON"),
        ("r.json", b"", r"r\.json is not JSON"),
        (
            "r.json",
            b'{"@context": "http://iiif.io/api/presentation/3/context.json", "id": "https://x/1", "type": "Manifest",'
            b' "thumbnail": [{"id": "a"}]}',
            r"r\.json is not a table but a IIIF manifest .*; use --source iiif",
        ),
        ("r.json", b"[]", "holds no rows"),
        (
            "r.json",
            '[{"a": 1}]'.encode("utf-16"),
            "is UTF-16 text; JSON is read as UTF-8, so save it as that",
        ),
        ("r.jsonl", '{"a": 1}'.encode("utf-16"), "is UTF-16 text"),
        ("r.jsonl", b'[{"a": 1}]', r"begins as a JSON list does; give it a name that ends in \.json"),
        ("r.jsonl", b'{\n"a": 1\n}\n', "line 1 of .* is not JSON.*; each line must be an object of its own"),
        ("r.jsonl", b"", "holds no rows; each of its lines must be a JSON object"),
        ("r.jsonl", b'{"a": 1}\n{"a": \n', r"line 2 of .*r\.jsonl is not JSON"),
        ("r.jsonl", b'{"a": 1}\n[1]\n', r"line 2 of .*r\.jsonl is not a JSON object"),
        ("r.jsonl", b'{"a": "\xff"}\n', r"line 1 of .*r\.jsonl is not JSON"),
        (
            "r.jsonl",
            b'{"a": ' + b"[" * 100_000,
            r"line 1 of .*r\.jsonl holds lists or objects too deep within others; each line must",
        ),
        (
            "r.jsonl",
            b'{"a": '
            + b"[" * 64
            + b"]" * 64
            + b"}",  # as an object within it, which Python itself would read
            r"line 1 of .*r\.jsonl holds lists or objects too deep within others",
        ),
        (
            "r.json",
            b'[{"a": [' + b"[]," * 2_000_000 + b"[]]}]",
            r"r\.json holds more than 4,000,000 values",
        ),
        (
            "r.jsonl",
            b'{"a": ' + b"1" * 5000 + b"}",
            r"r\.jsonl holds a whole number of more than 4,300 digits",
        ),
        ("r.jsonl", b'{"b": 1}\n', r"no column 'a' \(--x\)"),
        ("r.parquet", b"PAR1 and then nothing", r"r\.parquet cannot be read as Parquet"),
        ("r.parquet", b"", r"r\.parquet cannot be read as Parquet"),
    ],
)
def test_bad_files(name: str, data: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ArttlError, match=sentence):
        list(read_any_rows(tmp_path / name, [("--x", "a")]))


def test_as_many_levels_as_are_read(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(
        '{"a": ' + "[" * 63 + '"x"' + "]" * 63 + ', "b": "' + "[{" * 100 + '"}\n'
    )
    (row,) = read_any_rows(tmp_path / "r.jsonl", [("--x", "a")])
    assert row.lists["a"] == ("x",)


@pytest.mark.parametrize("name", ["r.jsonl", "r.parquet", "r.csv"])
def test_a_file_that_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=rf"{name} does not exist"):
        list(read_any_rows(tmp_path / name, []))
    with pytest.raises(ArttlError, match=rf"{name} does not exist"):
        column_names(tmp_path / name)


def test_a_damaged_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    pq.write_table(pa.table({"a": [f"{index:08}" for index in range(5000)]}), path, compression="none")
    data = bytearray(path.read_bytes())
    data[100:8000] = b"\xff" * 7900
    path.write_bytes(data)
    with pytest.raises(ArttlError, match=r"row 1 or later of .*r\.parquet cannot be read"):
        list(read_any_rows(path, [("--x", "a")]))


def test_an_endless_line(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_bytes(b'{"a": "' + b"x" * (17 * 2**20))
    with pytest.raises(ArttlError, match="has more than 16 MiB"):
        list(read_any_rows(tmp_path / "r.jsonl", []))


def _cells(path: Path) -> list[dict[str, str]]:
    return [row.cells for row in read_any_rows(path, [])]


def test_a_list_of_objects(tmp_path: Path) -> None:
    objects = [{"a": "1", "b": ["x", "y"]}, {"a": "2"}]
    for text in (json.dumps(objects), json.dumps(objects, indent=1), "\n".join(map(json.dumps, objects))):
        (tmp_path / "r.json").write_text("\ufeff" + text, encoding="utf-8")
        rows = list(read_any_rows(tmp_path / "r.json", [("--x", "a"), ("--y", "b")]))
        assert [row.cells["a"] for row in rows] == ["1", "2"]
        assert rows[0].lists == {"b": ("x", "y")}
        assert column_names(tmp_path / "r.json") == ["a", "b"]


def test_a_list_that_is_too_long(tmp_path: Path) -> None:
    with (tmp_path / "r.json").open("wb") as file:
        file.write(b"[")
        file.truncate(2**26 + 1)
    with pytest.raises(ArttlError, match=r"more than 64 MiB .* save it as JSON lines \(\.jsonl\)"):
        column_names(tmp_path / "r.json")


@pytest.mark.parametrize(
    "literal", ["NaN", "Infinity", "-Infinity", "null", "1e999", "[]", "[null, NaN]", '""']
)
def test_what_is_unknown_in_json(literal: str, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(f'{{"a": {literal}, "b": ["x", {literal}, [null, ["y"]]]}}\n')
    (row,) = read_any_rows(tmp_path / "r.jsonl", [])
    assert row.cells["a"] == ""
    assert not any(row.lists.get("a", ()))
    assert [text for text in row.lists["b"] if text] == ["x", "y"]


def test_nan_within_an_object(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"a": {"b": NaN, "c": [NaN, 1]}}\n')
    assert _cells(tmp_path / "r.jsonl") == [{"a": '{"b": null, "c": [null, 1]}'}]


def test_two_values_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"e\u0301": 1, "\u00e9": 2}\n', encoding="utf-8")
    (row,) = read_any_rows(tmp_path / "r.jsonl", [])
    assert row.problem == "two values have the same name"


def test_parquet_values_as_a_person_types_them(tmp_path: Path) -> None:
    moment = datetime.datetime(1650, 3, 15)
    columns = {
        "seconds": pa.array([moment, None], pa.timestamp("s")),
        "nanoseconds": pa.array([1_000_000_001, None], pa.timestamp("ns")),
        "midnight": pa.array([0, None], pa.timestamp("ns", "UTC")),
        "with time": pa.array([datetime.datetime(1950, 3, 15, 12, 30), None], pa.timestamp("us")),
        "date": pa.array([moment.date(), None]),
        "decimal": pa.array([decimal.Decimal("1600.50"), None], pa.decimal128(10, 2)),
        "whole decimal": pa.array([decimal.Decimal("1600.00"), None], pa.decimal128(10, 2)),
        "float": pa.array([0.1, float("nan")], pa.float32()),
        "double": pa.array([1907.0, float("inf")]),
        "dictionary": pa.array(["oil", None]).dictionary_encode(),
        "large": pa.array(["oil", None], pa.large_string()),
        "struct": pa.array([{"b": {"c": moment.date()}}, None]),
        "map": pa.array([[("nl", "olieverf")], None], pa.map_(pa.string(), pa.string())),
        "bool": pa.array([False, None]),
    }
    pq.write_table(pa.table(columns), tmp_path / "r.parquet")
    first, second = _cells(tmp_path / "r.parquet")
    assert first == {
        "seconds": "1650-03-15",
        "nanoseconds": "1970-01-01 00:00:01",
        "midnight": "1970-01-01",
        "with time": "1950-03-15 12:30:00",
        "date": "1650-03-15",
        "decimal": "1600.5",
        "whole decimal": "1600",
        "float": "0.1",
        "double": "1907",
        "dictionary": "oil",
        "large": "oil",
        "struct": '{"b": {"c": "1650-03-15"}}',
        "map": '{"nl": "olieverf"}',
        "bool": "false",
    }
    assert second == dict.fromkeys(columns, "")


def test_bytes_of_parquet_are_text_in_utf_8(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": ["Öl".encode(), None], "b": [b"oil", b"\xff"]}), tmp_path / "r.parquet")
    assert [row.cells["a"] for row in read_any_rows(tmp_path / "r.parquet", [("--x", "a")])] == ["Öl", ""]
    with pytest.raises(
        ArttlError, match=r"row 2 of .*r\.parquet has bytes in the column 'b'.* write that column as text"
    ):
        _cells(tmp_path / "r.parquet")


@settings(max_examples=60, deadline=None)
@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_floats_of_32_bits_are_what_numpy_prints(
    value: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("rows") / "r.parquet"
    pq.write_table(pa.table({"a": pa.array([value], pa.float32())}), path)
    ((text,),) = (cells.values() for cells in _cells(path))
    assert np.float32(text) == np.float32(value)
    assert len(text) <= 17 or float(text).is_integer()


def test_lists_within_lists_of_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [[["oil", None], None, ["canvas"]], [], None]}), tmp_path / "r.parquet")
    rows = list(read_any_rows(tmp_path / "r.parquet", []))
    assert [row.lists.get("a", ()) for row in rows] == [("oil", "canvas"), (), ()]
    assert [row.cells["a"] for row in rows] == ["oil, canvas", "", ""]


@pytest.mark.parametrize("name", ["r.jsonl", "r.json", "r.parquet"])
def test_columns_are_compared_in_one_form(name: str, tmp_path: Path) -> None:
    values = {"mat\u0065\u0301riau": "pl\u00e2tre"}
    if name == "r.parquet":
        pq.write_table(pa.Table.from_pylist([values]), tmp_path / name)
    else:
        (tmp_path / name).write_text(json.dumps([values] if name == "r.json" else values))
    assert column_names(tmp_path / name) == ["mat\u00e9riau"]
    for column in ("mat\u00e9riau", "mat\u0065\u0301riau"):
        (row,) = read_any_rows(tmp_path / name, [("--tasks material", column)])
        assert row.cells == {column: "pl\u00e2tre"}


@pytest.mark.parametrize("name", ["r.jsonl", "r.json", "r.parquet"])
def test_an_encoding_is_for_delimited_text(name: str, tmp_path: Path) -> None:
    for reading in (column_names, lambda path, encoding: list(read_any_rows(path, [], encoding=encoding))):
        with pytest.raises(ArttlError, match="--encoding cp1252 is for CSV and TSV"):
            reading(tmp_path / name, encoding="cp1252")
