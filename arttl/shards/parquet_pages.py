"""The pages of Parquet files, by their own headers, which no other part of the file bounds.

A reader takes as much memory for a page as its header says, so that a file of some hundred bytes can ask for 2 GiB.
Here the footer and the headers are read, and nothing else is: https://github.com/apache/parquet-format,
`parquet.thrift`. What pyarrow tells of the footer is not used, since a damaged one ends the process there.
"""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

from arttl.shards.thrift import I32, I64, LIST, STRUCT, TEXT, read_struct

LARGEST_PAGE = 128 * 2**20
"""Bytes of a page, decompressed: most programs write 1 MiB, DuckDB up to 100 MiB, fastparquet a whole column."""
MOST_PAGES = 1_000_000
"""Of a column in a row group."""

_DATA, _DICTIONARY, _DATA_2 = 0, 2, 3  # PageType
_DETAILS = {_DATA: 5, _DICTIONARY: 7, _DATA_2: 8}  # fields of PageHeader
_HEADER_BYTES = (4096, 2**16, 2**20)  # that are read; statistics may quote long texts
_LARGEST, _LARGEST_OFFSET = 2**31 - 1, 2**63 - 1
_PADDING = 100  # bytes of a dictionary page's header, which early writers left out of the length of a chunk
_WIDTHS = {
    "BYTE_ARRAY": 4,
    "INT32": 4,
    "FLOAT": 4,
    "INT64": 8,
    "DOUBLE": 8,
    "INT96": 12,
}  # the least, in a dictionary
_CODECS = (
    "none",
    "snappy",
    "gzip",
    "",
    "brotli",
    "",
    "zstd",
    "lz4_raw",
)  # by number, of those that are known here
_DAMAGED = "has a page whose header is damaged"

_STATISTICS_OF_SIZES = (STRUCT, {2: I64, 3: I64})
_LISTS = {2: I32, 3: TEXT, 8: STRUCT, 13: STRUCT, 16: _STATISTICS_OF_SIZES, 17: (STRUCT, {2: I32})}
_COLUMN = {**_LISTS, **dict.fromkeys((4, 5, 7, 9, 11))}
_ROW_GROUP = {
    1: (STRUCT, {3: (STRUCT, _COLUMN), 8: (STRUCT, {2: (STRUCT, {1: TEXT})}), 1: None}),
    3: None,
    4: STRUCT,
}
_FOOTER = {2: STRUCT, 4: (STRUCT, _ROW_GROUP), 5: STRUCT, 7: STRUCT}
_HEADER = {
    **dict.fromkeys((1, 2, 3)),
    5: (STRUCT, dict.fromkeys((1, 2, 4))),
    7: (STRUCT, dict.fromkeys((1, 2))),
    8: (STRUCT, dict.fromkeys((1, 4, 6))),
}


class Chunk(NamedTuple):
    """A column of a row group as the footer describes it.

    Attributes:
        start: of its first page in the file.
        size: bytes in the file.
        values: their number.
        codec: that compresses its pages, as pyarrow names it; empty: another one.
    """

    start: int
    size: int
    values: int
    codec: str


class RowGroup(NamedTuple):
    """A row group: rows, and columns in the order of the schema's leaves."""

    rows: int
    columns: list[Chunk]


class Page(NamedTuple):
    """A page as its header describes it.

    Attributes:
        start: of its bytes in the file.
        stored: bytes in the file.
        size: bytes, decompressed.
        is_dictionary: whether it holds the values that data pages refer to.
        values: of the column, or of the dictionary.
        encoding: a number of Parquet's `Encoding`.
        level_bytes: of repetition levels, which lie first and are not compressed; None: they are compressed, and begin
            with their own length.
        level_encoding: of repetition levels.
    """

    start: int
    stored: int
    size: int
    is_dictionary: bool
    values: int
    encoding: int
    level_bytes: int | None
    level_encoding: int


class PageReader:
    """Reads the footer of a file, and the headers of pages here and there.

    Attributes:
        length: bytes of the file.
        groups: the row groups.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Read the footer of an open file, whose position changes.

        Raises:
            ValueError: if it is none.
        """
        self._file, self._first, self._data = file, 0, b""
        self.length = file.seek(0, 2)
        file.seek(max(0, self.length - 8))
        size = int.from_bytes(file.read(4), "little")
        if file.read(4) != b"PAR1" or size > self.length - 8:
            raise ValueError("it does not end as a file does that is not encrypted")
        file.seek(self.length - 8 - size)
        try:
            footer, _ = read_struct(file.read(size), 0, _FOOTER)
            self.groups = [_row_group(group) for group in footer[4, LIST]]
        except (IndexError, KeyError, ValueError) as error:
            raise ValueError("its footer is damaged") from error

    def pages(self, chunk: Chunk, physical: str, width: int) -> list[Page]:
        """The pages of a column in a row group that pyarrow reads.

        Args:
            chunk: what the footer says of it.
            physical: type of the column in the file.
            width: bytes of a value, for a column whose values all have that many by its type.

        Raises:
            ValueError: if a header is none, or says what cannot be or is larger than is read; the message has the
                column as its subject.
        """
        start, size, total, _ = chunk
        if start + size > self.length:
            raise ValueError("does not lie within the file")
        width = width or _WIDTHS.get(physical, 0)
        end, values, pages = min(start + size + _PADDING, self.length), 0, list[Page]()
        while values < total and start < end:
            page = self._page(start)
            start = page.start + page.stored
            if start > end:
                raise ValueError("has a page that does not lie within it")
            if not page.is_dictionary:
                values += page.values
            elif page.values * width > page.size:
                raise ValueError("has a dictionary with more values than bytes")
            pages.append(page)
            if len(pages) > MOST_PAGES:
                raise ValueError(f"has more than {MOST_PAGES:,} pages")
        if values > total:
            raise ValueError(f"has pages with {values:,} values, and {total:,} by the footer")
        return pages

    def read(self, page: Page) -> bytes:
        """The bytes of a page as they are in the file."""
        self._file.seek(page.start)
        return self._file.read(page.stored)

    def _page(self, start: int) -> Page:
        for size in (0, *_HEADER_BYTES):
            if size:
                self._file.seek(start)
                self._first, self._data = start, self._file.read(size)
            try:
                if 0 <= start - self._first < len(self._data):
                    fields, at = _header(self._data, start - self._first)
                    return _described(fields, self._first + at)
            except IndexError:
                continue
        raise ValueError("has a page whose header does not end")


def _header(data: bytes, at: int) -> tuple[dict[tuple[int, int], Any], int]:
    try:
        return read_struct(data, at, _HEADER)
    except ValueError as error:
        raise ValueError(_DAMAGED) from error


def _row_group(fields: dict[tuple[int, int], Any]) -> RowGroup:
    """By the fields of the footer.

    Raises:
        KeyError: if one is missing.
        ValueError: if one is not as it should be.
    """
    columns = []
    if not 0 <= fields[3, I64] <= _LARGEST_OFFSET:
        raise ValueError("a negative number of rows")
    for column in fields[1, LIST]:
        of_column = column[3, STRUCT]
        if (1, TEXT) in column or (8, STRUCT) in column:
            raise ValueError("a column that is in another file or encrypted")
        start, dictionary = of_column[9, I64], of_column.get((11, I64), 0)
        start = dictionary if 0 < dictionary < start else start
        size, values, codec = of_column[7, I64], of_column[5, I64], of_column[4, I32]
        if min(start, size, values, codec) < 0 or max(start, size, values) > _LARGEST_OFFSET:
            raise ValueError("a column of a negative size")
        columns.append(Chunk(start, size, values, _CODECS[codec] if codec < len(_CODECS) else ""))
    return RowGroup(fields[3, I64], columns)


def _described(fields: dict[tuple[int, int], Any], start: int) -> Page:
    """A page that starts there, by the fields of its header."""
    try:
        kind, size, stored = fields[1, I32], fields[2, I32], fields[3, I32]
        if not 0 <= size <= LARGEST_PAGE:
            if not 0 <= size <= _LARGEST:
                raise ValueError(_DAMAGED)
            raise ValueError(
                f"has a page of {size:,} bytes, and up to {LARGEST_PAGE >> 20} MiB are read: write it with smaller"
                " pages"
            )
        if kind not in _DETAILS:  # passed over by readers, as the format asks for
            page = Page(start, stored, size, False, 0, 0, None, 0)
        else:
            details = fields[_DETAILS[kind], STRUCT]
            values = details[1, I32]
            if kind == _DATA_2:
                page = Page(start, stored, size, False, values, details[4, I32], details[6, I32], 3)
            else:
                levels = details[4, I32] if kind == _DATA else 0
                page = Page(start, stored, size, kind == _DICTIONARY, values, details[2, I32], None, levels)
    except KeyError as error:
        raise ValueError(_DAMAGED) from error
    if not (
        0 <= stored <= _LARGEST and 0 <= page.values <= _LARGEST and 0 <= (page.level_bytes or 0) <= size
    ):
        raise ValueError(_DAMAGED)
    return page
