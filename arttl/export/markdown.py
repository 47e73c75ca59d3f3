"""Markdown in which the texts of a collection stand as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from arttl.errors import printable

_MARKS = re.compile(r"[\\`*_\[\]<>|~&$#]")


def plain(text: str) -> str:
    """A text in one line, whose characters mean themselves: neither Markdown, HTML nor the end of a table's cell."""
    return _MARKS.sub(r"\\\g<0>", printable(" ".join(text.split())))


def code(text: str) -> str:
    """A text in one line as code, in a fence longer than any in it."""
    text = printable(" ".join(text.split()))
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], names: int = 1) -> str:
    """A pipe table.

    Args:
        columns: the headings.
        rows: cells that are Markdown already, see `plain`.
        names: how many columns name a row and are aligned to the left; the others hold figures.
    """
    alignment = ["---"] * names + ["---:"] * (len(columns) - names)
    return "\n".join(f"| {' | '.join(line)} |" for line in (columns, alignment, *rows))
