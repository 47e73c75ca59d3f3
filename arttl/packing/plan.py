"""Which samples are written, and in which order, before any picture is opened."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arttl.artworks import ArchivedArtwork, Artwork
from arttl.catalogue.catalogue import Catalogue
from arttl.catalogue.duplicates import without_duplicates
from arttl.catalogue.jobs import Job
from arttl.catalogue.keys import keep_apart, with_unique_keys
from arttl.catalogue.lazy import LazyRows
from arttl.catalogue.sharing import without_contested
from arttl.errors import ArttlError
from arttl.labelling.cleaning import clean, clean_reject, plain, without_leaf
from arttl.matching.claims import Claims
from arttl.packing.pool import default_workers, in_order
from arttl.packing.samples import Limits, hash_picture
from arttl.packing.settings import PackSettings
from arttl.pictures.near_duplicates import joined
from arttl.pictures.picture_file import PictureFile
from arttl.records.kinds import nothing_read
from arttl.shards.rejects import Reject
from arttl.splits.institutions import rows_of_institutions
from arttl.splits.split import (
    Rows,
    TooFew,
    grouped_split,
    held_out_split,
    on_empty_splits,
    paper_split,
    shuffled,
)
from arttl.splits.stratify import Labels, stratified_split
from arttl.tasks import SPLITS


@dataclass(frozen=True)
class Plan:
    """The samples of each split in the order in which they are written.

    Attributes:
        tasks: the tasks whose labels are kept.
        catalogue: all artworks that were read and carry a label.
        jobs: split name to artworks, for every split, keys distinct over all of them.
        rejects: rows left out already.
        unlabelled: how many artworks were left out because they carry a label for none of the tasks.
        digest: SHA-256 of all of these except the paths of images.
        warnings: sentences on what is probably a fault of the metadata or the flags.
    """

    tasks: tuple[str, ...]
    catalogue: Catalogue
    jobs: dict[str, LazyRows[Job]]
    rejects: tuple[Reject, ...]
    unlabelled: int
    digest: str
    warnings: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many pictures will be opened."""
        return sum(map(len, self.jobs.values()))

    def has_image(self, row: int) -> bool:
        """Whether the file with a row's image exists."""
        return _exists(self.catalogue.image(row))


def make_plan(
    artworks: Iterable[Artwork | Reject],
    settings: PackSettings,
    *,
    scratch: Path | None = None,
    optional_tasks: bool = False,
) -> Plan:
    """Give every artwork a key, a split and a position.

    Args:
        artworks: as sources yield them.
        settings: `tasks`, `split`, `group_column`, `leaf`, `seed`, `images` and `near_duplicates` have an effect.
        scratch: folder for a temporary file; by default the system's.
        optional_tasks: whether tasks without any label are left out; otherwise they are an error.

    Raises:
        ArttlError: if nothing is left to pack, a task has no label at all, or none of the images exists.
    """
    catalogue = Catalogue(scratch)
    rejects: list[Reject] = []
    claims = Claims()
    unlabelled = _fill(catalogue, artworks, settings, rejects, claims)
    tasks = tuple(settings.task_columns()) or tuple(catalogue.labels)
    empty: list[str] = []
    if optional_tasks and catalogue.labels:
        empty = [task for task in tasks if task not in catalogue.labels]
        tasks = tuple(task for task in tasks if task in catalogue.labels)
    _check(catalogue, rejects, tasks, unlabelled, settings)
    shared = keep_apart(catalogue, own_groups=settings.group_column is None)
    rows, repeating = with_unique_keys(catalogue, rejects)
    rows, warnings = without_contested(claims, catalogue, rows, rejects)
    with_pictures = settings.images is not None or not settings.dry_run
    kept = without_duplicates(catalogue, rows, rejects) if with_pictures else rows
    try:
        splits = _split(catalogue, rows, kept, tasks, settings)
    except ArttlError as error:
        sentence = f"{error}{_why_not_more(rejects, unlabelled)}"
        if not (settings.dry_run and isinstance(error, TooFew)):
            raise ArttlError(sentence) from error
        warnings += (f"warning: packing would refuse these, which the tables show as train: {sentence}",)
        splits = {split: kept if split == "train" else kept[:0] for split in SPLITS}
    else:
        warnings += on_empty_splits(splits, settings.split)
    ordered = {split: shuffled(splits[split], split, settings.seed) for split in SPLITS}
    return Plan(
        tasks,
        catalogue,
        {split: catalogue.jobs(rows) for split, rows in ordered.items()},
        tuple(rejects),
        unlabelled,
        _digest(tasks, catalogue, ordered, rejects, unlabelled),
        (
            *shared,
            *repeating,
            *warnings,
            *(f"no record has a label for {task}, which is left out" for task in empty),
        ),
    )


def _fill(
    catalogue: Catalogue,
    artworks: Iterable[Artwork | Reject],
    settings: PackSettings,
    rejects: list[Reject],
    claims: Claims,
) -> int:
    """Read the artworks; those without labels are only counted."""
    tasks = tuple(settings.task_columns())
    needs_split = settings.split == "official" or settings.split_column() is not None
    leaf = settings.leaf_pattern()
    unlabelled = 0
    for artwork in artworks:
        if isinstance(artwork, Reject):
            rejects.append(clean_reject(artwork))
            continue
        artwork = clean(artwork, tasks)
        if leaf is not None and artwork.group is None:
            artwork = dataclasses.replace(artwork, group=without_leaf(artwork.object_number, leaf))
        job = Job(artwork, file_name(artwork, settings.images))
        row = None
        if not artwork.labels:
            unlabelled += 1
        elif needs_split and artwork.split is None:
            rejects.append(job.reject("no-split", "the metadata's split is empty here"))
        elif settings.split == "by-institution" and artwork.institution is None:
            detail = "no institution is named, which --split by-institution needs; see --institution"
            rejects.append(job.reject("no-split", detail))
        else:
            row = catalogue.add(job, artwork.group or artwork.object_number)
        # Without a folder no picture is known to be that of two objects of one number.
        claims.add(artwork, row, artwork.institution if settings.images is not None else None)
    return unlabelled


def _why_not_more(rejects: list[Reject], unlabelled: int) -> str:
    """A clause on what was left out; empty if nothing was."""
    counts = Counter(reject.reason for reject in rejects)
    clauses = [f"{count:,} {reason}" for reason, count in sorted(counts.items())]
    clauses += [f"{unlabelled:,} without a label"] if unlabelled else []
    first = f" (the first is {rejects[0].file}: {rejects[0].detail})" if rejects else ""
    return f"; left out: {', '.join(clauses)}{first}" if clauses else ""


def _split(
    catalogue: Catalogue, rows: Rows, kept: Rows, tasks: tuple[str, ...], settings: PackSettings
) -> dict[str, Rows]:
    """The kept rows of each split, ascending."""
    if settings.split == "paper":
        # Over all rows: the repository divides them before it looks at any picture.
        divided = paper_split(len(rows), settings.seed)
        return {split: np.intersect1d(rows[indices], kept) for split, indices in divided.items()}
    if settings.split not in ("grouped", "stratified", "by-institution"):
        named = np.array([SPLITS.index(catalogue.job(int(row)).artwork.split or "") for row in kept])
        return {split: kept[named == number] for number, split in enumerate(SPLITS)}
    groups = catalogue.groups(kept)
    if settings.near_duplicates == "together" and not settings.dry_run:
        groups = _with_near_duplicates(catalogue, kept, groups, settings)
    if settings.split == "by-institution":
        held_out = _of_institutions(catalogue, kept, settings)
        divided = held_out_split(groups, held_out, settings.seed, settings.val_share)
    elif settings.split == "grouped":
        divided = grouped_split(groups, settings.seed, settings.val_share)
    else:
        labels = _labels(catalogue, kept, tasks)
        divided = stratified_split(groups, labels, settings.seed, settings.val_share)
    return {split: kept[indices] for split, indices in divided.items()}


def _of_institutions(catalogue: Catalogue, rows: Rows, settings: PackSettings) -> npt.NDArray[np.bool_]:
    """Which rows, each of a known institution, are of one of `--test-institution`."""
    _, numbers = catalogue.institutions.entries(rows)
    return rows_of_institutions(catalogue.institutions.names, numbers, settings.test_institution)


def _with_near_duplicates(catalogue: Catalogue, rows: Rows, groups: Rows, settings: PackSettings) -> Rows:
    """The groups with those merged that hold pictures that look the same."""
    work = partial(hash_picture, limits=Limits(settings.max_side, settings.max_pixels))
    workers = settings.workers or default_workers(len(rows))
    near_hashes = list(in_order(work, catalogue.jobs(rows), workers, settings.scheduler))
    usable = np.array([near_hash is not None for near_hash in near_hashes])
    hashes = np.array([near_hash or 0 for near_hash in near_hashes], dtype=np.uint64)
    catalogue.set_near_hashes(rows[usable], hashes[usable])
    # Pictures that cannot be used join nothing; they will be left out.
    together = groups + len(rows)
    together[usable] = joined(groups[usable], hashes[usable])
    return np.unique(together, return_inverse=True)[1].astype(np.int64).reshape(-1)


def _labels(catalogue: Catalogue, rows: Rows, tasks: tuple[str, ...]) -> Labels:
    indices, classes, first_class = [], [], 0
    for task in tasks:
        column = catalogue.labels[task]
        indices_of_task, numbers = column.entries(rows)
        indices.append(indices_of_task)
        classes.append(numbers + first_class)
        first_class += len(column.names)
    return Labels(np.concatenate(indices), np.concatenate(classes))


def _check(
    catalogue: Catalogue,
    rejects: list[Reject],
    tasks: tuple[str, ...],
    unlabelled: int,
    settings: PackSettings,
) -> None:
    where = settings.metadata or f"source {settings.source!r}"
    count = len(catalogue)
    read = count + len(rejects) + unlabelled
    if not read:
        raise ArttlError(nothing_read(settings.metadata, settings.source))
    lost = sum(reject.reason == "missing" for reject in rejects)
    if not count and lost and lost == len(rejects):
        raise ArttlError(
            f"no image that {where} names is there ({lost:,} in all), the first being {rejects[0].file}"
            f" ({rejects[0].detail}); check --images and --image"
        )
    if not count and rejects:
        first = rejects[0]
        raise ArttlError(
            f"no row of {where} can be packed ({read:,} in all), the first because of {first.reason} ({first.detail})"
        )
    columns = settings.task_columns()
    if not count:
        named = [
            task if columns.get(task, task) == task else f"{task} (column {columns[task]!r})"
            for task in tasks
        ]
        raise ArttlError(
            f"no artwork of {where} ({read:,} in all) has a label{' for ' if named else ''}{', '.join(named)};"
            " name other columns with --tasks"
        )
    for task in tasks:
        if task not in catalogue.labels:
            raise ArttlError(
                f"column {columns.get(task, task)!r} of {where} (--tasks {task}) has no label in any usable row;"
                " leave it out or name another column"
            )
    if settings.split == "by-institution":
        _of_institutions(catalogue, np.arange(count), settings)
    if settings.dry_run:
        return
    if not any(_exists(catalogue.image(row)) for row in range(count)):
        raise ArttlError(
            f"no image that {where} names is there ({count:,} in all), the first being {catalogue.image(0).path};"
            " check --images and --image"
        )


def _exists(image: PictureFile) -> bool:
    return os.path.isfile(image.path)  # noqa: PTH113 - Path.is_file raises where a folder may not be entered


def file_name(artwork: Artwork, folder: Path | None) -> str:
    """The image as the metadata names it: relative to the image folder, so that the folder can move."""
    image = artwork.image
    if folder is not None and image.is_relative_to(folder):
        image = image.relative_to(folder)
    elif image.is_absolute():
        image = Path(image.name)
    if isinstance(artwork, ArchivedArtwork):
        image /= artwork.member
    return plain(image.as_posix())


def _digest(
    tasks: tuple[str, ...],
    catalogue: Catalogue,
    ordered: dict[str, Rows],
    rejects: list[Reject],
    unlabelled: int,
) -> str:
    digest = hashlib.sha256(json.dumps([tasks, unlabelled]).encode())
    for split, rows in ordered.items():
        digest.update(f"\n{split}\n".encode())
        for row in rows.tolist():
            digest.update(catalogue.content(row) + b"\n")
    for reject in rejects:
        digest.update(json.dumps(dataclasses.astuple(reject)).encode() + b"\n")
    return digest.hexdigest()
