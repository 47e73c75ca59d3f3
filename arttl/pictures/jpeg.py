"""What a JPEG says of itself before its pixels: size, coding, colour, orientation, profile.

Marker segments after ITU-T T.81, annex B; the colour rule is libjpeg's (`default_decompress_parms`), the profile's
chunks are ICC.1:2010, annex B.4.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import Literal

Colour = Literal["YCbCr", "RGB", "grey", "CMYK", "YCCK", "other"]

_ORIENTATION_TAG, _SHORT = 0x0112, 3  # EXIF 2.3, 4.6.4; the type of a TIFF field
_HUFFMAN_FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
_OTHER_FRAMES = {
    **dict.fromkeys((0xC3, 0xC5, 0xC6, 0xC7), "lossless or hierarchical"),
    **dict.fromkeys((0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF), "arithmetic-coded"),
}
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD8)))
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """The header of a JPEG.

    Attributes:
        width, height: in pixels, as coded: before the orientation is applied.
        coding: `baseline`, `extended`, `progressive` (these are Huffman-coded) or a phrase for any other.
        precision: bits a component.
        colour: what the components are.
        orientation: EXIF orientation, 1 (upright) to 8; 1 where none or nonsense is given.
        icc: the embedded colour profile.
    """

    width: int
    height: int
    coding: str
    precision: int
    colour: Colour
    orientation: int
    icc: bytes | None

    @property
    def is_huffman(self) -> bool:
        """Whether every decoder, also one on a GPU, knows the coding."""
        return self.coding in _HUFFMAN_FRAMES.values()


def read_jpeg_header(data: bytes) -> JpegHeader:
    """Read the marker segments up to the first scan.

    Raises:
        ValueError: if `data` is not a JPEG, or ends or breaks before its first scan.
    """
    if data[:2] != b"\xff\xd8":
        raise ValueError("no JPEG")
    frame: bytes | None = None
    coding = ""
    jfif = False
    adobe: int | None = None
    orientation = 1
    profile: dict[int, bytes] = {}
    position = 2
    while True:
        marker, position = _next_marker(data, position)
        if marker == _END_OF_IMAGE:
            raise ValueError("the file has no scan")
        if marker in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        body = data[position + 2 : position + length]
        if length < 2 or len(body) != length - 2:
            raise ValueError("the file ends or breaks within its header")
        position += length
        if marker == _START_OF_SCAN:
            break
        if marker in _HUFFMAN_FRAMES or marker in _OTHER_FRAMES:
            frame = body
            coding = _HUFFMAN_FRAMES.get(marker) or _OTHER_FRAMES[marker]
        elif marker == 0xE0 and body.startswith(b"JFIF\0"):
            jfif = True
        elif marker == 0xE1 and body.startswith(b"Exif\0\0"):
            orientation = _orientation(body)
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            profile[body[12]] = body[14:]
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            adobe = body[11]
    if frame is None or len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        raise ValueError("the file has no frame header")
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    if not height or not width:
        raise ValueError(f"the header gives a size of {width} x {height}")
    components = tuple(frame[6 : 6 + 3 * frame[5] : 3])
    return JpegHeader(
        width=width,
        height=height,
        coding=coding,
        precision=frame[0],
        colour=_colour(components, jfif=jfif, adobe=adobe),
        orientation=orientation,
        icc=b"".join(profile[number] for number in sorted(profile)) or None,
    )


def _next_marker(data: bytes, position: int) -> tuple[int, int]:
    """The marker at `position` (any number of fill bytes FF may precede it) and the place after it."""
    if data[position : position + 1] != b"\xff":
        raise ValueError("the file ends or breaks within its header")
    while data[position : position + 1] == b"\xff":
        position += 1
    if position >= len(data):
        raise ValueError("the file ends within its header")
    return data[position], position + 1


def _orientation(exif: bytes) -> int:
    """The orientation in the first directory of an EXIF segment (a TIFF after six bytes); 1 where it breaks."""
    tiff = exif[6:]
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"

    def number(start: int, size: int) -> int:
        return int.from_bytes(tiff[start : start + size], order)

    directory = number(4, 4)
    for entry in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        if entry + 12 > len(tiff):
            break
        if number(entry, 2) == _ORIENTATION_TAG and number(entry + 2, 2) == _SHORT:
            value = number(entry + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1


def _colour(components: tuple[int, ...], *, jfif: bool, adobe: int | None) -> Colour:
    if len(components) == 1:
        return "grey"
    if len(components) == 3:
        if jfif:
            return "YCbCr"
        if adobe is not None:
            return "RGB" if adobe == 0 else "YCbCr"
        return "RGB" if components == tuple(b"RGB") else "YCbCr"
    if len(components) == 4:
        return "YCCK" if adobe == 2 else "CMYK"
    return "other"


def png_chunks_are_whole(data: bytes) -> bool:
    """Whether a PNG runs to its end and every chunk's checksum holds; Pillow does not look at those of pixels."""
    position = 8
    with io.BytesIO(data) as file:
        file.seek(position)
        while True:
            start = file.read(8)
            if len(start) < 8:
                return False
            length, kind = int.from_bytes(start[:4], "big"), start[4:]
            body, checksum = file.read(length), file.read(4)
            if len(body) < length or len(checksum) < 4:
                return False
            if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(checksum, "big"):
                return False
            if kind == b"IEND":
                return True
