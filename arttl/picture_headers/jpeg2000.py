"""The header of a JPEG 2000: size, components, colour space, profile and alpha.

Pillow drops the profile, takes every colour space that it does not know for RGB and every last component for alpha,
and shifts samples of fewer than 8 bits without scaling them. ISO/IEC 15444-1: annex A.5.1 (SIZ), annex I.5.3 (the
header box); 15444-2, annex M.11.7.3.1, has the other colour spaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from arttl.picture_headers.bad_pictures import UnsupportedPixels
from arttl.picture_headers.boxes import boxes, first_box

Colours = Literal["grey", "RGB", "CMYK"]
Alpha = Literal["none", "unstated", "straight", "premultiplied"]

_CODESTREAM = b"\xff\x4f\xff\x51"
_ENUMERATED: dict[int, Colours] = {12: "CMYK", 16: "RGB", 17: "grey", 18: "RGB"}
_PLAIN = (16, 17, 18)
_NAMES = {
    0: "two levels",
    1: "YCbCr of television",
    3: "YCbCr of television",
    4: "YCbCr of television",
    9: "PhotoYCC",
    11: "CMY",
    13: "YCCK",
    14: "CIELab",
    15: "two levels",
    19: "CIEJab",
    20: "e-sRGB",
    21: "ROMM-RGB",
    24: "e-sYCC",
}
_PROFILE_SPACES: dict[bytes, Colours] = {b"GRAY": "grey", b"RGB ": "RGB", b"CMYK": "CMYK"}
_CHANNELS: dict[Colours, int] = {"grey": 1, "RGB": 3, "CMYK": 4}
_BY_COUNT: dict[int, Colours] = {1: "grey", 2: "grey", 3: "RGB", 4: "RGB"}
_REMEDY = "export it as TIFF or JPEG"


@dataclass(frozen=True, slots=True)
class Jpeg2000Header:
    """The header of a JPEG 2000.

    Attributes:
        width, height: in pixels.
        bits: per sample, per component. Signed samples are moved up by half of their range.
        colours: what the first components are.
        has_palette: whether the pixels are indices.
        alpha: what the component after the colours is; `none` if it is said to be something else, or is not there.
        icc: the embedded profile.
        levels: how many times the picture is halved in its codestream; 0 where its halves are not for use.
    """

    width: int
    height: int
    bits: tuple[int, ...]
    colours: Colours
    has_palette: bool
    alpha: Alpha
    icc: bytes | None
    levels: int


def read_jpeg2000_header(data: bytes) -> Jpeg2000Header:
    """Read a codestream's header and that of the JP2 file around it, if there is one.

    Raises:
        ValueError: if the file is damaged.
        UnsupportedPixels: for colours that are not read.
    """
    if data.startswith(_CODESTREAM):
        width, height, bits = _size(data, 0)
        if len(bits) not in (1, 3):
            raise UnsupportedPixels(
                f"JPEG 2000 of {len(bits)} components that does not state its colours; {_REMEDY}"
            )
        colours = _BY_COUNT[len(bits)]
        return Jpeg2000Header(width, height, bits, colours, False, "none", None, _levels(data, 0))
    kind = data[20:24]
    if kind in (b"jpm ", b"mjp2"):
        raise UnsupportedPixels(f"JPEG 2000 of several parts or a film ({kind.decode()}); {_REMEDY}")
    header = first_box(data, b"jp2h")
    if header is None:
        raise ValueError("the JPEG 2000 has no header")
    codestream = _codestream_start(data, header.end)
    width, height, bits = _size(data, codestream)
    parts = list(boxes(data, header.start, header.end))
    has_palette = any(box.kind == b"pclr" for box in parts)
    colours, icc = _colours(data, [(box.start, box.end) for box in parts if box.kind == b"colr"], len(bits))
    if has_palette:
        if len(bits) != 1 or colours != "RGB":
            raise UnsupportedPixels(f"JPEG 2000 with a palette that is not of RGB; {_REMEDY}")
        return Jpeg2000Header(width, height, bits, colours, True, "none", icc, 0)
    alpha = _alpha(data, [(box.start, box.end) for box in parts if box.kind == b"cdef"], _CHANNELS[colours])
    if not _CHANNELS[colours] <= len(bits) <= _CHANNELS[colours] + (colours != "CMYK"):
        raise UnsupportedPixels(f"{colours} JPEG 2000 of {len(bits)} components; {_REMEDY}")
    return Jpeg2000Header(width, height, bits, colours, False, alpha, icc, _levels(data, codestream))


def with_plain_colours(data: bytes, colours: Colours) -> bytes:
    """The file with its first colour specification as grey or sRGB, whose components every Pillow passes as they are.

    Older ones decode nothing with a profile or in CMYK.
    """
    header = None if data.startswith(_CODESTREAM) else first_box(data, b"jp2h")
    specification = header and first_box(data, b"colr", header.start, header.end)
    if not specification or specification.end - specification.start < 7:
        return data
    start = specification.start
    number = int.from_bytes(data[start + 3 : start + 7], "big")
    if data[start] == 1 and number in _PLAIN:
        return data
    plain = bytes((1, 0, 0)) + (17 if colours == "grey" else 16).to_bytes(4, "big")
    return data[:start] + plain + data[start + 7 :]


def _codestream_start(data: bytes, start: int) -> int:
    """Where the codestream starts, at or after `start`; also where its box has a wrong length and it has its end."""
    try:
        codestream = first_box(data, b"jp2c", start)
        if codestream is None:
            raise ValueError("the JPEG 2000 has no pixels")
        return codestream.start
    except ValueError:
        offset = data.find(b"jp2c" + _CODESTREAM, start)
        if offset < 0 or not data.endswith(b"\xff\xd9"):
            raise
        return offset + 4


def _size(data: bytes, start: int) -> tuple[int, int, tuple[int, ...]]:
    """Width, height and bits per component from the SIZ segment of a codestream."""
    segment = data[start + 4 : start + 4 + int.from_bytes(data[start + 4 : start + 6], "big")]
    if data[start : start + 4] != _CODESTREAM or len(segment) < 41:
        raise ValueError("the JPEG 2000 has no size")
    right, bottom, left, top = (int.from_bytes(segment[at : at + 4], "big") for at in (4, 8, 12, 16))
    count = int.from_bytes(segment[36:38], "big")
    depths = segment[38 : 38 + 3 * count : 3]
    if not count or len(segment) < 38 + 3 * count:
        raise ValueError("the JPEG 2000 has no size")
    bits = tuple((depth & 0x7F) + 1 for depth in depths)
    if max(bits) > 16:
        raise UnsupportedPixels(f"JPEG 2000 of {max(bits)} bits per sample; {_REMEDY}")
    return right - left, bottom - top, bits


def _levels(data: bytes, start: int) -> int:
    """The least number of decomposition levels that the main header gives (annexes A.6.1 and A.6.2).

    0 where the components have several sizes or do not begin at the corner, for which sizes are rounded otherwise.
    """
    levels = []
    position = start + 2
    while data[position : position + 2] not in (b"\xff\x90", b"") and position < len(
        data
    ):  # of the first tile
        marker, length = (
            data[position : position + 2],
            int.from_bytes(data[position + 2 : position + 4], "big"),
        )
        body = data[position + 4 : position + 2 + length]
        if marker == b"\xff\x51" and (any(body[10:18]) or {*body[37::3], *body[38::3]} != {1}):
            return 0
        if marker == b"\xff\x52" and len(body) > 5:
            levels.append(body[5])
        if marker == b"\xff\x53":
            levels.append(0)  # a component has its own
        if length < 2:
            return 0
        position += 2 + length
    return min(levels, default=0)


def _colours(data: bytes, specifications: list[tuple[int, int]], count: int) -> tuple[Colours, bytes | None]:
    """The colours and profile of the first specification that is of a known method; by count where there is none."""
    for start, end in specifications:
        method = data[start]
        if method == 1 and end - start >= 7:
            number = int.from_bytes(data[start + 3 : start + 7], "big")
            if number not in _ENUMERATED:
                name = _NAMES.get(number, f"colour space {number}")
                raise UnsupportedPixels(f"JPEG 2000 in {name}; {_REMEDY}")
            return _ENUMERATED[number], None
        if method in (2, 3) and end - start >= 3 + 128:
            icc = data[start + 3 : end]
            if icc[16:20] not in _PROFILE_SPACES:
                raise UnsupportedPixels(
                    f"JPEG 2000 in the colour space {icc[16:20].decode('latin-1').strip()!r}; {_REMEDY}"
                )
            return _PROFILE_SPACES[icc[16:20]], icc
    if count not in _BY_COUNT:
        raise UnsupportedPixels(f"JPEG 2000 of {count} components; {_REMEDY}")
    return _BY_COUNT[count], None


def _alpha(data: bytes, definitions: list[tuple[int, int]], colours: int) -> Alpha:
    """What the channel definition says of the component after the colours."""
    if not definitions:
        return "unstated"
    start, end = definitions[0]
    for entry in range(start + 2, end - 5, 6):
        channel, kind = (int.from_bytes(data[at : at + 2], "big") for at in (entry, entry + 2))
        if channel == colours and kind in (1, 2):
            return "straight" if kind == 1 else "premultiplied"
        if channel < colours and kind != 0:
            raise UnsupportedPixels(f"JPEG 2000 whose alpha is not its last component; {_REMEDY}")
    return "none"
