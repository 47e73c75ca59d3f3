"""The doubts of an audit read back: what a stranger's file may not hold; `docs/audit.md` has its columns."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arttl.errors import ArttlError
from arttl.exchange import doubts
from arttl.exchange.doubts import SCHEMA, doubt_batches, read_doubts

DOCUMENTED = Path(__file__).parents[2] / "docs" / "audit.md"


def doubt(**values: Any) -> dict[str, Any]:
    head = {
        "kind": "label",
        "task": "type",
        "rank": 1,
        "score": 0.9,
        "confident": True,
        "object_number": "A.1",
    }
    lists = {name: [] for name in ("catalogued", "ranked", "networks", "nearest")}
    return {**head, "key": "a", **lists, **values}


def write(folder: Path, rows: list[dict[str, Any]], schema: pa.Schema | None = SCHEMA) -> Path:
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "audit.parquet")
    return folder


def test_the_columns_are_those_of_the_page() -> None:
    text = DOCUMENTED.read_text(encoding="utf-8")
    table = text[text.index("| column | type |") : text.index("`audit.csv` has a line per row")]
    cells = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(cells)) == SCHEMA.names
    for name in ("ranked", "networks", "nearest", "pair"):
        described = re.search(rf"^\| `{name}` \| (?:list of )?\((.*?)\)", table, re.MULTILINE)
        kind = SCHEMA.field(name).type
        kind = kind.value_type if pa.types.is_list(kind) else kind
        assert described and re.findall(r"`(\w+)`", described[1]) == [each.name for each in kind]


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    nearest = {
        "object_number": "B",
        "key": "b",
        "similarity": 0.5,
        "catalogued": [{"task": "type", "labels": ["x"]}],
    }
    rows = [doubt(rank=rank, label=f"l{rank}", nearest=[nearest] * (rank % 3)) for rank in range(1, 1200)]
    read = list(read_doubts(write(tmp_path, rows)))
    assert [each.label for each in read] == [row["label"] for row in rows]
    assert [len(each.nearest) for each in read] == [len(row["nearest"]) for row in rows]
    assert read[0].nearest[0].catalogued[0].labels == ("x",) and read[0].pair is None


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"task": ""}, "row 701 of .* has no task, object or rank"),
        ({"rank": None}, "row 701 of .* has no task, object or rank"),
        ({"object_number": "", "key": None}, "row 701 of .* has no task, object or rank"),
        ({"catalogued": ["x", None]}, "row 701 of .* has an empty label"),
        ({"kind": "guess"}, "row 701 of .*'kind' must be 'label' or 'pair'"),
        ({"score": float("nan")}, "row 701 of .* a score of nan"),
        ({"networks": [{"network": "n"}]}, r"row 701 of .*'networks\[0\].agrees' must be true or false"),
        ({"label": "x" * 1001}, "rows 513 to 801 of .* a text of more than 1,000 characters"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, values: dict[str, Any], sentence: str) -> None:
    rows = [doubt(catalogued=["y"] * (number % 3)) for number in range(801)]
    rows[700] |= values
    with pytest.raises(ArttlError, match=sentence):
        list(read_doubts(write(tmp_path, rows)))


def test_limits_of_the_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, [doubt(task=f"t{number}") for number in range(101)])
    with pytest.raises(ArttlError, match="holds more than 100 tasks"):
        list(read_doubts(folder))
    monkeypatch.setattr(doubts, "_MOST_ROWS", 100)
    with pytest.raises(ArttlError, match="has 101 rows; up to 100 are read"):
        list(read_doubts(folder))
    monkeypatch.undo()
    rows = [doubt(label="x" * 900) for _ in range(40_000)]
    monkeypatch.setattr(doubts, "_MOST_BYTES", 20 << 20)  # it holds 36 MB, and none of its parts more than 16
    with pytest.raises(ArttlError, match="holds more than 20 MiB"):
        list(read_doubts(write(tmp_path, rows)))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("rank", pa.string()),
        ("catalogued", pa.string()),
        ("label", pa.dictionary(pa.int32(), pa.string())),
        ("nearest", None),
    ],
)
def test_columns_of_other_types(tmp_path: Path, name: str, kind: pa.DataType | None) -> None:
    fields = [each for each in SCHEMA if each.name != name]
    write(tmp_path, [], pa.schema(fields if kind is None else [*fields, (name, kind)]))
    with pytest.raises(ArttlError, match=f"has no column '{name}' as arttl audit writes it"):
        list(read_doubts(tmp_path))


def test_whole_numbers_of_any_width(tmp_path: Path) -> None:
    fields = [pa.field("rank", pa.int32()) if each.name == "rank" else each for each in SCHEMA]
    write(tmp_path, [doubt()], pa.schema(fields))
    assert [batch["rank"].to_pylist() for batch in doubt_batches(tmp_path / "audit.parquet", ["rank"])] == [
        [1]
    ]


def test_no_torch_is_needed() -> None:
    code = "import sys, arttl.exchange.doubts; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
