"""The artworks of a collection of any size, in a few dozen bytes of memory each.

What a sample needs is written to a temporary file and read again row by row; what the split, the tables and the
search for duplicates need stays in arrays.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from arttl.artworks import ArchivedArtwork, Artwork
from arttl.catalogue.jobs import Job
from arttl.catalogue.lazy import LazyRows
from arttl.catalogue.spool import Spool
from arttl.pictures.picture_file import PictureFile


def _encoded(path: Path) -> bytes:
    """The bytes that stand for a path; metadata may name one with halves of characters, which no file has."""
    return str(path).encode("utf-8", "surrogatepass")


def _decoded(data: bytes) -> Path:
    return Path(data.decode("utf-8", "surrogatepass"))


class LabelColumn:
    """The labels of one task as numbers, one row per artwork.

    Attributes:
        names: the classes, in order of first occurrence; a label's number is its index here.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._codes = array("i")
        self._starts = array("q")
        self._counts = array("i")

    def set(self, row: int, labels: Sequence[str]) -> None:
        """Set a row's labels, also a second time; rows that are never set have none."""
        starts, counts, numbers, codes = self._starts, self._counts, self._numbers, self._codes
        while len(starts) <= row:
            starts.append(0)
            counts.append(0)
        starts[row] = len(codes)
        counts[row] = len(labels)
        for label in labels:
            number = numbers.get(label)
            if number is None:
                number = numbers[label] = len(self.names)
                self.names.append(label)
            codes.append(number)

    def known(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of the rows have a label."""
        return self._count(rows) > 0

    def entries(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """All labels of the rows: for each the index into `rows` and the label's number, in the order of `rows`."""
        counts = self._count(rows)
        indices = np.repeat(np.arange(len(rows), dtype=np.int64), counts)
        offsets = np.arange(len(indices)) - np.repeat(np.cumsum(counts) - counts, counts)
        starts = np.asarray(self._starts, dtype=np.int64)[rows[indices]]
        return indices, np.asarray(self._codes, dtype=np.int64)[starts + offsets]

    def _count(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        counts = np.zeros(max(len(self._counts), int(rows.max(initial=-1)) + 1), dtype=np.int64)
        counts[: len(self._counts)] = self._counts
        return counts[rows]


class Catalogue:
    """Artworks by row, from 0, in the order in which they were added.

    Attributes:
        labels: task name to labels, for every task that any artwork has a label for.
        institutions: the museum of each artwork, where it is known.
    """

    def __init__(self, directory: Path | None = None) -> None:
        """Start empty.

        Args:
            directory: for the temporary file; by default the system's.
        """
        self.labels: dict[str, LabelColumn] = {}
        self.institutions = LabelColumn()
        self._spool = Spool(directory)
        self._keys = array("Q")  # hashes
        self._groups = array("Q")
        self._near_hashes: np.ma.MaskedArray[Any, Any] | None = None

    def __len__(self) -> int:
        return len(self._spool)

    def add(self, job: Job, group: str) -> int:
        """Append an artwork.

        Args:
            job: the artwork and its image's name.
            group: shared by all that must stay in one split, if the split is by groups.

        Returns:
            Its row.
        """
        row = self._spool.append(b"")
        key = job.artwork.key
        self._keys.append(hashed := _hash64(key))
        self._groups.append(hashed if group == key else _hash64(group))
        self.replace(row, job)
        return row

    def replace(self, row: int, job: Job) -> None:
        """Replace the artwork of a row; its group stays."""
        artwork = job.artwork
        record = [artwork.key, artwork.object_number, job.file, artwork.title, artwork.date, artwork.source]
        record += [artwork.institution, artwork.split, artwork.group]
        identifiers = {task: dict(of_labels) for task, of_labels in artwork.identifiers.items()}
        content = [record, dict(artwork.labels), dict(artwork.raw_labels), identifiers, artwork.attributions]
        data = json.dumps(content).encode()
        member = ""
        if isinstance(artwork, ArchivedArtwork):
            member = json.dumps([artwork.member, artwork.offset, artwork.size])
        whole = b"\n".join((data, member.encode(), _encoded(artwork.image)))
        self._spool.replace(row, whole)
        for task, labels in artwork.labels.items():
            column = self.labels.get(task)
            if column is None:
                column = self.labels[task] = LabelColumn()
            column.set(row, labels)
        if artwork.institution is not None:
            self.institutions.set(row, (artwork.institution,))

    def job(self, row: int) -> Job:
        """The artwork of a row, with the name of its image."""
        data, member, image = self._spool.read(row).split(b"\n", 2)
        record, labels, raw, identifiers, attributions = json.loads(data)
        key, number, file, title, date, source, institution, split, group = record
        fields: dict[str, Any] = {}
        if member:
            fields = dict(zip(("member", "offset", "size"), json.loads(member), strict=True))
        artwork = (ArchivedArtwork if member else Artwork)(
            key=key,
            object_number=number,
            image=_decoded(image),
            labels={task: tuple(names) for task, names in labels.items()},
            raw_labels={task: tuple(names) for task, names in raw.items()},
            title=title,
            date=date,
            source=source,
            institution=institution,
            identifiers={
                task: {label: tuple(several) for label, several in of_labels.items()}
                for task, of_labels in identifiers.items()
            },
            attributions=tuple((qualifier, name) for qualifier, name in attributions),
            split=split,
            group=group,
            **fields,
        )
        near_hash = None if self._near_hashes is None else self._near_hashes[row]
        return Job(artwork, file, None if near_hash is None or near_hash is np.ma.masked else int(near_hash))

    def jobs(self, rows: npt.NDArray[np.int64]) -> LazyRows[Job]:
        """The artworks of the rows, each read when it is asked for."""
        return LazyRows(rows, self.job)

    def image(self, row: int) -> PictureFile:
        """The file of a row's image."""
        _, member, image = self._spool.read(row).split(b"\n", 2)
        path = _decoded(image)
        return PictureFile(path, tuple(json.loads(member)[1:])) if member else PictureFile(path)

    def content(self, row: int) -> bytes:
        """All that is known of a row except the path of its image; digests are computed from it."""
        return self._spool.read(row).partition(b"\n")[0]

    def rename(self, row: int, key: str, group: str | None = None, *, keep_group: bool = False) -> None:
        """Give a row another key, and another group.

        Args:
            row: itself.
            key: its own.
            group: None: as it is.
            keep_group: whether the group is kept with the sample, as that of leaves is.
        """
        job = self.job(row)
        kept = group if keep_group and group is not None else job.artwork.group
        self.replace(
            row, dataclasses.replace(job, artwork=dataclasses.replace(job.artwork, key=key, group=kept))
        )
        self._keys[row] = _hash64(key)
        if group is not None:
            self._groups[row] = _hash64(group)

    def set_near_hashes(self, rows: npt.NDArray[np.int64], hashes: npt.NDArray[np.uint64]) -> None:
        """Keep the perceptual hashes of some rows' pictures, for their jobs."""
        self._near_hashes = np.ma.masked_all(len(self), dtype=np.uint64)
        self._near_hashes[rows] = hashes

    def key_hashes(self) -> npt.NDArray[np.uint64]:
        """A hash of each row's key; equal keys have equal hashes."""
        return np.array(self._keys, dtype=np.uint64)

    def group_hashes(self) -> npt.NDArray[np.uint64]:
        """A hash of each row's group."""
        return np.array(self._groups, dtype=np.uint64)

    def groups(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The groups of the rows, numbered from 0."""
        return np.unique(self.group_hashes()[rows], return_inverse=True)[1].astype(np.int64).reshape(-1)


def _hash64(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
