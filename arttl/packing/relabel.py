"""Finished shards with new metadata: the same pictures in the same splits, under other labels."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tyro.conf import Positional

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.packing.catalogue import Catalogue
from arttl.packing.folder import check_folder
from arttl.packing.plan import clean, clean_reject
from arttl.packing.rewriting import Copies, Copy, Rewriting, write_copies
from arttl.packing.samples import Job
from arttl.shards.index import ShardRows
from arttl.shards.manifest import Manifest
from arttl.shards.rejects import Reject
from arttl.sources.labels import LabelRules
from arttl.sources.registry import SOURCES, open_source
from arttl.sources.settings import MetadataSettings, SourceSettings
from arttl.sources.table import guess_columns
from arttl.tasks import SPLITS


@dataclass(frozen=True, kw_only=True)
class RelabelSettings(MetadataSettings):
    """New metadata for the pictures of finished shards.

    Records are matched by object number, and where an object has several photographs by the image's name too. Every
    picture stays in its split, so that what was tested is tested still.
    """

    folder: Positional[Path]
    """The folder of shards."""

    out: Path
    """Folder to write the shards into; must be empty or not exist, except with `--resume`."""

    shard_size: int = 1000
    """Samples in a shard."""

    workers: int = 0
    """Processes that copy. 0: one for each core, but only this one for up to 1,000 pictures."""

    resume: bool = False
    """Finish a run that was interrupted; finished shards are kept."""


def relabel(settings: RelabelSettings, *, progress: bool = False) -> tuple[Manifest, list[str]]:
    """Write the pictures of a folder of shards again with the labels of new metadata.

    A picture without a record goes into `rejects.csv` as `no-record`, a record without a picture as `missing`; one
    without any label is left out and counted.

    Returns:
        The manifest of the new folder, and what was done to labels, a sentence each.

    Raises:
        ArttlError: if the source has no records to match, no picture has one, or a folder cannot be used.
    """
    with_records = [name for name, source in SOURCES.items() if source.has_records]
    if settings.source not in with_records:
        raise ArttlError(
            f"--source {settings.source}: arttl shards relabel reads records, of {', '.join(with_records)}"
        )
    check_folder(settings.out, resume=settings.resume)
    manifest = Manifest.read(settings.folder)
    manifest.require("digest", "settings")
    reading, rules, notes = _opened(settings)
    records = _Records(reading, tuple(settings.task_columns()) or SOURCES[settings.source].tasks)
    relabelled = _Relabelled(manifest, records)
    if not len(relabelled.kept):
        raise ArttlError(
            f"no picture of {settings.folder} has a record with a label in {settings.metadata};"
            " check --object-number and --tasks"
        )
    splits = np.array(manifest.splits, dtype=object)[relabelled.kept]
    rejects = [*records.rejects, *relabelled.rejects]
    plan = Rewriting(
        tasks=records.tasks or tuple(records.catalogue.labels),
        jobs={split: Copies(relabelled.kept[splits == split], relabelled.copy) for split in SPLITS},
        rejects=rejects,
        unlabelled=relabelled.unlabelled,
        files=(str(manifest.dataset.get("digest")),),
        content=relabelled.content(),
    )
    recorded = _recorded(settings) | {
        "relabelled": str(manifest.dataset.get("digest")),
        "leaf": manifest.dataset["settings"].get("leaf"),
    }
    made = write_copies(
        settings.out,
        plan,
        recorded,
        shard_size=settings.shard_size,
        workers=settings.workers,
        progress=progress,
        may_change=("metadata",),
    )
    return made, [*notes, *rules.notes()]


def _opened(settings: RelabelSettings) -> tuple[Iterable[Artwork | Reject], LabelRules, list[str]]:
    fields = {field.name: getattr(settings, field.name) for field in dataclasses.fields(MetadataSettings)}
    # A dry run reads records without looking for their pictures.
    source = SourceSettings(**fields, dry_run=True)
    notes: list[str] = []
    if source.source == "table":
        source, notes = guess_columns(source)
    return (*open_source(source), notes)


def _recorded(settings: RelabelSettings) -> dict[str, Any]:
    kept = {
        field.name: getattr(settings, field.name)
        for field in dataclasses.fields(settings)
        if field.name not in ("folder", "out", "workers", "resume")
    }
    plain = {name: value.as_posix() if isinstance(value, Path) else value for name, value in kept.items()}
    decoded: dict[str, Any] = json.loads(json.dumps(plain))
    return decoded


class _Records:
    """The new metadata, by object number."""

    def __init__(self, found: Iterable[Artwork | Reject], tasks: tuple[str, ...]) -> None:
        self.tasks = tasks
        self.catalogue = Catalogue()
        self.rejects: list[Reject] = []
        self.by_number: dict[str, list[int]] = {}
        for one in found:
            if isinstance(one, Reject):
                self.rejects.append(clean_reject(one))
                continue
            artwork = clean(one, tasks)
            row = self.catalogue.add(Job(artwork, artwork.image.as_posix()), "")
            self.by_number.setdefault(artwork.object_number, []).append(row)


class _Relabelled:
    """Which picture gets which record.

    Attributes:
        kept: rows of the manifest that get labels, ascending.
        unlabelled: how many get a record without any label.
        rejects: pictures without a record, and records without a picture.
    """

    def __init__(self, manifest: Manifest, records: _Records) -> None:
        self._manifest = manifest
        self._rows = ShardRows(manifest)
        self._catalogue = records.catalogue
        self._record_of: dict[int, int] = {}
        self.unlabelled = 0
        self.rejects: list[Reject] = []
        used = np.zeros(len(records.catalogue), dtype=bool)
        for row, number in enumerate(manifest.object_numbers):
            candidates = records.by_number.get(number, [])
            record = self._choose(row, candidates)
            if record is None:
                several = f"{len(candidates)} records of this object, none of which names this image"
                detail = several if candidates else "the metadata has no record of this object"
                key = manifest.keys[row]
                self.rejects.append(Reject(number, key, f"{key}.jpg", "no-record", detail))
                continue
            used[record] = True
            if self._catalogue.job(record).artwork.labels:
                self._record_of[row] = record
            else:
                self.unlabelled += 1
        for record in np.flatnonzero(~used).tolist():
            artwork = self._catalogue.job(record).artwork
            detail = "the shards have no picture of it"
            self.rejects.append(
                Reject(artwork.object_number, "", artwork.image.as_posix(), "missing", detail)
            )
        self.kept = np.array(sorted(self._record_of), dtype=np.int64)

    def copy(self, row: int) -> Copy:
        """The sample of a row, with its new labels."""
        artwork = self._catalogue.job(self._record_of[row]).artwork
        changes = {
            "raw_labels": {task: list(values) for task, values in artwork.raw_labels.items()},
            "title": artwork.title,
            "date": artwork.date,
            "source": artwork.source,
        }
        labels = {task: list(values) for task, values in artwork.labels.items()}
        record = dataclasses.replace(self._manifest.record(row), labels=labels)
        return Copy(self._rows.members(row), record, changes)

    def content(self) -> str:
        """All the records that are used, in a form that changes when one does."""
        return b"\n".join(
            self._catalogue.content(self._record_of[row]) for row in self.kept.tolist()
        ).decode()

    def _choose(self, row: int, candidates: list[int]) -> int | None:
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        jobs = [self._catalogue.job(record) for record in candidates]
        if all(job.artwork.labels == jobs[0].artwork.labels for job in jobs):
            return candidates[0]
        _, text, _ = self._rows.members(row).read()
        try:
            file = json.loads(text)["original"]["file"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return next((record for record, job in zip(candidates, jobs, strict=True) if job.file == file), None)
