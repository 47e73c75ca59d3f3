"""Rows of JSON lines and Parquet files; cells that hold lists keep them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from arttl.errors import ArttlError, one_line
from arttl.records.delimited import Row, check_columns
from arttl.records.nested import field_names, named_fields, outermost
from arttl.records.reading import readable

_LONGEST_LINE = 16 * 2**20  # bytes; a file without line ends must not fill the memory
_COLUMNS_LOOKED_FOR = 1000  # lines of JSON, any of which may be the first with a column


def read_json_lines(path: Path, required: Iterable[tuple[str, str]]) -> Iterator[Row]:
    """Read a file of one JSON object per line, UTF-8.

    Args:
        path: the file.
        required: columns that the file must have, each as the flag that named it and its name, fields inside others
            with dots (`contributors.fc`). An object may lack any.

    Raises:
        ArttlError: if the file is missing, is not such a file, has no rows, or its first 1,000 objects lack a column.
    """
    required = list(required)
    check_columns(path, json_columns(path), required)
    names = [column for _, column in required]
    for number, values in _objects(path):
        yield _row(f"line {number}", named_fields(values, names))


def json_columns(path: Path) -> list[str]:
    """The names that occur in the first 1,000 objects of a file of JSON lines, those inside others with dots."""
    names: dict[str, None] = {}
    for index, (_, values) in enumerate(_objects(path)):
        if index == _COLUMNS_LOOKED_FOR:
            break
        names.update(dict.fromkeys(field_names(values)))
    if not names:
        raise ArttlError(f"{path} holds no rows; each of its lines must be a JSON object")
    return list(names)


def read_parquet(path: Path, required: Iterable[tuple[str, str]]) -> Iterator[Row]:
    """Read a Parquet file; only the required columns, where any are given; fields inside others with dots.

    Raises:
        ArttlError: if the file is missing, is no Parquet file, has no rows, or lacks a column.
    """
    required = list(required)
    columns = parquet_columns(path)
    own = [(flag, outermost(column, columns)) for flag, column in required]
    check_columns(path, columns, own)
    names = list(dict.fromkeys(column for _, column in own)) or columns
    inner = [column for _, column in required]
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000, columns=names):
                for values in batch.to_pylist():
                    number += 1
                    yield _row(f"row {number}", named_fields(values, inner))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArttlError(f"row {number + 1} or later of {path} cannot be read: {one_line(error)}") from error
    if not number:
        raise ArttlError(f"{path} has columns and no rows")


def parquet_columns(path: Path) -> list[str]:
    """The names of the columns of a Parquet file."""
    try:
        return [str(name) for name in pq.read_schema(path).names]
    except FileNotFoundError as error:
        raise ArttlError(f"--metadata {path} does not exist") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArttlError(f"--metadata {path} cannot be read as Parquet: {one_line(error)}") from error


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with readable(path, "--metadata"), path.open("rb") as file:
        number = 0
        while line := file.readline(_LONGEST_LINE + 1):
            number += 1
            if len(line) > _LONGEST_LINE:
                raise ArttlError(f"line {number} of {path} has more than 16 MiB; one object per line is read")
            if line.strip():
                yield number, _object(path, number, line)


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ArttlError(f"line {number} of {path} is not JSON: {one_line(error)}") from error
    if not isinstance(values, dict):
        raise ArttlError(f"line {number} of {path} is not a JSON object")
    return values


def _row(location: str, values: dict[str, Any]) -> Row:
    cells: dict[str, str] = {}
    lists: dict[str, tuple[str, ...]] = {}
    for name, value in values.items():
        if isinstance(value, list):
            lists[name] = tuple(map(_text, value))
            cells[name] = ", ".join(lists[name])
        else:
            cells[name] = _text(value)
    return Row(location, cells, lists=lists)


def _text(value: Any) -> str:
    """A value as a person would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # whole numbers become floats in many exports, where a column has gaps
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
