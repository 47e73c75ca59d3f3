"""Text files of people: what a file is by its bytes, which encoding it has, and its lines within fixed limits."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from arttl.errors import ArttlError, did_you_mean
from arttl.records.reading import readable

ENCODINGS = {
    "utf-8": "utf-8-sig",
    **{name: name for name in ("utf-16", "utf-16-le", "utf-16-be")},
    **{name: name for name in ("cp1252", "latin-1", "mac-roman", "cp850", "cp437", "cp1250", "cp1251")},
}
"""The encodings of `--encoding`, each with Python's codec for reading it."""

_ALIASES = {"iso-8859-1": "latin-1", "latin1": "latin-1", "macroman": "mac-roman", "ansi": "cp1252"}
_GUESSED = ("cp1252", "mac-roman", "cp850", "cp1251", "cp1250")  # the first of the likeliest is taken
_LONGEST_LINE = 16 * 2**20  # characters; a file without line ends must not fill the memory
_HEAD = 2**16  # bytes that tell what a file is
_CHUNK = 2**20  # bytes that are decoded at once, and that an encoding is guessed from
_MOST_LETTERS = 2000  # that a guess looks at
_AROUND = 20  # bytes before and after the first that is not UTF-8, for the message
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_AS_TEXT = "save the table as CSV, in Excel as 'CSV UTF-8'"
_OFFICE = f"a spreadsheet, not a text file; {_AS_TEXT}"
_OTHER_TABLES = (".jsonl", ".ndjson", ".json", ".parquet")
_KINDS = (
    (
        re.compile(
            rb"PK\x03\x04.{26}(?:\[Content_Types\]|xl/|_rels/|docProps/|mimetypeapplication/vnd\.oasis)", re.S
        ),
        _OFFICE,
    ),
    (re.compile(rb"PK\x03\x04"), "a zip archive, not a table; unpack it first"),
    (re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), _OFFICE),
    (re.compile(rb"%PDF-"), f"a PDF document, not a text file; {_AS_TEXT}"),
    (re.compile(rb"\x1f\x8b"), "compressed by gzip; unpack it first"),
    (re.compile(rb"BZh[1-9]1AY"), "compressed by bzip2; unpack it first"),
    (re.compile(rb"\xfd7zXZ\x00"), "compressed by xz; unpack it first"),
    (re.compile(rb"SQLite format 3\x00"), "an SQLite database, not a text file; export the table as CSV"),
    (re.compile(rb"PAR1"), "a Parquet file; give it a name that ends in .parquet"),
    (re.compile(rb"\{\\rtf"), f"an RTF document, not plain text; {_AS_TEXT}"),
    (
        re.compile(rb"\s*<(?:!doctype\s+html|html|head|body|table)[\s>]", re.I),
        f"an HTML page, not a table; {_AS_TEXT}",
    ),
    (
        re.compile(rb"\s*<(?:\?xml\s|[a-z][\w.-]*:[a-z]|[a-z][\w.-]*\s+xmlns)", re.I),
        "XML, not a table; name its format with --source, such as lido or dublin-core",
    ),
    (re.compile(rb"\s*\[\s*\{"), "a JSON list; give it a name that ends in .json"),
    (re.compile(rb'\s*\{\s*"'), "JSON; give it a name that ends in .jsonl, or in .json if it is one list"),
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of a text file.

    Attributes:
        name: one of `ENCODINGS`.
        certain: whether a mark at the beginning or the whole file says so; else it is the likeliest.
    """

    name: str
    certain: bool


def encoding_name(text: str) -> str:
    """The name in `ENCODINGS` for `--encoding`.

    Raises:
        ArttlError: for any other encoding.
    """
    name = text.lower().replace("_", "-")
    name = re.sub(r"^(?:windows|win)-?(?=125)", "cp", name)
    name = re.sub(r"^utf(?=\d)", "utf-", name)
    name = _ALIASES.get(name, name)
    if name not in ENCODINGS:
        raise ArttlError(
            f"--encoding {text!r} is not known{did_you_mean(name, ENCODINGS)}; use {', '.join(ENCODINGS)}"
        )
    return name


def detect_encoding(path: Path, *, flag: str = "--metadata") -> Encoding:
    """The encoding of a text file, by its mark, by all of its bytes if they are UTF-8, or by its letters.

    A file most of whose letters beyond ASCII are UTF-8 is not certainly, but most likely UTF-8.

    Args:
        path: the file.
        flag: the one that named it.

    Raises:
        ArttlError: if it cannot be read, or is UTF-32.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    with readable(path, flag), path.open("rb") as file:
        data = file.read(_CHUNK)
        marked = _encoding_of_head(path, data)
        if marked is not None:
            return marked
        try:
            while data:
                decoder.decode(data)
                data = file.read(_CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return Encoding(_likeliest(data), certain=False)
    return Encoding("utf-8", certain=True)


@contextmanager
def opened_lines(path: Path, flag: str, encoding: str | None) -> Iterator[Lines]:
    """The lines of a text file.

    Args:
        path: the file.
        flag: the one that named it.
        encoding: one of `ENCODINGS`; None: UTF-8, or UTF-16 where a mark says so.

    Raises:
        ArttlError: if it is no text, or not in that encoding; iterating over the lines raises it too.
    """
    with readable(path, flag), path.open("rb") as opened:
        head = opened.read(_HEAD)
    _check_kind(path, head)
    by_head = _encoding_of_head(path, head)
    if encoding is not None:
        _check_declared(path, head, encoding, by_head)
    elif by_head is not None and not by_head.certain:
        raise ArttlError(f"{path} looks like UTF-16 without a mark; {_remedy(flag, by_head.name)}")
    else:
        encoding = by_head.name if by_head is not None else "utf-8"
    try:
        with readable(path, flag), path.open(encoding=ENCODINGS[encoding], newline="") as file:
            yield Lines(path, file, encoding)
    except UnicodeDecodeError as error:
        raise _not_in_encoding(path, flag, encoding, error) from error
    except UnicodeError as error:  # UTF-16 that was declared, without a mark
        raise ArttlError(f"{path} is not {encoding} text: {error}") from error


class Lines:
    """The lines of a text file with their ends, each at most 16 MiB.

    Attributes:
        encoding: one of `ENCODINGS`.
        with_nul: the numbers, from 1, of lines that held a NUL character, which is replaced by U+FFFD.
        with_formulas: whether a line held what may be a formula that stands for a text, `="007"`.
    """

    def __init__(self, path: Path, file: TextIO, encoding: str) -> None:
        """Read from a file opened in that encoding with `newline=""`."""
        self._path = path
        self._file = file
        self.encoding = encoding
        self.with_nul: deque[int] = deque()
        self.with_formulas = False

    def __iter__(self) -> Iterator[str]:
        """The lines, from the first.

        Raises:
            ArttlError: for a line that is too long.
        """
        number = 0
        while line := self._file.readline(_LONGEST_LINE + 1):
            number += 1
            if len(line) > _LONGEST_LINE:
                raise ArttlError(
                    f"line {number} of {self._path} has more than {_LONGEST_LINE:,} characters; a row has a line of its"
                    " own"
                )
            if "\0" in line:
                self.with_nul.append(number)
                line = line.replace("\0", "\ufffd")
            if '="' in line:
                self.with_formulas = True
            yield line


def _check_kind(path: Path, head: bytes) -> None:
    """Raise for a file whose first bytes say that it is no delimited text."""
    for pattern, kind in _KINDS:
        if pattern.match(head.removeprefix(codecs.BOM_UTF8)):
            if (
                path.suffix.lower() in _OTHER_TABLES
            ):  # which are read elsewhere: its name is right, its place is not
                kind = (
                    f"{kind.partition(';')[0]}, and only CSV or TSV can be read here; export the table as CSV"
                )
            raise ArttlError(f"{path} is {kind}")


def _encoding_of_head(path: Path, head: bytes) -> Encoding | None:
    """The encoding that a mark or the NUL bytes of UTF-16 tell; None where neither does."""
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            if name == "utf-32":
                raise ArttlError(f"{path} is UTF-32 text; save it as UTF-8")
            return Encoding(name, certain=True)
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if half and max(even, odd) > 0.4 * half and min(even, odd) < 0.1 * half:
        return Encoding("utf-16-le" if odd > even else "utf-16-be", certain=False)
    return None


def _check_declared(path: Path, head: bytes, encoding: str, by_head: Encoding | None) -> None:
    """Raise where the bytes tell another encoding: most bytes would decode in the declared one, to other letters."""
    if by_head is not None and by_head.certain and encoding != by_head.name:
        raise ArttlError(
            f"--encoding {encoding}: {path} begins with the mark of {by_head.name.upper()}; leave --encoding out"
        )
    if encoding.startswith("utf"):
        return
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return
    if not text.isascii() and "\0" not in text:
        raise ArttlError(f"--encoding {encoding}: {path} is UTF-8 text; leave --encoding out")


def _not_in_encoding(path: Path, flag: str, encoding: str, error: UnicodeDecodeError) -> ArttlError:
    if encoding != "utf-8":
        byte = error.object[error.start]
        return ArttlError(
            f"{path} is not {encoding.upper()} text (byte 0x{byte:02x}); give another --encoding, or save it as UTF-8"
        )
    number, line, position = _first_bad_line(path, flag)
    cause = f"line {number} of {path} is not UTF-8 text (byte 0x{line[position]:02x})"
    guess = detect_encoding(path, flag=flag).name
    if guess == "utf-8":
        start = line[max(0, position - _AROUND) : position].decode("utf-8", "ignore")
        return ArttlError(f"{cause} after {start!r}, though most of the file is; correct it there")
    if guess.startswith("utf-16"):  # bytes of a line may begin within a character
        return ArttlError(f"{cause}; it looks like {guess}: {_remedy(flag, guess)}")
    first = max(0, position - _AROUND)
    around = line[first : position + _AROUND].decode(ENCODINGS[guess], "replace")
    words = next(
        match[0] for match in re.finditer(r"[^,;|\t\r\n\"]+", around) if match.end() > position - first
    )
    return ArttlError(
        f"{cause}; it looks like {guess}, as which it reads {words.strip()!r}: {_remedy(flag, guess)}"
    )


def _first_bad_line(path: Path, flag: str) -> tuple[int, bytes, int]:
    """The number of the first line that is not UTF-8, its bytes, and the index of the first bad one of these."""
    with readable(path, flag), path.open("rb") as file:
        number, line = 0, b""
        while line := file.readline(_LONGEST_LINE):
            number += 1
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return number, line, error.start
    return number, line or b"?", 0  # it was changed meanwhile


def _remedy(flag: str, encoding: str) -> str:
    save = "save it as UTF-8, in Excel as 'CSV UTF-8'"
    return f"give --encoding {encoding}, or {save}" if flag == "--metadata" else save


def _likeliest(data: bytes) -> str:
    """The encoding in which the letters beyond ASCII make the most sense, where not all of them are UTF-8."""
    as_utf_8 = data.decode("utf-8", "replace")
    letters = len(as_utf_8) - len(as_utf_8.encode("ascii", "ignore"))
    if letters > 2 * as_utf_8.count("\ufffd"):
        return "utf-8"
    positions = [match.start() for match in re.finditer(rb"[\x80-\xff]", data[:_CHUNK])][:_MOST_LETTERS]
    return max(_GUESSED, key=lambda name: _sense(data[:_CHUNK].decode(name, "replace"), positions))


def _sense(text: str, positions: list[int]) -> int:
    """How much sense the characters at some positions make where they are: letters in words, marks elsewhere."""
    total = 0
    for position in positions:
        letter = text[position]
        before = text[position - 1] if position else " "
        after = text[position + 1] if position + 1 < len(text) else " "
        in_word = before.isalpha() or after.isalpha()
        if letter == "\ufffd" or unicodedata.category(letter) == "Cc":
            total -= 5
        elif letter in "‘’“”–—…«»°½×€£\u00a0":
            total += 1
        elif not letter.isalpha():
            total -= 2 if in_word else 1
        elif letter.islower():
            total += 3 if letter in _USUAL else 2 if in_word else 0
        elif before.islower():
            total -= 3
        else:
            total += 1 if letter in _USUAL and in_word else 0
        if letter.isalpha() and not letter.isascii():
            latin = "LATIN" in unicodedata.name(letter, "")
            neighbours = (not before.isascii() and before.isalpha()) + (
                not after.isascii() and after.isalpha()
            )
            mixed = (before.isascii() and before.isalpha()) or (after.isascii() and after.isalpha())
            # Words of Latin letters have few beyond ASCII; words of other scripts have only these.
            total -= 2 * neighbours if latin else 4 * mixed
    return total


_USUAL = frozenset("éèêëàâäáãåæçíîïñóôöøõúùûüßœÉÈÄÖÜØÅÇÑ")
