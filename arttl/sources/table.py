"""Any table of objects: CSV, TSV, JSON lines or Parquet, its columns named by flags or guessed.

Example, for `--object-number inv --image file --tasks type material --label-separator ";"`:

    inv,file,type,material
    SK-A-1,paintings/sk-a-1.jpg,painting,oil;canvas
    BK-17.2,bk-17-2.tif,bowl,

The second object's material is unknown. Image names are relative to the image folder and may not leave it; which
picture a name means that is no path of one is in `arttl.sources.pictures`. In JSON lines and Parquet a cell may be a
list of labels:

    {"inv": "SK-A-1", "file": "paintings/sk-a-1.jpg", "type": "painting", "material": ["oil", "canvas"]}
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

from arttl.artworks import Artwork, sample_key
from arttl.characters import plain_text
from arttl.errors import ArttlError, counted
from arttl.records.rows import column_names, columns_without_zeros, read_any_rows
from arttl.records.usual_columns import USUAL_IMAGES, USUAL_NUMBERS, USUAL_TASKS
from arttl.shards.rejects import Reject
from arttl.sources.pictures import NoPicture, PictureFolder
from arttl.sources.presets import MAME_HEADER, Refinement, guesses, recognised
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

S = TypeVar("S", bound=SourceSettings)

# The flags whose columns are guessed, in the order in which they are printed.
_GUESSED = {
    **{
        f"--{name.replace('_', '-')}": name for name in ("object_number", "image", "tasks", "label_separator")
    },
    **{f"--{name}": name for name in ("title", "date", "institution")},
}
# What Excel makes of 1907E2 and of 7-3, and what is read of its dates.
_CHANGED_BY_EXCEL = re.compile(
    r"\d(?:[.,]\d+)?E[+-]\d{2,3}|(?:[A-Za-z]{3}-\d{2}|\d{1,2}-[A-Za-z]{3})(?:-\d{2,4})?"
    r"|\d{4}-\d{2}-\d{2}[ T]00:00:00",
    re.ASCII,
)
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def guess_columns(settings: S) -> tuple[S, list[str]]:
    """Settings with the columns that were not named, where the file is a known table or has one of a usual name.

    Returns:
        The settings, and a sentence on what was guessed, if anything was.

    Raises:
        ArttlError: if the file cannot be read, or is one that has a source of its own.
    """
    if settings.metadata is None:
        return settings, []
    columns = column_names(settings.metadata, encoding=settings.encoding)
    if settings.object_number is None and {*MAME_HEADER} <= {*columns}:
        raise ArttlError(
            f"--metadata {settings.metadata} is the table of the MAMe data set: use --source mame"
        )
    preset = recognised(columns)
    # A picture's file name that someone has added to a published table is nearer than the address it came with.
    changes = {} if settings.image is not None else _guess(columns, "image", USUAL_IMAGES)
    if preset is not None:
        changes = {**guesses(preset, columns, settings), **changes}
    elif settings.object_number is None:
        changes |= _guess(columns, "object_number", USUAL_NUMBERS)
    if not settings.tasks and "tasks" not in changes:
        of_tasks = {task: _usual(columns, usual) for task, usual in USUAL_TASKS.items()}
        if tasks := tuple(f"{task}={column}" for task, column in of_tasks.items() if column is not None):
            changes["tasks"] = tasks
    if not changes:
        return settings, []
    shown = (
        f"{flag} {' '.join(map(_quoted, [value] if isinstance(value, str) else value))}"
        for flag, name in _GUESSED.items()
        if (value := changes.get(name))
    )
    where = f"{settings.metadata.name} looks like {preset.table}; " if preset is not None else ""
    return settings.replace(**changes), [
        f"{where}columns guessed: {' '.join(shown)}; override them with these flags"
    ]


def _guess(columns: list[str], name: str, usual: tuple[str, ...]) -> dict[str, str | tuple[str, ...]]:
    column = _usual(columns, usual)
    return {name: column} if column is not None else {}


def _usual(columns: list[str], usual: tuple[str, ...]) -> str | None:
    plain = {re.sub(r"[\W_]", "", column).casefold(): column for column in reversed(columns)}
    return next((plain[name] for name in usual if name in plain), None)


def _quoted(text: str) -> str:
    """As a shell takes it."""
    if re.search(r"[^\w\s.,:=/-]", text):
        return shlex.quote(text)
    return f'"{text}"' if " " in text else text


def read_table(settings: SourceSettings) -> Iterator[Artwork | Reject | PassedOver | Note]:
    """Artworks of a table, one per row; a row that names no usable image becomes a reject.

    Rows with fewer cells than the header are counted, since a file that was cut ends in one. The makers of the
    published tables of museums are read with their qualifiers, see `presets.py`.

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
    pictures = PictureFolder.of(settings, "table") if settings.image or not dry else PictureFolder(None)
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
    unlabelled = not labels and not settings.labels_are_optional
    if number is None or unlabelled or (image is None and not dry):
        lacking = (
            "--object-number" if number is None else "--tasks" if image is not None or dry else "--image"
        )
        columns = ", ".join(filter(None, column_names(settings.metadata, encoding=settings.encoding)))
        hint = " (that of the object number, if pictures are named after it)" if lacking == "--image" else ""
        raise ArttlError(f"--source table needs {lacking} COLUMN{hint}; {settings.metadata} has: {columns}")
    given = [(flag, column) for flag, column in (*required, *optional) if column is not None]
    refinement = Refinement.of(settings)
    needed = [*given, *(("--metadata", column) for column in refinement.columns)]
    short, last_short, changed, fractions = 0, "", list[str](), Counter[str]()
    without_zeros = plain_text(number) in columns_without_zeros(settings.metadata)
    for row in read_any_rows(settings.metadata, needed, encoding=settings.encoding):
        if row.lacking:
            short, last_short = short + 1, row.location
        if _CHANGED_BY_EXCEL.fullmatch(row.cells.get(number, "").strip()):
            changed.append(row.cells[number].strip())
        if without_zeros and "." in row.cells[number]:
            fractions[row.cells[number]] += 1
        cells = {column: row.cells.get(column, "").strip() for _, column in given}
        name = cells[image] if image is not None else sample_key(cells[number])
        if row.problem:
            yield Reject(cells[number], "", name, "bad-row", f"{row.location}: {row.problem}")
        elif not cells[number]:
            yield Reject("", "", name, "no-object-number", row.location)
        elif not name:
            yield Reject(cells[number], "", "", "no-image-named", row.location)
        elif isinstance(picture := pictures.named(name), NoPicture):
            yield Reject(cells[number], "", name, picture.reason, f"{row.location}: {picture.detail}")
        else:
            artwork = Artwork(
                key=sample_key(cells[number]),
                object_number=cells[number],
                image=picture,
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
            yield refinement.apply(artwork, row)
    yield from refinement.notes()
    if short:
        yield Note(
            f"{counted(short, 'row has', 'rows have')} fewer cells than the header of {settings.metadata}, the last"
            f" being {last_short}; what is lacking is unknown"
        )
    if changed:
        yield Note(
            f"{counted(len(changed), 'object number looks', 'object numbers look')} as if a spreadsheet had made"
            f" numbers or dates of them, such as {changed[0]!r}: different objects may have one number now; export"
            " that column as text"
        )
    if fractions:
        alike = fractions.total() - list(fractions.values()).count(1)
        are = counted(fractions.total(), "object number is a fraction", "object numbers are fractions")
        yield Note(
            f"{are} in a column of numbers, such as {next(iter(fractions))}, which has no zeros at the end, so that"
            f" 1907.1 and 1907.10 are one; {alike:,} of them occur more than once; write the column {number!r} as text"
        )
    yield from pictures.remarks()


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
