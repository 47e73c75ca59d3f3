"""What will be written, in which order, before any picture is opened."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError
from arttl.packing.samples import Job
from arttl.packing.settings import PackSettings
from arttl.packing.split import paper_split, shuffled
from arttl.sources.rejects import Reason, Reject
from arttl.tasks import SPLITS


@dataclass(frozen=True)
class Plan:
    """The samples of each split in the order in which they are written.

    Attributes:
        tasks: the tasks whose labels are kept.
        jobs: split name to artworks, for every split, keys distinct over all of them.
        rejects: rows left out already.
        unlabelled: how many artworks were left out because they carry a label for none of the tasks.
        digest: SHA-256 of all of the above.
    """

    tasks: tuple[str, ...]
    jobs: dict[str, list[Job]]
    rejects: tuple[Reject, ...]
    unlabelled: int
    digest: str

    @property
    def total(self) -> int:
        """How many pictures will be opened."""
        return sum(map(len, self.jobs.values()))


def make_plan(artworks: Iterable[Artwork | Reject], settings: PackSettings) -> Plan:
    """Give every artwork a key, a split and a place.

    Args:
        artworks: as sources yield them.
        settings: `tasks`, `split`, `seed` and `images` matter here.

    Raises:
        ArttlError: if nothing is left to pack, a task has no label at all, or none of the images exists.
    """
    by_column = settings.split_column() is not None
    wanted = tuple(settings.task_columns())
    rejects: list[Reject] = []
    jobs: list[Job] = []
    keys: dict[str, tuple[str, Path]] = {}
    unlabelled = read = 0
    for found in artworks:
        read += 1
        if isinstance(found, Reject):
            rejects.append(_clean_reject(found))
            continue
        artwork = _clean(found, wanted)
        job = Job(artwork, _file_name(artwork.image, settings.images))
        if not artwork.labels:
            unlabelled += 1
        elif by_column and artwork.split is None:
            rejects.append(_reject(job, "no-split", "the split column is empty"))
        elif (named := _with_own_key(job, keys)) is None:
            rejects.append(
                _reject(job, "duplicate-row", "the same object number and image as an earlier row")
            )
        else:
            jobs.append(named)
    tasks = wanted or tuple(dict.fromkeys(task for job in jobs for task in job.artwork.labels))
    _check(jobs, rejects, tasks, read, settings)
    if by_column:
        splits = np.array([job.artwork.split for job in jobs])
        rows = {split: np.flatnonzero(splits == split) for split in SPLITS}
    else:
        rows = paper_split(len(jobs), settings.seed)
    ordered = {split: [jobs[row] for row in shuffled(rows[split], split, settings.seed)] for split in SPLITS}
    return Plan(tasks, ordered, tuple(rejects), unlabelled, _digest(tasks, ordered, rejects, unlabelled))


def _with_own_key(job: Job, keys: dict[str, tuple[str, Path]]) -> Job | None:
    """The job under a key that no other has; None for the same object and image again."""
    artwork = job.artwork
    identity = (artwork.object_number, artwork.image)
    number = artwork.object_number
    for key in (artwork.key, sample_key(number[:60], part=f"{number}\n{job.file}")):
        if key not in keys:
            keys[key] = identity
            return Job(dataclasses.replace(artwork, key=key), job.file)
        if keys[key] == identity:
            return None
    raise ArttlError(
        f"object {number!r} gets the key of object {keys[key][0]!r}; give one of them another number"
    )


def _check(
    jobs: list[Job], rejects: list[Reject], tasks: tuple[str, ...], read: int, settings: PackSettings
) -> None:
    where = settings.metadata or f"source {settings.source!r}"
    if not read:
        raise ArttlError(f"{where} holds no artworks")
    if not jobs and rejects:
        first = rejects[0]
        raise ArttlError(
            f"none of the {read:,} rows of {where} can be packed, the first because of {first.reason} ({first.detail})"
        )
    columns = settings.task_columns()
    for task in tasks:
        if not any(task in job.artwork.labels for job in jobs):
            raise ArttlError(
                f"column {columns.get(task, task)!r} of {where} (--tasks {task}) has no label in any usable row;"
                " leave it out or name another column"
            )
    if not jobs:
        raise ArttlError(f"none of the {read:,} artworks of {where} has a label")
    if not any(_is_there(job.artwork.image) for job in jobs):
        raise ArttlError(
            f"none of the {len(jobs):,} images that {where} names is there, the first being {jobs[0].artwork.image};"
            " check --images and --image"
        )


def _is_there(image: Path) -> bool:
    try:
        return image.is_file()
    except OSError:  # a folder on the way may not be entered
        return False


def _file_name(image: Path, folder: Path | None) -> str:
    """The image as the metadata names it: relative to the image folder, so that the folder can move."""
    if folder is not None and image.is_relative_to(folder):
        image = image.relative_to(folder)
    elif image.is_absolute():
        image = Path(image.name)
    return _text(image.as_posix())


def _clean(artwork: Artwork, wanted: tuple[str, ...]) -> Artwork:
    """Only the wanted tasks' labels, and only text that UTF-8 can hold."""
    if artwork.split is not None and artwork.split not in SPLITS:
        raise ArttlError(
            f"object {artwork.object_number!r} has the split {artwork.split!r}; it must be one of {', '.join(SPLITS)}"
        )
    labels, raw = artwork.labels, artwork.raw_labels
    tasks = wanted or tuple(labels)
    return dataclasses.replace(
        artwork,
        object_number=_text(artwork.object_number),
        labels={task: tuple(map(_text, labels[task])) for task in tasks if labels.get(task)},
        raw_labels={task: tuple(map(_text, raw[task])) for task in wanted or tuple(raw) if task in raw},
        title=artwork.title and _text(artwork.title),
        date=artwork.date and _text(artwork.date),
        source=artwork.source and _text(artwork.source),
    )


def _text(text: str) -> str:
    """The same text, with what UTF-8 cannot hold (halves of surrogate pairs, from odd file names) spelt out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _clean_reject(reject: Reject) -> Reject:
    return dataclasses.replace(
        reject,
        object_number=_text(reject.object_number),
        file=_text(reject.file),
        detail=_text(reject.detail),
    )


def _reject(job: Job, reason: Reason, detail: str) -> Reject:
    return Reject(job.artwork.object_number, job.artwork.key, job.file, reason, detail)


def _digest(
    tasks: tuple[str, ...], jobs: dict[str, list[Job]], rejects: list[Reject], unlabelled: int
) -> str:
    digest = hashlib.sha256(json.dumps([tasks, unlabelled]).encode())
    for split, ordered in jobs.items():
        for job in ordered:
            found = job.artwork
            fields = [found.key, found.object_number, job.file, found.title, found.date, found.source]
            labels = [sorted(found.labels.items()), sorted(found.raw_labels.items())]
            digest.update(json.dumps([split, fields, labels]).encode() + b"\n")
    for reject in rejects:
        digest.update(json.dumps(dataclasses.astuple(reject)).encode() + b"\n")
    return digest.hexdigest()
