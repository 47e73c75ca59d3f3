"""The header of a PNG: its colours and its transparent colour (W3C, PNG specification, third edition).

Pillow gives the gamma and the profile but not which of them counts, takes a text chunk of the same name for either,
and compares the transparent colour of 2, 4 and 16 bits per sample with pixels of 8.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from arttl.picture_headers.bad_pictures import UnsupportedPixels
from arttl.picture_headers.file_bytes import Bytes
from arttl.picture_headers.profiles import Chromaticities, grey_profile, of_code_points, rgb_profile

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_READ_AT_ONCE = 1 << 20
_MOST_CHUNKS = 200_000  # a picture of the largest size in chunks of four kilobytes
_GREY_TYPES, _RGB = (0, 4), 2  # colour types


class Chunk(NamedTuple):
    """The kind of a chunk, and where its content starts and ends."""

    kind: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class PngHeader:
    """The chunks before the pixels, and where all are.

    Attributes:
        width, height: in pixels.
        colour_type: the specification's number of the colours.
        interlaced: whether the pixels come in seven passes.
        bits: per sample.
        is_grey, is_rgb: with or without alpha; RGB without alpha.
        transparent: the transparent colour, one sample or three as the file has them.
        uses_embedded: whether an embedded profile, which is Pillow's to read, comes before the other chunks.
        profile: the colour profile that follows from the gamma, chromaticities or code points, where these count
            and the picture is not sRGB.
        chunks: all of them.
    """

    width: int
    height: int
    colour_type: int
    interlaced: bool
    bits: int
    is_grey: bool
    is_rgb: bool
    transparent: tuple[int, ...]
    uses_embedded: bool
    profile: bytes | None
    chunks: tuple[Chunk, ...]


def read_png_header(data: Bytes) -> PngHeader:
    """Check the whole file's chunks, and read those before the pixels.

    Raises:
        ValueError: where a chunk is cut off or damaged, or there is none of the header or of the end.
        UnsupportedPixels: for pixels of high dynamic range.
    """
    chunks: dict[bytes, bytes] = {}
    places = []
    before_pixels = True
    for chunk, body in _chunks(data):
        places.append(chunk)
        before_pixels = before_pixels and chunk.kind != b"IDAT"
        if before_pixels:
            # A chunk that may occur once and occurs again is ignored, as by libpng.
            chunks.setdefault(chunk.kind, bytes(body[:64]))
    header = chunks.get(b"IHDR", b"")
    if len(header) < 13:
        raise ValueError("the PNG has no header")
    bits, colour_type = header[8], header[9]
    is_grey = colour_type in _GREY_TYPES
    return PngHeader(
        width=int.from_bytes(header[:4], "big"),
        height=int.from_bytes(header[4:8], "big"),
        colour_type=colour_type,
        interlaced=header[12] != 0,
        bits=bits,
        is_grey=is_grey,
        is_rgb=colour_type == _RGB,
        transparent=_transparent(chunks, colour_type),
        uses_embedded=b"cICP" not in chunks,
        profile=_profile(chunks, is_grey),
        chunks=tuple(places),
    )


def _chunks(data: Bytes) -> Iterator[tuple[Chunk, memoryview]]:
    """Each chunk up to the end's, with its content and its checksum compared."""
    if data[: len(SIGNATURE)] != SIGNATURE:
        raise ValueError("no PNG")
    position, size = len(SIGNATURE), len(data)
    first, view = 0, memoryview(data if isinstance(data, bytes) else b"")
    for _ in range(_MOST_CHUNKS):
        if position + 8 > first + len(view):
            first, view = position, memoryview(data[position : position + _READ_AT_ONCE])
        at = position - first
        end = position + 8 + int.from_bytes(view[at : at + 4], "big")
        if end + 4 > size:
            raise ValueError("a chunk of the PNG is cut off or damaged")
        if end + 4 > first + len(view):
            first, view = position, memoryview(data[position : max(end + 4, position + _READ_AT_ONCE)])
            at = 0
        checked, checksum = view[at + 4 : end - first], view[end - first : end - first + 4]
        # Also of the pixels, whose checksums decoders do not compare.
        if zlib.crc32(checked) != int.from_bytes(checksum, "big"):
            raise ValueError("a chunk of the PNG is cut off or damaged")
        kind = bytes(checked[:4])
        yield Chunk(kind, position + 8, end), checked[4:]
        if kind == b"IEND":
            return
        position = end + 4
    raise ValueError(f"the PNG has more than {_MOST_CHUNKS:,} chunks")


def _transparent(chunks: dict[bytes, bytes], colour_type: int) -> tuple[int, ...]:
    samples = {0: 1, _RGB: 3}.get(colour_type, 0)
    body = chunks.get(b"tRNS", b"")
    if not samples or len(body) < 2 * samples:
        return ()
    return struct.unpack_from(f">{samples}H", body)


def _profile(chunks: dict[bytes, bytes], is_grey: bool) -> bytes | None:
    """The colours that the chunks give, by the precedence of the specification's clause on colour spaces."""
    code_points = chunks.get(b"cICP", b"")
    if len(code_points) >= 4:
        try:
            exponent, colours = of_code_points(code_points[0], code_points[1])
        except ValueError as error:
            raise UnsupportedPixels(f"{error}; export it in sRGB") from error
        return grey_profile(exponent) if is_grey else rgb_profile(exponent, colours)
    if b"iCCP" in chunks or b"sRGB" in chunks:
        return None
    gamma = int.from_bytes(chunks.get(b"gAMA", b"")[:4], "big")
    exponent = 100_000 / gamma if gamma else None
    if is_grey:
        return grey_profile(exponent)
    body = chunks.get(b"cHRM", b"")
    if len(body) < 32:
        return rgb_profile(exponent, None)
    x_and_y = [value / 100_000 for value in struct.unpack_from(">8I", body)]
    white, red, green, blue = zip(x_and_y[::2], x_and_y[1::2], strict=True)
    return rgb_profile(exponent, Chromaticities(white, red, green, blue))
