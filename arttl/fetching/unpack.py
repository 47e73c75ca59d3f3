"""Unpacking archives of unknown origin.

A member is written under the last part of its name into a folder of ours, so that no path of an archive is ever
followed. An archive with paths out of its folder, with anything but files and folders, or of an implausible size when
unpacked is refused as a whole.
"""

from __future__ import annotations

import bz2
import gzip
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from arttl.errors import ArttlError, one_line

_CHUNK = 1 << 20
LARGEST_RATIO = 60
"""The largest ratio of unpacked to packed size: XML shrinks to a tenth, pictures hardly at all."""
ALLOWANCE = 64 << 20
"""Bytes that an archive of any size may unpack to."""
MOST_MEMBERS = 2_000_000
_WINDOWS_DRIVE = re.compile(r"[A-Za-z]:")


def kind_of(path: Path) -> str | None:
    """`zip`, `tar`, `gzip`, `bzip2`, or None for a file that is not an archive, by its first bytes."""
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    return "bzip2" if head.startswith(b"BZh") else None


def unpack(archive: Path, folder: Path, suffixes: tuple[str, ...]) -> int:
    """Unpack the files whose names have given endings.

    Args:
        archive: a zip, or a tar, plain or compressed by gzip or bzip2.
        folder: gets them as PARENT/NAME, the last two parts of a member's path; the archive's own name replaces a
            missing parent.
        suffixes: endings of names, in lower case; other members are skipped.

    Returns:
        How many files were written.

    Raises:
        ArttlError: if the archive is damaged or refused.
    """
    limit = ALLOWANCE + LARGEST_RATIO * archive.stat().st_size
    top = archive.name.partition(".")[0]
    total = written = 0
    try:
        members = _zip_members if kind_of(archive) == "zip" else _tar_members
        for number, (name, size, open_member) in enumerate(members(archive)):
            path = _checked(archive, name)
            total += size
            if total > limit or number >= MOST_MEMBERS:
                raise _refused(archive, f"it unpacks to more than {limit:,} bytes or {MOST_MEMBERS:,} files")
            if open_member is None or not path.name.lower().endswith(suffixes):
                continue
            target = folder / (path.parent.name or top) / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as opened:
                # The size in the header is checked.
                _copy(archive, name, opened, target, size)
            written += 1
    except ArttlError:
        raise
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile) or error.filename is None:
            raise ArttlError(f"{archive} is damaged or the disk is full: {one_line(error)}") from error
        raise ArttlError(f"{error.filename} cannot be written: {error.strerror}") from error
    except Exception as error:  # zipfile and tarfile raise whatever damaged headers lead to
        raise ArttlError(f"{archive} is damaged and cannot be unpacked: {one_line(error)}") from error
    return written


def _checked(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if (
        name.startswith("/")
        or "\\" in name
        or "\0" in name
        or ".." in path.parts
        or _WINDOWS_DRIVE.match(name)
    ):
        raise _refused(archive, f"its member {name!r} points out of its folder")
    return path


def _copy(archive: Path, name: str, source: IO[bytes], target: Path, size: int) -> None:
    try:
        file = target.open("xb")
    except FileExistsError as error:
        raise _refused(archive, f"it brings {name!r}, and there is one of that name already") from error
    done = 0
    with file:
        while chunk := source.read(_CHUNK):
            done += len(chunk)
            if done > size:
                raise _refused(archive, f"its member {name!r} is longer than it says")
            file.write(chunk)
    if done != size:
        raise _refused(archive, f"its member {name!r} is shorter than it says")


def _refused(archive: Path, why: str) -> ArttlError:
    return ArttlError(f"{archive} is refused: {why}; get it from its publisher again")


# A member of either kind: its name, the size that the header has, and how to open it; None for a folder.
_Member = tuple[str, int, Callable[[], Any] | None]


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = (info.external_attr >> 16) & 0o170000
            if kind not in (0, 0o100000, 0o040000):
                raise _refused(archive, f"its member {info.filename!r} is a link or a device")
            if info.flag_bits & 1:
                raise _refused(archive, f"its member {info.filename!r} is encrypted")
            yield info.filename, info.file_size, None if info.is_dir() else partial(opened.open, info)


def _tar_members(archive: Path) -> Iterator[_Member]:
    with _tar_stream(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as opened:
        for info in opened:
            opened.members = []  # type: ignore[attr-defined] # else it keeps every member's header
            if info.isdir():
                yield info.name, 0, None
            elif info.isreg() and not info.issparse():
                yield info.name, info.size, partial(opened.extractfile, info)
            else:
                raise _refused(
                    archive, f"its member {info.name!r} is a link, a device or another special file"
                )


@contextmanager
def _tar_stream(archive: Path) -> Iterator[Any]:
    openers: dict[str | None, Callable[..., Any]] = {"gzip": gzip.open, "bzip2": bz2.open}
    opener = openers.get(kind_of(archive), Path.open)
    with opener(archive, "rb") as stream:
        yield _SmallReads(archive, stream)


class _SmallReads:
    """A stream that refuses large reads: tarfile reads a header of any length that a tar declares at once."""

    def __init__(self, archive: Path, stream: Any) -> None:
        self._archive = archive
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes."""
        if not 0 <= size <= 4 * _CHUNK:
            raise _refused(self._archive, "a header in it is larger than any could be")
        data: bytes = self._stream.read(size)
        return data
