from __future__ import annotations

import json
from pathlib import Path

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


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("r.jsonl", b"", "holds no rows; each of its lines must be a JSON object"),
        ("r.jsonl", b'{"a": 1}\n{"a": \n', r"line 2 of .*r\.jsonl is not JSON"),
        ("r.jsonl", b'{"a": 1}\n[1]\n', r"line 2 of .*r\.jsonl is not a JSON object"),
        ("r.jsonl", b'{"a": "\xff"}\n', r"line 1 of .*r\.jsonl is not JSON"),
        ("r.jsonl", b'{"a": ' + b"[" * 100_000, r"line 1 of .*r\.jsonl is not JSON"),
        ("r.jsonl", b'{"b": 1}\n', r"no column 'a' \(--x\)"),
        ("r.parquet", b"PAR1 and then nothing", r"r\.parquet cannot be read as Parquet"),
        ("r.parquet", b"", r"r\.parquet cannot be read as Parquet"),
    ],
)
def test_bad_files(name: str, data: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ArttlError, match=sentence):
        list(read_any_rows(tmp_path / name, [("--x", "a")]))


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
