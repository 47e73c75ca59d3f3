"""Files and folders of metadata, opened with messages that name the flag."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
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
        if path.exists() and not (path.is_file() or path.is_dir()):
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
    there = (file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
    # In the order of paths, which take longer to compare and remember their parts.
    files = sorted(there, key=lambda file: os.path.normcase(file).split(os.sep))  # noqa: PTH206 - of a text
    if not files:
        raise ArttlError(
            f"{flag} {path} holds no file named {' or '.join(f'*{suffix}' for suffix in suffixes)};"
            f" there is: {contents(path)}"
        )
    return files
