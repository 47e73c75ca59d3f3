"""Parquet tables of strangers: rows and column types are checked in the footer, and memory is bounded while reading.

A file of some megabytes may hold gigabytes: a long text that many rows share is stored once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from arttl.errors import ArttlError, one_line
from arttl.shards.parquet_batches import BoundedFile

MOST_ROWS = 50_000_000
BYTES_PER_ROW = 2048  # real manifests have some 300
_BYTES_BESIDE = 64 * 2**20
_BATCH = 8192  # rows


def read_bounded_table(
    path: Path, type_of: Callable[[str], pa.DataType | None], bytes_per_row: int = BYTES_PER_ROW
) -> pa.Table:
    """The columns of a table that are known, each of its type.

    Args:
        path: the file.
        type_of: of a column's name, the type that its values get; None for a column that is not read.
        bytes_per_row: of memory, that are allowed.

    Raises:
        ArttlError: if the file is not Parquet, a column holds another type, or there are more than `MOST_ROWS` rows,
            than the file has bytes, or more than `bytes_per_row`.
    """
    try:
        with BoundedFile(path) as table:
            stored = table.file.schema_arrow
            types = {field.name: type_of(field.name) for field in stored}
            if repeated := [name for name in types if types[name] and stored.get_field_index(name) < 0]:
                raise ArttlError(f"{path} has two columns {repeated[0]!r}")
            schema = pa.schema([(name, type_) for name, type_ in types.items() if type_ is not None])
            for field in schema:
                if not _fits(stored.field(field.name).type, field.type):
                    raise ArttlError(
                        f"the column {field.name!r} of {path} holds {stored.field(field.name).type}, not {field.type}"
                    )
            if table.rows > MOST_ROWS:
                raise ArttlError(f"{path} has {table.rows:,} rows, more than {MOST_ROWS:,}")
            if table.rows > (length := path.stat().st_size):  # each has a key of its own, which takes bytes
                raise ArttlError(f"{path} has {table.rows:,} rows, more than its {length:,} bytes")
            tables, size, rows = [schema.empty_table()], 0, 0
            for batch in table.batches(schema.names, _BATCH):
                batch.validate(full=True)  # texts that are no UTF-8 would be found where they are used
                tables.append(pa.Table.from_batches([batch]).select(schema.names).cast(schema))
                size += tables[-1].nbytes  # after the cast, since a dictionary hides what it stands for
                rows += len(batch)
                if size > bytes_per_row * rows + _BYTES_BESIDE:
                    raise ArttlError(f"{path} holds more than {bytes_per_row / 1024:g} KiB per row")
            return pa.concat_tables(tables)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ArttlError(f"{path} cannot be read as Parquet: {one_line(error)}") from error


def _fits(stored: pa.DataType, needed: pa.DataType) -> bool:
    """Whether values of a type can be cast to another without a loss: other programs write larger types of a kind."""
    if pa.types.is_list(needed):
        is_list = pa.types.is_list(stored) or pa.types.is_large_list(stored)
        return pa.types.is_null(stored) or (is_list and _fits(stored.value_type, needed.value_type))
    if pa.types.is_string(needed):
        if pa.types.is_dictionary(stored):
            return _fits(stored.value_type, needed)
        return pa.types.is_string(stored) or pa.types.is_large_string(stored) or pa.types.is_null(stored)
    return pa.types.is_integer(stored) if pa.types.is_integer(needed) else bool(stored == needed)
