"""Batches of a Parquet file that a stranger may have written: memory is bounded before anything is decoded.

Some bytes can stand for gigabytes: in a page that is compressed, in a long text that many rows share, in a list of a
million equal entries. How many rows are decoded at once follows from the headers of pages; where these alone do not
say it, from the dictionary and from the lengths of lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from arttl.errors import ArttlError
from arttl.shards.parquet_levels import RowLengths, longest_text
from arttl.shards.parquet_pages import Page, PageReader

Source: TypeAlias = Path | BinaryIO
"""Where Parquet is read from."""

MOST_OF_PAGES = 256 * 2**20
"""Bytes of the largest page of each column that is read, together: they are in memory at once."""
MOST_OF_A_ROW = 64 * 2**20

_AT_ONCE = 32 * 2**20  # bytes of memory for the rows that are decoded at once, but for a row that has more
_PER_VALUE = 32  # bytes: a number, its levels, the offset of a text or a list
_RLE, _DELTA_BYTE_ARRAY = 3, 7  # of Parquet's encodings
_SHARED = (2, 8, _DELTA_BYTE_ARRAY)  # a text may be stored once and stand for many; 2 and 8: in a dictionary
_LEAST_SOUGHT = 1024  # bytes of a dictionary whose longest text is looked for

_codec = lru_cache(pa.Codec)


class BoundedFile:
    """A Parquet file whose rows are read in batches that take some 32 MiB each, or hold one row.

    Attributes:
        file: for what its schema says; columns are read by `batches`.
        rows: their number.
    """

    def __init__(self, path: Path, source: Source | None = None) -> None:
        """Open a file.

        Args:
            path: of the file, for messages.
            source: where it is read from; None: the path.

        Raises:
            ArttlError: if its footer is damaged.
            OSError, ValueError, pyarrow.ArrowException: if it cannot be read, or is not Parquet.
        """
        self._path, given = path, path if source is None else source
        self.file = pq.ParquetFile(given)
        self.rows: int = self.file.metadata.num_rows
        opened = given.open("rb") if isinstance(given, Path) else given
        self._own = opened if isinstance(given, Path) else None
        try:
            self._reader = PageReader(opened)
            if self.rows != sum(self.rows_of_groups):
                raise ValueError("its row groups have other rows than its footer says")
        except ValueError as error:
            self.close()
            raise ArttlError(f"{path} cannot be read as Parquet: {error}") from error

    def __enter__(self) -> BoundedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened here, which a source that is open is not."""
        self.file.close()
        if self._own is not None:
            self._own.close()

    @property
    def rows_of_groups(self) -> list[int]:
        """The rows of each row group."""
        return [group.rows for group in self._reader.groups]

    def batches(
        self, columns: Sequence[str] | None, rows: int, groups: Sequence[int] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows, in their order.

        Args:
            columns: that are read; None: all.
            rows: of a batch, at most.
            groups: numbers of the row groups that are read; None: all.

        Raises:
            ArttlError: naming the column whose pages are not as the format asks for, are larger than `LARGEST_PAGE` or
                together than `MOST_OF_PAGES`, or of which a row may hold more than `MOST_OF_A_ROW`.
        """
        table = _Table(self.file, self._reader, self._path, columns)
        together, size = list[int](), 0
        for group in range(len(self._reader.groups)) if groups is None else groups:
            whole, fewer = table.plan(group, rows)
            if together and size + whole > _AT_ONCE:
                yield from self.file.iter_batches(rows, row_groups=together, columns=columns)
                together, size = [], 0
            if whole <= _AT_ONCE:
                together.append(group)
                size += whole
            else:
                yield from self.file.iter_batches(fewer, row_groups=[group], columns=columns)
        if together:
            yield from self.file.iter_batches(rows, row_groups=together, columns=columns)


class _Column(NamedTuple):
    """A column without others within, by the schema.

    Attributes:
        number: of the column.
        path: its name, after those of the columns around it.
        deepest: repetition level; 0: a row has one value.
        physical: type.
        width: bytes of a value, if all have that many.
    """

    number: int
    path: str
    deepest: int
    physical: str
    width: int


class _Leaf:
    """What the pages of one column of a row group take when they are decoded.

    Attributes:
        name: of the column.
        codec: what compresses its pages.
        pages: in their order.
        deepest: repetition level; 0: a row has one value.
        held: bytes that are in memory while it is read: a page, and the dictionary.
        longest: bytes of a text that is stored once and stands for many, at most.
        most: values of a row, at most.
    """

    def __init__(self, column: _Column, codec: str, pages: list[Page]) -> None:
        self.name, self.codec, self.pages, self.deepest = column.path, codec, pages, column.deepest
        self._per_value = _PER_VALUE + 4 * column.deepest + column.width
        self._values = self._shared = self._alone = self._dense = self.longest = 0
        dictionary = largest = 0
        for page in pages:
            size, values = page.size, page.values
            if page.is_dictionary:
                dictionary = max(dictionary, size + 16 * values)
                self.longest = max(self.longest, size)
                continue
            largest = max(largest, size)
            self._values += values
            if page.encoding in _SHARED:
                self._shared += values
                if page.encoding == _DELTA_BYTE_ARRAY:  # the start of a text is that of the one before
                    self.longest = max(self.longest, size)
            else:
                self._alone += size
                self._dense = max(self._dense, size // max(1, values))
        self.held = dictionary + largest
        if column.physical != "BYTE_ARRAY" or not self._shared:
            self.longest = 0
        self.most = self._values if column.deepest else 1

    @property
    def whole(self) -> int:
        """Bytes of all values."""
        return self._values * self._per_value + self._alone + self._shared * self.longest

    @property
    def per_row(self) -> int:
        """Bytes of a row, at most, but for what pages hold unevenly."""
        return min(self.whole, self.most * (self._per_value + max(self.longest, self._dense)))


class _Table:
    """The columns of a file that are read."""

    def __init__(
        self, file: pq.ParquetFile, reader: PageReader, path: Path, columns: Sequence[str] | None
    ) -> None:
        self._reader, self._path, self._stored, self._columns = reader, path, 0, list[_Column]()
        schema = file.schema
        self._count = len(schema)
        for number in range(self._count):
            column = schema.column(number)
            # As pyarrow understands names: of a column, or of one that has it within.
            if columns is None or any(f"{column.path}.".startswith(f"{name}.") for name in columns):
                width = column.length if column.physical_type == "FIXED_LEN_BYTE_ARRAY" else 0
                physical = column.physical_type
                self._columns.append(
                    _Column(number, column.path, column.max_repetition_level, physical, width)
                )

    def plan(self, group: int, rows: int) -> tuple[int, int]:
        """Of a row group, the bytes that it takes in memory, at most, and how many rows may be decoded at once."""
        leaves = self.leaves(group)
        for refine in (None, self.find_longest, self.find_most):
            if refine is not None:
                for leaf in leaves:
                    refine(leaf)
            whole, of_row = sum(leaf.whole for leaf in leaves), sum(leaf.per_row for leaf in leaves)
            if whole <= _AT_ONCE or of_row * rows <= _AT_ONCE:
                return whole, rows
        if of_row > MOST_OF_A_ROW:
            name = max(leaves, key=attrgetter("per_row")).name
            raise self._refused(
                name, f"may hold {of_row:,} bytes in a row, and up to {MOST_OF_A_ROW >> 20} MiB are read"
            )
        return whole, max(1, _AT_ONCE // of_row)

    def leaves(self, group: int) -> list[_Leaf]:
        """What a row group holds."""
        leaves, described = [], self._reader.groups[group]
        if len(described.columns) != self._count:
            raise ArttlError(f"{self._path} cannot be read as Parquet: row group {group + 1} lacks columns")
        for column in self._columns:
            name, chunk = column.path, described.columns[column.number]
            try:
                pages = self._reader.pages(chunk, column.physical, column.width)
            except ValueError as error:
                raise self._refused(name, str(error)) from error
            if not column.deepest and chunk.values > described.rows:
                raise self._refused(name, "has more values than rows")
            self._stored += sum(page.stored for page in pages)
            if self._stored > self._reader.length:
                raise self._refused(name, "shares its bytes with another")
            leaves.append(_Leaf(column, chunk.codec, pages))
        if (held := sum(leaf.held for leaf in leaves)) > MOST_OF_PAGES:
            raise self._refused(
                max(leaves, key=attrgetter("held")).name,
                f"and others have pages of {held:,} bytes together, and up to {MOST_OF_PAGES >> 20} MiB are read at"
                " once: write it with smaller pages or fewer rows per row group",
            )
        return leaves

    def find_longest(self, leaf: _Leaf) -> None:
        """Look for the longest text of its dictionary."""
        if leaf.longest < _LEAST_SOUGHT or any(page.encoding == _DELTA_BYTE_ARRAY for page in leaf.pages):
            return
        longest = 0
        for page in leaf.pages:
            if page.is_dictionary:
                data = self._decompressed(leaf, page)
                longest = max(longest, page.size if data is None else longest_text(data, page.values))
        leaf.longest = longest

    def find_most(self, leaf: _Leaf) -> None:
        """Look for the most values of a row."""
        if leaf.deepest and (most := self._most(leaf)):
            leaf.most = most

    def _most(self, leaf: _Leaf) -> int | None:
        lengths = RowLengths(leaf.deepest)
        for page in leaf.pages:
            if page.is_dictionary or not page.values:
                continue
            if page.level_encoding != _RLE:
                return None
            if page.level_bytes is not None:
                levels = self._reader.read(page)[: page.level_bytes]
            elif (data := self._decompressed(leaf, page)) is not None:
                levels = data[4 : 4 + int.from_bytes(data[:4], "little")]
            else:
                return None
            if not lengths.add(levels, page.values):
                return None
        return lengths.longest

    def _decompressed(self, leaf: _Leaf, page: Page) -> bytes | None:
        """The bytes of a page, or None where that is left to pyarrow."""
        data = self._reader.read(page)
        if leaf.codec == "none":
            return data
        try:
            return bytes(_codec(leaf.codec).decompress(data, page.size, asbytes=True))
        except (OSError, ValueError, pa.ArrowException):
            return None

    def _refused(self, name: str, reason: str) -> ArttlError:
        return ArttlError(f"{self._path} cannot be read as Parquet: its column {name!r} {reason}")
