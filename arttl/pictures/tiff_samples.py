"""Samples of a TIFF that Pillow misreads or refuses: unusual bits, alpha of CMYK or in planes, reverse order.

Pillow (through libtiff) decompresses them: it gets a directory of our own, by which each row is bytes in grey. What
the bytes mean is TIFF 6.0: samples are packed without gaps, the highest bit first; those of 16 bits in the file's
byte order; horizontal differences (Predictor) are per sample, within a strip's row or a tile's.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from arttl.picture_headers.bad_pictures import UnsupportedPixels
from arttl.picture_headers.file_bytes import whole
from arttl.pictures import tiff

_REMEDY = "export it as 8-bit TIFF or JPEG"
_WITH_PREDICTOR = (5, 8, 32946, 34925, 50000)  # LZW, deflate (two numbers), LZMA, Zstandard
_LOSSLESS = (1, 32773, *_WITH_PREDICTOR)  # none, PackBits
_MOST_SAMPLES, _MOST_SAMPLES_OF_PILLOW = 8, 6
_SAMPLES_AT_ONCE = 1 << 22
_COLOURS = {0: ("L", 1), 1: ("L", 1), 2: ("RGB", 3), 5: ("CMYK", 4)}  # by PhotometricInterpretation
_ASSOCIATED, _UNASSOCIATED = 1, 2  # ExtraSamples: premultiplied, and not


class _Layout(NamedTuple):
    """How the samples of a plane lie: per row `across` tiles of `tile` pixels (one, for strips)."""

    across: int
    tile: int
    samples: int
    bits: int

    @property
    def tile_bytes(self) -> int:
        """Of one tile's row."""
        return -(-self.tile * self.samples * self.bits // 8)


def is_for_samples(directory: tiff.Directory) -> bool:
    """Whether the pixels are read here, and not by Pillow: what it does not read, or not rightly, or not in planes.

    Of 16 bits it keeps the upper eight, which is within a level and several times as fast.
    """
    photometric, bits = directory.value(tiff.PHOTOMETRIC, 0), directory.bits
    most = max(bits, default=0)
    if (
        (directory.is_big and directory.order == "big")
        or 8 < most < 16
        or len(bits) > _MOST_SAMPLES_OF_PILLOW
    ):
        return True
    is_lossless = directory.value(tiff.COMPRESSION, 1) in _LOSSLESS
    if most < 8 or (most == 8 and not is_lossless) or photometric not in _COLOURS:
        return most == 16
    in_planes, reverse = directory.value(tiff.PLANAR, 1) == 2, directory.value(tiff.FILL_ORDER, 1) == 2
    if most == 16 and (not is_lossless or photometric == 0 or _white(directory, 16) != 65535):
        return True
    return in_planes or reverse or (photometric == 5 and len(bits) > 4)


def read_samples(directory: tiff.Directory) -> tuple[Image.Image, bool]:
    """The pixels of a directory whose size has been checked.

    Returns:
        Mode L, LA, RGB, RGBA or CMYK, 8 bits per sample, not yet upright, and whether transparent parts of CMYK were
        put on white paper, which is no ink.

    Raises:
        UnsupportedPixels: for samples that are not read.
        Exception: anything, if the file is damaged.
    """
    photometric, bits = directory.value(tiff.PHOTOMETRIC, 0), directory.bits
    if (
        photometric not in _COLOURS
        or len(set(bits)) != 1
        or not 1 <= bits[0] <= 16
        or len(bits) > _MOST_SAMPLES
        or directory.value(tiff.COMPRESSION, 1) not in _LOSSLESS
        or _predictor(directory) not in ((1, 2) if bits[0] in (8, 16) else (1,))
    ):
        directory.check_whole()
        raise UnsupportedPixels(f"{tiff.description(directory)}; {_REMEDY}")
    mode, colours = _COLOURS[photometric]
    if len(bits) < colours:
        raise ValueError(f"{mode} of {len(bits)} samples")
    extra = directory.values(tiff.EXTRA_SAMPLES)
    # Four samples of RGB without a word on the fourth: as Pillow takes it.
    alpha = extra[0] if extra else _UNASSOCIATED * (mode == "RGB" and len(bits) == 4)
    has_alpha = alpha in (_ASSOCIATED, _UNASSOCIATED) and len(bits) > colours
    table = _eight_bits(directory, bits[0])
    shape = (directory.height, directory.width, colours + has_alpha)
    pixels = np.empty(shape, np.uint8)
    if directory.value(tiff.PLANAR, 1) == 2:
        for plane in range(shape[2]):
            _fill(pixels[:, :, plane : plane + 1], directory, 1, plane, table)
    else:
        _fill(pixels, directory, len(bits), None, table)
    if photometric == 0:
        pixels[:, :, 0] = 255 - pixels[:, :, 0]
    if has_alpha and mode == "CMYK":
        inks, cover = pixels[:, :, :4], pixels[:, :, 4:]
        if alpha == _UNASSOCIATED:
            inks = ((inks.astype(np.uint16) * cover + 127) // 255).astype(np.uint8)
        return _picture(inks, mode, 0), bool(cover.min(initial=255) < 255)
    return _picture(pixels, mode, alpha if has_alpha else 0), False


def _predictor(directory: tiff.Directory) -> int:
    """2 for differences, 1 for none; as libtiff, which ignores the tag where the compression has no such thing."""
    has_predictor = directory.value(tiff.COMPRESSION, 1) in _WITH_PREDICTOR
    return directory.value(tiff.PREDICTOR, 1) if has_predictor else 1


def _picture(pixels: npt.NDArray[np.uint8], mode: str, alpha: int) -> Image.Image:
    """[H, W, C] to a picture with straight alpha."""
    size = pixels.shape[1::-1]
    if not alpha:
        return Image.frombytes(mode, size, pixels.tobytes())
    if alpha == _UNASSOCIATED:
        return Image.frombytes(f"{mode}A", size, pixels.tobytes())
    return Image.frombytes(f"{mode}a", size, pixels.tobytes()).convert(f"{mode}A")


def _eight_bits(directory: tiff.Directory, bits: int) -> npt.NDArray[np.uint8]:
    """A table from each level to 8 bits."""
    white = _white(directory, bits)
    levels = np.arange(1 << bits, dtype=np.uint32)
    return np.minimum((levels * 255 + white // 2) // white, 255).astype(np.uint8)


def _white(directory: tiff.Directory, bits: int) -> int:
    """The level of white.

    MaxSampleValue is taken for that of samples that lie in words of 16 bits only where it is the highest of 9 to 15
    bits: many writers put the highest value there that occurs.
    """
    values = set(directory.values(tiff.MAX_SAMPLE_VALUE))
    if bits == 16 and len(values) == 1 and values & {(1 << fewer) - 1 for fewer in range(9, 16)}:
        return values.pop()
    return (1 << bits) - 1


def _fill(
    pixels: npt.NDArray[np.uint8],
    directory: tiff.Directory,
    samples: int,
    plane: int | None,
    table: npt.NDArray[np.uint8],
) -> None:
    """Read `samples` per pixel of a plane (None: the only one), and keep as many as `pixels` [H, W, C] has."""
    height, width, kept = pixels.shape
    bits, tiled = directory.bits[0], tiff.TILE_OFFSETS in directory.entries
    tile = directory.value(tiff.TILE_WIDTH, 0) if tiled else width
    if not 0 < tile < 1 << 20 or (tiled and not 0 < directory.value(tiff.TILE_HEIGHT, 0) < 1 << 20):
        raise ValueError("the TIFF has tiles of no possible size")
    layout = _Layout(-(-width // tile), tile, samples, bits)
    if layout.across * layout.tile_bytes > 2 * (width + 4096) * _MOST_SAMPLES:
        raise ValueError("the TIFF's tiles are larger than its picture")
    opened = tiff.without_pixel_limit(TiffImageFile(io.BytesIO(_as_bytes(directory, layout, plane)), ""))
    opened.load()
    rows_at_once = max(1, _SAMPLES_AT_ONCE // (layout.across * layout.tile * samples))
    for top in range(0, height, rows_at_once):
        band = opened.crop((0, top, opened.width, min(top + rows_at_once, height)))
        levels = _levels(np.asarray(band), directory, layout)
        pixels[top : top + rows_at_once] = table[levels[:, :width, :kept]]


def _levels(
    rows: npt.NDArray[np.uint8], directory: tiff.Directory, layout: _Layout
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Rows of bytes [h, bytes] to levels [h, pixels, samples]."""
    packed = rows.reshape(len(rows), layout.across, layout.tile_bytes)
    count = layout.tile * layout.samples
    levels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    if layout.bits == 8:
        levels = packed
    elif layout.bits == 16:
        order = "<u2" if directory.order == "little" else ">u2"
        levels = np.ascontiguousarray(packed).view(order).astype(np.uint16)
    else:
        levels = _unpacked(packed, count, layout.bits)
    levels = levels.reshape(len(rows), layout.across, layout.tile, layout.samples)
    if _predictor(directory) == 2:
        differences, levels = levels, np.empty_like(levels)
        np.cumsum(differences, axis=2, dtype=levels.dtype, out=levels)
    return levels.reshape(len(rows), layout.across * layout.tile, layout.samples)


def _unpacked(packed: npt.NDArray[np.uint8], count: int, bits: int) -> npt.NDArray[np.uint16]:
    """Bytes [..., n] to `count` levels of up to 16 bits each, the highest bit first."""
    groups = -(-count // 8)  # of eight samples, which are `bits` bytes
    padded = np.zeros((*packed.shape[:-1], groups * bits + 2), np.uint8)
    padded[..., : packed.shape[-1]] = packed
    levels = np.empty((*packed.shape[:-1], groups * 8), np.uint16)
    for index in range(8):
        first, offset = divmod(index * bits, 8)
        # A sample lies within three bytes.
        high, middle, low = (
            padded[..., first + byte :: bits][..., :groups].astype(np.uint32) for byte in range(3)
        )
        word = high << 16 | middle << 8 | low
        levels[..., index::8] = (word >> (24 - bits - offset)) & ((1 << bits) - 1)
    return levels[..., :count]


def _as_bytes(directory: tiff.Directory, layout: _Layout, plane: int | None) -> bytes:
    """The file with a directory of our own at its end and as its first, which calls each row bytes in grey."""
    tiled = tiff.TILE_OFFSETS in directory.entries
    height = directory.height
    rows = directory.value(tiff.TILE_HEIGHT, 0) if tiled else directory.value(tiff.ROWS_PER_STRIP, height)
    pieces = layout.across * -(-height // max(1, min(rows, height)))
    first = pieces * (plane or 0)
    tags: dict[int, list[int]] = {
        tiff.WIDTH: [layout.across * layout.tile_bytes],
        tiff.HEIGHT: [height],
        tiff.BITS: [8],
        tiff.COMPRESSION: [directory.value(tiff.COMPRESSION, 1)],
        tiff.PHOTOMETRIC: [1],
        tiff.FILL_ORDER: [directory.value(tiff.FILL_ORDER, 1)],
        tiff.SAMPLES: [1],
        tiff.PLANAR: [1],
    }
    if tiled:
        tags |= {tiff.TILE_WIDTH: [layout.tile_bytes], tiff.TILE_HEIGHT: [rows]}
    else:
        tags[tiff.ROWS_PER_STRIP] = [min(rows, height)]
    for tag in (tiff.TILE_OFFSETS, tiff.TILE_BYTES) if tiled else (tiff.STRIP_OFFSETS, tiff.STRIP_BYTES):
        values = directory.array(tag)[first : first + pieces].tolist()
        if len(values) == pieces:
            tags[tag] = values
        elif tag in (tiff.TILE_OFFSETS, tiff.STRIP_OFFSETS):
            raise ValueError("the TIFF names fewer strips or tiles than its picture has")
    return _with_directory(directory, tags)


def _with_directory(directory: tiff.Directory, tags: dict[int, list[int]]) -> bytes:
    """The file with a directory at its end, which the header names as the first.

    Both are little-endian, since Pillow knows no other BigTIFF, and bytes have no order.
    """
    size, kind = (8, 16) if directory.is_big else (4, 4)
    data = whole(directory.data)
    start = -(-len(data) // 8) * 8
    count_size = 8 if directory.is_big else 2
    values_start = start + count_size + len(tags) * (4 + 2 * size) + size
    entries, behind = len(tags).to_bytes(count_size, "little"), b""
    for tag, values in sorted(tags.items()):
        packed = b"".join(value.to_bytes(size, "little") for value in values)
        if len(values) > 1:
            behind, packed = behind + packed, (values_start + len(behind)).to_bytes(size, "little")
        entries += b"".join(
            (
                tag.to_bytes(2, "little"),
                kind.to_bytes(2, "little"),
                len(values).to_bytes(size, "little"),
                packed,
            )
        )
    header = (b"II+\0\x08\0\0\0" if directory.is_big else b"II*\0") + start.to_bytes(size, "little")
    padding = bytes(start - len(data))
    return b"".join((header, memoryview(data)[len(header) :], padding, entries, bytes(size), behind))
