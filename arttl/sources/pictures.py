"""The picture of an object, in a folder of pictures named after objects."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from arttl.shards.rejects import Reason, Reject
from arttl.sources.paths import image_folder, image_path
from arttl.sources.settings import SourceSettings

PICTURE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".webp", ".jp2", ".j2k", ".jpx", ".jpf")
)
_MARKS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class NoPicture:
    """Why there is no picture for an object.

    Attributes:
        reason: one of `missing`, `ambiguous-picture` and `outside-folder`.
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
        """List the folder; links to other folders are not followed.

        Args:
            folder: None where no picture is needed: each object then has the path that its picture would have.
        """
        self._listed = folder is not None
        self._folder = folder = folder or Path()
        self._by_stem: dict[str, str] = {}
        for root, folders, files in os.walk(folder) if self._listed else ():
            folders.sort()
            for path in (Path(root, name) for name in sorted(files)):
                if path.suffix.lower() in PICTURE_SUFFIXES:
                    self._by_stem.setdefault(_plain(path.stem), path.relative_to(folder).as_posix())

    @classmethod
    def of(cls, settings: SourceSettings, source: str) -> PictureFolder:
        """The folder of `--images`; an empty one for a dry run without it.

        Raises:
            ArttlError: if the setting is missing or is not a folder.
        """
        if settings.dry_run and settings.images is None:
            return cls(None)
        return cls(image_folder(settings.images, source))

    def of_object(self, number: str) -> Path | NoPicture:
        """The picture named after an object number; marks and letter case do not matter (`A.1/2` is `a_1_2.jpg`)."""
        own = f"{_MARKS.sub('_', number)[:200]}.jpg"
        name_in_folder = self._by_stem.get(_plain(number))
        if name_in_folder is None and self._listed:
            return NoPicture("missing", own, f"no file in the folder is named after {number!r}")
        return self._folder / (name_in_folder or own)

    def named(self, name: str) -> Path | NoPicture:
        """The picture that metadata name, by path or by web address, of which the last part counts."""
        address = urlsplit(name) if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", name) else None
        if address is None:
            path = image_path(self._folder, name)
            if path is None:
                return NoPicture("outside-folder", name, "the name leads out of the image folder")
            if path.is_file() or not self._listed:
                return path
        file = unquote(address.path.rpartition("/")[2]) if address else name
        name_in_folder = self._by_stem.get(_plain(Path(file).stem))
        if name_in_folder is None and self._listed:
            return NoPicture("missing", name, f"no file in the folder is named {file!r}")
        return self._folder / (name_in_folder or file)


def _plain(stem: str) -> str:
    return _MARKS.sub("_", stem).casefold()
