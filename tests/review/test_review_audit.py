"""Doubts of an audit as a queue of their own, with photographs from shards; `docs/audit.md` describes the file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from review_cases import made_records, serving, write_records

from arttl.errors import ArttlError
from arttl.exchange.doubts import SCHEMA
from arttl.review.collection import Collection
from arttl.shards.manifest import Manifest

pytest.importorskip("uvicorn", reason="the extra `review` is not installed")


def doubt(manifest: Manifest, row: int, task: str, rank: int, /, **changes: Any) -> dict[str, Any]:
    labels = list(manifest.labels(task)[row] or ())
    near = (row + 1) % len(manifest)
    return {
        "kind": "label",
        "task": task,
        "rank": rank,
        "score": 0.9,
        "confident": True,
        "object_number": manifest.object_numbers[row],
        "institution": None,
        "key": manifest.keys[row],
        "row": row,
        "photographs": [manifest.keys[row]],
        "split": manifest.splits[row],
        "catalogued": labels,
        "label": labels[0],
        "label_probability": 0.04,
        "suggested": "plaster",
        "suggested_probability": 0.8,
        "ranked": [{"label": "plaster", "probability": 0.8}, {"label": labels[0], "probability": 0.04}],
        "networks": [{"network": "lite0", "likeliest": "plaster", "agrees": True}],
        "nearest": [
            {
                "object_number": manifest.object_numbers[near],
                "key": manifest.keys[near],
                "similarity": 0.7,
                "catalogued": [],
            }
        ],
        **changes,
    }


@pytest.fixture
def manifest(small_shards: Path) -> Manifest:
    return Manifest.read(small_shards)


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / "audit.parquet")
    return folder


def labelled(manifest: Manifest, task: str) -> list[int]:
    return [row for row, labels in enumerate(manifest.labels(task)) if labels and len(labels) == 1]


def test_doubts_are_a_queue_by_rank(manifest: Manifest, small_shards: Path, tmp_path: Path) -> None:
    materials, artists = labelled(manifest, "material"), labelled(manifest, "artist")
    rows = [
        doubt(manifest, artists[0], "artist", 1),
        doubt(manifest, materials[0], "material", 3),
        doubt(manifest, materials[1], "material", 1),
        doubt(manifest, materials[2], "material", 2, suggested=None, suggested_probability=None, ranked=[]),
    ]
    audit = write(tmp_path / "audit", rows)
    with serving("--audit", audit, "--shards", small_shards, "--decisions", tmp_path / "d.sqlite") as server:
        assert server.get("api/session")["queues"] == ["audit"]
        assert server.queue(task="material", queue="audit") == [2, 3, 1]
        assert server.queue(task="artist", queue="audit") == [0]
        assert server.queue(task="material", queue="all", show="all") == []
        first, second = server.get("api/rows", task="material", rows="2,3")
        own = list(manifest.labels("material")[materials[1]] or ())
        assert (first["catalogued"], first["suggested"], first["status"]) == (own, ["plaster"], "audit")
        assert first["probability"] == pytest.approx(0.8)
        assert second["suggested"] == []  # a label too many, and none instead
        details = server.get("api/objects/2")
        assert details["doubt"]["label"] == own[0] and details["doubt"]["networks"] == [
            {"network": "lite0", "agrees": True, "likeliest": "plaster"}
        ]
        near = details["nearest"][0]["sample"]
        assert near == (materials[1] + 1) % len(manifest)
        for kind, number in (("rows", 2), ("samples", near)):
            status, _, body = server.request("GET", f"{server.path}pictures/{kind}/{number}/large")
            assert status == 200
            width, height = Image.open(io.BytesIO(body)).size
            row = materials[1] if kind == "rows" else near
            assert [height, width] == manifest.sizes[row].tolist()
        (saved,) = server.decide("material", 2, "accepted")["saved"]
        assert saved["state"]["decision"]["labels"] == ["plaster"]
        assert server.queue(task="material", queue="audit") == [3, 1]
        status, answer = server.post(
            "api/decisions",
            {"task": "material", "decisions": [{"row": 3, "version": 0, "verdict": "accepted"}]},
        )
        assert status == 409 and "accepts other labels than those suggested" in answer["error"]


def test_several_labels_of_which_one_is_doubted(manifest: Manifest, tmp_path: Path) -> None:
    row = labelled(manifest, "material")[0]
    rows = [
        doubt(manifest, row, "material", 1, catalogued=["a", "b"], label="b", suggested="c"),
        doubt(manifest, row, "material", 2, catalogued=["a", "b"], label="b", suggested=None),
        doubt(manifest, row, "material", 3, catalogued=["a", "b"], label=None, suggested="c"),
    ]
    columns = Collection(None, write(tmp_path / "audit", rows)).tasks["material"]
    names = columns.labels.names
    suggested = [[names[code] for code in columns.suggested.of(each)] for each in range(3)]
    assert suggested == [["a", "c"], ["a"], ["a", "b", "c"]]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"task": None}, "row 1 of .* has no task, object or rank"),
        ({"catalogued": [""]}, "row 1 of .* has an empty label"),
        ({"object_number": "x" * 1001}, "a text of more than 1,000 characters"),
    ],
)
def test_a_strangers_audit(
    manifest: Manifest, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    audit = write(
        tmp_path / "audit", [doubt(manifest, labelled(manifest, "material")[0], "material", 1, **changes)]
    )
    with pytest.raises(ArttlError, match=sentence):
        Collection(None, audit)
    other = pa.table({"task": ["material"]})
    pq.write_table(other, audit / "audit.parquet")
    with pytest.raises(ArttlError, match="has no column 'object_number' as arttl audit writes it"):
        Collection(None, audit)


def test_an_audit_without_doubts(tmp_path: Path) -> None:
    audit = write(tmp_path / "audit", [])
    with pytest.raises(ArttlError, match=r"--audit .* lists no doubtful label: there is nothing to review"):
        Collection(None, audit)
    records = made_records(20)
    write_records(tmp_path / "s.parquet", records)
    collection = Collection(tmp_path / "s.parquet", audit)
    assert (len(collection), collection.suggestions) == (20, 20)
    assert "audit       0 doubts" in [*collection.sentences()]
