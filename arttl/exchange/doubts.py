"""`audit.parquet`, the doubts of `arttl audit`: its columns, and how they are read back within limits.

`docs/audit.md` says what each column means. Whoever writes or reads the file takes its form from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from arttl.documents import structured
from arttl.errors import ArttlError, one_line
from arttl.exchange.parquet_rows import batches, check_names
from arttl.exchange.predictions import Ranked
from arttl.shards.parquet_batches import BoundedFile

FILE = "audit.parquet"
_MOST_ROWS, _MOST_TASKS, _MOST_BYTES = 1_000_000, 100, 256 * 2**20
_FLAG = "--audit"

_TEXTS = pa.list_(pa.string())
SCHEMA = pa.schema(
    {
        "kind": pa.string(),
        "task": pa.string(),
        "rank": pa.int64(),
        "score": pa.float64(),
        "confident": pa.bool_(),
        "object_number": pa.string(),
        "institution": pa.string(),
        "key": pa.string(),
        "row": pa.int64(),
        "shard": pa.string(),
        "photographs": _TEXTS,
        "split": pa.string(),
        "catalogued": _TEXTS,
        "label": pa.string(),
        "label_probability": pa.float64(),
        "suggested": pa.string(),
        "suggested_probability": pa.float64(),
        "ranked": pa.list_(pa.struct({"label": pa.string(), "probability": pa.float64()})),
        "networks": pa.list_(
            pa.struct(
                {
                    "network": pa.string(),
                    "likeliest": pa.string(),
                    "label_probability": pa.float64(),
                    "suggested_probability": pa.float64(),
                    "agrees": pa.bool_(),
                }
            )
        ),
        "nearest": pa.list_(
            pa.struct(
                {
                    "object_number": pa.string(),
                    "key": pa.string(),
                    "similarity": pa.float64(),
                    "catalogued": pa.list_(pa.struct({"task": pa.string(), "labels": _TEXTS})),
                }
            )
        ),
        "label_uris": _TEXTS,
        "suggested_uris": _TEXTS,
        "pair": pa.struct(
            {
                "task": pa.string(),
                "label": pa.string(),
                "objects": pa.int64(),
                "other_objects": pa.int64(),
                "expected": pa.float64(),
                "chance": pa.float64(),
            }
        ),
    }
)


@dataclass(frozen=True)
class LabelsOfTask:
    """The catalogue's labels of a neighbour for one task."""

    task: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class SimilarObject:
    """A catalogued object that looks similar; `arttl predict --neighbours` writes the same."""

    object_number: str
    similarity: float
    key: str | None = None
    catalogued: tuple[LabelsOfTask, ...] = ()


@dataclass(frozen=True)
class Opinion:
    """What one network says by itself."""

    network: str
    agrees: bool
    likeliest: str | None = None


@dataclass(frozen=True)
class PairedLabel:
    """The other label of a pair, and how many objects have the doubted one and this one."""

    task: str
    label: str
    objects: int
    other_objects: int


@dataclass(frozen=True)
class DoubtRecord:
    """What a person is shown of a row; its columns are those of the file."""

    kind: Literal["label", "pair"]
    task: str
    rank: int
    score: float
    confident: bool = False
    object_number: str = ""
    institution: str | None = None
    key: str = ""
    split: str | None = None
    catalogued: tuple[str, ...] = ()
    label: str | None = None
    label_probability: float | None = None
    suggested: str | None = None
    suggested_probability: float | None = None
    ranked: tuple[Ranked, ...] = ()
    networks: tuple[Opinion, ...] = ()
    nearest: tuple[SimilarObject, ...] = ()
    pair: PairedLabel | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"a score of {self.score}")
        if self.kind == "pair" and (self.pair is None or self.label is None):
            raise ValueError("a pair without its labels")


def doubts_file(folder: Path) -> Path:
    """The file of a folder that `arttl audit` has written.

    Raises:
        ArttlError: if there is none.
    """
    if not (folder / FILE).is_file():
        raise ArttlError(f"{_FLAG} {folder} has no {FILE}: give a folder that arttl audit has written")
    return folder / FILE


def doubt_batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Columns of a file, some thousand rows at a time. Each row has a task, an object and a rank, and no empty label.

    Args:
        path: of `doubts_file`.
        columns: of `SCHEMA`, which the file must have.

    Raises:
        ArttlError: if it cannot be read, or is not as `arttl audit` writes it; if it has more than a million rows or a
            hundred tasks, or more than 256 MiB are to be read.
    """
    # Each row is checked, whatever is read of it.
    names = [*dict.fromkeys((*columns, "task", "rank", "object_number", "key", "catalogued"))]
    first, size, tasks = 1, 0, set[str]()
    try:
        with BoundedFile(path) as table:
            schema, rows = table.file.schema_arrow, table.rows
            check_names(f"{_FLAG} {path}", schema)
            for name in names:
                if name not in schema.names or not _is_of(schema.field(name).type, SCHEMA.field(name).type):
                    raise ArttlError(f"{_FLAG} {path} has no column {name!r} as arttl audit writes it")
            if rows > _MOST_ROWS:
                raise ArttlError(f"{_FLAG} {path} has {rows:,} rows; up to {_MOST_ROWS:,} are read")
            for batch in batches(table, names, path):
                size += batch.nbytes
                tasks |= {*pc.unique(batch["task"]).to_pylist()}
                if size > _MOST_BYTES or len(tasks) > _MOST_TASKS:
                    most = f"{_MOST_BYTES >> 20} MiB" if size > _MOST_BYTES else f"{_MOST_TASKS} tasks"
                    raise ArttlError(f"{_FLAG} {path} holds more than {most}")
                _check_rows(batch, first, path)
                first += len(batch)
                yield batch.select(columns)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArttlError(f"{_FLAG} {path} cannot be read as Parquet: {one_line(error)}") from error


def read_doubts(folder: Path) -> Iterator[DoubtRecord]:
    """The rows of a folder that `arttl audit` has written, in their order.

    Raises:
        ArttlError: as `doubts_file` and `doubt_batches`, and naming the row that is not as `arttl audit` writes it.
    """
    path, number = doubts_file(folder), 0
    names = [name for name in SCHEMA.names if name in DoubtRecord.__dataclass_fields__]
    for batch in doubt_batches(path, names):
        for record in batch.to_pylist():
            number += 1
            yield doubt_of(record, f"row {number:,} of {path}")


def doubt_of(record: dict[str, Any], where: str) -> DoubtRecord:
    """A row as Python's objects.

    Args:
        record: its columns, of which those of `DoubtRecord` are used.
        where: it is, for messages.

    Raises:
        ArttlError: if it is not as `arttl audit` writes it.
    """
    return structured(record, DoubtRecord, where, surplus=True)


def _is_of(given: pa.DataType, kind: pa.DataType) -> bool:
    return bool(given == kind) or (pa.types.is_integer(given) and pa.types.is_integer(kind))


def _check_rows(batch: pa.RecordBatch, first: int, path: Path) -> None:
    def is_empty(texts: pa.Array) -> pa.Array:
        return pc.equal(pc.fill_null(texts, ""), "")

    nameless = pc.and_(is_empty(batch["object_number"]), is_empty(batch["key"]))
    lacking = pc.or_(nameless, pc.or_(is_empty(batch["task"]), pc.is_null(batch["rank"])))
    if (row := pc.index(lacking, True).as_py()) >= 0:
        raise ArttlError(f"row {first + row:,} of {path} has no task, object or rank")
    if (label := pc.index(is_empty(batch["catalogued"].flatten()), True).as_py()) >= 0:
        row = pc.list_parent_indices(batch["catalogued"])[label].as_py()
        raise ArttlError(f"row {first + row:,} of {path} has an empty label")
