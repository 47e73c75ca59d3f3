"""Finished shards to other finished shards: the same pictures byte for byte, with other labels or beside others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from arttl.catalogue.lazy import LazyRows
from arttl.errors import ArttlError
from arttl.packing.folder import write_folder
from arttl.packing.pool import in_order
from arttl.packing.settings import OutputSettings
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
        members: its bytes.
        record: its row in the new manifest; its picture is the one that the old manifest describes.
        changes: fields of its JSON that are replaced, such as `title`.
    """

    members: Members
    record: SampleRecord
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The sample, for messages."""
        return self.members.file


@dataclass(frozen=True)
class Rewriting:
    """A plan to write copies, a `Planned`; `files` are the digests of the folders that are copied from."""

    tasks: tuple[str, ...]
    jobs: Mapping[str, LazyRows[Copy]]
    rejects: Sequence[Reject]
    unlabelled: int
    files: tuple[str, ...]
    content: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of everything that the result depends on."""
        counts = {split: len(copies) for split, copies in self.jobs.items()}
        rejects = [[reject.object_number, reject.key, reject.reason] for reject in self.rejects]
        parts = [self.tasks, counts, rejects, self.unlabelled, self.files, self.content]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def write_copies(
    settings: OutputSettings,
    plan: Rewriting,
    recorded: dict[str, Any],
    *,
    progress: bool,
    with_hash: bool = True,
    may_change: Collection[str] = (),
) -> Manifest:
    """`write_folder` of a rewriting; `with_hash` says whether pictures that look alike are looked for."""

    def work(jobs: Iterable[Copy], workers: int) -> Outcomes:
        return in_order(partial(copied_sample, with_hash=with_hash), jobs, workers)

    return write_folder(settings, plan, recorded, work, progress=progress, may_change=may_change)


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
