"""The manifest of a set of shards: a row per sample, and which shard holds it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from arttl.documents import read_versioned, structured
from arttl.errors import ArttlError
from arttl.shards.parquet import read_bounded_table
from arttl.shards.sample import LABEL_COLUMN, SampleRecord
from arttl.tasks import SPLITS

FORMAT_VERSION = 1

_SHARD_NAME = re.compile(r"[a-z]+-[0-9]{5,}\.tar")
_FIXED_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("key", pa.string()),
    ("object_number", pa.string()),
    ("split", pa.string()),  # train, val or test
    ("shard", pa.string()),  # file name of the tar
    ("width", pa.int32()),  # of the stored JPEG, upright
    ("height", pa.int32()),
    ("original_width", pa.int32()),  # of the source picture, upright
    ("original_height", pa.int32()),
    ("sha256", pa.string()),  # of the source file's bytes
    ("stored_sha256", pa.string()),  # of the stored JPEG's bytes
)
# Shared by a series, or by an artist's works; null: the object number. Folders of earlier versions lack it.
_GROUP = ("group", pa.string())
# The museum that holds the object; null: unknown. Folders of earlier versions lack it.
_INSTITUTION = ("institution", pa.string())


def manifest_schema(tasks: tuple[str, ...]) -> pa.Schema:
    """Columns of `manifest.parquet` for the given tasks. Row i of the table is the sample whose `.row` is i."""
    labels = [(LABEL_COLUMN + task, pa.list_(pa.string())) for task in tasks]
    return pa.schema([*_FIXED_COLUMNS, _GROUP, _INSTITUTION, *labels])


_LONGEST_NAME = 255  # bytes, of a file on any system


def _column_type(name: str) -> pa.DataType | None:
    if name.startswith(LABEL_COLUMN):
        return pa.list_(pa.string())
    return dict([*_FIXED_COLUMNS, _GROUP, _INSTITUTION]).get(name)


@dataclass(frozen=True)
class FileRecord:
    """What `dataset.json` says of a file."""

    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        if self.bytes < 0:
            raise ValueError(f"{self.bytes} bytes")


@dataclass(frozen=True)
class DatasetRecord:
    """The types of what `dataset.json` holds; earlier versions lack some of it, see `Manifest.require`."""

    format_version: int
    made_by: str = ""
    tasks: tuple[str, ...] = ()
    samples: dict[str, int] = field(default_factory=dict)
    labelled: dict[str, dict[str, int]] = field(default_factory=dict)
    unlabelled: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    plan_sha256: str = ""
    files: dict[str, FileRecord] = field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        if too_long := next((name for name in self.files if len(os.fsencode(name)) > _LONGEST_NAME), None):
            raise ValueError(f"a file of the name {too_long[:20]}..., of more than {_LONGEST_NAME} bytes")


class Manifest:
    """The contents of a folder of shards, read from `manifest.parquet` and `dataset.json`.

    Rows are ordered by split (train, val, test), then shard, then position in the shard.
    """

    def __init__(self, directory: Path, table: pa.Table, dataset: Mapping[str, Any]) -> None:
        self.directory = directory
        self.table = table
        self.dataset = dataset

    @classmethod
    def read(cls, directory: str | Path) -> Manifest:
        """Open a folder of shards.

        Raises:
            ArttlError: if the folder is missing, unfinished, or of another format version.
        """
        directory = Path(directory)
        if not directory.is_dir():
            raise ArttlError(f"{directory} is not a folder of shards; make one with arttl shards")
        for name in ("dataset.json", "manifest.parquet"):
            if not (directory / name).is_file():
                raise ArttlError(
                    f"{directory} is not a finished folder of shards: {name} is missing;"
                    " give one that arttl shards has made, or finish it with --resume of the command that began it,"
                    " such as arttl shards --resume"
                )
        path = directory / "dataset.json"
        dataset = read_versioned(path, dict[str, Any], FORMAT_VERSION, "shard")
        structured(dataset, DatasetRecord, path, surplus=True)
        table = read_bounded_table(directory / "manifest.parquet", _column_type)
        missing = [name for name, _ in _FIXED_COLUMNS if name not in table.column_names]
        if missing:
            raise ArttlError(f"{directory / 'manifest.parquet'} lacks the column {missing[0]!r}")
        return cls(directory, table, dataset)

    def require(self, *names: str) -> None:
        """Check that `dataset.json` has the named entries, which the rows alone do not need.

        Raises:
            ArttlError: naming the first that is missing.
        """
        for name in names:
            if name not in self.dataset:
                raise ArttlError(
                    f"{self.directory / 'dataset.json'} has no {name!r}; pack the collection again with arttl shards"
                )

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def task_names(self) -> tuple[str, ...]:
        """The tasks that rows carry labels for."""
        return tuple(
            name.removeprefix(LABEL_COLUMN)
            for name in self.table.column_names
            if name.startswith(LABEL_COLUMN)
        )

    @cached_property
    def keys(self) -> list[str]:
        """The key of each row."""
        return self._strings("key")

    @cached_property
    def object_numbers(self) -> list[str]:
        """The object number of each row, as catalogued."""
        return self._strings("object_number")

    @cached_property
    def splits(self) -> list[str]:
        """The split of each row."""
        return self._strings("split")

    @cached_property
    def shards(self) -> list[str]:
        """The shard's file name of each row."""
        return self._strings("shard")

    @cached_property
    def institutions(self) -> list[str | None]:
        """The institution of each row; None where it is unknown."""
        return self._optional_strings(_INSTITUTION[0])

    @cached_property
    def groups(self) -> list[str | None]:
        """What each row shares with all that must stay in its split; None where that is its object number."""
        return self._optional_strings(_GROUP[0])

    def tar(self, name: str) -> Path:
        """The path of a shard.

        Raises:
            ArttlError: for a name that packing does not give, which could lead out of the folder.
        """
        if not _SHARD_NAME.fullmatch(name):
            raise ArttlError(
                f"{self.directory / 'manifest.parquet'} names a shard {name!r}, which is not the name of a shard;"
                " pack the collection anew with arttl shards"
            )
        return self.directory / name

    def shard_rows(self) -> list[tuple[Path, range]]:
        """The shards in order, each with its rows, which follow one another.

        Raises:
            ArttlError: as for `tar`.
        """
        names = np.array(self.shards, dtype=object)
        firsts = np.flatnonzero(np.append(True, names[1:] != names[:-1])).tolist() if len(names) else []
        edges = zip(firsts, [*firsts[1:], len(names)], strict=True)
        return [(self.tar(names[first]), range(first, end)) for first, end in edges]

    def record(self, row: int) -> SampleRecord:
        """One row."""
        return SampleRecord.from_columns(self._whole_table.slice(row, 1).to_pylist()[0])

    @cached_property
    def _whole_table(self) -> pa.Table:
        return self.table.combine_chunks()  # slicing is slow over many chunks

    @cached_property
    def sizes(self) -> npt.NDArray[np.int32]:
        """Height and width of each row's stored picture, [N, 2] int32."""
        columns = [self.table.column(name).to_numpy() for name in ("height", "width")]
        return np.stack(columns, axis=1).astype(np.int32)

    def labels(self, task: str) -> list[tuple[str, ...] | None]:
        """The labels of each row for one task; None where unknown."""
        column = self.table.column(LABEL_COLUMN + task)
        return [tuple(labels) if labels else None for labels in column.to_pylist()]

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """The rows of one split, ascending.

        Raises:
            ArttlError: for a split that has no sample.
        """
        rows = np.flatnonzero(np.asarray(self.splits) == split).astype(np.int64)
        if not len(rows):
            known = ", ".join(sorted(set(self.splits))) or "none"
            remedy = "; pack it with another --split, such as stratified" if split in SPLITS else ""
            raise ArttlError(f"{self.directory} has no split {split!r}; it has: {known}{remedy}")
        return rows

    def _strings(self, column: str) -> list[Any]:
        return list(self.table.column(column).to_pylist())

    def _optional_strings(self, column: str) -> list[str | None]:
        known = column in self.table.column_names
        return self._strings(column) if known else [None] * len(self)
