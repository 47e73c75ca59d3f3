"""The header of an HEIF or AVIF picture (ISO/IEC 23008-12): its size and the colours that decoders leave to us."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from arttl.picture_headers.bad_pictures import UnsupportedPixels
from arttl.picture_headers.boxes import Box, boxes, first_box
from arttl.picture_headers.profiles import of_code_points, rgb_profile

_MOST_ASSOCIATIONS = 100_000


@dataclass(frozen=True, slots=True)
class HeifHeader:
    """The properties of the main picture.

    Attributes:
        width, height: in pixels, before it is turned; 0 where the file does not say.
        profile: the RGB profile of its code points; None for sRGB, and where there is an embedded one or nothing.
        bits: per sample; 0 where the file does not say.
    """

    width: int
    height: int
    profile: bytes | None
    bits: int


def read_heif_header(data: bytes) -> HeifHeader:
    """Read the properties of the main picture.

    Raises:
        ValueError: if the boxes are damaged.
        UnsupportedPixels: for code points that have no agreed rendering, such as those of high dynamic range.
    """
    width, height, bits, is_embedded = 0, 0, 0, False
    points: list[tuple[int, int]] = []
    for box in _properties_of_main_picture(data):
        content = data[box.start : min(box.end, box.start + 12)]
        if box.kind == b"ispe" and len(content) == 12:
            width, height = (int.from_bytes(content[at : at + 4], "big") for at in (4, 8))
        elif box.kind == b"pixi":
            bits = max(content[5:], default=0)
        elif box.kind == b"colr" and content[:4] in (b"prof", b"rICC"):
            is_embedded = True  # it comes first
        elif box.kind == b"colr" and content[:4] == b"nclx" and len(content) >= 8:
            points.append((int.from_bytes(content[4:6], "big"), int.from_bytes(content[6:8], "big")))
    if is_embedded or not points:
        return HeifHeader(width, height, None, bits)
    try:
        exponent, colours = of_code_points(*points[0])
    except ValueError as error:
        raise UnsupportedPixels(f"{error}; export it in sRGB, as TIFF or JPEG") from error
    return HeifHeader(width, height, rgb_profile(exponent, colours), bits)


def _properties_of_main_picture(data: bytes) -> Iterator[Box]:
    """The property boxes that are associated with the primary item (ISO/IEC 14496-12, 8.11.4 and 8.11.14)."""
    meta = first_box(data, b"meta")
    inside = (meta.start + 4, meta.end) if meta else (0, 0)
    main, all_properties = first_box(data, b"pitm", *inside), first_box(data, b"iprp", *inside)
    container = all_properties and first_box(data, b"ipco", all_properties.start, all_properties.end)
    if main is None or all_properties is None or container is None:
        return
    properties = list(boxes(data, container.start, container.end))
    size = 4 if data[main.start] else 2  # of an item's number, by the box's version
    item = int.from_bytes(data[main.start + 4 : main.start + 4 + size], "big")
    for box in boxes(data, all_properties.start, all_properties.end):
        if box.kind == b"ipma":
            for index in _associations(data, box, item):
                if 0 < index <= len(properties):
                    yield properties[index - 1]


def _associations(data: bytes, box: Box, item: int) -> Iterator[int]:
    """The numbers of an item's properties, from 1."""
    item_size = 4 if data[box.start] else 2
    width = 2 if data[box.start + 3] & 1 else 1
    entries = int.from_bytes(data[box.start + 4 : box.start + 8], "big")
    position = box.start + 8
    for _ in range(min(entries, _MOST_ASSOCIATIONS)):
        number = int.from_bytes(data[position : position + item_size], "big")
        count = int.from_bytes(data[position + item_size : position + item_size + 1], "big")
        position += item_size + 1
        if position + count * width > box.end:
            raise ValueError("the properties of the file are cut off or damaged")
        for index in range(count):
            value = int.from_bytes(data[position + index * width : position + (index + 1) * width], "big")
            if number == item:
                yield value & (0x7FFF if width == 2 else 0x7F)
        position += count * width
