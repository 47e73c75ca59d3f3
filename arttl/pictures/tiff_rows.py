"""The rows of a plain TIFF of any size: grey or RGB of 8 bits, RGB of 16; uncompressed, LZW, deflate.

It decodes what most programs write, and leaves everything else to libtiff, damage too, so that no file is refused on
its word. TIFF 6.0, sections 13 to 15.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from arttl.compiled import kernels
from arttl.picture_headers.file_bytes import part
from arttl.pictures import tiff
from arttl.pictures.inflate import inflated
from arttl.pictures.reducing import address
from arttl.pictures.tiff_pieces import Pieces

_NONE, _LZW, _DEFLATE = 1, 5, (8, 32946)
_AT_ONCE = 1 << 20  # bytes that stay in the second cache
_MOST_BYTES_OF_LZW = 1 << 32  # its strings begin within 32 bits
_COMPRESSED_AT_ONCE = 1 << 16


class NotPlain(Exception):
    """Strips or tiles that libtiff has to decide on."""


def is_plain(directory: tiff.Directory) -> bool:
    """Whether the rows are read here, as far as the directory says."""
    compression, predictor = directory.value(tiff.COMPRESSION, 1), directory.value(tiff.PREDICTOR, 1)
    samples = {1: 1, 2: 3}.get(directory.value(tiff.PHOTOMETRIC, 0), 0)
    bits = directory.bits
    if (
        bits not in ((8,), (8, 8, 8), (16, 16, 16))
        or len(bits) != samples
        or directory.value(tiff.SAMPLES, 1) != samples
        or directory.value(tiff.PLANAR, 1) != 1
        or directory.value(tiff.FILL_ORDER, 1) != 1
        or directory.values(tiff.EXTRA_SAMPLES)
    ):
        return False
    is_compressed = compression == _LZW or compression in _DEFLATE
    if compression != _NONE and not is_compressed:
        return False
    if not is_compressed or predictor == 1:
        return True
    return predictor == 2 and (bits[0] == 8 or directory.order == sys.byteorder)


def rows_of(pieces: Pieces) -> Iterator[npt.NDArray[np.uint8]]:
    """The rows from the top on, some at a time.

    Returns:
        [h, W, C], of 16 bits the upper eight; valid until the next are asked for.

    Raises:
        NotPlain: where a strip or tile is not read here.
    """
    size = pieces.directory.bits[0] // 8
    shape = (pieces.directory.width, len(pieces.directory.bits), size)
    upper = 0 if size == 1 or pieces.directory.order == "big" else 1
    try:
        for rows in _tiles(pieces, shape) if pieces.tiled else _strips(pieces, shape):
            yield rows[..., upper]
    except ValueError as error:
        raise NotPlain from error
    except Exception as error:  # of the libraries behind `inflated`
        if type(error).__module__ in ("zlib", "isal.isal_zlib"):
            raise NotPlain from error
        raise


_Shape = tuple[int, int, int]  # pixels across, samples of one, bytes of a sample


def _strips(pieces: Pieces, shape: _Shape) -> Iterator[npt.NDArray[np.uint8]]:
    row_bytes, left = int(np.prod(shape)), pieces.directory.height
    rows_at_once = max(1, _AT_ONCE // row_bytes)
    if pieces.directory.value(tiff.COMPRESSION, 1) != _NONE:
        for number in range(len(pieces.offsets)):
            rows = min(pieces.height, left)
            left -= rows
            yield from _decompressed(pieces, number, rows, rows_at_once, shape)
        return
    scratch = np.empty(rows_at_once * row_bytes, np.uint8)
    for start, length in _runs(pieces):
        rows = min(length // row_bytes, left)
        left -= rows
        for first in range(0, rows, rows_at_once):
            count = min(rows_at_once, rows - first)
            data = part(pieces.directory.data, start + first * row_bytes, count * row_bytes, scratch)
            yield data.reshape(count, *shape)
    if left:
        raise NotPlain


def _runs(pieces: Pieces) -> Iterator[tuple[int, int]]:
    """Offset and length of what lies without a gap in the file, of strips that have the bytes of their rows."""
    rows = np.full(len(pieces.offsets), pieces.height)
    rows[-1] = pieces.directory.height - pieces.height * (len(rows) - 1)
    row_bytes = pieces.width * len(pieces.directory.bits) * (pieces.directory.bits[0] // 8)
    lengths = rows * row_bytes
    if (pieces.sizes != lengths).any():
        raise NotPlain
    offsets = pieces.offsets.astype(np.int64)
    starts = np.flatnonzero(np.concatenate([[True], offsets[1:] != offsets[:-1] + lengths[:-1]]))
    for first, last in zip(starts, [*starts[1:], len(offsets)], strict=True):
        yield int(offsets[first]), int(lengths[first:last].sum())


def _decompressed(
    pieces: Pieces, number: int, rows: int, rows_at_once: int, shape: _Shape
) -> Iterator[npt.NDArray[np.uint8]]:
    """The rows of a strip, with differences summed up."""
    row_bytes = int(np.prod(shape))
    directory = pieces.directory
    if directory.value(tiff.COMPRESSION, 1) == _LZW:
        pixels = np.empty(rows * row_bytes, np.uint8)
        _unpack_lzw(pieces, number, pixels)
        yield _summed_up(directory, pixels.reshape(rows, *shape))
        return
    pixels = np.empty(rows_at_once * row_bytes, np.uint8)
    filled = 0
    for data in inflated(_compressed(pieces, number), rows * row_bytes):
        taken = 0
        while taken < len(data):
            count = min(len(data) - taken, len(pixels) - filled, rows * row_bytes - filled)
            pixels[filled : filled + count] = np.frombuffer(data, np.uint8, count, taken)
            filled, taken = filled + count, taken + count
            if filled == min(len(pixels), rows * row_bytes):
                yield _summed_up(directory, pixels[:filled].reshape(-1, *shape))
                rows -= filled // row_bytes
                filled = 0
    if rows:
        raise NotPlain


def _tiles(pieces: Pieces, shape: _Shape) -> Iterator[npt.NDArray[np.uint8]]:
    """Rows of tiles: the pixels of each tile behind one another, and then side by side."""
    directory, (width, *sample) = pieces.directory, shape
    tile_bytes = pieces.height * pieces.width * int(np.prod(sample))
    if tile_bytes * pieces.across > 4 * _AT_ONCE + 4 * pieces.height * width * int(np.prod(sample)):
        raise NotPlain  # tiles that are much larger than the picture
    compression = directory.value(tiff.COMPRESSION, 1)
    tiles = np.empty((pieces.across, tile_bytes), np.uint8)
    side_by_side = np.empty((pieces.height, pieces.across, pieces.width, *sample), np.uint8)
    for row in range(pieces.down):
        for column, tile in enumerate(tiles):
            number = row * pieces.across + column
            if compression == _LZW:
                _unpack_lzw(pieces, number, tile)
            elif compression == _NONE:
                if int(pieces.sizes[number]) != tile_bytes:
                    raise NotPlain
                data = part(directory.data, int(pieces.offsets[number]), tile_bytes, tile)
                if data is not tile:
                    tile[:] = data
            else:
                inflated_tile = b"".join(inflated(_compressed(pieces, number), tile_bytes))
                if len(inflated_tile) != tile_bytes:
                    raise NotPlain
                tile[:] = np.frombuffer(inflated_tile, np.uint8)
        pixels = tiles.reshape(pieces.across, pieces.height, pieces.width, *sample)
        _summed_up(directory, pixels)
        side_by_side[:] = pixels.swapaxes(0, 1)
        rows = min(pieces.height, directory.height - row * pieces.height)
        yield side_by_side.reshape(pieces.height, -1, *sample)[:rows, :width]


def _compressed(pieces: Pieces, number: int) -> Iterator[bytes]:
    start, end = int(pieces.offsets[number]), int(pieces.offsets[number] + pieces.sizes[number])
    for first in range(start, end, _COMPRESSED_AT_ONCE):
        yield pieces.directory.data[first : min(end, first + _COMPRESSED_AT_ONCE)]


def _unpack_lzw(pieces: Pieces, number: int, out: npt.NDArray[np.uint8]) -> None:
    start, size = int(pieces.offsets[number]), int(pieces.sizes[number])
    if len(out) >= _MOST_BYTES_OF_LZW:
        raise NotPlain
    data = np.frombuffer(pieces.directory.data[start : start + size], np.uint8)
    # The lowest bit first, as in the first drafts of the format.
    is_old = len(data) > 1 and data[0] == 0 and data[1] & 1
    if is_old or not kernels().decode_lzw_cpu(address(data), len(data), address(out), len(out)):
        raise NotPlain


def _summed_up(directory: tiff.Directory, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pixels [..., W, C, bytes] with differences to the pixel before replaced by sums, in place."""
    if directory.value(tiff.COMPRESSION, 1) != _NONE and directory.value(tiff.PREDICTOR, 1) == 2:
        *rows, width, samples, size = pixels.shape
        kernels().sum_differences_cpu(address(pixels), int(np.prod(rows)), width * samples, samples, size)
    return pixels
