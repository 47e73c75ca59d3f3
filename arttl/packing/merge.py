"""Several folders of shards to one: the same pictures, each once, under keys that are unique."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from tyro.conf import Positional

from arttl.artworks import sample_key
from arttl.catalogue.lazy import LazyRows
from arttl.errors import ArttlError
from arttl.labelling.merging import merge_labels
from arttl.packing.folder import check_folder
from arttl.packing.rewriting import Copy, Rewriting, write_copies
from arttl.packing.settings import ShuffledSettings
from arttl.shards.index import ShardRows
from arttl.shards.manifest import Manifest
from arttl.shards.rejects import Reject, read_rejects
from arttl.shards.sample import SampleRecord
from arttl.splits.split import Rows, shuffled
from arttl.tasks import SPLITS


@dataclass(frozen=True, kw_only=True)
class MergeSettings(ShuffledSettings):
    """Several folders of shards to one.

    Pictures are copied as they are and stay in their split; of the same picture twice the first is kept, with the
    labels that it lacks from the other.
    """

    folders: Positional[tuple[Path, ...]]
    """The folders of shards, two or more."""

    def check(self) -> None:
        """Check that there is something to merge.

        Raises:
            ArttlError: for fewer than two folders.
        """
        if len(self.folders) < 2:
            raise ArttlError("arttl shards merge needs two folders of shards or more")


def merge(settings: MergeSettings, *, progress: bool = False) -> Manifest:
    """Merge folders of shards.

    Returns:
        The manifest of the merged folder.

    Raises:
        ArttlError: if one of the folders is not finished, or the new one is not empty.
    """
    check_folder(settings)
    manifests = [Manifest.read(folder) for folder in settings.folders]
    for manifest in manifests:
        manifest.require("digest", "unlabelled", "settings")
    merged = _Merged(manifests)
    rows_of = {split: merged.kept[merged.splits[merged.kept] == split] for split in SPLITS}
    digests = tuple(str(manifest.dataset.get("digest")) for manifest in manifests)
    plan = Rewriting(
        tasks=merged.tasks,
        jobs={
            split: LazyRows(shuffled(rows, split, settings.seed), merged.copy)
            for split, rows in rows_of.items()
        },
        rejects=merged.rejects,
        unlabelled=sum(int(manifest.dataset["unlabelled"]) for manifest in manifests),
        files=digests,
    )
    recorded = {
        "merged": list(digests),
        "seed": settings.seed,
        "shard_size": settings.shard_size,
        "leaf": _common([manifest.dataset["settings"].get("leaf") for manifest in manifests]),
    }
    return write_copies(settings, plan, recorded, progress=progress)


class _Merged:
    """The rows of several manifests as one list, and the rows that are kept.

    Attributes:
        tasks: of all folders, in order of first occurrence.
        splits: [N] of each row.
        kept: rows of distinct pictures, ascending.
        rejects: the others, after those of the folders themselves.
    """

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        self.tasks = tuple(dict.fromkeys(task for manifest in manifests for task in manifest.task_names))
        self._manifests = manifests
        self._readers = [ShardRows(manifest) for manifest in manifests]
        self._starts = np.cumsum([0, *(len(manifest) for manifest in manifests)])
        self.splits = np.concatenate([np.array(manifest.splits, dtype=object) for manifest in manifests])
        self._keys = [key for manifest in manifests for key in manifest.keys]
        self.rejects: list[Reject] = [
            reject for manifest in manifests for reject in read_rejects(manifest.directory)
        ]
        self._labels: dict[int, dict[str, list[str]]] = {}  # of rows that have duplicates
        self.kept = self._without_duplicates()
        self._make_keys_unique()

    def copy(self, row: int) -> Copy:
        """The sample of a row."""
        folder, index = self._folder_of(row)
        record = self._record(row)
        labels = self._labels.get(row) or record.labels
        return Copy(self._readers[folder].members(index), replace(record, key=self._keys[row], labels=labels))

    def _folder_of(self, row: int) -> tuple[int, int]:
        """The index of a row's folder, and the row in it."""
        folder = int(np.searchsorted(self._starts, row, "right")) - 1
        return folder, int(row - self._starts[folder])

    def _record(self, row: int) -> SampleRecord:
        folder, index = self._folder_of(row)
        record = self._manifests[folder].record(index)
        labels = {task: record.labels[task] for task in self.tasks if task in record.labels}
        return replace(record, labels=labels)

    def _same(self, column: str) -> Iterator[list[int]]:
        """Sets of two or more rows with the same value, ascending."""
        values = pa.chunked_array(
            [chunk for manifest in self._manifests for chunk in manifest.table[column].chunks]
        )
        codes = values.combine_chunks().dictionary_encode().indices.to_numpy()
        order = np.argsort(codes, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
            if len(rows) > 1:
                yield rows.tolist()

    def _without_duplicates(self) -> Rows:
        dropped = []
        for first, *others in self._same("sha256"):
            kept = self._record(first)
            labels = dict(kept.labels)
            for row in others:
                other = self._record(row)
                labels, clauses = merge_labels(
                    labels, other.labels, split=self.splits[first], other_split=self.splits[row]
                )
                detail = "; ".join([f"the same bytes as object {kept.object_number}", *clauses])
                self.rejects.append(
                    Reject(other.object_number, other.key, f"{other.key}.jpg", "duplicate-picture", detail)
                )
            self._labels[first] = labels
            dropped += others
        return np.setdiff1d(np.arange(len(self._keys)), np.array(dropped, dtype=np.int64))

    def _make_keys_unique(self) -> None:
        kept = set(self.kept.tolist())
        for rows in self._same("key"):
            for row in [row for row in rows if row in kept][1:]:
                folder, _ = self._folder_of(row)
                number = self._record(row).object_number
                self._keys[row] = sample_key(number[:60], part=f"{number}\n{folder}\n{self._keys[row]}")
        if len({self._keys[row] for row in kept}) < len(kept):
            raise ArttlError(
                "two samples get the same key, since the key of one is what another was renamed to; pack it again"
                " under another object number"
            )


def _common(values: Sequence[Any]) -> Any:
    return values[0] if len(set(values)) == 1 else None
