"""TIFF files written by hand: any directories, tags, byte order and bits per sample (TIFF 6.0, BigTIFF)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

Values = int | Sequence[int] | bytes


@dataclass
class Page:
    """A directory: its tags but for the sizes of its pieces (strips or tiles) and, if not given, their offsets."""

    tags: dict[int, Values]
    pieces: list[bytes]
    sub: list[Page] = field(default_factory=list)


def tiff_bytes(*pages: Page, order: str = "<", big: bool = False) -> bytes:
    """A file of these pages."""
    size = "Q" if big else "I"
    file = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42))
    file += struct.pack(order + "HHQ", 8, 0, 0) if big else bytes(4)
    link = 8 if big else 4
    for page in pages:
        start, link_after = _add(file, page, order, size)
        struct.pack_into(order + size, file, link, start)
        link = link_after
    return bytes(file)


def _add(file: bytearray, page: Page, order: str, size: str) -> tuple[int, int]:
    """Append a directory; its offset, and where the offset of the next belongs."""
    tags = dict(page.tags)
    offsets = []
    for piece in page.pieces:
        offsets.append(len(file))
        file += piece + bytes(len(piece) % 2)
    tiled = 322 in tags
    tags.setdefault(324 if tiled else 273, offsets)
    tags[325 if tiled else 279] = [len(piece) for piece in page.pieces]
    if page.sub:
        tags[330] = [_add(file, sub, order, size)[0] for sub in page.sub]
    width = struct.calcsize("<" + size)
    entries = b""
    for tag, values in sorted(tags.items()):
        if isinstance(values, bytes):
            kind, count, packed = 7, len(values), values
        else:
            values = [values] if isinstance(values, int) else list(values)
            wide = tag in (273, 279, 324, 325, 330, 256, 257)
            kind, code = ((16 if size == "Q" else 4), size) if wide else (3, "H")
            count, packed = len(values), struct.pack(f"{order}{len(values)}{code}", *values)
        if len(packed) > width:
            file += bytes(len(file) % 2)
            packed, offset = struct.pack(order + size, len(file)), packed
            file += offset
        entries += struct.pack(order + "HH" + size, tag, kind, count) + packed.ljust(width, b"\0")
    file += bytes(len(file) % 2)
    start = len(file)
    file += struct.pack(order + ("Q" if size == "Q" else "H"), len(tags)) + entries
    file += bytes(width)
    return start, len(file) - width


def packed_rows(levels: np.ndarray, bits: int, order: str = "<") -> np.ndarray:
    """[h, n] to [h, bytes]: 16 bits in the file's byte order, others the highest bit first, rows from whole bytes."""
    if bits == 16:
        return np.ascontiguousarray(levels.astype(order + "u2")).view(np.uint8)
    places = np.arange(bits - 1, -1, -1)
    single = (levels.astype(np.int64)[..., None] >> places) & 1
    return np.packbits(single.reshape(len(levels), -1).astype(np.uint8), axis=-1)


def page_of(
    levels: np.ndarray,
    bits: int,
    *,
    order: str = "<",
    rows: int = 0,
    tile: tuple[int, int] = (0, 0),
    planes: bool = False,
    compress: Callable[[bytes], bytes] | None = None,
    predictor: bool = False,
    **tags: Values,
) -> Page:
    """Levels [H, W, S] as a directory.

    Args:
        levels: of the samples.
        bits: per sample.
        order: of the bytes.
        rows: per strip; 0: all.
        tile: width and height of tiles instead of strips.
        planes: each sample in a plane of its own.
        compress: of a piece; deflate then.
        predictor: whether samples are differences to those before them.
        **tags: others, as `t262=2`.
    """
    height, width, samples = levels.shape
    pieces = []
    for plane in np.split(levels, samples, axis=2) if planes else [levels]:
        if tile[0]:
            for top in range(0, height, tile[1]):
                for left in range(0, width, tile[0]):
                    block = np.zeros((tile[1], tile[0], plane.shape[2]), levels.dtype)
                    part = plane[top : top + tile[1], left : left + tile[0]]
                    block[: part.shape[0], : part.shape[1]] = part
                    pieces.append(block)
        else:
            pieces += [plane[top : top + (rows or height)] for top in range(0, height, rows or height)]
    if predictor:
        pieces = [np.diff(piece, axis=1, prepend=0) % (1 << bits) for piece in pieces]
    data = [packed_rows(piece.reshape(len(piece), -1), bits, order).tobytes() for piece in pieces]
    return Page(
        {
            256: width,
            257: height,
            258: [bits] * samples,
            259: 8 if compress else 1,
            262: 2 if samples in (3, 4) else 1,
            277: samples,
            284: 2 if planes else 1,
            **({322: tile[0], 323: tile[1]} if tile[0] else {278: rows or height}),
            **({317: 2} if predictor else {}),
            **{int(name[1:]): value for name, value in tags.items()},
        },
        [compress(piece) for piece in data] if compress else data,
    )


def picture_page(pixels: np.ndarray, **tags: Values) -> Page:
    """8-bit pixels [H, W] or [H, W, C] as a directory."""
    return page_of(pixels.reshape(*pixels.shape[:2], -1), 8, **tags)


deflate = zlib.compress
