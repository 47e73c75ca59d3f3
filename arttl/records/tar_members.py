"""The members of an uncompressed tar, header by header: every header and the end of the archive are checked.

`tarfile` stops without a word at a damaged header behind the first, and parses a pax header in quadratic time (before
Python 3.12). Formats: ustar and pax (POSIX.1-2001, "pax"), GNU's long names, and what came before them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from arttl.errors import ArttlError

_BLOCK = 512
_LONGEST_EXTENSION = 2**20  # bytes of a pax header or a long name; real ones have some hundreds
_KINDS: dict[bytes, Literal["file", "folder", "link", "other"]] = {
    **dict.fromkeys((b"0", b"\0", b"7"), "file"),
    b"5": "folder",
    **dict.fromkeys((b"1", b"2"), "link"),
}


@dataclass(frozen=True, slots=True)
class TarMember:
    """A member of a tar.

    Attributes:
        name: as stored; bytes that are not UTF-8 are escaped as `os.fsdecode` does. It is no path to be opened.
        kind: what it is.
        offset, size: of its bytes in the archive.
    """

    name: str
    kind: Literal["file", "folder", "link", "other"]
    offset: int
    size: int


class _Damaged(Exception):
    """The archive is not as a tar must be; the message says why."""


def read_members(path: Path) -> Iterator[TarMember]:
    """The members of a tar in order, one at a time.

    Raises:
        ArttlError: naming the byte, if the archive is damaged, cut off, compressed, has an extended header of more than
            1 MiB, or does not end after its end.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            yield from _members(file, size)
    except _Damaged as error:
        raise ArttlError(f"{path} cannot be read as a tar: {error}") from error
    except OSError as error:
        raise ArttlError(f"{path} cannot be read: {error.strerror or error}") from error


def _members(file: BinaryIO, total: int) -> Iterator[TarMember]:
    position = 0
    name, size = None, None  # of the member that an extended header describes
    while True:
        file.seek(position)
        header = file.read(_BLOCK)
        if position == 0 and _is_compressed(header):
            raise _Damaged("it is compressed; unpack it first")
        if len(header) < _BLOCK:
            raise _Damaged(
                f"it is cut off at byte {position:,}, without the blocks of zeros that end a tar; copy it again"
            )
        if not any(header):
            _check_end(file, position, total)
            return
        _check_sum(header, position)
        kind = header[156:157]
        stored = _number(header[124:136], position)
        data = position + _BLOCK
        if kind in b"xgLK" and kind:
            if stored > _LONGEST_EXTENSION:
                raise _Damaged(
                    f"the extended header at byte {position:,} has {stored:,} bytes; real ones are short"
                )
            text = file.read(stored)
            if kind == b"x":
                name, size = _pax(text, position)
            elif kind == b"L":
                name = text.partition(b"\0")[0]
        else:
            if kind == b"S":
                raise _Damaged(
                    f"the member at byte {position:,} is stored as a sparse file; pack it anew without"
                )
            stored = stored if size is None else size
            if data + stored > total:
                raise _Damaged(f"the member at byte {position:,} is cut off; copy the archive again")
            own = _own_name(header) if name is None else name
            known = _KINDS.get(kind, "other")
            if kind == b"\0" and own.endswith(b"/"):
                known = "folder"  # as old archives have it
            # A link may give the size of what it leads to; only files have data.
            stored = stored if known in ("file", "other") else 0
            yield TarMember(own.decode("utf-8", "surrogateescape"), known, data, stored)
            name, size = None, None
        position = data + -(-stored // _BLOCK) * _BLOCK


def _check_end(file: BinaryIO, position: int, total: int) -> None:
    """Check that only zeros follow: a second archive, or members behind a hole, would be lost."""
    file.seek(position)
    while chunk := file.read(2**20):
        if chunk.strip(b"\0"):
            raise _Damaged(
                f"it ends at byte {position:,} and {total - position:,} bytes follow; unpack joined archives and pack"
                " them as one"
            )


def _check_sum(header: bytes, position: int) -> None:
    """Compare a header with its sum, in which the sum itself counts as blanks; old programs add signed bytes."""
    rest = header[:148] + b" " * 8 + header[156:]
    unsigned = sum(rest)
    signed = unsigned - 256 * sum(byte > 127 for byte in rest)
    try:
        stored = int(header[148:156].partition(b"\0")[0].strip() or b"-1", 8)
    except ValueError:
        stored = -1
    if stored not in (unsigned, signed):
        raise _Damaged(f"the header at byte {position:,} is damaged")


def _is_compressed(header: bytes) -> bool:
    return header.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"))


def _number(field: bytes, position: int) -> int:
    """A size: octal digits, or GNU's binary form."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        number = int(field.replace(b"\0", b" ").strip() or b"0", 8)
    except ValueError:
        number = -1
    if number < 0:
        raise _Damaged(f"the header at byte {position:,} has no size")
    return number


def _own_name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _pax(text: bytes, position: int) -> tuple[bytes | None, int | None]:
    """Path and size of a pax header, whose records are `LENGTH KEY=VALUE` and a line feed."""
    records: dict[bytes, bytes] = {}
    while text:
        digits, blank, _ = text[:20].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = text[len(digits) + 1 : length]
        key, equals, value = record.partition(b"=")
        if not (blank and equals and record.endswith(b"\n") and length <= len(text)):
            raise _Damaged(f"the extended header at byte {position:,} is damaged")
        records[key] = value[:-1]
        text = text[length:]
    if any(key.startswith(b"GNU.sparse") for key in records):
        raise _Damaged(f"the member at byte {position:,} is stored as a sparse file; pack it anew without")
    size = records.get(b"size")
    if size is not None and not (size.isdigit() and len(size) < 20):
        raise _Damaged(f"the extended header at byte {position:,} is damaged")
    return records.get(b"path"), None if size is None else int(size)
