"""The report of an audit: its rows by photograph, and tables that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from report_cases import Reader, claims

from arttl.cli import run_command
from arttl.exchange.doubts import SCHEMA
from arttl.shards.manifest import Manifest

_DOUBT: dict[str, Any] = {
    "kind": "label", "task": "type", "rank": 1, "score": 0.9, "confident": True, "object_number": "A.1",
    "institution": None, "key": "a", "row": 0, "shard": "train-00000.tar", "photographs": ["a"], "split": "train",
    "catalogued": ["vase"], "label": "vase", "label_probability": 0.03, "suggested": "bowl",
    "suggested_probability": 0.9421, "ranked": [{"label": "bowl", "probability": 0.9421}],
    "networks": [
        {"network": "lite0", "likeliest": "bowl", "label_probability": 0.0, "agrees": True},
        {"network": "lite1", "likeliest": "vase", "label_probability": 0.5, "agrees": False},
    ],
    "nearest": [
        {"object_number": "A.9", "key": "i", "similarity": 0.8, "catalogued": [{"task": "type", "labels": ["jug"]}]}
    ],
    "label_uris": ["http://vocab.getty.edu/aat/1"], "suggested_uris": [], "pair": None,
}  # fmt: skip
_PAIR = {
    "kind": "pair", "task": "material", "score": 0.95, "catalogued": ["lead"], "label": "lead", "suggested": None,
    "suggested_probability": None, "ranked": [], "networks": [], "nearest": [],
    "pair": {"task": "type", "label": "vase", "objects": 40, "other_objects": 70, "expected": 9.5, "chance": 1e-4},
}  # fmt: skip


def audit(folder: Path, *rows: dict[str, Any], schema: pa.Schema | None = SCHEMA) -> Path:
    (folder / "audit").mkdir(exist_ok=True)
    table = pa.Table.from_pylist([{**_DOUBT, **row} for row in rows], schema)
    pq.write_table(table, folder / "audit" / "audit.parquet")
    return folder / "audit"


def test_doubts_by_photograph_the_most_doubtful_first(small_shards: Path, tmp_path: Path, capsys) -> None:
    manifest = Manifest.read(small_shards)
    first, second = manifest.keys[:2]
    folder = audit(
        tmp_path,
        {"key": first, "score": 0.7, "confident": False},
        {"key": second, "object_number": "A.2", "institution": "Museum X"},
        {"key": first, **_PAIR},
    )
    out = tmp_path / "a.html"
    assert (
        run_command("report", ["--audit", str(folder), "--shards", str(small_shards), "--out", str(out)]) == 0
    )
    page = Reader(out)
    assert [card.attributes["data-number"] for card in page.cards] == ["A.1", "A.2"]  # 0.95, then 0.9
    assert claims(page.cards[0]) == [
        ("type", "doubtful", ["bowl"], pytest.approx(0.9421)),
        ("material", "pair", [], None),
    ]
    assert claims(page.cards[1]) == [("type", "contradicted", ["bowl"], pytest.approx(0.9421))]
    text = page.cards[0].text
    assert "bowl 94.2% Catalogue: vase" in text and "'vase' has 3.0%" in text
    assert "contradicted by 1 of 2 networks" in text and "near: A.9, jug" in text
    assert "'lead' (40 objects) and type 'vase' (70) are together here alone" in text
    assert "Museum X" in page.cards[1].text
    assert all(len(card.all("img")) == 1 for card in page.cards)
    assert page.table("") == [
        ["task", "contradicted", "doubtful", "pair"], ["type", "1", "1", "0"], ["material", "0", "0", "1"],
    ]  # fmt: skip
    assert "Doubtful labels" in page.root.text and not page.root.all("select", id="agreement")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"kind": "guess"}, "row 2 of "),
        ({"score": 1.5}, "a score of 1.5"),
        ({"kind": "pair"}, "a pair without its labels"),
        ({"task": None}, "audit.parquet has no task, object or rank"),
        ({"ranked": [{"label": "bowl", "probability": 7.0}]}, "a probability of 7.0"),
    ],
)
def test_rows_that_cannot_be_used(tmp_path: Path, capsys, row: dict[str, Any], sentence: str) -> None:
    folder = audit(tmp_path, {}, row)
    assert run_command("report", ["--audit", str(folder), "--out", f"{tmp_path}/a.html"]) == 2
    assert sentence in capsys.readouterr().err


def test_tables_that_cannot_be_used(tmp_path: Path, capsys) -> None:
    folder = audit(tmp_path, {})
    argv = ["--audit", str(folder), "--out", f"{tmp_path}/a.html"]
    pq.write_table(pa.Table.from_pylist([_DOUBT], SCHEMA).slice(0, 0), folder / "audit.parquet")
    assert run_command("report", argv) == 2
    assert "lists no doubtful label" in capsys.readouterr().err
    (folder / "audit.parquet").write_bytes(json.dumps(_DOUBT).encode())
    assert run_command("report", argv) == 2
    assert "cannot be read as Parquet" in capsys.readouterr().err
