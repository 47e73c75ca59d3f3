"""The header of a JPEG: size, coding, colour, orientation, profile.

libjpeg-turbo gives the colours, by the rule that it decodes by. Neither it nor Pillow reports how the pixels are coded
(Huffman, arithmetic, lossless), and Pillow drops an orientation that stands beside a damaged EXIF tag and a profile
that follows the frame header; so the marker segments are walked here, after ITU-T T.81, annex B. The profile's chunks
are those of ICC.1:2010, annex B.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import simplejpeg

# Pillow's own threshold: a picture of 256 MiB at three bytes per pixel.
DEFAULT_MAX_PIXELS = 89_478_485
MOST_SCANS = 100
"""Progressive JPEGs have about ten."""

Colour = Literal["YCbCr", "RGB", "grey", "CMYK", "YCCK", "other"]

_ORIENTATION_TAG, _SHORT = 0x0112, 3  # EXIF 2.3, 4.6.4; the type of a TIFF field
_PICTURES_TAG, _BYTES_OF_A_PICTURE, _PREVIEW = 0xB002, 16, 1  # CIPA DC-007 (2009), 5.2.3; large thumbnails
_HUFFMAN_FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
_FRAMES = {
    **_HUFFMAN_FRAMES,
    **dict.fromkeys((0xC3, 0xC5, 0xC6, 0xC7), "lossless or hierarchical"),
    0xF7: "lossless (JPEG-LS)",
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
        precision: bits per component.
        colour: what the components are; `other` where libjpeg cannot decode them or their subsampling.
        orientation: EXIF orientation, 1 (upright) to 8; 1 where none or nonsense is given.
        icc: the embedded colour profile.
        has_further: whether other pictures than previews of it follow in the file (CIPA DC-007, an MPO).
    """

    width: int
    height: int
    coding: str
    precision: int
    colour: Colour
    orientation: int
    icc: bytes | None
    has_further: bool = False

    @property
    def is_huffman(self) -> bool:
        """Whether every decoder, also one on a GPU, knows the coding."""
        return self.coding in _HUFFMAN_FRAMES.values()

    @property
    def is_decodable(self) -> bool:
        """Whether libjpeg-turbo decodes it to 8 bits."""
        return self.precision == 8 and not self.coding.startswith("lossless") and self.colour != "other"


def read_jpeg_header(data: bytes) -> JpegHeader:
    """Read the marker segments up to the first scan.

    Raises:
        ValueError: if `data` is not a JPEG, or ends or breaks before its first scan.
    """
    frame, coding, orientation, has_further = b"", "", 1, False
    profile: dict[int, bytes] = {}
    for marker, body in _segments(data):
        if marker in _FRAMES:
            frame, coding = body, _FRAMES[marker]
        elif marker == 0xE1 and body.startswith(b"Exif\0\0"):
            orientation = _orientation(body)
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            profile[body[12]] = body[14:]
        elif marker == 0xE2 and body.startswith(b"MPF\0"):
            has_further = _has_further(body[4:])
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        raise ValueError("the file has no frame header")
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    if not height or not width:
        raise ValueError(f"the header gives a size of {width} x {height}")
    try:
        *size, colour, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        # Neither is it asked for what it does not know, such as 12 bits, which it takes for damage.
        if frame[0] == 8 and not coding.startswith("lossless") and "subsampling" not in str(error):
            raise
        size, colour = [height, width], "other"
    if size != [height, width]:
        raise ValueError("two readings of the header give two sizes")
    return JpegHeader(
        width=width,
        height=height,
        coding=coding,
        precision=frame[0],
        colour="grey" if colour == "Gray" else colour,
        orientation=orientation,
        icc=b"".join(profile[number] for number in sorted(profile)) or None,
        has_further=has_further,
    )


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment before the first scan, which must be there."""
    if data[:2] != b"\xff\xd8":
        raise ValueError("no JPEG")
    position = 2
    while True:
        start = position
        while data[position : position + 1] == b"\xff":  # any number of them may precede a marker
            position += 1
        if position in (start, len(data)):
            raise ValueError("the file ends or breaks within its header")
        marker = data[position]
        position += 1
        if marker == _END_OF_IMAGE:
            raise ValueError("the file has no scan")
        if marker in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        body = data[position + 2 : position + length]
        if length < 2 or len(body) != length - 2:
            raise ValueError("the file ends or breaks within its header")
        if marker == _START_OF_SCAN:
            return
        yield marker, body
        position += length


def _orientation(exif: bytes) -> int:
    """The orientation in the first directory of an EXIF segment (a TIFF after six bytes); 1 where it breaks."""
    for tag, kind, _, value, order in _entries(exif[6:]):
        if tag == _ORIENTATION_TAG and kind == _SHORT:
            orientation = int.from_bytes(value[:2], order)
            return orientation if 1 <= orientation <= 8 else 1
    return 1


def _has_further(index: bytes) -> bool:
    """Whether the index of a multi-picture file (a TIFF) names several pictures that are no previews of the first."""
    for tag, _, count, value, order in _entries(index):
        if tag == _PICTURES_TAG:
            start, size = int.from_bytes(value, order), _BYTES_OF_A_PICTURE
            pictures = index[start : start + count]
            kinds = [
                int.from_bytes(pictures[at : at + 4], order) >> 16 & 0xFF
                for at in range(0, len(pictures), size)
            ]
            return sum(kind != _PREVIEW for kind in kinds) > 1
    return False


def _entries(tiff: bytes) -> Iterator[tuple[int, int, int, bytes, Literal["little", "big"]]]:
    """Tag, type, count, bytes of the value or its place, and byte order of each entry of a TIFF's first directory."""
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"

    def number(start: int, size: int) -> int:
        return int.from_bytes(tiff[start : start + size], order)

    directory = number(4, 4)
    for entry in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        if entry + 12 > len(tiff):
            break
        yield (
            number(entry, 2),
            number(entry + 2, 2),
            number(entry + 4, 4),
            tiff[entry + 8 : entry + 12],
            order,
        )


def check_scans(data: bytes) -> None:
    """Refuse a JPEG of more than `MOST_SCANS` scans, each of which walks over the whole picture.

    Within a scan the byte 0xFF is never followed by 0xDA (ITU-T T.81, B.1.1.5), so that the markers can be counted;
    those of a thumbnail in the metadata count too.

    Raises:
        ValueError: for such a file.
    """
    # As numbers of two bytes, at even and at odd offsets: five times as fast as `data.count`, and other threads run.
    ends = (len(data) - len(data) % 2, len(data) - 1 + len(data) % 2)
    pairs = (np.frombuffer(memoryview(data)[first:end], "<u2") for first, end in enumerate(ends))
    scans = sum(int(np.count_nonzero(numbers == 0xDAFF)) for numbers in pairs)
    if scans > MOST_SCANS:
        raise ValueError(f"{scans:,} scans are more than {MOST_SCANS}, which no camera or program writes")


def check_stored(data: bytes, width: int, height: int) -> str:
    """Refuse a JPEG of shards that takes more memory or time than its row in the manifest says, before it is decoded.

    Args:
        data: the file's bytes.
        width, height: that the manifest says.

    Returns:
        Its colours as libjpeg names them.

    Raises:
        ValueError: if it is damaged, of another size, or of more than `DEFAULT_MAX_PIXELS` or `MOST_SCANS`.
    """
    *size, colours, _ = simplejpeg.decode_jpeg_header(data)
    if size != [height, width]:
        raise ValueError(f"it is {size[1]}x{size[0]} pixels and the manifest says {width}x{height}")
    if height * width > DEFAULT_MAX_PIXELS:
        raise ValueError(f"{width}x{height} pixels are more than {DEFAULT_MAX_PIXELS:,}")
    check_scans(data)
    return str(colours)


def is_finished(data: bytes) -> bool:
    """Whether a JPEG has the marker of its end behind that of its last scan."""
    # Nearly all end with the marker; looking for the last scan takes a thousand times as long.
    return data.endswith(b"\xff\xd9") or data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
