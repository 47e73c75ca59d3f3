"""The picture of an object, in a folder of pictures named after objects.

A picture is looked up by the name that metadata give it, or by the object's number. The first of these rules that any
picture answers decides, and where several answer it the object gets none:

1. the path in the folder, as named;
2. the file's name, exactly, in any folder;
3. the file's name without its suffix, exactly: a number is never cut at its dots (`1907.1` is not `1907`), and from a
   name only the suffix of a picture is cut;
4. the same after percent-decoding, in another composition of Unicode (NFC, NFD) or letter case;
5. the same but for blanks and marks (`A.1/2` is `a_1_2.jpg`).

Of several that answer a rule, those in the folders that the metadata name are preferred, and pictures that can be
read to files of cameras and image editors. A name that is not exactly the picture's is a claim that another object
may contest; see `arttl.matching.claims`.
"""

from __future__ import annotations

import os
import re
import stat
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from arttl.artworks import sample_key
from arttl.matching.claims import LooselyNamed
from arttl.matching.index import PictureIndex
from arttl.matching.listing import PICTURE_SUFFIXES, Entry, list_pictures
from arttl.matching.names import is_address, name_in_address
from arttl.matching.paths import image_folder, image_path
from arttl.matching.rules import Query
from arttl.records.reading import readable
from arttl.shards.rejects import Reason, Reject
from arttl.sources.remarks import Note, PassedOver, Remarks
from arttl.sources.settings import SourceSettings

__all__ = ["PICTURE_SUFFIXES", "LooselyNamed", "NoPicture", "PictureFolder"]

T = TypeVar("T")

_LEAST_LISTED = 10_000  # files that are listed only to count those that no record names
_SHOWN = 200  # letters of a name in a message
_SEVERAL = re.compile(r"[;|\n]|, ")  # between the names of several pictures in one cell
_SEVERAL_ADDRESSES = re.compile(r"[\s;|,][A-Za-z][A-Za-z0-9+.-]*://")
_MARKS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class NoPicture:
    """Why there is no picture for an object.

    Attributes:
        reason: such as `missing`, `ambiguous-picture` or `outside-folder`.
        name: as the metadata name it, or that it would have.
        detail: for a person; of an ambiguous picture the candidates, of a missing one the most similar name.
    """

    reason: Reason
    name: str
    detail: str

    def reject(self, number: str) -> Reject:
        """The reject of an object."""
        return Reject(number, "", self.name, self.reason, self.detail)


class PictureFolder:
    """A folder's pictures at any depth, looked up by the object's number or by a name in the metadata."""

    def __init__(self, folder: Path | None) -> None:
        """Prepare the look-up; the folder is listed once, when a look-up first needs it.

        Args:
            folder: None where no picture is needed: each object then has the path that its picture would have.
        """
        self._folder = folder or Path()
        self._is_there = folder is not None
        self._index: PictureIndex | None = None
        self._named = array("Q")  # hashes of paths
        self._passed_over: list[Entry] = []
        self._remarks = Remarks()

    @classmethod
    def of(cls, settings: SourceSettings, source: str) -> PictureFolder:
        """The folder of `--images`; none for a dry run without it.

        Raises:
            ArttlError: if the setting is missing or is not a folder.
        """
        if settings.dry_run and settings.images is None:
            return cls(None)
        return cls(image_folder(settings.images, source))

    def of_object(self, number: str) -> Path | NoPicture:
        """The picture named after an object number.

        Raises:
            ArttlError: if the folder cannot be read.
        """
        if not self._is_there:
            return Path(f"{sample_key(number)}.jpg")
        name = f"{_MARKS.sub('_', number)[:_SHOWN]}.jpg"
        query = Query.of(number, number, is_number=True)
        return self._look_up(query, name, f"is named after {number[:_SHOWN]!r}")

    def named(self, name: str) -> Path | NoPicture:
        """The picture that metadata name, by a path, a name without suffix, or a web address.

        Raises:
            ArttlError: if the folder cannot be read.
        """
        if is_address(name.strip()):
            return self._of_address(name.strip())
        path = image_path(self._folder, name)
        if path is None:
            return NoPicture("outside-folder", name, "the name leads out of the image folder")
        kind = _kind(path) if self._is_there else "file"
        if kind == "file":
            self.mark(path)
            return path
        query = Query.of(name.strip(), path.relative_to(self._folder).as_posix())
        picture = self._look_up(query, name, f"is named {name.strip()[:_SHOWN]!r}")
        if isinstance(picture, NoPicture) and picture.reason == "missing":
            if kind == "folder":
                return NoPicture("unreadable", name, "a folder has this name, and no picture")
            if _SEVERAL.search(name):
                return NoPicture(
                    "missing", name, f"{picture.detail}; it must be the name of one picture, not several"
                )
        return picture

    def has(self, path: Path) -> bool:
        """Whether the folder has a file of this path; none has a name that is too long."""
        return self._is_there and os.path.isfile(path)  # noqa: PTH113 - a Path's own raises an error for such a name

    def mark(self, path: Path) -> None:
        """Count a picture of the folder as one that a record names, without looking it up."""
        self._named.append(_hash64(path.relative_to(self._folder).as_posix()))

    def remarks(self) -> Iterator[PassedOver | Note]:
        """What was passed over in the folder, to be yielded after the last record.

        Pictures that no record names are counted, unless the folder did not have to be listed otherwise and holds
        ten times as many files as records name pictures.

        Raises:
            ArttlError: if the folder cannot be read.
        """
        if not self._is_there:
            return
        files = self._few() if self._index is None else self._index.files
        for entry in self._not_named(self._passed_over, [entry.name for entry in self._passed_over]):
            self._remarks.add(PassedOver(entry.passed_over_as, entry.name))
        for file in self._not_named(files, files):
            self._remarks.add(PassedOver("pictures that no record names", file))
        yield from self._remarks.items()

    def _not_named(self, items: list[T], names: list[str]) -> Iterator[T]:
        """Those of the items whose names no record names."""
        hashes = np.fromiter(map(_hash64, names), dtype=np.uint64, count=len(names))
        is_named = np.isin(hashes, np.array(self._named, dtype=np.uint64))
        return (items[index] for index in np.flatnonzero(~is_named).tolist())

    def _of_address(self, address: str) -> Path | NoPicture:
        if _SEVERAL_ADDRESSES.search(address):
            return NoPicture("missing", address, "it must be the address of one picture, not several")
        own = name_in_address(address)
        if own is None:
            last = address.rstrip("/").rpartition("/")[2][:_SHOWN]
            return NoPicture("missing", address, f"the address names no picture of its own, only {last!r}")
        if not self._is_there:
            return image_path(self._folder, own) or self._folder / sample_key(own)
        clause = f"is named {own[:_SHOWN]!r}, as in the address"
        return self._look_up(Query.of(address, own, rank=1), address, clause)

    def _look_up(self, query: Query, name: str, clause: str) -> Path | NoPicture:
        """The picture that a query means.

        Args:
            query: itself.
            name: for the reject.
            clause: says that a picture is the one that is meant.
        """
        if self._index is None:
            self._index = PictureIndex(self._listed())
        match = self._index.match(query)
        files = match.files
        if not files:
            similar = self._index.most_similar(query)
            more = f"; the most similar is {similar!r}" if similar else ""
            more = more if self._index.files else "; it holds no pictures"
            return NoPicture("missing", name, f"no file in the folder {clause}{more}")
        self._named.extend(map(_hash64, (*files, *match.beside)))
        if match.count > len(files):
            detail = f"{match.count:,} files have names like it, such as {files[0]!r}"
            return NoPicture("ambiguous-picture", name, detail)
        if len(files) > 1:
            several = " and ".join(map(repr, files[:3])) + (" and others" if len(files) > 3 else "")
            return NoPicture("ambiguous-picture", name, f"{len(files)} files could be meant: {several}")
        for file in match.beside:
            self._remarks.add(PassedOver("files of cameras and editors beside a picture of their name", file))
        path = self._folder / files[0]
        return LooselyNamed.of(path, match.rank, query.called) if match.rank else path

    def _few(self) -> list[str]:
        """All pictures, or none and a note if they are too many to be listed for the count alone."""
        most = max(_LEAST_LISTED, 10 * len(self._named))
        files: list[str] = []
        for file in self._listed():
            files.append(file)
            if len(files) > most:
                text = f"{self._folder} holds more than {most:,} pictures; those that no record names are not counted"
                self._remarks.add(Note(text))
                return []
        return files

    def _listed(self) -> Iterator[str]:
        with readable(self._folder, "--images"):
            for entry in list_pictures(self._folder):
                if entry.passed_over_as:  # unless a record names it
                    self._passed_over.append(entry)
                else:
                    yield entry.name


def first_picture(pictures: PictureFolder, names: list[str]) -> tuple[Path | NoPicture, list[str]]:
    """The picture of the first name that the folder has, and the names behind it that the folder has too.

    Args:
        pictures: the folder.
        names: as the metadata have them; not empty.
    """
    looked_up = [pictures.named(name) for name in names]
    there: dict[Path, str] = {}  # several addresses may name one file, in several sizes
    for name, path in zip(names, looked_up, strict=True):
        if isinstance(path, Path) and pictures.has(path):
            there.setdefault(path, name)
    doubtful = [
        path for path in looked_up if isinstance(path, NoPicture) and path.reason == "ambiguous-picture"
    ]
    if not there:
        return (doubtful or looked_up)[0], []
    first, *others = there
    return first, [there[path] for path in others]


def _hash64(text: str) -> int:
    return hash(text) & (2**64 - 1)


def _kind(path: Path) -> Literal["file", "folder", "none"]:
    """What a path is; a file also where only reading it will say what is wrong, such as a name that is too long."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a million times
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return "none"
    except OSError:
        return "file"
    return "folder" if stat.S_ISDIR(mode) else "file"
