"""Any table of objects: CSV, TSV, JSON lines or Parquet, its columns named by flags or guessed.

Example, for `--object-number inv --image file --tasks type material --label-separator ";"`:

    inv,file,type,material
    SK-A-1,paintings/sk-a-1.jpg,painting,oil;canvas
    BK-17.2,bk-17-2.tif,bowl,

The second object's material is unknown. Image names are relative to the image folder and may not leave it. In JSON
lines and Parquet a cell may be a list of labels:

    {"inv": "SK-A-1", "file": "paintings/sk-a-1.jpg", "type": "painting", "material": ["oil", "canvas"]}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError
from arttl.records.rows import column_names, read_any_rows
from arttl.shards.rejects import Reject
from arttl.sources.paths import image_folder, image_path
from arttl.sources.settings import SourceSettings

S = TypeVar("S", bound=SourceSettings)

# Names that exports of collection systems and data sets give their columns, without blanks and marks, best first.
_USUAL_NUMBERS = (
    *("objectnumber", "inventorynumber", "accessionnumber", "inventarisnummer", "inventarnummer"),
    *("objectnummer", "accession", "invnr", "inv", "objectid", "identifier", "number", "id"),
)
_USUAL_IMAGES = (
    *("image", "imagefile", "imagefilename", "imagepath", "filename", "file", "picture", "photo"),
    *("photograph", "path", "bild", "afbeelding"),
)
_USUAL_TASKS = {
    "material": ("material", "materials", "medium", "materiaal", "materialien", "dcmateriaal"),
    "type": ("type", "objecttype", "objectname", "worktype", "classification", "objectsoort", "dctype"),
    "artist": ("artist", "creator", "maker", "artistdisplayname", "artistname", "kunstenaar", "dccreator"),
}
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def guess_columns(settings: S) -> tuple[S, list[str]]:
    """Settings with the columns that were not named, where the file has one of a usual name.

    Returns:
        The settings, and a sentence on what was guessed, if anything was.

    Raises:
        ArttlError: if the file cannot be read.
    """
    if settings.metadata is None:
        return settings, []
    if settings.object_number is not None and settings.image is not None and settings.tasks:
        return settings, []
    columns = column_names(settings.metadata)
    changes: dict[str, str | tuple[str, ...]] = {}
    shown = []
    for name, flag, usual in (
        ("object_number", "--object-number", _USUAL_NUMBERS),
        ("image", "--image", _USUAL_IMAGES),
    ):
        column = _usual(columns, usual)
        if getattr(settings, name) is None and column is not None:
            changes[name] = column
            shown.append(f"{flag} {_quoted(column)}")
    if not settings.tasks:
        guesses = {task: _usual(columns, usual) for task, usual in _USUAL_TASKS.items()}
        tasks = [f"{task}={column}" for task, column in guesses.items() if column is not None]
        if tasks:
            changes["tasks"] = tuple(tasks)
            shown.append(f"--tasks {' '.join(map(_quoted, tasks))}")
    if not shown:
        return settings, []
    return settings.replace(**changes), [
        f"columns guessed: {' '.join(shown)}; override them with these flags"
    ]


def _usual(columns: list[str], usual: tuple[str, ...]) -> str | None:
    plain = {re.sub(r"[\W_]", "", column).casefold(): column for column in reversed(columns)}
    return next((plain[name] for name in usual if name in plain), None)


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text


def read_table(settings: SourceSettings) -> Iterator[Artwork | Reject]:
    """Artworks of a table, one per row; a row that names no usable image becomes a reject.

    Args:
        settings: `metadata`, `images`, `object_number`, `image` and `tasks` are required; in a dry run neither
            `images` nor `image`.

    Raises:
        ArttlError: if a setting is missing, or the file or one of its columns, or a split has another value than
            train, val or test (or training, valid, validation, dev, testing, in any case).
    """
    if settings.metadata is None:
        raise ArttlError("--source table needs --metadata FILE")
    dry = settings.dry_run
    folder = Path() if dry and settings.images is None else image_folder(settings.images, "table")
    labels = settings.task_columns()
    number, image, split = settings.object_number, settings.image, settings.split_column()
    required: list[tuple[str, str | None]] = [
        ("--object-number", number),
        ("--image", image),
        *((f"--tasks {task}", column) for task, column in labels.items()),
    ]
    optional = [
        ("--title", settings.title),
        ("--date", settings.date),
        ("--provenance", settings.provenance),
        ("--institution-column", settings.institution_column),
        ("--split", split),
        ("--group-column", settings.group_column),
    ]
    if number is None or not labels or (image is None and not dry):
        lacking = (
            "--object-number" if number is None else "--tasks" if image is not None or dry else "--image"
        )
        columns = ", ".join(filter(None, column_names(settings.metadata)))
        raise ArttlError(f"--source table needs {lacking} COLUMN; {settings.metadata} has: {columns}")
    given = [(flag, column) for flag, column in (*required, *optional) if column is not None]
    for row in read_any_rows(settings.metadata, given):
        cells = {column: row.cells.get(column, "").strip() for _, column in given}
        name = cells[image] if image is not None else sample_key(cells[number])
        path = image_path(folder, name)
        if row.problem:
            yield Reject(cells[number], "", name, "bad-row", f"{row.location}: {row.problem}")
        elif not cells[number]:
            yield Reject("", "", name, "no-object-number", row.location)
        elif not name:
            yield Reject(cells[number], "", "", "no-image-named", row.location)
        elif path is None:
            yield Reject(cells[number], "", name, "outside-folder", row.location)
        else:
            yield Artwork(
                key=sample_key(cells[number]),
                object_number=cells[number],
                image=path,
                labels={
                    task: row.lists.get(column)
                    or _labels(row.cells.get(column, ""), settings.label_separator)
                    for task, column in labels.items()
                },
                title=_optional(cells, settings.title),
                date=_optional(cells, settings.date),
                source=_optional(cells, settings.provenance),
                institution=_optional(cells, settings.institution_column),
                split=split_in_column(
                    _optional(cells, split), split, f"{row.location} of {settings.metadata}"
                ),
                group=_optional(cells, settings.group_column),
            )


def _labels(cell: str, separator: str | None) -> tuple[str, ...]:
    return tuple(cell.split(separator)) if separator else (cell,)


def _optional(cells: dict[str, str], column: str | None) -> str | None:
    return cells[column] or None if column is not None else None


def split_in_column(text: str | None, column: str | None, where: str) -> str | None:
    """The split that a cell of the column of `--split column=NAME` names; None for an empty cell.

    Args:
        text: of the cell.
        column: its name.
        where: it is, for the message.

    Raises:
        ArttlError: for any other word.
    """
    if not text:
        return None
    split = split_name(text)
    if split is None:
        raise ArttlError(
            f"{where} has {text!r} in the column {column!r} (--split column={column}); it may hold train, val and test"
        )
    return split


def split_name(text: str) -> str | None:
    """`train`, `val` or `test` for any usual word for it, in any case; None for other words."""
    return _SPLITS.get(text.casefold())
