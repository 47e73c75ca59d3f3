"""Generated metadata of any number of records, in the shape of files that museums export."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dry_run_items import Item, items
from dry_run_json import linked_art, manifest
from dry_run_xml import LIDO_WRAP, OAI_WRAP, dublin_core, edm, large_lido, small_lido

_FILES_OF_A_FOLDER = 1000  # in a folder of manifests
_ROWS_OF_A_BATCH = 10_000  # of a Parquet file


def _row(item: Item) -> dict[str, str]:
    """Twenty columns."""
    return {
        "object_number": item.number,
        "image": f"{item.index // 1000}/{item.index}.jpg",
        "title": item.title,
        "artist": item.artist,
        "material": item.material,
        "type": item.kind,
        "date": f"ca. {item.year}",
        "begin": str(item.year - 2),
        "end": str(item.year + 2),
        "department": "European Art",
        "culture": "Dutch, 17th century",
        "credit_line": "Bequest of a collector",
        "dimensions": f"{item.index % 90} x 50.3 cm (24 3/16 x 19 13/16 in.)",
        "inscription": "",
        "provenance": item.note,
        "location": "",
        "rights": "CC0",
        "url": item.address,
        "height": str(item.index % 90),
        "width": "50.3",
    }


def _xml(path: Path, count: int, around: tuple[str, str], record: Callable[[Item], str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n{around[0]}\n')
        file.writelines(map(record, items(count)))
        file.write(around[1])


def _json_lines(path: Path, count: int, record: Callable[[Item], Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record(item), ensure_ascii=False) + "\n" for item in items(count))


def _json_files(folder: Path, count: int, record: Callable[[Item], Any]) -> None:
    for item in items(count):
        path = folder / str(item.index // _FILES_OF_A_FOLDER) / f"{item.index}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record(item), ensure_ascii=False, indent=1), encoding="utf-8")


def _csv(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = map(_row, items(count))
        writer = csv.DictWriter(file, list(_row(next(items(1)))))
        writer.writeheader()
        writer.writerows(rows)


def _parquet(path: Path, count: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: list[dict[str, str]] = []
    schema = pa.schema([(name, pa.string()) for name in _row(next(items(1)))])
    with pq.ParquetWriter(path, schema) as writer:
        for item in items(count):
            rows.append(_row(item))
            if len(rows) == _ROWS_OF_A_BATCH or item.index == count - 1:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows.clear()


@dataclass(frozen=True)
class Format:
    """A kind of metadata.

    Attributes:
        source: of `--source`.
        name: of the file or folder.
        make: writes so many records there.
        flags: that the source needs further.
    """

    source: str
    name: str
    make: Callable[[Path, int], None]
    flags: tuple[str, ...] = ()


_COLUMNS = ("--tasks", "material", "type", "artist", "--object-number", "object_number", "--image", "image")


FORMATS = {
    "lido, 5 KB": Format("lido", "large.xml", lambda path, count: _xml(path, count, LIDO_WRAP, large_lido)),
    "lido, 2 KB": Format("lido", "small.xml", lambda path, count: _xml(path, count, LIDO_WRAP, small_lido)),
    "dublin-core": Format(
        "dublin-core", "dc.xml", lambda path, count: _xml(path, count, OAI_WRAP, dublin_core)
    ),
    "edm": Format("edm", "edm.xml", lambda path, count: _xml(path, count, OAI_WRAP, edm)),
    "linked-art, lines": Format(
        "linked-art", "art.jsonl", lambda path, count: _json_lines(path, count, linked_art)
    ),
    "linked-art, files": Format(
        "linked-art", "art", lambda path, count: _json_files(path, count, linked_art)
    ),
    "iiif, files": Format("iiif", "manifests", lambda path, count: _json_files(path, count, manifest)),
    "table, CSV": Format("table", "table.csv", _csv, _COLUMNS),
    "table, JSON lines": Format(
        "table", "table.jsonl", lambda path, count: _json_lines(path, count, _row), _COLUMNS
    ),
    "table, Parquet": Format("table", "table.parquet", _parquet, _COLUMNS),
}
