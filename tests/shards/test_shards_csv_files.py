from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arttl.shards.csv_files import csv_chunks, plain_cell, read_csv, safe_cell

_CELLS = st.text(st.sampled_from("=+-@\t\r\n'a1.%,\" é"), max_size=6)


@given(_CELLS)
@example("=1+1")
@example("'=1+1")
@example("-1.5")
def test_safe_cells_run_nothing_and_come_back(cell: str) -> None:
    safe = safe_cell(cell)
    assert plain_cell(safe) == cell
    if safe[:1] in tuple("=+-@\t\r"):
        float(safe.removesuffix("%"))  # only a number may begin so


@given(st.lists(st.tuples(_CELLS, _CELLS), min_size=1, max_size=5))
def test_tables_come_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    path: Path = tmp_path_factory.mktemp("csv") / "table.csv"
    data = b"".join(csv_chunks(("a", "b"), rows))
    path.write_bytes(data)
    assert [tuple(row.values()) for row in read_csv(path, ("a", "b"))] == rows
    for line in list(csv.reader(io.StringIO(data.decode(), newline="")))[1:]:
        assert all(cell == safe_cell(plain_cell(cell)) for cell in line)


def test_numbers_stay_numbers() -> None:
    assert b"".join(csv_chunks(("a", "b"), [(-1, "-12.5")])) == b"a,b\n-1,-12.5\n"
