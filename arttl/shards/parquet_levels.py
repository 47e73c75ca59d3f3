"""What is found in the pages of Parquet files before pyarrow decodes them: long texts, and rows of many values."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

_MOST_RUNS = 4_000_000  # of levels, whose reading takes two seconds
_MOST_BITS = 8  # of a level


def longest_text(dictionary: bytes, values: int) -> int:
    """The length of the longest of so many texts, each of which has its length before it, in four bytes.

    Texts of less than 256 bytes have three zeros there. If there are such at the beginning, and each three zeros lead
    to others, or to the end, then no text is longer, wherever they are.
    """
    data = np.frombuffer(dictionary, np.uint8)
    is_zero = data == 0
    is_start = np.zeros(len(data) + 1, np.bool_)
    is_start[-1] = True
    if len(data) > 3:
        is_start[: len(data) - 3] = is_zero[1:-2] & is_zero[2:-1] & is_zero[3:]
    starts = np.flatnonzero(is_start[:-1])
    lengths = data[starts]
    ends = starts + 4 + lengths
    if is_start[0] and ends.max(initial=0) <= len(data) and is_start[ends].all():
        return int(lengths.max(initial=0))
    longest, at, length_at = 0, 0, struct.Struct("<I").unpack_from
    try:
        for _ in range(values):
            (length,) = length_at(dictionary, at)
            at += 4 + length
            if length > longest:
                longest = length
    except struct.error:
        return len(dictionary)
    return min(longest, len(dictionary))


class RowLengths:
    """The most values of a row, by the repetition levels of pages, of which a row has one 0, its first.

    They are in runs (parquet-format, Encodings.md, "Run Length Encoding / Bit-Packing Hybrid").

    Attributes:
        longest: so far.
    """

    def __init__(self, deepest: int) -> None:
        """Levels up to this one."""
        self.longest, self._width, self._open, self._runs = 0, deepest.bit_length(), 0, 0

    def add(self, levels: bytes, values: int) -> bool:
        """Read the levels of a page with so many values; whether they are such, and have not too many runs."""
        at, packed = 0, list[bytes]()
        try:
            while values > 0:
                head = shift = 0
                while True:
                    byte = levels[at]
                    at += 1
                    head |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                self._runs += 1
                if head < 2 or self._runs > _MOST_RUNS or shift > 35 or self._width > _MOST_BITS:
                    return False
                if head & 1:
                    size = (head >> 1) * self._width
                    packed.append(levels[at : at + size])
                    if not packed[-1]:
                        return False
                    values -= len(packed[-1]) * 8 // self._width
                    at += size
                else:
                    self._add_packed(packed, 0)
                    packed, count = [], min(head >> 1, values)
                    self._add_run(levels[at], count)
                    values -= count
                    at += 1
        except IndexError:
            return False
        self._add_packed(packed, values)
        return True

    def _add_run(self, level: int, count: int) -> None:
        if level == 0:
            self.longest = max(self.longest, self._open, 1)
            self._open = 0
            count = 1
        self._open += count
        self.longest = max(self.longest, self._open)

    def _add_packed(self, packed: list[bytes], surplus: int) -> None:
        """Add levels of some bits each, but for the last, negative number of them."""
        if not packed:
            return
        bits = np.unpackbits(np.frombuffer(b"".join(packed), np.uint8), bitorder="little")
        levels: npt.NDArray[np.uint8] = bits
        if self._width > 1:
            levels = bits[: len(bits) // self._width * self._width].reshape(-1, self._width).max(axis=1)
        levels = levels[: len(levels) + surplus] if surplus < 0 else levels
        starts = np.flatnonzero(levels == 0)
        if not len(starts):
            self._open += len(levels)
        else:
            inside = np.diff(starts).max(initial=0)
            self.longest = max(self.longest, self._open + int(starts[0]), int(inside))
            self._open = len(levels) - int(starts[-1])
        self.longest = max(self.longest, self._open)
