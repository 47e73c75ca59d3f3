"""Files and folders of metadata, opened with messages that name the flag."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from arttl.errors import ArttlError
from arttl.records.kinds import contents

# Opening a pipe would wait for ever.
_READING = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
)
_AT_ONCE = 2**20  # bytes


@contextmanager
def readable(path: Path, flag: str) -> Iterator[None]:
    """Around the reading of a file.

    Args:
        path: the file.
        flag: the one that named it.

    Raises:
        ArttlError: if it does not exist, is a pipe or a device, which may never end, or cannot be read.
    """
    try:
        if not _is_file_or_folder(path):
            raise _no_file(path, flag)
        yield
    except OSError as error:
        raise _unreadable(path, flag, error) from error


def read_bytes(path: Path, flag: str, most: int) -> bytes:
    """The bytes of a file, or the first `most` of them.

    For folders of very many small files: it asks the system for a third of what `readable` and `open` do.

    Args:
        path: the file.
        flag: the one that named it.
        most: bytes that are read.

    Raises:
        ArttlError: as `readable` does.
    """
    try:
        descriptor = os.open(path, _READING)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
                raise _no_file(path, flag)
            data = os.read(
                descriptor, min(most, status.st_size + 1)
            )  # one more, which says that this is the end
            # Less may come at once, and some files do not say their size.
            while len(data) != status.st_size and len(data) < most:
                if not (more := os.read(descriptor, min(most - len(data), _AT_ONCE))):
                    break
                data += more
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(path, flag, error) from error
    return data


def _no_file(path: Path, flag: str) -> ArttlError:
    return ArttlError(f"{flag} {path} is a pipe or a device; give the name of a file")


def _unreadable(path: Path, flag: str, error: OSError) -> ArttlError:
    if isinstance(error, FileNotFoundError):
        return ArttlError(f"{flag} {path} does not exist")
    return ArttlError(f"{flag} {path} cannot be read: {error.strerror}")


def metadata_files(path: Path, suffixes: Collection[str], flag: str = "--metadata") -> list[Path]:
    """The file itself, or a folder's files of the given suffixes at any depth, sorted; letter case does not matter.

    Args:
        path: the file or folder.
        suffixes: lower case, such as `.xml`.
        flag: the one that named it.

    Raises:
        ArttlError: if there is none.
    """
    if not path.is_dir():
        return [path]
    # In the order of paths, which take longer to compare and remember their parts.
    files = sorted(_files(path, suffixes), key=lambda file: os.path.normcase(file).split(os.sep))  # noqa: PTH206
    if not files:
        raise ArttlError(
            f"{flag} {path} holds no file named {' or '.join(f'*{suffix}' for suffix in suffixes)};"
            f" there is: {contents(path)}"
        )
    return list(map(Path, files))


def _files(folder: Path, suffixes: Collection[str]) -> Iterator[str]:
    """The files of the suffixes at any depth; links to folders and folders that cannot be read are passed over."""
    folders, ends = [os.fspath(folder)], tuple(suffixes)
    while folders:
        with suppress(PermissionError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif (name := entry.name.lower()).endswith(ends) and name not in ends and _is_file(entry):
                    yield entry.path


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a circle of links
        return False


def _is_file_or_folder(path: Path) -> bool:
    """False for a pipe or a device; true also where nothing is there, which opening it will say."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a million times
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
