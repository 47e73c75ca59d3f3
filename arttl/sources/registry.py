"""The kinds of metadata, by the name that `--source` gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from arttl.artworks import Artwork
from arttl.characters import plain_text
from arttl.errors import ArttlError, did_you_mean
from arttl.labelling.rules import LabelRules
from arttl.shards.rejects import Reject
from arttl.sources import (
    dublin_core,
    edm,
    folders,
    iiif,
    lido,
    linked_art,
    mame,
    rijks2014,
    sabatelli2018,
    synthetic,
    webdataset,
)
from arttl.sources.dublin_core import read_dublin_core
from arttl.sources.edm import read_edm
from arttl.sources.folders import read_folders
from arttl.sources.iiif import guess_labels, read_iiif
from arttl.sources.lido import read_lido
from arttl.sources.linked_art import read_linked_art
from arttl.sources.mame import read_mame
from arttl.sources.remarks import Note, PassedOver, Remarks
from arttl.sources.rijks2014 import read_rijks2014
from arttl.sources.sabatelli2018 import read_sabatelli2018
from arttl.sources.settings import SourceSettings
from arttl.sources.synthetic import read_synthetic
from arttl.sources.table import guess_columns, read_table
from arttl.sources.webdataset import read_webdataset

S = TypeVar("S", bound=SourceSettings)


@dataclass(frozen=True)
class Source:
    """A kind of metadata.

    Attributes:
        read: settings to artworks and rejected rows, in the order of the metadata; labels not yet normalised. It
            may also yield remarks, on what it passes over for instance.
        tasks: its own where `--tasks` is not given, in the form of that flag.
        has_columns: whether columns can give the split and the group.
        has_official_split: whether `--split official` is possible.
        has_records: whether it reads records apart from the pictures, so that `arttl shards relabel` can take it.
        guess: settings with the columns that were not named, where the metadata have usual ones, and sentences on it.
    """

    read: Callable[[SourceSettings], Iterator[Artwork | Reject | PassedOver | Note]]
    tasks: tuple[str, ...]
    has_columns: bool = False
    has_official_split: bool = False
    has_records: bool = False
    guess: Callable[[Any], tuple[Any, list[str]]] | None = None


SOURCES: dict[str, Source] = {
    "table": Source(read_table, (), has_columns=True, has_records=True, guess=guess_columns),
    "dublin-core": Source(read_dublin_core, tuple(dublin_core.TASK_COLUMNS), has_records=True),
    "edm": Source(read_edm, edm.TASKS, has_records=True),
    "lido": Source(read_lido, lido.TASKS, has_records=True),
    "linked-art": Source(read_linked_art, linked_art.TASKS, has_records=True),
    "iiif": Source(read_iiif, iiif.TASKS, has_records=True, guess=guess_labels),
    "folders": Source(read_folders, folders.TASKS, has_official_split=True),
    "rijks2014": Source(read_rijks2014, tuple(rijks2014.TASK_COLUMNS), has_official_split=True),
    "mame": Source(read_mame, mame.TASKS, has_official_split=True),
    "sabatelli2018": Source(read_sabatelli2018, tuple(sabatelli2018.TASK_COLUMNS)),
    "webdataset": Source(read_webdataset, webdataset.TASKS, has_columns=True, has_official_split=True),
    "synthetic": Source(read_synthetic, synthetic.TASKS),
}

# Settings of some sources alone; of any other they would do nothing.
_READ_BY = {
    "ground_truth": ("rijks2014",),
    "encoding": ("table", "mame", "sabatelli2018"),
    "object_number": ("table", "dublin-core", "edm", "iiif", "webdataset"),
    "image": ("table", "dublin-core"),
    "label_separator": ("table", "dublin-core", "edm", "iiif"),
    "language": ("dublin-core", "edm", "lido", "linked-art", "iiif"),
    "all_canvases": ("iiif",),
    "attributed": ("table", "lido", "linked-art", "iiif"),
    "institution_column": ("table", "dublin-core", "edm"),
    "title": ("table", "iiif", "webdataset"),
    "date": ("table", "iiif", "webdataset"),
    "provenance": ("table", "webdataset"),
    "group_column": ("table", "webdataset"),
}


class Reading:
    """The artworks of a source, read once, and what there is to say when the last one was read."""

    def __init__(
        self,
        items: Iterator[Artwork | Reject | PassedOver | Note],
        rules: LabelRules,
        institution: str | None,
    ) -> None:
        """Prepare the reading.

        Args:
            items: of a source.
            rules: for labels.
            institution: of artworks that name none.
        """
        self._items = items
        self._rules = rules
        self._institution = plain_text(institution or "") or None
        self._remarks = Remarks()

    def __iter__(self) -> Iterator[Artwork | Reject]:
        """The artworks, their labels and institutions normalised, and rejected rows, in the order of the metadata."""
        return self._rules.apply(self._without_remarks())

    def sentences(self) -> list[str]:
        """What was done to labels, what was passed over, and what was noticed; complete when all has been read."""
        return [*self._rules.notes(), *self.remarks()]

    def remarks(self) -> list[str]:
        """What has been passed over and noticed so far."""
        return self._remarks.sentences()

    def _without_remarks(self) -> Iterator[Artwork | Reject]:
        for item in self._items:
            if isinstance(item, (PassedOver, Note)):
                self._remarks.add(item)
            elif isinstance(item, Artwork):
                institution = (plain_text(item.institution) if item.institution else "") or self._institution
                yield item if institution == item.institution else replace(item, institution=institution)
            else:
                yield item


def guess_settings(settings: S) -> tuple[S, list[str]]:
    """Settings with what the source guesses from the metadata, and sentences on what was guessed.

    Raises:
        ArttlError: if the metadata cannot be read.
    """
    source = SOURCES.get(settings.source)
    return source.guess(settings) if source is not None and source.guess is not None else (settings, [])


def open_source(settings: SourceSettings) -> Reading:
    """The artworks that `settings` describe; nothing is read before they are iterated over.

    Raises:
        ArttlError: for an unknown source, a split or a flag that it does not have, or a mapping that cannot be used.
            The iterator raises it for metadata that cannot be used.
    """
    source = SOURCES.get(settings.source)
    if source is None:
        known = ", ".join(SOURCES)
        raise ArttlError(
            f"--source {settings.source!r} is not known{did_you_mean(settings.source, SOURCES)}; there are: {known}"
        )
    by_column, official = settings.split_column() is not None, settings.split == "official"
    if (by_column and not source.has_columns) or (official and not source.has_official_split):
        kind = "split column" if by_column else "official split"
        raise ArttlError(
            f"--split {settings.split}: the source {settings.source!r} has no {kind}; use paper, grouped or stratified"
        )
    for name, readers in _READ_BY.items():
        if getattr(settings, name) and settings.source not in readers:
            flag = "--" + name.replace("_", "-")
            raise ArttlError(
                f"{flag} is for --source {', '.join(readers)}; {settings.source} does not read it: leave it out"
            )
    tasks = tuple(settings.task_columns()) or tuple(task.partition("=")[0] for task in source.tasks)
    rules = LabelRules.read(settings.mapping, tasks, fold_case=settings.fold_case, unknown=settings.unknown)
    return Reading(source.read(settings), rules, settings.institution)
