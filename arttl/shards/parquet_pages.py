"""The pages of Parquet files, by their own headers, which no other part of the file bounds.

A reader takes as much memory for a page as its header says, so that a file of some hundred bytes can ask for 2 GiB.
Here the headers are read and nothing else is: https://github.com/apache/parquet-format, `parquet.thrift`, written in
Thrift's compact protocol.
"""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

LARGEST_PAGE = 128 * 2**20
"""Bytes of a page, decompressed: most programs write 1 MiB, DuckDB up to 100 MiB, fastparquet a whole column."""
MOST_PAGES = 1_000_000
"""Of a column in a row group."""

_DATA, _DICTIONARY, _DATA_2 = 0, 2, 3  # PageType
_DETAILS = {_DATA: 5, _DICTIONARY: 7, _DATA_2: 8}  # fields of PageHeader
_HEADER_BYTES = (4096, 2**16, 2**20)  # that are read; statistics may quote long texts
_DEEPEST = 8  # structs within one another; a header has three
_LARGEST = 2**31 - 1
_PADDING = 100  # bytes of a dictionary page's header, which early writers left out of the length of a chunk
_WIDTHS = {
    "BYTE_ARRAY": 4,
    "INT32": 4,
    "FLOAT": 4,
    "INT64": 8,
    "DOUBLE": 8,
    "INT96": 12,
}  # the least, in a dictionary
_DAMAGED = "has a page whose header is damaged"


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
    """Reads the headers of pages here and there in a file."""

    def __init__(self, file: BinaryIO) -> None:
        """Read from an open file, whose position changes."""
        self._file, self._first, self._data = file, 0, b""
        self.length = file.seek(0, 2)

    def pages(self, chunk: Any, width: int) -> list[Page]:
        """The pages of a column in a row group that pyarrow reads.

        Args:
            chunk: what the footer says, a `pyarrow.parquet.ColumnChunkMetaData`.
            width: bytes of a value, for a column whose values all have that many by its type.

        Raises:
            ValueError: if a header is none, or says what cannot be or is larger than is read; the message has the
                column as its subject.
        """
        start, size, total = chunk.data_page_offset, chunk.total_compressed_size, chunk.num_values
        if chunk.file_path:
            raise ValueError("is in another file")
        if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < start:
            start = chunk.dictionary_page_offset
        if min(start, size, total) < 0 or start + size > self.length:
            raise ValueError("does not lie within the file")
        width = width or _WIDTHS.get(chunk.physical_type, 0)
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
                    fields, at = _struct(self._data, start - self._first)
                    return _described(fields, self._first + at)
            except IndexError:
                continue
        raise ValueError("has a page whose header does not end")


def _described(fields: dict[int, Any], start: int) -> Page:
    """A page that starts there, by the fields of its header."""
    try:
        kind, size, stored = fields[1], fields[2], fields[3]
        if not 0 <= size <= LARGEST_PAGE:
            if not 0 <= size <= _LARGEST:
                raise ValueError(_DAMAGED)
            raise ValueError(
                f"has a page of {size:,} bytes, and up to {LARGEST_PAGE >> 20} MiB are read: write it with smaller"
                " pages"
            )
        if kind not in _DETAILS:  # passed over by readers, as the format asks for
            page = Page(start, stored, size, False, 0, 0, None, 0)
        elif kind == _DATA_2:
            details = fields[8]
            page = Page(start, stored, size, False, details[1], details[4], details[6], 3)
        else:
            details = fields[_DETAILS[kind]]
            levels = details[4] if kind == _DATA else 0
            page = Page(start, stored, size, kind == _DICTIONARY, details[1], details[2], None, levels)
        if not (
            0 <= stored <= _LARGEST and 0 <= page.values <= _LARGEST and 0 <= (page.level_bytes or 0) <= size
        ):
            raise ValueError(_DAMAGED)
    except (KeyError, TypeError) as error:  # a field is missing, or a number and not a struct or the reverse
        raise ValueError(_DAMAGED) from error
    return page


def _struct(data: bytes, at: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    """The whole numbers and structs of a struct by field, and where it ends; texts and fractions are passed over.

    https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md

    Raises:
        IndexError: if the data end before.
        ValueError: if it is none, or has what the headers of pages do not have: lists, or more levels.
    """
    fields, field = dict[int, Any](), 0
    while head := data[at]:
        at += 1
        if head >> 4:
            field += head >> 4
        else:
            field, at = _integer(data, at)
        kind = head & 15
        if 4 <= kind <= 6:
            fields[field], at = _integer(data, at)
        elif kind == 12 and depth < _DEEPEST:
            fields[field], at = _struct(data, at, depth + 1)
        elif kind == 8:
            length, at = _varint(data, at)
            at += length
        elif kind in (3, 7):
            at += 1 if kind == 3 else 8
        elif kind not in (1, 2):  # booleans, which are in the field's head
            raise ValueError(_DAMAGED)
    return fields, at + 1


def _integer(data: bytes, at: int) -> tuple[int, int]:
    zigzag = data[at]
    at += 1
    if zigzag >= 128:
        zigzag, at = _varint(data, at - 1)
    return (zigzag >> 1) ^ -(zigzag & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError(_DAMAGED)
