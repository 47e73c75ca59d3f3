"""A PNG of any size at a reduced one: the means of pixels while its rows are decompressed.

Rows of grey and RGB are taken as they are; those of any other kind become a PNG of their own each time, for Pillow.
W3C, PNG specification, third edition, clauses 7 and 9.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from arttl.compiled import kernels
from arttl.picture_headers.file_bytes import Bytes
from arttl.picture_headers.png import SIGNATURE, Chunk, PngHeader
from arttl.pictures.decoded import Decoded
from arttl.pictures.inflate import inflated
from arttl.pictures.reducing import PictureReducer, Reducer, address, picture_of

Read = Callable[[bytes, PngHeader], Decoded]
"""Reads a whole PNG whose size has been checked."""

_AT_ONCE, _COMPRESSED_AT_ONCE = 1 << 20, 1 << 16  # bytes of rows, and of what they are compressed to
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_GREY, _RGB = 0, 2
_FOR_PIXELS = (b"PLTE", b"tRNS")
_ANIMATED, _PIXELS = b"acTL", b"IDAT"


def reduced(data: Bytes, header: PngHeader, factors: tuple[int, int], read: Read) -> Decoded | None:
    """The means of boxes of pixels, as `Image.reduce` takes them of the whole picture; None where that is needed.

    Args:
        data: the file.
        header: of it, with a size that has been checked.
        factors: how many pixels across and down become one.
        read: reads a part.

    Raises:
        ValueError: if the file is damaged.
    """
    if header.interlaced or header.colour_type not in _CHANNELS or header.bits not in (1, 2, 4, 8, 16):
        return None
    if any(chunk.kind == _ANIMATED for chunk in header.chunks):
        return None
    parts = [(kind, data[start:end]) for kind, start, end in header.chunks if kind != _PIXELS]
    channels = _CHANNELS[header.colour_type]
    plain = not header.transparent and (
        (header.colour_type == _GREY and header.bits == 8)
        or (header.colour_type == _RGB and header.bits in (8, 16))
    )
    size = header.bits // 8
    reducer, pictures = Reducer(factors), PictureReducer(factors)
    whole_file: Decoded | None = None
    for rows in rows_of(data, header):
        if whole_file is None:  # what the file says beside its pixels
            whole_file = read(_png(header, parts, rows[:1]), replace(header, height=1))
        if plain:  # of 16 bits the upper eight, as Pillow
            reducer.add(rows.reshape(len(rows), header.width, channels, size)[..., 0])
        else:
            few = [part for part in parts if part[0] in _FOR_PIXELS]
            pictures.add(read(_png(header, few, rows), replace(header, height=len(rows))).picture)
    assert whole_file is not None
    mode = "L" if channels == 1 else "RGB"
    picture = picture_of(reducer.means(), mode) if plain else pictures.picture()
    return replace(whole_file, picture=picture, width=header.width, height=header.height, scale=factors)


def rows_of(data: Bytes, header: PngHeader) -> Iterator[npt.NDArray[np.uint8]]:
    """The rows of a picture that is not interlaced from the top on, some at a time, without their filters.

    Returns:
        [h, bytes]; valid until the next are asked for.

    Raises:
        ValueError: if there are too few, or their filters are none.
    """
    channels = _CHANNELS[header.colour_type]
    row_bytes = (header.width * channels * header.bits + 7) // 8
    pixel = max(1, channels * header.bits // 8)
    rows_at_once = max(1, _AT_ONCE // (row_bytes + 1))
    buffer = np.empty(rows_at_once * (row_bytes + 1), np.uint8)
    above, left, filled = np.zeros(row_bytes, np.uint8), header.height, 0
    for piece in inflated(_compressed(data, header), header.height * (row_bytes + 1)):
        taken = 0
        while taken < len(piece):
            most = min(len(buffer), left * (row_bytes + 1))
            count = min(len(piece) - taken, most - filled)
            buffer[filled : filled + count] = np.frombuffer(piece, np.uint8, count, taken)
            filled, taken = filled + count, taken + count
            if filled == most:
                rows = buffer[:filled].reshape(-1, row_bytes + 1)
                if not kernels().unfilter_png_cpu(address(rows), len(rows), row_bytes, pixel, address(above)):
                    raise ValueError("a row of the PNG has a filter that there is not")
                yield rows[:, 1:]
                above = rows[-1, 1:].copy()
                left, filled = left - len(rows), 0
    if left:
        raise ValueError("the PNG has fewer rows than its header says")


def _compressed(data: Bytes, header: PngHeader) -> Iterator[bytes]:
    """What the chunks of the pixels hold: of many small ones at once, and of large ones in parts."""
    group: list[Chunk] = []
    for chunk in header.chunks:
        if chunk.kind != _PIXELS:
            continue
        if group and chunk.end - group[0].start > _COMPRESSED_AT_ONCE:
            yield _joined(data, group)
            group = []
        if chunk.end - chunk.start < _COMPRESSED_AT_ONCE:
            group.append(chunk)
            continue
        for start in range(chunk.start, chunk.end, _COMPRESSED_AT_ONCE):
            yield data[start : min(chunk.end, start + _COMPRESSED_AT_ONCE)]
    if group:
        yield _joined(data, group)


def _joined(data: Bytes, group: list[Chunk]) -> bytes:
    first = group[0].start
    view = memoryview(data[first : group[-1].end])
    return b"".join(view[chunk.start - first : chunk.end - first] for chunk in group)


def _png(header: PngHeader, parts: list[tuple[bytes, bytes]], rows: npt.NDArray[np.uint8]) -> bytes:
    """A PNG of these rows [h, bytes] and of the file's other chunks, with nothing compressed."""
    ihdr = struct.pack(">IIBBBBB", header.width, len(rows), header.bits, header.colour_type, 0, 0, 0)
    plain_rows = np.zeros((len(rows), rows.shape[1] + 1), np.uint8)
    plain_rows[:, 1:] = rows
    pixels = (_PIXELS, zlib.compress(plain_rows.tobytes(), 0))
    before = [part for part in parts if part[0] not in (b"IHDR", b"IEND")]
    chunks = [(b"IHDR", ihdr), *before, pixels, (b"IEND", b"")]
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
