"""Leaks from training to test: objects, series and pictures that are in more than one split."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from arttl.errors import counted
from arttl.labelling.cleaning import without_leaf
from arttl.pictures.near_duplicates import NEAR_DUPLICATES_FILE, read_near_duplicates
from arttl.shards.manifest import Manifest
from arttl.tasks import SPLITS

_SHOWN = 3

_SINGULAR = {"objects": "object", "series": "series", "pictures": "picture"}


@dataclass(frozen=True)
class Leak:
    """Objects, series or pictures that are in several splits, and should be in one.

    Attributes:
        kind: `objects`, `series` or `pictures`.
        count: how many are in several splits.
        samples: how many samples those have in val and test.
        examples: up to three of them, by object number or series.
    """

    kind: str
    count: int
    samples: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class LeakCheck:
    """The result of the leak check.

    Attributes:
        leaks: one for each kind that has any.
        checked: the kinds that were checked.
        look_alike: groups of `near-duplicates.csv` in several splits; None where there is no such file. Several
            photographs of one work are such a group, and so are drawings that are merely similar.
    """

    leaks: tuple[Leak, ...]
    checked: tuple[str, ...]
    look_alike: int | None

    def sentences(self) -> list[str]:
        """The result in sentences, for a person."""
        sentences = [
            f"leak: {counted(leak.count, f'{_SINGULAR[leak.kind]} is', f'{leak.kind} are')} in more than one split"
            f" ({counted(leak.samples, 'sample')} of val and test), such as {', '.join(leak.examples)}"
            for leak in self.leaks
        ]
        if not sentences:
            sentences = [f"no leak: {' and '.join(self.checked)} are each in one split only"]
        if self.look_alike:
            alike = "of pictures that look alike"
            sentences.append(
                f"{counted(self.look_alike, f'group {alike} is', f'groups {alike} are')} in more than one split"
                f" ({NEAR_DUPLICATES_FILE}); --near-duplicates together keeps each in one"
            )
        return sentences


def find_leaks(manifest: Manifest, leaf: re.Pattern[str] | None = None) -> LeakCheck:
    """Look for objects, series and pictures that are in more than one split.

    A picture is one file (by SHA-256 of the source and of the stored JPEG); an object is its number without its leaf;
    a series is what `--group-column` gave, or an object whose leaves `--leaf` told apart when it was packed.

    Args:
        manifest: of finished shards.
        leaf: see `SourceSettings.leaf_pattern`.

    Raises:
        ArttlError: if `near-duplicates.csv` cannot be read.
    """
    table = manifest.table
    split_of = pc.index_in(table["split"], pa.array(SPLITS)).to_numpy()
    numbers = table["object_number"]
    # Two museums may give two objects the same number.
    owned = zip(manifest.institutions, manifest.object_numbers, strict=True)
    objects = pa.array([f"{owner or ''}\n{without_leaf(number, leaf)}" for owner, number in owned])

    def number_of(row: int) -> str:
        return str(numbers[row].as_py())

    kinds: list[tuple[str, Sequence[pa.ChunkedArray], Callable[[int], str]]] = [
        ("objects", [objects], number_of),
        ("pictures", [table["sha256"], table["stored_sha256"]], number_of),
    ]
    if "group" in table.column_names and table["group"].null_count < len(table):
        kinds.insert(1, ("series", [table["group"]], lambda row: str(table["group"][row].as_py())))
    leaks = []
    for kind, columns, name in kinds:
        leaking = [_rows_in_several_splits(column, split_of) for column in columns]
        rows = np.unique(np.concatenate(leaking))
        if len(rows):
            # The two digests of a picture mostly agree.
            count = max(
                len(pc.unique(column.take(pa.array(of_column))))
                for column, of_column in zip(columns, leaking, strict=True)
            )
            examples = tuple(dict.fromkeys(name(int(row)) for row in rows[: 50 * _SHOWN]))[:_SHOWN]
            leaks.append(Leak(kind, count, int((split_of[rows] > 0).sum()), examples))
    return LeakCheck(tuple(leaks), tuple(kind for kind, _, _ in kinds), _look_alike(manifest))


def _rows_in_several_splits(
    column: pa.ChunkedArray | pa.Array, split_of: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The rows whose value (not null) is also that of a row of another split."""
    encoded = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    codes = pc.fill_null(encoded.dictionary_encode().indices, -1).to_numpy()
    seen = np.zeros((codes.max(initial=0) + 1, len(SPLITS)), dtype=bool)
    known = codes >= 0
    seen[codes[known], split_of[known]] = True
    several = seen.sum(axis=1) > 1
    return np.flatnonzero(known & several[codes]).astype(np.int64)


def _look_alike(manifest: Manifest) -> int | None:
    rows = read_near_duplicates(manifest.directory)
    if rows is None:
        return None
    splits_of_groups = {(row["group"], row["split"]) for row in rows}
    return sum(count > 1 for count in Counter(group for group, _ in splits_of_groups).values())
