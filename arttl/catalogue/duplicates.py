"""What a picture takes from its duplicates, and how `rejects.csv` describes them."""

from __future__ import annotations

import dataclasses

import numpy as np

from arttl.catalogue.catalogue import Catalogue
from arttl.catalogue.jobs import Job
from arttl.labelling.merging import merge_labels
from arttl.pictures.decoding import looks_like_a_picture
from arttl.pictures.duplicates import same_bytes
from arttl.shards.rejects import Reject
from arttl.splits.split import Rows


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
            same_as = f"the same bytes as object {job.artwork.object_number} ({job.file})"
            job, detail, _ = merged(job, other, same_as)
            rejects.append(other.reject("duplicate-picture", detail))
        catalogue.replace(first, job)
        dropped += others
    return np.setdiff1d(rows, np.array(dropped, dtype=np.int64))


def merged(job: Job, other: Job, same_as: str) -> tuple[Job, str, bool]:
    """What stays of two artworks of one picture.

    Args:
        job: the one that is kept.
        other: its duplicate.
        same_as: a clause that says so.

    Returns:
        The job with the labels of its duplicate that it lacks, the detail of the duplicate's reject, and whether a
        label of the duplicate is lost.
    """
    artwork, duplicate = job.artwork, other.artwork
    labels, clauses = merge_labels(
        artwork.labels, duplicate.labels, split=artwork.split, other_split=duplicate.split
    )
    raw = dict(artwork.raw_labels)
    for task in labels:
        if task not in artwork.labels and task in duplicate.raw_labels:
            raw[task] = duplicate.raw_labels[task]
    is_lost = any(not set(names) <= set(labels[task]) for task, names in duplicate.labels.items())
    job = dataclasses.replace(job, artwork=dataclasses.replace(artwork, labels=labels, raw_labels=raw))
    return job, "; ".join([same_as, *clauses]), is_lost
