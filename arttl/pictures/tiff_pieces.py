"""Some of the strips or tiles of a TIFF as a TIFF of its own, so that a picture of any size is decoded part by part.

Each strip or tile is compressed by itself (TIFF 6.0), so that the part has the same pixels as the whole.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arttl.pictures import tiff

_SHORT, _LONG, _LONG8 = 3, 4, (16, 17, 18)
_NONE, _OLD_JPEG = 1, 6  # the tables of the latter lie anywhere in the file
_YCBCR = 6
_BYTES_OF_A_STRIP = 1 << 20
# What decoding depends on, beside the sizes and places: also the options of CCITT, the tables of palettes and of JPEG,
# and how YCbCr is coded.
_COPIED = (
    *(
        tiff.BITS,
        tiff.COMPRESSION,
        tiff.PHOTOMETRIC,
        tiff.FILL_ORDER,
        tiff.SAMPLES,
        280,
        tiff.MAX_SAMPLE_VALUE,
    ),
    *(tiff.PLANAR, 292, 293, tiff.PREDICTOR, 320, tiff.TILE_WIDTH, tiff.TILE_HEIGHT, tiff.INK_SET),
    *(tiff.EXTRA_SAMPLES, tiff.SAMPLE_FORMAT, 347, 529, 530, 531, 532),
)
_BYTES_COPIED, _MOST_PIECES = 1 << 20, 200_000


@dataclass(frozen=True, slots=True)
class Pieces:
    """The strips or tiles of a directory.

    Attributes:
        directory: itself.
        tiled: whether they are tiles.
        width, height: of one, in pixels; those at the ends may be smaller as strips, and have padding as tiles.
        across, down: how many there are.
        planes: 1, or one per sample.
        offsets, sizes: of each in the file, plane by plane and row by row.
    """

    directory: tiff.Directory
    tiled: bool
    width: int
    height: int
    across: int
    down: int
    planes: int
    offsets: npt.NDArray[np.uint64]
    sizes: npt.NDArray[np.uint64]

    def file_of(self, chosen: Sequence[int], size: tuple[int, int]) -> tiff.Directory:
        """A TIFF of these strips or tiles, numbered as in the first plane, side by side and then row by row.

        Args:
            chosen: their numbers.
            size: width and height of the picture that they make.
        """
        directory = self.directory
        per_plane = self.across * self.down
        numbers = [plane * per_plane + number for plane in range(self.planes) for number in chosen]
        contents = [
            directory.data[int(self.offsets[number]) : int(self.offsets[number] + self.sizes[number])]
            for number in numbers
        ]
        offsets = 8 + np.cumsum([0, *map(len, contents)])[:-1]
        tags = {tag: value for tag in _COPIED if (value := _value(directory, tag)) is not None}
        order = "<" if directory.order == "little" else ">"

        def longs(values: Sequence[int]) -> tuple[int, int, bytes]:
            return _LONG, len(values), struct.pack(f"{order}{len(values)}I", *values)

        tags |= {tiff.WIDTH: longs(size[:1]), tiff.HEIGHT: longs(size[1:])}
        tags[tiff.TILE_OFFSETS if self.tiled else tiff.STRIP_OFFSETS] = longs(offsets.tolist())
        tags[tiff.TILE_BYTES if self.tiled else tiff.STRIP_BYTES] = longs([len(data) for data in contents])
        if not self.tiled:
            tags[tiff.ROWS_PER_STRIP] = longs([self.height])
        (part,) = tiff.directories(_file(directory.order, tags, contents))
        return part


def pieces_of(directory: tiff.Directory) -> Pieces | None:
    """The strips or tiles of a directory; None where it cannot be decoded in parts."""
    if directory.value(tiff.COMPRESSION, 1) == _OLD_JPEG:
        return None
    if directory.is_big and directory.order == "big":  # which Pillow does not read, and would as a plain TIFF
        return None
    tiled = tiff.TILE_OFFSETS in directory.entries
    width, height = directory.width, directory.height
    if tiled:
        piece = directory.value(tiff.TILE_WIDTH, 0), directory.value(tiff.TILE_HEIGHT, 0)
    else:
        piece = width, min(directory.value(tiff.ROWS_PER_STRIP, height), height)
    if not all(0 < side < 1 << 20 for side in piece):
        return None
    across, down = -(-width // piece[0]), -(-height // piece[1])
    planes = len(directory.bits) if directory.value(tiff.PLANAR, 1) == 2 else 1
    tags = (tiff.TILE_OFFSETS, tiff.TILE_BYTES) if tiled else (tiff.STRIP_OFFSETS, tiff.STRIP_BYTES)
    offsets, sizes = (directory.array(tag) for tag in tags)
    if not tiled and down == 1 and directory.value(tiff.COMPRESSION, 1) == _NONE and len(offsets) == planes:
        return _split(Pieces(directory, False, *piece, 1, 1, planes, offsets, sizes))
    if not len(offsets) == len(sizes) == across * down * planes:
        return None
    if len(offsets) > _MOST_PIECES or sizes.sum() > 2 * len(directory.data):  # several may be the same bytes
        return None
    if (np.maximum(offsets, sizes) > len(directory.data)).any() or (
        offsets + sizes > len(directory.data)
    ).any():
        return None
    return Pieces(directory, tiled, *piece, across, down, planes, offsets, sizes)


def _split(pieces: Pieces) -> Pieces | None:
    """The same where the only strip of each plane has been cut into strips, as can be done if it is not compressed."""
    directory = pieces.directory
    if directory.value(tiff.PHOTOMETRIC, 0) == _YCBCR or not directory.bits:
        return None  # whose rows share their colours
    samples = 1 if pieces.planes > 1 else len(directory.bits)
    row_bytes = (pieces.width * samples * max(directory.bits) + 7) // 8
    rows = max(1, _BYTES_OF_A_STRIP // row_bytes)
    down = -(-pieces.height // rows)
    first = np.arange(down, dtype=np.uint64) * np.uint64(rows)
    counts = np.minimum(rows, pieces.height - first.astype(np.int64)).astype(np.uint64) * np.uint64(row_bytes)
    if (pieces.sizes < counts.sum()).any() or (pieces.offsets + counts.sum() > len(directory.data)).any():
        return None
    offsets = (pieces.offsets[:, None] + first * np.uint64(row_bytes)).ravel()
    sizes = np.tile(counts, pieces.planes)
    return Pieces(directory, False, pieces.width, rows, 1, down, pieces.planes, offsets, sizes)


def _value(directory: tiff.Directory, tag: int) -> tuple[int, int, bytes] | None:
    """Type, count and bytes of a tag, in types of TIFF 6.0."""
    kind, count, start = directory.entries.get(tag, (0, 0, 0))
    if kind in _LONG8:
        values = directory.values(tag)
        order = "<" if directory.order == "little" else ">"
        return _LONG, len(values), struct.pack(f"{order}{len(values)}I", *(value % 2**32 for value in values))
    size = count * tiff.bytes_of(kind)
    if not 0 < size <= _BYTES_COPIED or start + size > len(directory.data):
        return None
    return kind, count, directory.data[start : start + size]


def _file(order: str, tags: dict[int, tuple[int, int, bytes]], contents: Sequence[bytes]) -> bytes:
    """A TIFF of one directory, which lies behind the contents."""
    code = "<" if order == "little" else ">"
    end = 8 + sum(map(len, contents))
    start = end + end % 2
    behind_at = start + 2 + 12 * len(tags) + 4
    entries, behind = struct.pack(f"{code}H", len(tags)), b""
    for tag, (kind, count, value) in sorted(tags.items()):
        if len(value) > 4:
            behind += bytes(len(behind) % 2)
            value, place = struct.pack(f"{code}I", behind_at + len(behind)), value
            behind += place
        entries += struct.pack(f"{code}HHI", tag, kind, count) + value.ljust(4, b"\0")
    header = (b"II*\0" if order == "little" else b"MM\0*") + struct.pack(f"{code}I", start)
    return b"".join((header, *contents, bytes(end % 2), entries, bytes(4), behind))
