"""The one exception that is the user's to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ArttlError(Exception):
    """A failure the user can mend: its message is one sentence naming the file, row or flag, and the way out.

    The command line prints the message alone; every other exception is a bug of ours and keeps its traceback.
    """


def did_you_mean(wanted: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the closest known name, or the empty string."""
    close = difflib.get_close_matches(wanted, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
