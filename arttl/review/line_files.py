"""Suggestions in `.jsonl`, as a Parquet file without a name that is gone with the process.

The review app reads rows here and there, which lines of JSON do not allow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from arttl.documents import structured
from arttl.errors import ArttlError, one_line
from arttl.exchange.doubts import SCHEMA, SimilarObject
from arttl.exchange.predictions import is_task, read_lines, suggestion_of
from arttl.review.columns import HEAD
from arttl.shards.parquet_batches import Source

_AT_ONCE = 2048  # rows that become a row group
_TEXTS = pa.list_(pa.string())
_HEAD = (*HEAD, "problem")
_TASK = pa.struct(
    {
        "catalogued": _TEXTS,
        "labels": _TEXTS,
        "status": pa.string(),
        "ranked": pa.list_(pa.struct({"label": pa.string(), "probability": pa.float64()})),
        "set": _TEXTS,
        "interval": pa.list_(pa.float64()),
        "uris": _TEXTS,
    }
)


def parquet_of(path: Path, flag: str) -> Source:
    """A file of `arttl predict` as Parquet: itself, or one that is made of its lines.

    Args:
        path: ends in .parquet or .jsonl.
        flag: the one that named it.

    Raises:
        ArttlError: if it is no such file, naming the line that is not as `arttl predict` writes it, or if there is no
            room for a temporary file.
    """
    suffix = path.suffix.lower()
    if suffix not in (".parquet", ".jsonl"):
        raise ArttlError(f"{flag} {path} must end in .parquet or .jsonl; arttl predict writes both")
    if not path.is_file():
        raise ArttlError(f"{flag} {path} is not a file")
    if suffix == ".parquet":
        return path
    schema = _schema(path, flag)
    try:
        file: Any = tempfile.TemporaryFile()  # noqa: SIM115 - it stays open with the app
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for table in _tables(path, flag, schema):
                writer.write_table(table)
    except OSError as error:
        raise ArttlError(
            f"{flag} {path} is copied as Parquet to {tempfile.gettempdir()}, which fails ({one_line(error)}): give a"
            " .parquet of arttl predict"
        ) from error
    source: Source = file
    return source


def _schema(path: Path, flag: str) -> pa.Schema:
    """The columns of the first line that has suggestions; the lines of a file have the same."""
    for _, record in read_lines(path, flag):
        if tasks := _tasks(record):
            heads = dict.fromkeys((name for name in _HEAD if name in record), pa.string())
            return pa.schema(
                {**heads, **dict.fromkeys(tasks, _TASK), "nearest": SCHEMA.field("nearest").type}
            )
    raise ArttlError(f"{flag} {path} has no line with labels and a status; give a file of arttl predict")


def _tasks(record: dict[str, Any]) -> list[str]:
    return [name for name, value in record.items() if name not in (*_HEAD, "nearest") and is_task(value)]


def _tables(path: Path, flag: str, schema: pa.Schema) -> Iterator[pa.Table]:
    lines = read_lines(path, flag)
    while rows := list(islice(lines, _AT_ONCE)):
        for where, record in rows:
            _check(record, where, schema)
        try:
            yield _table([record for _, record in rows], schema)
        except (pa.ArrowException, TypeError, ValueError):
            for where, record in rows:
                try:
                    _table([record], schema)
                except (pa.ArrowException, TypeError, ValueError) as error:
                    raise ArttlError(
                        f"{where} is not as arttl predict writes it: {one_line(error)}"
                    ) from error
            raise


def _check(record: dict[str, Any], where: str, schema: pa.Schema) -> None:
    """Refuse what Arrow would take for something else, such as a text for the list of its letters."""
    for name in _tasks(record):
        if name not in schema.names:
            raise ArttlError(f"{where} has the task {name!r}, which lines before it lack")
        suggestion_of(record[name], f"{where}, {name!r}")
        structured(record[name].get("uris") or [], tuple[str, ...], f"{where}, {name!r}")
    structured(record.get("nearest") or [], tuple[SimilarObject, ...], where, surplus=True)


def _table(records: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(records), schema)
