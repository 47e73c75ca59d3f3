"""The settings of a source: which metadata, which images, which columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from arttl.errors import ArttlError, did_you_mean
from arttl.records.text_files import encoding_name
from arttl.settings import Parsed, Settings

_TASK_NAME = re.compile(r"[^\W\d][\w-]{0,59}\Z")


def split_column(split: str) -> str | None:
    """The column of `column=NAME`; None for every other way to split.

    Raises:
        ArttlError: for a value that is not a way to split.
    """
    if split in ("paper", "official", "grouped", "stratified", "by-institution"):
        return None
    kind, _, column = split.partition("=")
    if kind == "column" and column:
        return column
    raise ArttlError(
        f"--split {split!r} is not a way to split; use paper, grouped, stratified, by-institution, official or"
        " column=NAME"
    )


def leaf_pattern(leaf: str | None) -> re.Pattern[str] | None:
    """`SourceSettings.leaf`, to be searched for at the end of an object number.

    Raises:
        ArttlError: if it is not a regular expression.
    """
    if leaf is None:
        return None
    try:
        return re.compile(rf"(?:{leaf})\Z")
    except re.error as error:
        raise ArttlError(f"--leaf {leaf!r} is not a regular expression: {error}") from error


@dataclass(frozen=True, kw_only=True)
class MetadataSettings(Settings):
    """Which metadata to read, and what is a label."""

    source: str = "table"
    """Kind of metadata: `table` (CSV, TSV, JSON lines or Parquet), `dublin-core` (OAI-PMH dumps in `oai_dc`), `edm`
    (Europeana's RDF/XML), `lido` (LIDO 1.0 and 1.1), `linked-art` (JSON-LD as linked.art describes it), `iiif`
    (saved manifests, see `arttl fetch iiif`), `folders` (one folder of pictures per class, no metadata), `rijks2014`
    (the Rijksmuseum Challenge as distributed), `mame` (the MAMe data set as distributed), `sabatelli2018` (the CSV
    layout of the paper's published repository), `webdataset` (tars made by others) or `synthetic` (drawn objects, no
    metadata)."""

    metadata: Path | None = None
    """The metadata file. For `dublin-core`, `edm`, `lido` and `linked-art` a file or a folder of them, for
    `rijks2014` the folder of XML files."""

    ground_truth: Path | None = None
    """The file `rijksgt.mat`, for the official split and labels (`rijks2014`)."""

    encoding: Annotated[str | None, Parsed(encoding_name)] = None
    """Encoding of a CSV or TSV file that is neither UTF-8 nor marked as UTF-16, such as `cp1252` (Windows), `latin-1`,
    `mac-roman` or `cp850` (DOS) (`table`, `mame`, `sabatelli2018`)."""

    object_number: str | None = None
    """Column of the object number (`table`, guessed where its name is a usual one), or another field than the
    usual one (`dublin-core`, `edm`, `webdataset`), or label of the pair that has it (`iiif`)."""

    image: str | None = None
    """Column of the image's file name (`table`, guessed where its name is a usual one), or the field that names
    the image (`dublin-core`; by default the image is the one named after the object)."""

    tasks: tuple[str, ...] = ()
    """What is to be predicted: names of label columns, or `task=column` where the task should have another name
    than its column. For `table` guessed where columns have usual names; other sources have tasks of their own by
    default."""

    label_separator: str | None = None
    """Separates several labels in one cell, such as `;` or `|`. By default a cell is one label (`table`,
    `dublin-core`, `edm`, `iiif`; there `<br>` takes each line as a label)."""

    language: str | None = None
    """Language to take labels in, such as `en`, where a record has them in several (`dublin-core`, `edm`, `lido`,
    `linked-art`, `iiif`). By default the first that a record has."""

    all_canvases: bool = False
    """Take every page of a manifest, one sample each; by default the first (`iiif`)."""

    fold_case: bool = False
    """Ignore the letter case of labels: all become lower case (Unicode case folding), then are mapped."""

    mapping: tuple[str, ...] = ()
    """Synonyms and translations, `task=file.csv` for each task that has them: a CSV with the columns `catalogued`
    and `label` (or `found` and `wanted`). An empty `label` makes the label unknown."""

    unknown: tuple[str, ...] = ()
    """Labels that mean that nothing is known, such as `--unknown n/a onbekend`; letter case does not matter. Labels
    that look like it are printed."""

    attributed: bool = False
    """Take makers who are not named as such (`after`, `circle of`, `attributed to`) as artists too (`lido`,
    `linked-art`, `iiif`, and the published tables of museums, `table`). They are kept with the sample in any case."""

    institution: str | None = None
    """The museum that holds the objects, where the metadata do not name it."""

    institution_column: str | None = None
    """Column of the museum that holds the object (`table`), or the element that names it (`dublin-core`, `edm`, where
    it is `edm:dataProvider` by default)."""

    title: str | None = None
    """Column or field of the object's title, kept with the sample (`table`, `webdataset`), or label of the pair that
    has it (`iiif`)."""

    date: str | None = None
    """Column or field of the object's date, kept with the sample (`table`, `webdataset`), or label of the pair that
    has it (`iiif`)."""

    provenance: str | None = None
    """Column or field that says where the record came from, kept with the sample (`table`, `webdataset`)."""

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
                several = ", or leave blanks and no commas between several tasks" if "," in text else ""
                raise ArttlError(
                    f"--tasks {text!r}: a task's name is a word of letters, digits, '_' and '-';"
                    f" give it one with --tasks NAME={column!r}{several}"
                )
            if not column:
                raise ArttlError(f"--tasks {text!r} names no column after the '='")
            if name in columns:
                raise ArttlError(f"--tasks names the task {name!r} twice")
            columns[name] = column
        return columns


@dataclass(frozen=True, kw_only=True)
class SourceSettings(MetadataSettings):
    """Which metadata and images to read, what is a label, and how to divide the samples."""

    images: Path | None = None
    """Folder of the photographs; image names in the metadata are relative to it and may not leave it. For
    `synthetic`, the folder to draw into; for `webdataset`, the folder of tars."""

    split: Annotated[str, Parsed(split_column)] = "paper"
    """How samples are divided: `paper` (random 80/10/10 of photographs, as the paper's repository does it), `grouped`
    (the same with all photographs of an object in one split), `stratified` (so too, and every class that can be is in
    every split), `by-institution` (the museums of `--test-institution` are the test split, the others are divided as
    by `grouped`), `column=NAME` (the metadata's own column, holding train, val or test) or `official` (the split that
    comes with `rijks2014` or `mame`, the folders train, val and test above the classes of `folders`, or the names of
    the tars of `webdataset`)."""

    test_institution: tuple[str, ...] = ()
    """The museums whose objects are the test split, for `--split by-institution`."""

    group_column: str | None = None
    """Column whose value is shared by all that must stay in one split, such as a series or an artist, for
    `--split grouped` and `stratified` (`table`, `webdataset`). By default the object number."""

    leaf: Annotated[str | None, Parsed(leaf_pattern)] = None
    """Regular expression for the end of an object number that tells the leaves or parts of one object apart, such as
    `[a-z]` or `-[0-9]+`; they count as one object for `--split grouped` and `stratified`, and for the leak check."""

    dry_run: bool = False
    """Print what would be packed and write nothing; no picture is decoded, and `--images` may be left out."""

    labels_are_optional: ClassVar[bool] = False

    def task_fields(self, fields: Collection[str], tasks: Iterable[str], of: str) -> dict[str, str]:
        """Task name to field, for a source whose records have a fixed set of fields.

        Args:
            fields: all of them.
            tasks: of the source, each named like its field, where `tasks` is not given.
            of: what has the fields, for the message.

        Raises:
            ArttlError: for a task that names no field.
        """
        columns = self.task_columns() or {task: task for task in tasks}
        for task, column in columns.items():
            if column not in fields:
                raise ArttlError(
                    f"--tasks {task}: {column!r} is not a field of {of}{did_you_mean(column, fields)}; there are:"
                    f" {', '.join(fields)}"
                )
        return columns

    def split_column(self) -> str | None:
        """The column of `--split column=NAME`; None for every other way to split."""
        return split_column(self.split)

    def leaf_pattern(self) -> re.Pattern[str] | None:
        """`leaf`, to be searched for at the end of an object number."""
        return leaf_pattern(self.leaf)
