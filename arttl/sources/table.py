"""Any table of objects: CSV or TSV, its columns named by flags.

Example, for `--object-number inv --image file --tasks type material --label-separator ";"`:

    inv,file,type,material
    SK-A-1,paintings/sk-a-1.jpg,painting,oil;canvas
    BK-17.2,bk-17-2.tif,bowl,

The second object's material is unknown. Image names are relative to the image folder and may not leave it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError
from arttl.sources.delimited import Row, read_rows
from arttl.sources.paths import image_folder, image_path
from arttl.sources.rejects import Reject
from arttl.sources.settings import SourceSettings

_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def read_table(settings: SourceSettings) -> Iterator[Artwork | Reject]:
    """Artworks of a table, one a row; rows that name no usable image come as rejects.

    Args:
        settings: `metadata`, `images`, `object_number`, `image` and `tasks` are required.

    Raises:
        ArttlError: if a setting is missing, or the file or one of its columns, or a split has another value than
            train, val or test (or training, valid, validation, dev, testing, in any case).
    """
    if settings.metadata is None:
        raise ArttlError("--source table needs --metadata FILE")
    folder = image_folder(settings.images, "table")
    labels = settings.task_columns()
    number, image, split = settings.object_number, settings.image, settings.split_column()
    wanted: list[tuple[str, str | None]] = [
        ("--object-number", number),
        ("--image", image),
        *((f"--tasks {task}", column) for task, column in labels.items()),
    ]
    optional = [
        ("--title", settings.title),
        ("--date", settings.date),
        ("--provenance", settings.provenance),
        ("--split", split),
    ]
    given = [(flag, column) for flag, column in (*wanted, *optional) if column is not None]
    for row in read_rows(settings.metadata, given):
        # Asked for only now, when the columns to choose from can be told.
        if number is None or image is None or not labels:
            lacking = "--object-number" if number is None else "--image" if image is None else "--tasks"
            columns = ", ".join(filter(None, row.cells))
            raise ArttlError(f"--source table needs {lacking} COLUMN; {settings.metadata} has: {columns}")
        cells = {column: text.strip() for column, text in row.cells.items()}
        path = image_path(folder, cells[image])
        if row.problem:
            yield Reject(cells[number], "", cells[image], "bad-row", f"line {row.line}: {row.problem}")
        elif not cells[number]:
            yield Reject("", "", cells[image], "no-object-number", f"line {row.line}")
        elif not cells[image]:
            yield Reject(cells[number], "", "", "no-image-named", f"line {row.line}")
        elif path is None:
            yield Reject(cells[number], "", cells[image], "outside-folder", f"line {row.line}")
        else:
            yield Artwork(
                key=sample_key(cells[number]),
                object_number=cells[number],
                image=path,
                labels={
                    task: _labels(row.cells[column], settings.label_separator)
                    for task, column in labels.items()
                },
                title=_optional(cells, settings.title),
                date=_optional(cells, settings.date),
                source=_optional(cells, settings.provenance),
                split=_split(row, split, settings.metadata),
            )


def _labels(cell: str, separator: str | None) -> tuple[str, ...]:
    return tuple(cell.split(separator)) if separator else (cell,)


def _optional(cells: dict[str, str], column: str | None) -> str | None:
    return cells[column] or None if column is not None else None


def _split(row: Row, column: str | None, file: Path) -> str | None:
    if column is None or not (text := row.cells[column].strip()):
        return None
    if text.casefold() not in _SPLITS:
        raise ArttlError(
            f"line {row.line} of {file} has {text!r} in the column {column!r} (--split column={column});"
            " it may hold train, val and test"
        )
    return _SPLITS[text.casefold()]
