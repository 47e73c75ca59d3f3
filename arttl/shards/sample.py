"""One sample of a shard: its picture, its JSON, and its row in the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

EXTENSIONS = ("jpg", "json", "row")
"""The members of a sample in its tar, in order."""
LABEL_COLUMN = "labels."
"""What the manifest's label columns begin with; the task's name follows. list<string>, null where unknown."""


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """A row of the manifest but for the split and the shard, which follow from where the sample is written.

    Attributes:
        key: name of the sample.
        object_number: as catalogued.
        width, height: of the stored JPEG, upright, in pixels.
        original_width, original_height: of the source picture, upright, in pixels.
        sha256: of the source file's bytes, hex.
        stored_sha256: of the stored JPEG's bytes, hex.
        group: shared by all that must stay in one split; None: the object number is.
        institution: the museum that holds the object; None: unknown.
        labels: task name to labels; no entry: unknown.
        near_hash: perceptual hash of the picture, where it was computed; not a column.
        remarks: what was done to the picture because of what its file says, each with the file's name; not a column.
    """

    key: str
    object_number: str
    width: int
    height: int
    original_width: int
    original_height: int
    sha256: str
    stored_sha256: str
    group: str | None
    labels: Mapping[str, list[str]]
    institution: str | None = None
    near_hash: int | None = None
    remarks: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> SampleRecord:
        """The record in a row of the manifest, given as column name to value."""
        labels = {
            name.removeprefix(LABEL_COLUMN): value
            for name, value in columns.items()
            if name.startswith(LABEL_COLUMN) and value
        }
        values: dict[str, Any] = {name: columns.get(name) for name in _COLUMNS}
        return cls(labels=labels, **values)

    def to_columns(self, split: str, shard: str, tasks: Iterable[str]) -> dict[str, Any]:
        """The row of the manifest, by column name.

        Args:
            split: `train`, `val` or `test`.
            shard: file name of the tar.
            tasks: the tasks that the manifest has label columns for.
        """
        labels = {LABEL_COLUMN + task: self.labels.get(task) for task in tasks}
        return {**{name: getattr(self, name) for name in _COLUMNS}, **labels, "split": split, "shard": shard}


_NO_COLUMNS = ("labels", "near_hash", "remarks")
_COLUMNS = tuple(each.name for each in fields(SampleRecord) if each.name not in _NO_COLUMNS)


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample ready to be written.

    Attributes:
        jpeg: the stored picture.
        metadata: JSON, UTF-8.
        record: its row in the manifest.
    """

    jpeg: bytes
    metadata: bytes
    record: SampleRecord
