"""Rows of JSON and Parquet files; cells that hold lists keep them."""

from __future__ import annotations

import codecs
import datetime
import decimal
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from arttl.characters import plain_text
from arttl.errors import ArttlError, one_line
from arttl.records.delimited import Row, matched_columns
from arttl.records.json_values import TOO_DEEP, WrittenNumber, json_value
from arttl.records.kinds import contents, kind_of
from arttl.records.nested import field_names, named_fields, outermost
from arttl.records.reading import readable
from arttl.shards.parquet_batches import BoundedFile

_LONGEST_LINE = 16 * 2**20  # bytes; a file without line ends must not fill the memory
_LONGEST_LIST = 64 * 2**20  # bytes of a file that must be parsed as a whole
_ROWS_AT_ONCE = 1000  # of Parquet
_COLUMNS_LOOKED_FOR = 1000  # objects, any of which may be the first with a column
_AS_LINES = "as JSON lines (.jsonl), one object per line"

_column = lru_cache(4096)(plain_text)


def read_json(path: Path, required: Iterable[tuple[str, str]]) -> Iterator[Row]:
    """Read JSON lines, UTF-8, or in a file called `.json` also one list of objects, of at most 64 MiB.

    Numbers that are none (`NaN`, `Infinity`) and `null` are empty cells, as are columns that an object lacks. Lists
    within lists are one list.

    Args:
        path: the file.
        required: columns that the file must have, each as the flag that named it and its name, fields inside others
            with dots (`contributors.fc`). An object may lack any.

    Raises:
        ArttlError: if the file is missing, is not such a file, has no rows, or its first 1,000 objects lack a column.
    """
    required = list(required)
    names = json_columns(path)
    spelled = dict(zip(names, matched_columns(path, names, required), strict=True))
    fields = [plain_text(column) for _, column in required]
    for where, values in _objects(path):
        yield _row(where, values, path, spelled, fields)


def json_columns(path: Path) -> list[str]:
    """The names that occur in the first 1,000 objects of a file of JSON, those inside others with dots."""
    names: dict[str, None] = {}
    for index, (_, values) in enumerate(_objects(path)):
        if index == _COLUMNS_LOOKED_FOR:
            break
        names.update(dict.fromkeys(map(_column, field_names(values))))
    if not names:
        raise ArttlError(f"{path} holds no rows; each of its lines must be a JSON object")
    return list(names)


def read_parquet(path: Path, required: Iterable[tuple[str, str]]) -> Iterator[Row]:
    """Read a Parquet file; only the required columns, where any are given; fields inside others with dots.

    Null, NaN and infinite are empty cells; times of day are left out where they are midnight.

    Raises:
        ArttlError: if the file is missing, is no Parquet file, has no rows, or lacks a column.
    """
    required = list(required)
    schema = _schema(path)
    names = [str(name) for name in schema.names]
    plain = [plain_text(name) for name in names]
    fields = [plain_text(column) for _, column in required]
    own = {outermost(field, plain) for field in fields}
    spelled = dict(zip(fields, (column for _, column in required), strict=True))
    matched_columns(path, plain, [(flag, outermost(plain_text(column), plain)) for flag, column in required])
    chosen = [name for name, column in zip(names, plain, strict=True) if column in own] or names
    single = {field.name for field in schema if field.name in chosen and pa.types.is_float32(field.type)}
    number = 0
    try:
        with BoundedFile(path) as table:
            for batch in table.batches(chosen, _ROWS_AT_ONCE):
                for values in _without_nanoseconds(batch).to_pylist():
                    number += 1
                    for name in single:
                        # As the shortest decimal that gives it in 32 bits: 0.1, not 0.10000000149011612.
                        values[name] = values[name] and float(str(np.float32(values[name])))
                    yield _row(f"row {number}", values, path, spelled, fields)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise ArttlError(f"row {number + 1} or later of {path} cannot be read: {one_line(error)}") from error
    if not number:
        raise ArttlError(f"{path} has columns and no rows")


def parquet_columns(path: Path) -> list[str]:
    """The names of the columns of a Parquet file."""
    return [plain_text(str(name)) for name in _schema(path).names]


def float_columns(path: Path) -> frozenset[str]:
    """The columns of a Parquet file that hold fractions as numbers, which have no zeros at their end."""
    return frozenset(_float_fields(_schema(path)))


def _float_fields(fields: Iterable[pa.Field], prefix: str = "") -> Iterator[str]:
    for field in fields:
        name = prefix + plain_text(field.name)
        if pa.types.is_floating(field.type) or pa.types.is_decimal(field.type):
            yield name
        elif pa.types.is_struct(field.type):
            yield from _float_fields(field.type, f"{name}.")


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except FileNotFoundError as error:
        raise ArttlError(f"--metadata {path} does not exist") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArttlError(f"--metadata {path} cannot be read as Parquet: {one_line(error)}") from error


def _without_nanoseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with its times in microseconds, since Python's own have no finer ones."""
    for index, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            times = batch.column(index).cast(pa.timestamp("us", field.type.tz), safe=False)
            batch = batch.set_column(index, field.name, times)
    return batch


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each object is, and its values."""
    is_json = path.suffix.lower() == ".json"
    with readable(path, "--metadata"), path.open("rb") as file:
        head = file.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip()
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise ArttlError(f"{path} is UTF-16 text; JSON is read as UTF-8, so save it as that")
        if is_json and (head[:1] == b"[" or not _is_lines(path)):
            yield from _objects_of_list(path)
            return
        if head[:1] == b"[":
            raise ArttlError(f"{path} begins as a JSON list does; give it a name that ends in .json")
        file.seek(0)
        number = 0
        while line := file.readline(_LONGEST_LINE + 1):
            number += 1
            if len(line) > _LONGEST_LINE:
                raise ArttlError(f"line {number} of {path} has more than 16 MiB; one object per line is read")
            if line.strip():
                yield f"line {number}", _object(path, number, line)


def _is_lines(path: Path) -> bool:
    """Whether a file called `.json` has an object in its first line, and another line."""
    with path.open("rb") as file:
        lines = (file.readline(_LONGEST_LINE + 1), file.readline(1024))
    try:
        return bool(lines[1].strip()) and isinstance(json_value(lines[0]), dict)
    except ValueError:
        return False


def _objects_of_list(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if path.stat().st_size > _LONGEST_LIST:
        raise ArttlError(f"{path} has more than 64 MiB of JSON to be read at once; save it {_AS_LINES}")
    try:
        entries = json_value(path.read_bytes())
    except ValueError as error:
        raise ArttlError(f"{path} {error}") from error
    if not isinstance(entries, list):
        if kind_of(path).source not in (None, "table"):
            raise ArttlError(f"{path} is not a table but {contents(path)}")
        inside = entries.items() if isinstance(entries, dict) else ()
        lists = [name for name, value in inside if isinstance(value, list) and _are_objects(value[:1])]
        hint = (
            f"; its {lists[0]!r} is such a list: save that alone" if lists else f"; save one, or {_AS_LINES}"
        )
        raise ArttlError(f"{path} is not a list of JSON objects{hint}")
    for index, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            raise ArttlError(f"entry {index} of {path} is not a JSON object")
        yield f"entry {index}", entry


def _are_objects(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(value, dict) for value in values)


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        values = json_value(line)
    except ValueError as error:
        hint = "; each line must be an object of its own" if number == 1 else ""
        raise ArttlError(f"line {number} of {path} {error}{hint}") from error
    if not isinstance(values, dict):
        raise ArttlError(f"line {number} of {path} is not a JSON object")
    return values


def _row(
    location: str, values: Mapping[str, Any], path: Path, spelled: Mapping[str, str], fields: list[str]
) -> Row:
    """A row.

    Args:
        location: of the row.
        values: by name.
        path: of the file.
        spelled: a name as `plain_text` makes it to the column's.
        fields: the names that are needed, as `plain_text` makes them; none: all.
    """
    cells: dict[str, str] = {}
    lists: dict[str, tuple[str, ...]] = {}
    try:
        named = _with_plain_names(values)
        for name, value in named_fields(named, fields).items():
            column = spelled.get(name, name)
            if isinstance(value, list) and not _is_map(value):
                lists[column] = tuple(_texts(value))
                cells[column] = ", ".join(lists[column])
            else:
                cells[column] = _text(value)
    except UnicodeDecodeError as error:
        raise ArttlError(
            f"{location} of {path} has bytes in the column {column!r} that are no text in UTF-8; write that column as"
            " text"
        ) from error
    except RecursionError as error:
        raise ArttlError(f"{location} of {path} {TOO_DEEP}") from error
    problem = "" if len(named) == len(values) else "two values have the same name"
    return Row(location, cells, problem, lists)


def _with_plain_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values under their names as `plain_text` makes them, also in objects inside."""
    return {_column(name): _inside(value) for name, value in values.items()}


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return _with_plain_names(value)
    return [_inside(entry) for entry in value] if isinstance(value, list) else value


def _texts(values: list[Any]) -> Iterator[str]:
    """The texts of a list, those of lists within it too; what is unknown is left out."""
    for value in values:
        if isinstance(value, list) and not _is_map(value):
            yield from _texts(value)
        elif _known(value) is not None:
            yield _text(value)


def _is_map(value: list[Any]) -> bool:
    """Whether it is a map of Parquet, which comes as a list of pairs."""
    return bool(value) and all(isinstance(entry, tuple) for entry in value)


def _known(value: Any) -> Any:
    """A value without what stands for an unknown number or time: None instead, also within lists and objects.

    A `WrittenNumber` is its text.
    """
    if isinstance(value, dict):
        return {name: _known(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_known(inner) for inner in value]
    if isinstance(value, (float, decimal.Decimal)) and not math.isfinite(value):
        return None
    if isinstance(value, WrittenNumber):
        return str(value)
    # pandas' NaT is the only time that differs from itself.
    return None if isinstance(value, datetime.datetime) and value != value else value


def _text(value: Any) -> str:
    """A value as a person would type it."""
    if isinstance(value, str):
        return value
    value = _known(dict(value) if isinstance(value, list) and _is_map(value) else value)
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # whole numbers become floats in many exports, where a column has gaps
    if isinstance(value, decimal.Decimal):
        return f"{value.normalize():f}" if value else "0"
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time() and value.utcoffset() in (None, datetime.timedelta())
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    return (
        json.dumps(value, ensure_ascii=False, default=_text)
        if isinstance(value, (dict, list))
        else str(value)
    )
