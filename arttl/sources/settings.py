"""The settings of a source: which metadata, which images, which columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from arttl.errors import ArttlError

_TASK_NAME = re.compile(r"[^\W\d][\w-]{0,59}\Z")


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    """Which metadata and images to read, and what is a label."""

    source: str = "table"
    """Kind of metadata: `table` (CSV or TSV with the columns named below), `sabatelli2018` (the CSV layout of the
    paper's published repository) or `synthetic` (drawn objects, no metadata)."""

    metadata: Path | None = None
    """The metadata file."""

    images: Path | None = None
    """Folder of the photographs; image names in the metadata are relative to it and may not leave it. For
    `synthetic`, the folder to draw into."""

    object_number: str | None = None
    """Column of the object number (`table`)."""

    image: str | None = None
    """Column of the image's file name (`table`)."""

    tasks: tuple[str, ...] = ()
    """What is to be predicted: names of label columns, or `task=column` where the task should have another name
    than its column. Required for `table`; other sources offer their own tasks by default."""

    label_separator: str | None = None
    """Separates several labels in one cell, such as `;` or `|`. By default a cell is one label."""

    mapping: tuple[str, ...] = ()
    """Synonyms and translations, `task=file.csv` for each task that has them: a CSV with the columns `found` and
    `wanted`. An empty `wanted` makes the label unknown."""

    title: str | None = None
    """Column of the object's title, kept with the sample (`table`)."""

    date: str | None = None
    """Column of the object's date, kept with the sample (`table`)."""

    provenance: str | None = None
    """Column that says where the record came from, kept with the sample as its source (`table`)."""

    split: str = "paper"
    """How samples are divided: `paper` (random 80/10/10, as the paper's repository does it) or `column=NAME` (the
    metadata's own column, holding train, val or test)."""

    def task_columns(self) -> dict[str, str]:
        """Task name to column name, in the order of `tasks`.

        Raises:
            ArttlError: for a malformed or repeated task name.
        """
        columns: dict[str, str] = {}
        for text in self.tasks:
            name, equals, column = text.partition("=")
            if not equals:
                column = name
            if not _TASK_NAME.match(name):
                raise ArttlError(
                    f"--tasks {text!r}: a task's name is a word of letters, digits, '_' and '-';"
                    f" give it one with --tasks NAME={column!r}"
                )
            if not column:
                raise ArttlError(f"--tasks {text!r} names no column after the '='")
            if name in columns:
                raise ArttlError(f"--tasks names the task {name!r} twice")
            columns[name] = column
        return columns

    def split_column(self) -> str | None:
        """The column of `--split column=NAME`; None for `--split paper`.

        Raises:
            ArttlError: for any other value.
        """
        if self.split == "paper":
            return None
        kind, _, column = self.split.partition("=")
        if kind == "column" and column:
            return column
        raise ArttlError(f"--split {self.split!r} is not a way to split; use paper or column=NAME")
