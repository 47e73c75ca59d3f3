"""The pictures of a folder at any depth, and what is passed over there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# Formats of cameras and of image editors, which packing refuses by name.
UNREADABLE_SUFFIXES = frozenset(
    (
        *(".dng", ".nef", ".nrw", ".cr2", ".cr3", ".arw", ".orf", ".raf", ".rw2", ".pef"),
        *(".psd", ".psb"),
    )
)
# All that may be a picture, whether packing reads it or not: one that is refused has its reason in `rejects.csv`.
PICTURE_SUFFIXES = UNREADABLE_SUFFIXES | {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".jp2", ".j2k", ".jpx", ".jpf"),
    *(".tif", ".tiff", ".ptif", ".ptiff"),
    *(".heic", ".heif", ".hif", ".avif", ".jxl", ".gif", ".bmp"),
}

# Left by file managers and meant by nobody, so not even counted.
_OF_FILE_MANAGERS = frozenset(("thumbs.db", "desktop.ini", ".ds_store"))


class Entry(NamedTuple):
    """A picture, or what is passed over.

    Attributes:
        name: path relative to the folder, with slashes.
        passed_over_as: such as `symbolic links to folders`; empty for a picture.
    """

    name: str
    passed_over_as: str = ""


def cut_suffix(name: str) -> tuple[str, str]:
    """A file's name without the suffix of a picture, and the suffix in lower case; it is empty if there is none."""
    stem, dot, suffix = name.rpartition(".")
    suffix = f".{suffix.lower()}"
    return (stem, suffix) if dot and stem and suffix in PICTURE_SUFFIXES else (name, "")


def list_pictures(folder: Path) -> Iterator[Entry]:
    """The pictures of a folder, and what is passed over.

    A folder's files come first, then its folders, each sorted by name. Links to folders are not followed; links to
    files are, since collections are often put together from links.

    Args:
        folder: itself.

    Raises:
        OSError: if the folder itself cannot be read; one inside it is passed over.
    """
    prefixes = [""]
    while prefixes:
        prefix = prefixes.pop()
        try:
            with os.scandir(folder / prefix) as entries:
                in_order = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            if not prefix:
                raise
            yield Entry(prefix, "folders that cannot be read")
            continue
        inside = []
        for entry in in_order:
            name = prefix + entry.name
            if entry.name.casefold() in _OF_FILE_MANAGERS:
                continue
            kind = _passed_over_as(entry)
            if kind == "folder":
                inside.append(f"{name}/")
            else:
                yield Entry(name, kind)
        prefixes += reversed(inside)


def _passed_over_as(entry: os.DirEntry[str]) -> str:
    """`folder`, or as what an entry is passed over; empty for a picture."""
    if entry.name.startswith("."):
        return "hidden files and folders"
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        if entry.is_symlink() and entry.is_dir():
            return "symbolic links to folders"
        is_file = entry.is_file()
    except OSError:
        is_file = False
    if not is_file:
        return "broken symbolic links and special files"
    return "" if cut_suffix(entry.name)[1] else "files without the suffix of a picture"


def folders_inside(folder: Path) -> list[str]:
    """The names of the folders right inside a folder, sorted; links and hidden ones are left out.

    Raises:
        OSError: if it cannot be read.
    """
    folders = (path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    return sorted(path.name for path in folders if not path.name.startswith("."))
