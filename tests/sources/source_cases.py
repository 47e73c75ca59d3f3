"""Sources in general: the example of a module's docstring, and what a source yields."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable
from types import ModuleType

from arttl.artworks import Artwork
from arttl.shards.rejects import Reject
from arttl.sources.remarks import Note, PassedOver, Remarks


def documented_record(module: ModuleType, element: str) -> str:
    """The XML element in a module's docstring."""
    text = inspect.cleandoc(module.__doc__ or "")
    end = f"    </{element}>"
    return textwrap.dedent(text[text.index(f"    <{element}") : text.index(end) + len(end)])


def sorted_out(
    items: Iterable[Artwork | Reject | PassedOver | Note],
) -> tuple[list[Artwork | Reject], list[str]]:
    """The artworks and rejects, and the sentences of the remarks."""
    rows: list[Artwork | Reject] = []
    remarks = Remarks()
    for item in items:
        if isinstance(item, Note | PassedOver):
            remarks.add(item)
        else:
            rows.append(item)
    return rows, remarks.sentences()


def only_artworks(read: tuple[list[Artwork | Reject], list[str]]) -> tuple[list[Artwork], list[str]]:
    """The same, of which nothing is rejected."""
    rows, sentences = read
    artworks = [row for row in rows if isinstance(row, Artwork)]
    assert artworks == rows
    return artworks, sentences
