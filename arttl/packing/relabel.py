"""Finished shards with new metadata: the same pictures in the same splits, under other labels."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arttl.artworks import Artwork
from arttl.catalogue.catalogue import Catalogue
from arttl.catalogue.jobs import Job
from arttl.catalogue.lazy import LazyRows
from arttl.errors import ArttlError
from arttl.labelling.cleaning import clean, clean_reject
from arttl.packing.folder import check_folder
from arttl.packing.relabel_decided import relabel_decided
from arttl.packing.rewriting import Copy, Rewriting, write_copies
from arttl.packing.samples import provenance
from arttl.packing.settings import FolderSettings, OutputSettings, recorded
from arttl.settings import settings_of
from arttl.shards.index import ShardRows
from arttl.shards.manifest import Manifest
from arttl.shards.rejects import Reject
from arttl.sources.registry import SOURCES, Reading, guess_settings, open_source
from arttl.sources.settings import MetadataSettings, SourceSettings
from arttl.tasks import SPLITS


@dataclass(frozen=True, kw_only=True)
class RelabelSettings(FolderSettings, OutputSettings, MetadataSettings):
    """New metadata, or the decisions of arttl review, for the pictures of finished shards.

    Records are matched by object number, and where an object has several photographs by the image's name too. Every
    picture stays in its split, so that the test split stays untouched by training.
    """

    decisions: Path | None = None
    """File of decisions of arttl review, in place of --metadata: what was accepted or corrected becomes the label, but
    for the test split, which stays as it is."""
    reviewer: str | None = None
    """Name of the reviewer whose decisions alone are taken."""

    def check(self) -> None:
        """Check that the source has records, or that there are decisions alone.

        Raises:
            ArttlError: for a source that has none, or for flags that exclude each other.
        """
        if self.decisions is not None and (self.metadata is not None or self.tasks):
            raise ArttlError(
                "--decisions gives the labels of the shards themselves: leave --metadata and --tasks out"
            )
        if self.reviewer is not None and self.decisions is None:
            raise ArttlError("--reviewer is for --decisions")
        with_records = [name for name, source in SOURCES.items() if source.has_records]
        if self.source not in with_records:
            raise ArttlError(
                f"--source {self.source}: arttl shards relabel reads records, of {', '.join(with_records)}"
            )


def relabel(settings: RelabelSettings, *, progress: bool = False) -> tuple[Manifest, list[str]]:
    """Write the pictures of a folder of shards again with the labels of new metadata.

    A picture without a record goes into `rejects.csv` as `no-record`, a record without a picture as `missing`; one
    without any label is left out and counted.

    Returns:
        The manifest of the new folder, and sentences on what was done to labels.

    Raises:
        ArttlError: if no picture has a record, or a folder cannot be used.
    """
    if settings.decisions is not None:
        return relabel_decided(
            settings, settings.folder, settings.decisions, settings.reviewer, progress=progress
        )
    check_folder(settings)
    manifest = Manifest.read(settings.folder)
    manifest.require("digest", "settings")
    reading, notes = _opened(settings)
    records = _Records(reading, tuple(settings.task_columns()) or SOURCES[settings.source].tasks)
    relabelled = _Relabelled(manifest, records)
    if not len(relabelled.kept):
        raise ArttlError(
            f"no picture of {settings.folder} has a record with a label in {settings.metadata};"
            " check --object-number and --tasks"
        )
    splits = np.array(manifest.splits, dtype=object)[relabelled.kept]
    digest = str(manifest.dataset["digest"])
    plan = Rewriting(
        tasks=records.tasks or tuple(records.catalogue.labels),
        jobs={split: LazyRows(relabelled.kept[splits == split], relabelled.copy) for split in SPLITS},
        rejects=[*records.rejects, *relabelled.rejects],
        unlabelled=relabelled.unlabelled,
        files=(digest,),
        content=relabelled.content(),
    )
    origin = {"relabelled": digest, "leaf": manifest.dataset["settings"].get("leaf")}
    made = write_copies(
        settings,
        plan,
        recorded(settings, *settings_of(MetadataSettings), "shard_size") | origin,
        progress=progress,
        may_change=("metadata",),
    )
    return made, [*notes, *reading.sentences()]


def _opened(settings: RelabelSettings) -> tuple[Reading, list[str]]:
    fields = {name: getattr(settings, name) for name in settings_of(MetadataSettings)}
    # A dry run reads records without looking for their pictures.
    source = SourceSettings(**fields, dry_run=True)
    source, notes = guess_settings(source)
    return open_source(source), notes


class _Records:
    """The new metadata, by object number."""

    def __init__(self, artworks: Iterable[Artwork | Reject], tasks: tuple[str, ...]) -> None:
        self.tasks = tasks
        self.catalogue = Catalogue()
        self.rejects: list[Reject] = []
        self.by_number: dict[str, list[int]] = {}
        for artwork in artworks:
            if isinstance(artwork, Reject):
                self.rejects.append(clean_reject(artwork))
                continue
            artwork = clean(artwork, tasks)
            row = self.catalogue.add(Job(artwork, artwork.image.as_posix()), "")
            self.by_number.setdefault(artwork.object_number, []).append(row)


class _Relabelled:
    """The record of each picture.

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
        owned = {*zip(manifest.object_numbers, manifest.institutions, strict=True)}
        owners = Counter(number for number, owner in owned if owner is not None)
        shared = {number for number, count in owners.items() if count > 1}
        for row, number in enumerate(manifest.object_numbers):
            numbered = records.by_number.get(number, [])
            candidates = self._of_institution(row, numbered, is_shared=number in shared)
            record = self._choose(row, candidates)
            if record is None:
                several = f"{len(candidates)} records of this object, none of which names this image"
                other = "only another institution's object has this number" if numbered else ""
                detail = several if candidates else other or "the metadata has no record of this object"
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
            **provenance(artwork),
        }
        labels = {task: list(values) for task, values in artwork.labels.items()}
        old = self._manifest.record(row)
        record = dataclasses.replace(old, labels=labels, institution=artwork.institution or old.institution)
        return Copy(self._rows.members(row), record, changes)

    def content(self) -> str:
        """All records that are used; it changes when one of them does."""
        return b"\n".join(
            self._catalogue.content(self._record_of[row]) for row in self.kept.tolist()
        ).decode()

    def _of_institution(self, row: int, records: list[int], *, is_shared: bool) -> list[int]:
        """The records of a picture's number that may be of its institution.

        Args:
            row: of the picture.
            records: of its number.
            is_shared: whether pictures of several institutions have it; else an institution may be spelled otherwise.
        """
        owner = self._manifest.institutions[row]
        if owner is None:
            return records
        others = [self._catalogue.job(record).artwork.institution for record in records]
        own = [
            record
            for record, other in zip(records, others, strict=True)
            if other is None or other.casefold() == owner.casefold()
        ]
        return own if own or is_shared else records

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
