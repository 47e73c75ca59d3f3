"""Files and folders of metadata, opened with messages that name the flag."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from arttl.errors import ArttlError
from arttl.records.kinds import contents


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
            raise ArttlError(f"{flag} {path} is a pipe or a device; give the name of a file")
        yield
    except FileNotFoundError as error:
        raise ArttlError(f"{flag} {path} does not exist") from error
    except OSError as error:
        raise ArttlError(f"{flag} {path} cannot be read: {error.strerror}") from error


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
