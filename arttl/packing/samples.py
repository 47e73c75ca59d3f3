"""An artwork to a sample, or to the reason why it is left out: the work of the packing processes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from arttl.artworks import Artwork
from arttl.catalogue.jobs import Job
from arttl.picture_headers.file_bytes import sha256_of
from arttl.pictures.decoding import BadPicture, decode_picture, opened_image
from arttl.pictures.near_duplicates import perceptual_hash
from arttl.pictures.picture_file import PictureFile
from arttl.pictures.reducing import AllowedScale
from arttl.pictures.storing import PREVIEW, stored_picture
from arttl.shards.rejects import Reject
from arttl.shards.sample import Sample, SampleRecord


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a stored picture, see `PackSettings`, and whether its perceptual hash is computed."""

    max_side: int
    max_pixels: int
    with_hash: bool = False


def make_sample(job: Job, limits: Limits) -> Sample | Reject:
    """Read, check and rescale a photograph."""
    artwork = job.artwork
    try:
        with opened_image(PictureFile.of(artwork), max_pixels=limits.max_pixels) as data:
            stored = stored_picture(data, max_side=limits.max_side, max_pixels=limits.max_pixels)
            digest = sha256_of(data)
    except BadPicture as error:
        return job.reject(error.reason, error.detail)
    labels = {task: list(names) for task, names in artwork.labels.items()}
    metadata: dict[str, Any] = {
        "key": artwork.key,
        "object_number": artwork.object_number,
        "labels": labels,
        "raw_labels": {task: list(names) for task, names in artwork.raw_labels.items()},
        "title": artwork.title,
        "date": artwork.date,
        "source": artwork.source,
        "original": {
            "file": job.file,
            "bytes": len(data),
            "sha256": digest,
            "width": stored.original_width,
            "height": stored.original_height,
        },
        **provenance(artwork),
    }
    near_hash = None
    if limits.with_hash:
        near_hash = perceptual_hash(stored.pixels) if job.near_hash is None else job.near_hash
    record = SampleRecord(
        key=artwork.key,
        object_number=artwork.object_number,
        width=stored.width,
        height=stored.height,
        original_width=stored.original_width,
        original_height=stored.original_height,
        sha256=digest,
        stored_sha256=digest if stored.jpeg is data else hashlib.sha256(stored.jpeg).hexdigest(),
        group=artwork.group,
        institution=artwork.institution,
        labels=labels,
        near_hash=near_hash,
        remarks=dict.fromkeys(stored.remarks, job.file),
    )
    return Sample(stored.jpeg, json.dumps(metadata, ensure_ascii=False).encode(), record)


def provenance(artwork: Artwork) -> dict[str, Any]:
    """The entries of a sample's JSON that few collections have; only those that are known."""
    entries = {
        "institution": artwork.institution,
        "identifiers": {
            task: {label: list(several) for label, several in of_labels.items()}
            for task, of_labels in artwork.identifiers.items()
        },
        "attributions": [{"qualifier": qualifier, "name": name} for qualifier, name in artwork.attributions],
    }
    return {name: value for name, value in entries.items() if value}


def hash_picture(job: Job, limits: Limits) -> int | None:
    """The perceptual hash of a photograph; None where it is not a usable picture."""
    try:
        with opened_image(PictureFile.of(job.artwork), max_pixels=limits.max_pixels) as data:
            allowed = AllowedScale(cover=PREVIEW, max_side=PREVIEW)
            return perceptual_hash(
                decode_picture(data, max_pixels=limits.max_pixels, allowed=allowed).upright_rgb()
            )
    except BadPicture:
        return None
