"""The picture of an object, in a folder of pictures named after objects."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from arttl.sources.paths import image_folder, image_path
from arttl.sources.settings import SourceSettings

PICTURE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".webp", ".jp2", ".j2k", ".jpx", ".jpf")
)
_MARKS = re.compile(r"[\W_]+")


class PictureFolder:
    """A folder's pictures at any depth, looked up by the object's number or by a name in the metadata."""

    def __init__(self, folder: Path) -> None:
        """List the folder; links to other folders are not followed."""
        self._folder = folder
        self._by_stem: dict[str, str] = {}
        for root, folders, files in os.walk(folder):
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
            return cls(Path("/nowhere"))
        return cls(image_folder(settings.images, source))

    def of_object(self, number: str) -> Path:
        """The picture named after an object number; marks and letter case do not matter (`A.1/2` is `a_1_2.jpg`).

        Where there is none, the path that it would have.
        """
        name_in_folder = self._by_stem.get(_plain(number))
        return self._folder / (name_in_folder or f"{_MARKS.sub('_', number)[:200]}.jpg")

    def named(self, name: str) -> Path | None:
        """The picture that metadata name, by path or by web address, of which the last part counts.

        None for a name that leads out of the folder.
        """
        address = urlsplit(name) if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", name) else None
        if address is None:
            path = image_path(self._folder, name)
            if path is None or path.is_file():
                return path
        else:
            name = unquote(address.path.rpartition("/")[2])
        name_in_folder = self._by_stem.get(_plain(Path(name).stem))
        return self._folder / name_in_folder if name_in_folder else image_path(self._folder, name)


def _plain(stem: str) -> str:
    return _MARKS.sub("_", stem).casefold()
