"""The one exception that is the user's to read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

# Escape sequences begin with U+001B or U+009B; U+202A to 202E and 2066 to 2069 are Unicode's bidirectional controls.
# U+D800 to DFFF are halves of characters, which no encoding has.
_ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_LONGEST_LINE, _LONGEST_MESSAGE = 300, 1_500
# Of an address's scheme the last letter is enough: to look for its first takes time that grows with the text's square.
_CREDENTIALS = re.compile(r"(?<=[A-Za-z0-9+.-])(://?)[^/\s@?#]+@")


class ArttlError(Exception):
    """A failure the user can mend: its message is one sentence naming the file, row or flag, and the way out.

    The command line prints the message alone; every other exception is a bug of ours and keeps its traceback. What the
    message quotes of files and libraries may be long and have several lines: it is made one line, and of more than
    1,500 characters it loses the middle.

    Attributes:
        on_every_rank: whether all processes of a run meet the failure, so that the first alone prints it.
    """

    on_every_rank = True

    def __init__(self, message: str) -> None:
        message, half = " ".join(message.splitlines()), _LONGEST_MESSAGE // 2
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[:half]} … {message[-half:]}"
        super().__init__(message)


def one_line(error: BaseException | str) -> str:
    """The message of an error of a library, in one line of at most 300 characters; its type where it has no message.

    Messages quote what a file holds, of any length.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST_LINE else text[: _LONGEST_LINE - 1] + "…"


def printable(text: str) -> str:
    r"""Text that does nothing to a terminal but fill it: metadata, paths and files of strangers may hold anything.

    Control characters (Unicode's category Cc, but for tabs and line ends), the marks that turn the direction of the
    text around them, and halves of characters become escapes such as `\x1b`. Credentials in web addresses are left
    out.
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


def counted(number: int, thing: str, things: str = "") -> str:
    """A number with the thing that it counts: `1 record`, `2 records`, `1,200 records`.

    Args:
        number: 0 or more.
        thing: in the singular, or as much of the sentence as depends on the number, such as `record has`.
        things: the same in the plural; by default with an `s` at its end.
    """
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"
