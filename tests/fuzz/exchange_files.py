"""Parsers of what `arttl convert`, `vocabulary`, `report` and `review` read: suggestions, doubts, decisions, tables."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from exchange_cases import AAT, PREDICTIONS, write_inputs
from fuzzing import Parser

from arttl.exchange.command import ConvertSettings, run
from arttl.exchange.doubts import SCHEMA, read_doubts
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.review.collection import Collection
from arttl.review.details import RecordFile
from arttl.sources.synthetic import synthetic_artworks
from arttl.vocabularies.command import VocabularySettings
from arttl.vocabularies.command import run as collect

_CONCEPTS = (f"{AAT}300015050", "wd:Q296955")
_TARGETS = "picture,target,width,height,task,region_x,region_y,region_width,region_height\n" + "".join(
    f"{record['key']},https://images.example/1,400,300,{task},1,2,30,40\n"
    for record in PREDICTIONS
    for task in ("material", "type")
)


def _inputs(folder: Path) -> None:
    for name, suffix in (("lines", "jsonl"), ("columns", "parquet")):
        (folder / name).mkdir()
        write_inputs(folder / name, targets=_TARGETS)
        if suffix == "parquet":
            records = [
                json.loads(line) for line in (folder / name / "predictions.jsonl").read_text().splitlines()
            ]
            (folder / name / "predictions.jsonl").unlink()
            pq.write_table(pa.Table.from_pylist(records), folder / name / "predictions.parquet")


def _convert(folder: Path, out: Path) -> None:
    (predictions,) = folder.glob("predictions.*")
    tables = {name: folder / f"{name}.csv" for name in ("accepted", "vocabulary")}
    for to, name in (("linked-art", "a.json"), ("lido", "a.xml"), ("csv", "a.csv")):
        run(ConvertSettings(predictions=predictions, to=to, out=out / name, **tables))  # type: ignore[arg-type]
    targets = folder / "targets.csv"
    run(ConvertSettings(predictions=predictions, to="web-annotation", out=out / "b.json", targets=targets))


def _shards(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as images:
        artworks = [
            replace(
                artwork,
                identifiers={"material": dict.fromkeys(artwork.labels.get("material", ()), _CONCEPTS)},
            )
            for artwork in synthetic_artworks(Path(images), count=12)
        ]
        pack(
            iter(artworks),
            PackSettings(out=folder / "shards" / "made", tasks=("material", "type"), workers=1),
        )


def _collect(folder: Path, out: Path) -> None:
    collect(VocabularySettings(shards=(folder / "made",), out=out / "vocabulary.csv"))


def _doubts(folder: Path) -> None:
    head = {
        "task": "type",
        "score": 0.9,
        "confident": True,
        "object_number": "A.1",
        "key": "a",
        "split": "test",
    }
    near = {
        "object_number": "B",
        "key": "b",
        "similarity": 0.5,
        "catalogued": [{"task": "type", "labels": ["jug"]}],
    }
    pair = {
        "task": "material",
        "label": "lead",
        "objects": 9,
        "other_objects": 7,
        "expected": 3.0,
        "chance": 0.01,
    }
    rows = [
        head
        | {
            "kind": "pair" if number % 5 == 4 else "label",
            "rank": number + 1,
            "catalogued": ["vase"],
            "label": "vase",
            "suggested": "bowl",
            "suggested_probability": 0.9,
            "ranked": [{"label": "bowl", "probability": 0.9}],
            "networks": [{"network": "n", "likeliest": "bowl", "agrees": True}],
            "nearest": [near],
            "pair": pair if number % 5 == 4 else None,
        }
        for number in range(30)
    ]
    (folder / "audit").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / "audit" / "audit.parquet", row_group_size=10)


def _audited(folder: Path, out: Path) -> None:
    list(read_doubts(folder))


def _reviewed(folder: Path, out: Path) -> None:
    file = folder / "audit.parquet"
    doubts, records = Collection(None, folder), RecordFile(file, file)
    for row in range(len(doubts)):
        records.doubt(row)


PARSERS = {
    "convert": Parser(_inputs, (_convert,)),
    "vocabulary": Parser(_shards, (_collect,)),
    "audit": Parser(_doubts, (_audited, _reviewed)),
}
