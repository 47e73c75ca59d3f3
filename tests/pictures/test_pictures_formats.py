"""Sound pictures that are not read are refused by name; damaged ones of kinds that are read stay damaged."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from refused_pictures import refused

from arttl.picture_headers.bad_pictures import BadPicture
from arttl.pictures.decoding import decode_picture
from arttl.pictures.formats import picture_format

Make = Callable[..., Image.Image]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("GIF", "GIF"), ("BMP", "BMP"), ("PDF", "PDF"), ("EPS", "PostScript"), ("ICO", "icon")),
        *(("ICNS", "icon"), ("DDS", "DirectDraw surface"), ("PPM", "portable anymap"), ("SGI", "SGI")),
    ],
)
def test_formats_that_pillow_writes_and_we_refuse(kind: str, name: str, soft_picture: Make) -> None:
    file = io.BytesIO()
    soft_picture().save(file, kind)
    assert refused(file.getvalue()) == ("unsupported-format", f"{name}; export it as TIFF or JPEG")


_PSD = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 2, 2, 8, 3) + bytes(12) + bytes(2) + bytes(12)
_EXR = b"\x76\x2f\x31\x01\x02\0\0\0channels\0chlist\0" + bytes(60)
_JXR = b"II\xbc\x01\x08\0\0\0" + bytes(60)
_RAF = b"FUJIFILMCCD-RAW 0201" + bytes(60)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (_PSD, "Photoshop"),
        (_EXR, "OpenEXR"),
        (_JXR, "JPEG XR"),
        (b"\xff\x0a" + bytes(40), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "JPEG XL"),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", "Radiance HDR"),
        (b"SIMPLE  =                    T", "FITS"),
        (bytes(128) + b"DICM" + bytes(40), "DICOM"),
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(40), "a camera's raw file"),
        (b"II*\0\x08\x0a\0\0IIIICwaR" + bytes(40), "a camera's raw file"),
        (b"IIU\0\x18\0\0\0" + bytes(40), "a camera's raw file"),
        (b"IIRO\x08\0\0\0" + bytes(40), "a camera's raw file"),
        (_RAF, "a camera's raw file"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a camera's raw file"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomavc1", "a video or another file of the brand 'isom'"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"<?xml version='1.0'?>\n<svg/>", "an SVG drawing"),
    ],
)
def test_formats_by_their_first_bytes(data: bytes, name: str) -> None:
    assert refused(data) == ("unsupported-format", f"{name}; export it as TIFF or JPEG")


def test_kinds_of_iso_media() -> None:
    for brands, kind in (
        (b"avif\0\0\0\0mif1", "AVIF"),
        (b"mif1\0\0\0\0avif", "AVIF"),
        (b"heic\0\0\0\0mif1", "HEIF"),
    ):
        assert picture_format(struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands) == kind
    beyond = struct.pack(">I", 16) + b"ftyp" + b"isom\0\0\0\0" + b"avif"  # behind the end of the box
    assert refused(beyond)[0] == "unsupported-format"


@given(st.binary(max_size=300))
def test_any_bytes_have_a_kind_or_a_reason(data: bytes) -> None:
    try:
        picture_format(data)
    except BadPicture as error:
        assert error.reason in ("unsupported-format", "not-a-picture")


# JPEG by hand (ITU-T T.81): a table with a code of five bits for each category of a difference, and none but zeros
# beside the mean of a block.


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", 2 + len(body)) + body


def _coded(differences: list[int], end_of_block: str) -> bytes:
    bits = ""
    for difference in differences:
        category = abs(difference).bit_length()
        value = difference if difference > 0 else difference + (1 << category) - 1
        bits += f"{category:05b}" + (f"{value:0{category}b}" if category else "") + end_of_block
    bits += "1" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")


def _jpeg(marker: int, precision: int, levels: list[int]) -> bytes:
    """Grey levels: one per block of 8 x 8 side by side, or, lossless, one per pixel of a row."""
    lossless = marker == 0xC3
    width, height = (len(levels), 1) if lossless else (8 * len(levels), 8)
    middle = 1 << (precision - 1)
    previous = [middle, *levels[:-1]]
    scale = 1 if lossless else 8  # a block's mean is an eighth of its first coefficient
    differences = [scale * (level - before) for level, before in zip(levels, previous, strict=True)]
    tables = bytes((0, 0, 0, 0, 0, 16, *[0] * 11)) + bytes(range(16))
    data = b"\xff\xd8"
    if not lossless:
        data += _segment(0xDB, bytes(1) + b"\1" * 64)
        tables += bytes((0x10, 1, *[0] * 15)) + bytes(1)
    data += _segment(marker, struct.pack(">BHHB", precision, height, width, 1) + bytes((1, 0x11, 0)))
    data += _segment(0xC4, tables)
    data += _segment(0xDA, bytes((1, 1, 0)) + (bytes((1, 0, 0)) if lossless else bytes((0, 63, 0))))
    return data + _coded(differences, "" if lossless else "0") + b"\xff\xd9"


def test_the_hand_written_jpeg_is_sound() -> None:
    levels = [10, 200, 30]
    pixels = np.asarray(decode_picture(_jpeg(0xC1, 8, levels)).picture)
    assert pixels[0, ::8].tolist() == levels


@pytest.mark.parametrize(
    ("marker", "precision", "words"),
    [
        (0xC1, 12, "a 12-bit extended JPEG"),
        (0xC3, 8, "a 8-bit lossless or hierarchical JPEG"),
        (0xC3, 16, "a 16-bit lossless or hierarchical JPEG"),
        (0xF7, 8, "a 8-bit lossless (JPEG-LS) JPEG"),
    ],
)
def test_jpegs_that_are_not_read(marker: int, precision: int, words: str) -> None:
    data = _jpeg(marker, precision, [10, 200, 30])
    reason, detail = refused(data)
    assert reason == "unsupported-format"
    assert detail.startswith(words)
    assert detail.endswith("export it as TIFF or JPEG")
    assert refused(data[:-3])[0] == "damaged"
    assert refused(data[:25])[0] == "damaged"
