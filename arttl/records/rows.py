"""Rows of a table in any of the formats that `--source table` takes, by the file's suffix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from arttl.errors import ArttlError
from arttl.records.delimited import Row, read_columns, read_rows
from arttl.records.structured import (
    float_columns,
    json_columns,
    parquet_columns,
    read_json,
    read_parquet,
)

_JSON = (".jsonl", ".ndjson", ".jsonlines", ".json")
_PARQUET = (".parquet", ".pq")
STRUCTURED = (*_JSON, *_PARQUET)
"""The suffixes of tables that are no delimited text."""


def read_any_rows(
    path: Path, required: Iterable[tuple[str, str]], *, encoding: str | None = None
) -> Iterator[Row]:
    """Read JSON lines (`.jsonl`, `.ndjson`), a JSON list (`.json`), Parquet (`.parquet`, `.pq`), else CSV or TSV.

    Args:
        path: the file.
        required: columns that the file must have, each as the flag that named it and its name; so they are spelled in
            the rows.
        encoding: one of `ENCODINGS`, for CSV and TSV.

    Raises:
        ArttlError: if the file is missing, is not such a file, has no rows, or lacks a column.
    """
    suffix = path.suffix.lower()
    if suffix in STRUCTURED:
        _check_undeclared(path, encoding)
        return read_json(path, required) if suffix in _JSON else read_parquet(path, required)
    return read_rows(path, required, encoding=encoding)


def column_names(path: Path, *, encoding: str | None = None) -> list[str]:
    """The names of the columns of such a file, in order.

    Args:
        path: the file.
        encoding: one of `ENCODINGS`, for CSV and TSV.

    Raises:
        ArttlError: if the file is missing or is not such a file.
    """
    suffix = path.suffix.lower()
    if suffix in STRUCTURED:
        _check_undeclared(path, encoding)
        return json_columns(path) if suffix in _JSON else parquet_columns(path)
    return read_columns(path, encoding=encoding)


def columns_without_zeros(path: Path) -> frozenset[str]:
    """The columns of such a file in which 1907.10 is 1907.1, since they hold fractions as numbers.

    Raises:
        ArttlError: if the file is missing or is not such a file.
    """
    return float_columns(path) if path.suffix.lower() in _PARQUET else frozenset()


def _check_undeclared(path: Path, encoding: str | None) -> None:
    if encoding is not None:
        raise ArttlError(f"--encoding {encoding} is for CSV and TSV, which {path} is not; leave it out")
