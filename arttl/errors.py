"""The one exception that is the user's to read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

# Escape sequences begin with U+001B or U+009B; U+202A to 202E and 2066 to 2069 are Unicode's bidirectional controls.
_ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

_CREDENTIALS = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*://?)[^/\s@?#]+@")


class ArttlError(Exception):
    """A failure the user can mend: its message is one sentence naming the file, row or flag, and the way out.

    The command line prints the message alone; every other exception is a bug of ours and keeps its traceback.

    Attributes:
        on_every_rank: whether all processes of a run meet the failure, so that the first alone prints it.
    """

    on_every_rank = True


def one_line(error: BaseException) -> str:
    """The message of an error of a library, in one line; its type where it has no message."""
    return " ".join(str(error).split()) or type(error).__name__


def printable(text: str) -> str:
    r"""Text that does nothing to a terminal but fill it: metadata, paths and files of strangers may hold anything.

    Control characters (Unicode's category Cc, but for tabs and line ends) and the marks that turn the direction of the
    text around them become escapes such as `\x1b`. Credentials in web addresses are left out.
    """
    return _ACTIVE.sub(lambda match: ascii(match[0])[1:-1], without_credentials(text))


def without_credentials(text: str) -> str:
    """Text whose web addresses have lost their user names and passwords (RFC 3986, 3.2.1).

    A `Path` of an address has one slash of two.
    """
    return _CREDENTIALS.sub(r"\1", text)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the closest known name, or the empty string."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
