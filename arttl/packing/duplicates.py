"""What a picture takes from its duplicates, and how `rejects.csv` describes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from arttl.packing.catalogue import Catalogue
from arttl.packing.samples import Job
from arttl.pictures.decoding import looks_like_a_picture
from arttl.pictures.duplicates import same_bytes
from arttl.shards.rejects import Reject
from arttl.splits.split import Rows

L = TypeVar("L", bound=Sequence[str])


def merge_labels(
    labels: Mapping[str, L], others: Mapping[str, L], *, split: str | None, other_split: str | None
) -> tuple[dict[str, L], list[str]]:
    """The labels of a picture that is kept, and those that it lacks from a duplicate of it.

    Args:
        labels: of the picture: task name to labels.
        others: of the duplicate.
        split: of the picture.
        other_split: of the duplicate.

    Returns:
        The labels, and a clause for each that was added or differs, and for the split if it differs.
    """
    merged, clauses = dict(labels), []
    for task, names in others.items():
        if task not in merged:
            merged[task] = names
            clauses.append(f"which takes its {task} from here")
        elif set(merged[task]) != set(names):
            clauses.append(f"{task} differs: {' | '.join(merged[task])} is kept, not {' | '.join(names)}")
    if other_split != split:
        clauses.append(f"split differs: {split} is kept, not {other_split}")
    return merged, clauses


def without_duplicates(catalogue: Catalogue, rows: Rows, rejects: list[Reject]) -> Rows:
    """The rows except those whose image has the bytes of an earlier row's, which gets their labels."""
    dropped: list[int] = []
    for same in same_bytes(rows, catalogue.image):
        first, *others = same.tolist()
        if not looks_like_a_picture(catalogue.image(first)):
            continue  # such as an error page saved under many names: packing rejects each with its reason
        job = catalogue.job(first)
        for row in others:
            other = catalogue.job(row)
            job, detail = _merged(job, other)
            rejects.append(other.reject("duplicate-picture", detail))
        catalogue.replace(first, job)
        dropped += others
    return np.setdiff1d(rows, np.array(dropped, dtype=np.int64))


def _merged(job: Job, other: Job) -> tuple[Job, str]:
    """A job with the labels of a duplicate that it lacks itself, and the detail of the duplicate's reject."""
    artwork, duplicate = job.artwork, other.artwork
    labels, clauses = merge_labels(
        artwork.labels, duplicate.labels, split=artwork.split, other_split=duplicate.split
    )
    raw = dict(artwork.raw_labels)
    for task in labels:
        if task not in artwork.labels and task in duplicate.raw_labels:
            raw[task] = duplicate.raw_labels[task]
    merged = dataclasses.replace(artwork, labels=labels, raw_labels=raw)
    detail = [f"the same bytes as object {artwork.object_number} ({job.file})", *clauses]
    return dataclasses.replace(job, artwork=merged), "; ".join(detail)
