"""The most similar of very many names, for a message, in bounded time."""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections.abc import Iterable

_MOST_CALLS = 500  # then a table of rejects has examples enough
_MOST_LETTERS = 100
_NEIGHBOURS = 6  # on either side in alphabetical order
_MOST_REVERSED = 200_000  # names that are sorted by their ends too


class NearestNames:
    """Names among which the most similar one is looked for only beside where a name would be in alphabetical order.

    So a call takes well under a millisecond whatever their number, and finds names that begin or end alike.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Sort the names.

        Args:
            names: in any order.
        """
        self._names = sorted(names)
        few = len(self._names) <= _MOST_REVERSED
        self._reversed = sorted(name[::-1] for name in self._names) if few else []
        self._calls = 0

    def of(self, name: str) -> str | None:
        """The most similar of the names, if one is similar; always None after some hundred calls."""
        self._calls += 1
        if self._calls > _MOST_CALLS or not name or len(name) > _MOST_LETTERS:
            return None
        candidates = _beside(self._names, name) + [text[::-1] for text in _beside(self._reversed, name[::-1])]
        # A name that goes on beyond another is not beside it where many others do so too.
        candidates += (name[:end] for end in range(len(name)) if self._has(name[:end]))
        short = sorted({text for text in candidates if len(text) <= _MOST_LETTERS})
        return next(iter(difflib.get_close_matches(name, short, n=1)), None)

    def _has(self, name: str) -> bool:
        index = bisect_left(self._names, name)
        return index < len(self._names) and self._names[index] == name


def _beside(names: list[str], name: str) -> list[str]:
    index = bisect_left(names, name)
    return names[max(0, index - _NEIGHBOURS) : index + _NEIGHBOURS]
