"""The header of a PNG: its colours and its transparent colour (W3C, PNG specification, third edition).

Pillow gives the gamma and the profile but not which of them counts, takes a text chunk of the same name for either,
and compares the transparent colour of 2, 4 and 16 bits per sample with pixels of 8.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from arttl.pictures.bad_pictures import UnsupportedPixels
from arttl.pictures.profiles import Chromaticities, grey_profile, of_code_points, rgb_profile

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 200_000  # a picture of the largest size in chunks of four kilobytes
_GREY_TYPES, _RGB = (0, 4), 2  # colour types


@dataclass(frozen=True, slots=True)
class PngHeader:
    """The chunks before the pixels.

    Attributes:
        bits: per sample.
        is_grey, is_rgb: with or without alpha; RGB without alpha.
        transparent: the transparent colour, one sample or three as the file has them.
        uses_embedded: whether an embedded profile, which is Pillow's to read, comes before the other chunks.
        profile: the colour profile that follows from the gamma, chromaticities or code points, where these count
            and the picture is not sRGB.
    """

    bits: int
    is_grey: bool
    is_rgb: bool
    transparent: tuple[int, ...]
    uses_embedded: bool
    profile: bytes | None


def read_png_header(data: bytes) -> PngHeader:
    """Check the whole file's chunks, and read those before the pixels.

    Raises:
        ValueError: where a chunk is cut off or damaged, or there is none of the header or of the end.
        UnsupportedPixels: for pixels of high dynamic range.
    """
    chunks: dict[bytes, bytes] = {}
    before_pixels = True
    for kind, body in _chunks(data):
        before_pixels = before_pixels and kind != b"IDAT"
        if before_pixels:
            # A chunk that may occur once and occurs again is ignored, as by libpng.
            chunks.setdefault(kind, bytes(body[:64]))
    header = chunks.get(b"IHDR", b"")
    if len(header) < 13:
        raise ValueError("the PNG has no header")
    bits, colour_type = header[8], header[9]
    is_grey = colour_type in _GREY_TYPES
    return PngHeader(
        bits=bits,
        is_grey=is_grey,
        is_rgb=colour_type == _RGB,
        transparent=_transparent(chunks, colour_type),
        uses_embedded=b"cICP" not in chunks,
        profile=_profile(chunks, is_grey),
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and content of each chunk up to the end's, with its checksum compared."""
    if not data.startswith(_SIGNATURE):
        raise ValueError("no PNG")
    view, position = memoryview(data), len(_SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        length = int.from_bytes(view[position : position + 4], "big")
        end = position + 8 + length
        kind = bytes(view[position + 4 : position + 8])
        # Also that of the pixels, which decoders do not compare.
        if end + 4 > len(data) or zlib.crc32(view[position + 4 : end]) != int.from_bytes(
            view[end : end + 4], "big"
        ):
            raise ValueError("a chunk of the PNG is cut off or damaged")
        yield kind, view[position + 8 : end]
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
