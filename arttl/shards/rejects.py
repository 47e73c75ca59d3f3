"""`rejects.csv`: each row of metadata and each picture that was left out, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from arttl.errors import ArttlError
from arttl.shards.csv_files import csv_chunks, read_csv

Reason = Literal[
    "bad-row",  # the row or record of metadata is not well-formed, or does not fit its header
    "no-record",  # there is a picture and no metadata for it
    "no-object-number",  # the row has no object number
    "no-image-named",  # the row names no image
    "outside-folder",  # the row names an image outside the image folder
    "no-split",  # the metadata's own split leaves the row out
    "duplicate-row",  # the same object and the same image again
    "duplicate-picture",  # a file of the same bytes as another, which is kept
    "ambiguous-picture",  # several files could be the image that is meant, and none exactly
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
        detail: the exact reason, for a person.
    """

    object_number: str
    key: str
    file: str
    reason: Reason
    detail: str


COLUMNS = tuple(column.name for column in fields(Reject))


def rejects_csv(rejects: Iterable[Reject]) -> Iterator[bytes]:
    """The table with the columns `COLUMNS`, see `csv_chunks`."""
    return csv_chunks(COLUMNS, map(astuple, rejects))


def read_rejects(directory: Path) -> Iterator[Reject]:
    """The rows of a folder's `rejects.csv`.

    Raises:
        ArttlError: if it is missing or of another form.
    """
    path = directory / "rejects.csv"
    for row in read_csv(path, COLUMNS):
        if row["reason"] not in REASONS:
            reason = f"the reason {row['reason']!r} is not known"
            raise ArttlError(f"{path} cannot be read: {reason}; run arttl shards verify")
        yield Reject(**row)  # type: ignore[arg-type] # the reason is one of them
