"""The one exception that is the user's to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ArttlError(Exception):
    """A failure the user can mend: its message is one sentence naming the file, row or flag, and the way out.

    The command line prints the message alone; every other exception is a bug of ours and keeps its traceback.
    """


def one_line(error: BaseException) -> str:
    """The message of an error of a library, in one line; its type where it has no message."""
    return " ".join(str(error).split()) or type(error).__name__


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the closest known name, or the empty string."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
