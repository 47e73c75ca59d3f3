"""The MAMe data set: photographs of three museums, 29 mediums named by conservators, with an official split.

Parés, Arias-Duart, Garcia-Gasulla, Campo-Francés, Viladrich, Labarta and Ayguadé, The MAMe Dataset: On the relevance
of High Resolution and Variable Shape image properties, 2020 (arXiv:2007.13693).

    MAMe_dataset.csv    the table (`--metadata`); `MAMe_toy_dataset.csv` is a part of it
    data/436018.jpg     the pictures (`--images data`), all in one folder; those of 256 x 256 pixels are in `data_256`

    Image file,Medium,Museum,Museum-based instance ID,Subset,Width,Height,Product size,Aspect ratio
    436018.jpg,Oil on canvas,Metropolitan Museum of Art,29.100.60,train,3144.0,3840.0,12072960.0,0.8187
"""

from __future__ import annotations

from collections.abc import Iterator

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError
from arttl.records.delimited import read_rows
from arttl.shards.rejects import Reject
from arttl.sources.pictures import NoPicture, PictureFolder
from arttl.sources.presets import MAME_HEADER
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings
from arttl.sources.table import split_in_column

TASKS = ("material",)

_IMAGE, _MEDIUM, _MUSEUM, _NUMBER, _SUBSET = MAME_HEADER
_FIELDS = ("material", _MEDIUM)
_GROUPED = ("grouped", "stratified", "by-institution")


def read_mame(settings: SourceSettings) -> Iterator[Artwork | Reject | PassedOver | Note]:
    """Artworks of the table, one per photograph.

    Two museums may give two objects one number; they get keys, and where a split keeps objects together
    groups, of their own.

    Args:
        settings: `metadata` is required, and `images` but for a dry run.

    Raises:
        ArttlError: if a setting is missing, a task names another field than the medium, or the file is another table.
    """
    if settings.metadata is None:
        raise ArttlError("--source mame needs --metadata, the file MAMe_dataset.csv")
    tasks = settings.task_columns() or {"material": _MEDIUM}
    for task, column in tasks.items():
        if column not in _FIELDS:
            raise ArttlError(
                f"--tasks {task}: MAMe has one field, material (the column {_MEDIUM}), not {column!r}"
            )
    pictures = PictureFolder.of(settings, "mame")
    needed = [("--source mame", column) for column in MAME_HEADER]
    for row in read_rows(settings.metadata, needed, encoding=settings.encoding):
        name, medium, museum, number, subset = (row.cells[column].strip() for _, column in needed)
        if row.problem:
            yield Reject(number, "", name, "bad-row", f"{row.location}: {row.problem}")
        elif not number:
            yield Reject("", "", name, "no-object-number", row.location)
        elif not name:
            yield Reject(number, "", "", "no-image-named", row.location)
        elif isinstance(picture := pictures.named(name), NoPicture):
            yield picture.reject(number)
        else:
            yield Artwork(
                key=sample_key(number, part=museum),
                object_number=number,
                image=picture,
                labels=dict.fromkeys(tasks, (medium,)),
                institution=museum or None,
                split=split_in_column(subset, _SUBSET, f"{row.location} of {settings.metadata}")
                if settings.split == "official"
                else None,
                group=f"{museum}: {number}" if settings.split in _GROUPED else None,
            )
    yield from pictures.remarks()
