"""Pictures that look the same: a 64-bit perceptual hash, and the search for hashes that differ in a few bits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from arttl.shards.csv_files import csv_chunks, read_csv

# Bits of 64. Of 365 photographs of paintings all pairs up to here are two photographs of one painting, and all
# pairs of 10 are not; line drawings on white look alike sooner.
NEAR = 6
NEAR_DUPLICATES_FILE = "near-duplicates.csv"
_COLUMNS = ("group", "key", "object_number", "split", "distance")
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
    each a bit for whether it is above their (lower) median. Coefficients are rounded to whole numbers first, so
    that the noise of a flat picture makes no bits.
    """
    grey = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    low = np.rint(_COSINES @ np.asarray(grey, dtype=np.float32) @ _COSINES.T)
    above = low > np.partition(low, low.size // 2 - 1, axis=None)[low.size // 2 - 1]
    return int.from_bytes(np.packbits(above).tobytes(), "big")


def near_pairs(hashes: npt.NDArray[np.uint64], most: int = NEAR) -> npt.NDArray[np.int64]:
    """Pairs of hashes that differ in at most `most` bits.

    Hashes are cut into `most // 2 + 1` pieces. Of two hashes that are near, at least one piece differs in at most one
    bit (two in every piece would be more than `most`), and such partners are looked up in a sorted list.

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
    """Groups with those merged that hold near duplicates of each other.

    Args:
        groups: [N] the group of each row, a number.
        hashes: [N] of the rows' pictures.

    Returns:
        [N] groups, numbered from 0 in the order of their lowest given numbers.
    """
    groups = np.unique(groups, return_inverse=True)[1].astype(np.int64).reshape(-1)
    distinct, index = np.unique(hashes, return_inverse=True)
    index = index.reshape(-1)
    first_group = np.empty(len(distinct), dtype=np.int64)
    first_group[index[::-1]] = groups[::-1]
    same_hash = np.stack([first_group[index], groups], axis=1)
    pairs = np.concatenate([same_hash, first_group[near_pairs(distinct)]])
    roots = component_roots(int(groups.max(initial=-1)) + 1, pairs.tolist())
    _, lowest, component = np.unique(roots, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(lowest))[component.reshape(-1)][groups]


def component_roots(count: int, pairs: Iterable[Sequence[int]]) -> npt.NDArray[np.int64]:
    """A member of each connected component for all of its members (union-find with path halving).

    Args:
        count: of members, which are numbered from 0.
        pairs: members that are connected; the component of the second gets the root of the first's.

    Returns:
        [count] the root of each member.
    """
    parent = list(range(count))

    def root(member: int) -> int:
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    for first, second in pairs:
        parent[root(second)] = root(first)
    return np.array([root(member) for member in range(count)], dtype=np.int64)


def near_duplicates(hashes: npt.NDArray[np.uint64]) -> NearDuplicates:
    """The groups of two or more rows that look the same, in the order of their first rows.

    Args:
        hashes: [N] of the rows' pictures.
    """
    component = joined(np.arange(len(hashes), dtype=np.int64), hashes)
    rows = np.flatnonzero(np.bincount(component, minlength=1)[component] > 1).astype(np.int64)
    # Components are numbered in the order of their first rows.
    groups = np.unique(component[rows], return_inverse=True)[1].astype(np.int64).reshape(-1) + 1
    order = np.argsort(groups, kind="stable")
    groups, rows = groups[order], rows[order]
    first_rows = rows[np.searchsorted(groups, groups)]
    return NearDuplicates(groups, rows, bits(hashes[rows] ^ hashes[first_rows]))


def near_duplicates_csv(
    duplicates: NearDuplicates, columns: Callable[[npt.NDArray[np.int64]], Mapping[str, Sequence[str]]]
) -> Iterator[bytes]:
    """The table `near-duplicates.csv`, see `csv_chunks`.

    Args:
        duplicates: the pictures.
        columns: rows to the `key`, `object_number` and `split` of each.
    """

    def rows() -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(duplicates.rows), _ROWS_AT_ONCE):
            span = slice(start, start + _ROWS_AT_ONCE)
            of_rows = columns(duplicates.rows[span])
            yield from zip(
                duplicates.groups[span].tolist(),
                *(of_rows[name] for name in ("key", "object_number", "split")),
                duplicates.distances[span].tolist(),
                strict=True,
            )

    return csv_chunks(_COLUMNS, rows())


def read_near_duplicates(directory: Path) -> list[dict[str, str]] | None:
    """The rows of a folder's `near-duplicates.csv`, as column name to text; None where there is no such file.

    Raises:
        ArttlError: if it cannot be read.
    """
    path = directory / NEAR_DUPLICATES_FILE
    return list(read_csv(path, _COLUMNS)) if path.is_file() else None
