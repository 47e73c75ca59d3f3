"""Finished shards to other finished shards: the same pictures byte for byte, with other labels or beside others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError
from arttl.packing.folder import write_folder
from arttl.packing.pool import default_workers, in_order
from arttl.packing.writing import Outcomes
from arttl.pictures.decoding import DEFAULT_MAX_PIXELS, BadPicture, decode_jpeg, jpeg_header
from arttl.pictures.near_duplicates import perceptual_hash
from arttl.pictures.storing import PREVIEW
from arttl.shards.index import Members
from arttl.shards.manifest import Manifest
from arttl.shards.rejects import Reject
from arttl.shards.sample import Sample, SampleRecord


@dataclass(frozen=True, slots=True)
class Copy:
    """A sample to copy.

    Attributes:
        members: where it lies.
        record: its row in the new manifest; its picture is the one that the old manifest describes.
        changes: fields of its JSON that become others, such as `title`.
    """

    members: Members
    record: SampleRecord
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The sample, for messages."""
        return self.members.file


class Copies(Sequence[Copy]):
    """Samples in the order in which they are written, each made when asked for."""

    def __init__(self, rows: npt.NDArray[np.int64], copy: Callable[[int], Copy]) -> None:
        self._rows = rows
        self._copy = copy

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Copy: ...

    @overload
    def __getitem__(self, index: slice) -> Copies: ...

    def __getitem__(self, index: int | slice) -> Copy | Copies:
        if isinstance(index, slice):
            return Copies(self._rows[index], self._copy)
        return self._copy(int(self._rows[index]))


@dataclass(frozen=True)
class Rewriting:
    """What is to be written; a `Planned`. `files` are the digests of the folders that it is made from."""

    tasks: tuple[str, ...]
    jobs: dict[str, Copies]
    rejects: Sequence[Reject]
    unlabelled: int
    files: tuple[str, ...]
    content: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides the result."""
        counts = {split: len(copies) for split, copies in self.jobs.items()}
        rejects = [[reject.object_number, reject.key, reject.reason] for reject in self.rejects]
        parts = [self.tasks, counts, rejects, self.unlabelled, self.files, self.content]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def write_copies(
    out: Path,
    plan: Rewriting,
    recorded: dict[str, Any],
    *,
    shard_size: int,
    workers: int,
    progress: bool,
    with_hash: bool = True,
    may_change: Collection[str] = (),
) -> Manifest:
    """`write_folder` of a rewriting.

    Args:
        out, plan: of `write_folder`.
        recorded: its `settings`.
        shard_size, progress, may_change: as for it.
        workers: processes that copy; 0: as many as suit the number of pictures.
        with_hash: whether perceptual hashes are computed, and so pictures that look alike reported.
    """
    return write_folder(
        out,
        plan,
        recorded,
        lambda jobs, processes: copies_in_order(jobs, processes, with_hash=with_hash),
        shard_size=shard_size,
        workers=lambda pictures: workers or default_workers(pictures),
        progress=progress,
        may_change=may_change,
    )


def copies_in_order(jobs: Iterable[Copy], workers: int, *, with_hash: bool) -> Outcomes:
    """`copied_sample` of every job, in the jobs' order."""
    return in_order(partial(copied_sample, with_hash=with_hash), jobs, workers)


def copied_sample(job: Copy, *, with_hash: bool) -> Sample | Reject:
    """Read a sample, compare its picture with the manifest, and give it its new labels.

    Raises:
        ArttlError: if it is not the sample that the manifest describes.
    """
    jpeg, text, _ = job.members.read()
    record = job.record
    try:
        metadata = json.loads(text)
        if not isinstance(metadata, dict):
            raise ValueError("no JSON object")
    except (ValueError, RecursionError) as error:
        raise ArttlError(f"{job.file} has no readable JSON beside it; run arttl shards verify") from error
    if hashlib.sha256(jpeg).hexdigest() != record.stored_sha256:
        raise ArttlError(f"{job.file} is not the picture that was packed; run arttl shards verify")
    metadata |= {"key": record.key, "labels": dict(record.labels), **job.changes}
    if with_hash:
        try:
            header = jpeg_header(jpeg, max_pixels=DEFAULT_MAX_PIXELS)
            record = replace(record, near_hash=perceptual_hash(decode_jpeg(jpeg, header, cover=PREVIEW)))
        except BadPicture as error:
            raise ArttlError(f"{job.file} cannot be decoded: {error.detail}") from error
    return Sample(jpeg, json.dumps(metadata, ensure_ascii=False).encode(), record)
