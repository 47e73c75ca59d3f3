"""Rows of a table in any of the formats that `--source table` takes, by the file's suffix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from arttl.records.delimited import Row, read_columns, read_rows
from arttl.records.structured import json_columns, parquet_columns, read_json_lines, read_parquet

_JSON_LINES = (".jsonl", ".ndjson", ".jsonlines")
_PARQUET = (".parquet", ".pq")


def read_any_rows(path: Path, required: Iterable[tuple[str, str]]) -> Iterator[Row]:
    """Read JSON lines (`.jsonl`, `.ndjson`), Parquet (`.parquet`, `.pq`) or, under any other name, CSV or TSV.

    Args:
        path: the file.
        required: columns that the file must have, each as the flag that named it and its name.

    Raises:
        ArttlError: if the file is missing, is not such a file, has no rows, or lacks a column.
    """
    suffix = path.suffix.lower()
    if suffix in _JSON_LINES:
        return read_json_lines(path, required)
    return read_parquet(path, required) if suffix in _PARQUET else read_rows(path, required)


def column_names(path: Path) -> list[str]:
    """The names of the columns of such a file, in order.

    Raises:
        ArttlError: if the file is missing or is not such a file.
    """
    suffix = path.suffix.lower()
    if suffix in _JSON_LINES:
        return json_columns(path)
    return parquet_columns(path) if suffix in _PARQUET else read_columns(path)
