"""Parquet files with pages that are written by hand."""

from __future__ import annotations

import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def varint(number: int) -> bytes:
    """A whole number that is not negative, as Thrift's compact protocol writes its length."""
    parts = bytearray()
    while number >= 128:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes(parts + bytes([number]))


def integers(*numbers: int) -> bytes:
    """The fields 1, 2, ... of a struct, which are 32-bit whole numbers."""
    return b"".join(b"\x15" + varint(number << 1 ^ number >> 31) for number in numbers)


def data_page(size: int, stored: int, values: int, encoding: int = 0) -> bytes:
    """The header of a data page of version 1, by parquet.thrift; levels are RLE."""
    return integers(0, size, stored) + b"\x2c" + integers(values, encoding, 3, 3) + b"\0\0"


def dictionary_page(size: int, stored: int, values: int) -> bytes:
    """The header of a dictionary's page."""
    return integers(2, size, stored) + b"\x4c" + integers(values, 0) + b"\0\0"


def text_page(texts: list[bytes]) -> bytes:
    """Texts as a page has them that is not encoded."""
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def with_pages(path: Path, rows: int, pages: bytes, codec: str = "none") -> Path:
    """A file with the columns "row" and "title", texts, whose bytes are these; the footer knows nothing of them.

    Args:
        path: to be written.
        rows: of the file.
        pages: with their headers, "title" from its beginning.
        codec: that compresses them.
    """
    schema = pa.schema([pa.field("row", pa.int64()), pa.field("title", pa.string(), nullable=False)])
    texts = [".", *[""] * (rows - 1)]
    texts[0] *= len(pages)
    table = pa.table([pa.array(range(rows), pa.int64()), pa.array(texts)], schema)
    pq.write_table(table, path, compression="none", use_dictionary=False, write_statistics=False)
    column = pq.read_metadata(path).row_group(0).column(1)
    data = bytearray(path.read_bytes())
    start, size = column.data_page_offset, column.total_compressed_size
    data[start : start + size] = pages.ljust(size, b"\0")
    codec_at = data.index(b"\x15\x00\x16", data.rindex(b"\x18\x05title"))  # after the name in the footer
    data[codec_at + 1] = {"none": 0, "snappy": 1, "gzip": 2, "brotli": 4, "zstd": 6}[codec] << 1
    path.write_bytes(data)
    assert pq.read_metadata(path).row_group(0).column(1).compression == codec.upper().replace(
        "NONE", "UNCOMPRESSED"
    )
    return path
