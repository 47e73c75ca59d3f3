"""The kinds of metadata, by the name that `--source` gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from arttl.artworks import Artwork
from arttl.errors import ArttlError, did_you_mean
from arttl.sources import sabatelli2018, synthetic
from arttl.sources.labels import LabelRules
from arttl.sources.rejects import Reject
from arttl.sources.sabatelli2018 import read_sabatelli2018
from arttl.sources.settings import SourceSettings
from arttl.sources.synthetic import read_synthetic
from arttl.sources.table import read_table


@dataclass(frozen=True)
class Source:
    """A kind of metadata.

    Attributes:
        read: settings to artworks and rejected rows, in the order of the metadata; labels not yet normalised.
        tasks: those that it offers where `--tasks` is not given.
    """

    read: Callable[[SourceSettings], Iterator[Artwork | Reject]]
    tasks: tuple[str, ...]


SOURCES: dict[str, Source] = {
    "table": Source(read_table, ()),
    "sabatelli2018": Source(read_sabatelli2018, tuple(sabatelli2018.TASK_COLUMNS)),
    "synthetic": Source(read_synthetic, synthetic.TASKS),
}


def open_source(settings: SourceSettings) -> tuple[Iterator[Artwork | Reject], LabelRules]:
    """The artworks that `settings` describe, their labels normalised, and the rules that do so.

    Nothing is read before the iterator is used; the rules' notes are complete when it has ended.

    Raises:
        ArttlError: for an unknown source, or a mapping that cannot be used. The iterator raises it for metadata that
            cannot be used.
    """
    source = SOURCES.get(settings.source)
    if source is None:
        known = ", ".join(SOURCES)
        raise ArttlError(
            f"--source {settings.source!r} is not known{did_you_mean(settings.source, SOURCES)}; there are: {known}"
        )
    rules = LabelRules.read(settings.mapping, tuple(settings.task_columns()) or source.tasks)
    return rules.apply(source.read(settings)), rules
