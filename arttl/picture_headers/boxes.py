"""Boxes, of which JPEG 2000 (ISO/IEC 15444-1, annex I), HEIF and AVIF (ISO/IEC 14496-12, clause 4) are made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

MOST_BOXES = 10_000  # of one box, or of one file; a picture of the largest size in tiles has a few thousand


class Box(NamedTuple):
    """The kind of a box, and where its content starts and ends."""

    kind: bytes
    start: int
    end: int


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes of a file, or of the part of it from `start` to `end`.

    Raises:
        ValueError: where a box does not fit, or there are more than `MOST_BOXES`.
    """
    end = len(data) if end is None else end
    for _ in range(MOST_BOXES):
        if start + 8 > end:
            return
        size, header = int.from_bytes(data[start : start + 4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        elif size == 0:  # to the end
            size = end - start
        if size < header or start + size > end:
            raise ValueError("a box of the file is cut off or damaged")
        yield Box(data[start + 4 : start + 8], start + header, start + size)
        start += size
    raise ValueError(f"the file has more than {MOST_BOXES:,} boxes")


def first_box(data: bytes, kind: bytes, start: int = 0, end: int | None = None) -> Box | None:
    """The first box of a kind; None where there is none.

    Raises:
        ValueError: as `boxes`.
    """
    return next((box for box in boxes(data, start, end) if box.kind == kind), None)
