"""Tables as institutions publish them, compared with what the standard library reads in them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from arttl.records.delimited import detect_encoding
from arttl.records.rows import column_names, read_any_rows

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("name", "delimiter", "rows"),
    [
        ("cleveland-workshop.csv", ",", None),
        ("nga-ruskin.csv", ",", None),
        ("mame-toy.csv", ",", None),
        ("rijksmuseum-suriname-adlib.csv", ";", None),
    ],
)
def test_delimited(name: str, delimiter: str, rows: int | None, real_data: Path) -> None:
    path = real_data / "metadata" / "table" / name
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *expected = csv.reader(file, delimiter=delimiter)
    assert detect_encoding(path).name == "utf-8"
    assert column_names(path) == header
    read = list(read_any_rows(path, []))
    assert [list(row.cells.values()) for row in read] == [row for row in expected if any(row)]
    assert not any(row.problem or row.lacking for row in read)


@pytest.mark.parametrize("name", ["tate-80.jsonl", "carnegie-80.jsonl"])
def test_json_lines(name: str, real_data: Path) -> None:
    path = real_data / "metadata" / "json" / name
    objects = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    read = list(read_any_rows(path, []))
    assert len(read) == len(objects) == 80
    for row, values in zip(read, objects, strict=True):
        assert not row.problem
        assert set(row.cells) == set(values)
        for column, value in values.items():
            cell = row.cells[column]
            if value is None:
                assert cell == ""
            elif isinstance(value, str):
                assert cell == value
            elif isinstance(value, (int, float)):
                assert float(cell) == value and not cell.endswith(".0")
            elif isinstance(value, dict):
                assert json.loads(cell) == value
            else:
                assert [json.loads(text) if text[0] in "{[" else text for text in row.lists[column]] == value
