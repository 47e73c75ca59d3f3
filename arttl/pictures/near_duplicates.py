"""Pictures that look the same: a 64-bit perceptual hash, and the search for hashes that differ in a few bits."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

# Bits of 64. Of 365 photographs of paintings all pairs up to here are two photographs of one painting, and all
# pairs of 10 are not; line drawings on white look alike sooner.
NEAR = 6
NEAR_DUPLICATES_FILE = "near-duplicates.csv"
_SIDE, _LOW = 32, 8
# The first rows of the orthogonal discrete cosine transform (DCT-II).
_COSINES = np.cos(np.pi / _SIDE * np.outer(np.arange(_LOW), np.arange(_SIDE) + 0.5)).astype(np.float32)
_BITS_OF = np.array([bin(byte).count("1") for byte in range(1 << 16)], dtype=np.uint8)
_AT_ONCE = 1 << 20  # pairs compared in one step
_ROWS_AT_ONCE = 10_000  # of the table


@dataclass(frozen=True)
class NearDuplicates:
    """The pictures that look like others, group by group.

    Attributes:
        groups: [M] number of each picture's group, from 1, ascending.
        rows: [M] the pictures, ascending within their group.
        distances: [M] bits that differ from the first picture of the group.
    """

    groups: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    distances: npt.NDArray[np.uint8]


def perceptual_hash(picture: Image.Image) -> int:
    """The hash of a picture of any size and mode: the signs of its lowest frequencies.

    As `phash` of the ImageHash library and Zauner, "Implementation and Benchmarking of Perceptual Image Hash
    Functions" (2010): the 8 x 8 lowest coefficients of the cosine transform of the picture at 32 x 32 pixels in grey,
    each a bit that says whether it is above their (lower) median. Coefficients are rounded to whole numbers first, so
    that the noise of a flat picture makes no bits.
    """
    grey = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    low = np.rint(_COSINES @ np.asarray(grey, dtype=np.float32) @ _COSINES.T)
    above = low > np.partition(low, low.size // 2 - 1, axis=None)[low.size // 2 - 1]
    return int.from_bytes(np.packbits(above).tobytes(), "big")


def near_pairs(hashes: npt.NDArray[np.uint64], most: int = NEAR) -> npt.NDArray[np.int64]:
    """Pairs of hashes that differ in at most `most` bits.

    Hashes are cut into `most // 2 + 1` pieces: of two that near, at least one piece differs in one bit at most (were it
    two everywhere, it would be more in all), and such partners are found in a sorted list.

    Args:
        hashes: [N], distinct.
        most: bits.

    Returns:
        [P, 2] indices into `hashes`, the first below the second, each pair once, sorted.
    """
    edges = np.linspace(0, 64, most // 2 + 2).round().astype(int)
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        pieces = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(pieces, kind="stable")
        for change in (0, *(1 << bit for bit in range(high - low))):
            partners = pieces ^ np.uint64(change)
            starts = np.searchsorted(pieces[order], partners, "left")
            ends = np.searchsorted(pieces[order], partners, "right")
            pairs += _near_partners(hashes, order, starts, ends - starts, most)
    return np.unique(np.concatenate(pairs), axis=0)


def _near_partners(
    hashes: npt.NDArray[np.uint64],
    order: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    most: int,
) -> Iterator[npt.NDArray[np.int64]]:
    """The near ones of each hash's candidates, `counts` of them from `starts` on in `order`."""
    ends = np.cumsum(counts)
    edge = 0
    while edge < len(hashes):
        before = ends[edge - 1] if edge else 0
        next_edge = max(edge + 1, int(np.searchsorted(ends, before + _AT_ONCE, "right")))
        span = slice(edge, next_edge)
        first = np.repeat(np.arange(edge, next_edge), counts[span])
        inside = np.arange(len(first)) - np.repeat(ends[span] - counts[span] - before, counts[span])
        second = order[np.repeat(starts[span], counts[span]) + inside]
        near = (first < second) & (bits(hashes[first] ^ hashes[second]) <= most)
        yield np.stack([first[near], second[near]], axis=1)
        edge = next_edge


def bits(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """How many bits of each number are set."""
    halves = np.ascontiguousarray(numbers).view(np.uint16).reshape(*numbers.shape, 4)
    return np.asarray(_BITS_OF[halves].sum(axis=-1, dtype=np.uint8))


def joined(groups: npt.NDArray[np.int64], hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Groups with those made one that hold near duplicates of each other.

    Args:
        groups: [N] the group of each row, a number.
        hashes: [N] of the rows' pictures.

    Returns:
        [N] groups, numbered from 0.
    """
    groups = np.unique(groups, return_inverse=True)[1].astype(np.int64).reshape(-1)
    distinct, index = np.unique(hashes, return_inverse=True)
    index = index.reshape(-1)
    parent = list(range(int(groups.max(initial=-1)) + 1))
    first_group = np.empty(len(distinct), dtype=np.int64)
    first_group[index[::-1]] = groups[::-1]
    for group, of_hash in zip(groups.tolist(), first_group[index].tolist(), strict=True):
        _join(parent, group, of_hash)
    for first, second in near_pairs(distinct).tolist():
        _join(parent, int(first_group[first]), int(first_group[second]))
    roots = np.array([_root(parent, group) for group in range(len(parent))], dtype=np.int64)
    return np.unique(roots[groups], return_inverse=True)[1].astype(np.int64).reshape(-1)


def near_duplicates(hashes: npt.NDArray[np.uint64]) -> NearDuplicates:
    """The groups of two or more rows that look the same, in the order of their first rows.

    Args:
        hashes: [N] of the rows' pictures.
    """
    component = joined(np.arange(len(hashes), dtype=np.int64), hashes)
    rows = np.flatnonzero(np.bincount(component, minlength=1)[component] > 1).astype(np.int64)
    _, first, number = np.unique(component[rows], return_index=True, return_inverse=True)
    by_first_row = np.empty(len(first), dtype=np.int64)
    by_first_row[np.argsort(first)] = np.arange(1, len(first) + 1)
    groups = by_first_row[number.reshape(-1)]
    order = np.argsort(groups, kind="stable")
    groups, rows = groups[order], rows[order]
    first_rows = rows[np.searchsorted(groups, groups)]
    return NearDuplicates(groups, rows, bits(hashes[rows] ^ hashes[first_rows]))


def near_duplicates_csv(
    duplicates: NearDuplicates, columns: Callable[[npt.NDArray[np.int64]], Mapping[str, Sequence[str]]]
) -> Iterator[bytes]:
    """The table `near-duplicates.csv`, UTF-8: `group,key,object_number,split,distance`; a span of rows at a time.

    Args:
        duplicates: the pictures.
        columns: rows to the `key`, `object_number` and `split` of each.
    """
    yield b"group,key,object_number,split,distance\n"
    for start in range(0, len(duplicates.rows), _ROWS_AT_ONCE):
        span = slice(start, start + _ROWS_AT_ONCE)
        of_rows = columns(duplicates.rows[span])
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            zip(
                duplicates.groups[span].tolist(),
                *(of_rows[name] for name in ("key", "object_number", "split")),
                duplicates.distances[span].tolist(),
                strict=True,
            )
        )
        yield text.getvalue().encode()


def _root(parent: list[int], member: int) -> int:
    while parent[member] != member:
        parent[member] = parent[parent[member]]
        member = parent[member]
    return member


def _join(parent: list[int], first: int, second: int) -> None:
    low, high = sorted((_root(parent, first), _root(parent, second)))
    parent[high] = low
