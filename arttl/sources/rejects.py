"""What is left out, and why: one fixed list of reasons for rows of metadata and for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Reason = Literal[
    "bad-row",  # the row or record of metadata is not well-formed, or does not fit its header
    "no-record",  # there is a picture and no metadata for it
    "no-object-number",  # the row has no object number
    "no-image-named",  # the row names no image
    "outside-folder",  # the row names an image outside the image folder
    "no-split",  # the metadata's own split leaves the row out
    "duplicate-row",  # the same object and the same image again
    "duplicate-picture",  # a file of the same bytes as another, which is kept
    "missing",  # there is no such image file
    "unreadable",  # the file is there and cannot be read: permissions, a folder, a broken disk
    "empty",  # the file has no bytes
    "not-a-picture",  # the bytes are of no picture format: HTML, text, noise
    "unsupported-format",  # a picture, of a format or kind that packing does not take
    "damaged",  # the picture is truncated or corrupt
    "too-large",  # more pixels than --max-pixels
]
REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True, slots=True)
class Reject:
    """One row or photograph that is left out; a line of `rejects.csv`.

    Attributes:
        object_number: as catalogued; empty where the row has none.
        key: of the sample it would have been; empty where it got none.
        file: the image as the metadata names it.
        reason: one of `REASONS`.
        detail: what exactly was found, for a person.
    """

    object_number: str
    key: str
    file: str
    reason: Reason
    detail: str
