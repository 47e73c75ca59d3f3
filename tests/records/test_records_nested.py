"""Fields inside others, in JSON lines and Parquet."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.records.nested import field_names, nested_field, outermost
from arttl.records.structured import json_columns, read_json, read_parquet

_ROWS = [
    {
        "n": "1",
        "made": {"by": [{"name": "A", "role": None}, {"name": "B", "role": "after"}], "in": {"year": 1650}},
    },
    {"n": "2", "made": {"by": [], "in": None}},
    {"n": "3", "made": None},
    {"n": "4"},
]


def test_values() -> None:
    assert nested_field(_ROWS[0], "made.by.name") == ["A", "B"]
    assert nested_field(_ROWS[0], "made.by.role") == [None, "after"]
    assert nested_field(_ROWS[0], "made.in.year") == 1650
    assert [nested_field(row, "made.by.name") for row in _ROWS[1:]] == [[], None, None]
    assert nested_field({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert nested_field({"a": [{"b": [{"c": 1}, {"c": 2}]}, {"b": []}, "x", {"b": {"c": 3}}]}, "a.b.c") == [
        1,
        2,
        3,
    ]
    assert nested_field({"a": "text"}, "a.b") is None


def test_names() -> None:
    names = list(dict.fromkeys(field_names(_ROWS[0])))
    assert names == ["n", "made", "made.by", "made.by.name", "made.by.role", "made.in", "made.in.year"]
    assert outermost("made.by.name", ["n", "made"]) == "made"
    assert outermost("a.b", ["a", "a.b"]) == "a.b"
    assert outermost("x.y", ["a"]) == "x.y"


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_columns_of_tables(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"o{suffix}"
    columns = [("--object-number", "n"), ("--tasks artist", "made.by.name"), ("--date", "made.in.year")]
    if suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, _ROWS)))
        rows = list(read_json(path, columns))
    else:
        pq.write_table(pa.Table.from_pylist(_ROWS), path)
        rows = list(read_parquet(path, columns))
    assert [row.lists.get("made.by.name", ()) for row in rows] == [("A", "B"), (), (), ()]
    assert [row.cells["made.in.year"] for row in rows] == ["1650", "", "", ""]
    with pytest.raises(ArttlError, match=r"no column 'mode\.by'"):
        reader = read_json if suffix == ".jsonl" else read_parquet
        list(reader(path, [("--tasks", "mode.by")]))


def test_a_misspelt_inner_field_is_named(tmp_path: Path) -> None:
    path = tmp_path / "o.jsonl"
    path.write_text(json.dumps(_ROWS[0]))
    assert "made.by.name" in json_columns(path)
    with pytest.raises(ArttlError, match=r"no column 'made\.by\.nam' .*did you mean 'made\.by\.name'"):
        list(read_json(path, [("--tasks", "made.by.nam")]))


_json = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(st.sampled_from("abc"), _json, max_size=3), st.lists(st.sampled_from("abc"), min_size=1)
)
def test_any_json_and_any_name(values: dict[str, object], parts: list[str]) -> None:
    value = nested_field(values, ".".join(parts))
    if value not in (None, []) and len(parts) < 6 and not (isinstance(value, list) and not any(value)):
        assert ".".join(parts) in set(field_names(values))
