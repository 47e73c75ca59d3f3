"""The pictures that predictions name, read from where they were predicted: a folder, or shards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from arttl.errors import ArttlError
from arttl.loading import read_manifest
from arttl.loading.shard_files import ShardFiles
from arttl.matching.paths import image_folder, image_path
from arttl.pictures.decoded import Decoded
from arttl.pictures.decoding import BadPicture, decode_picture, read_image
from arttl.pictures.picture_file import PictureFile
from arttl.pictures.reducing import AllowedScale
from arttl.shards.manifest import Manifest

_TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange width and height


@dataclass(frozen=True)
class UprightPicture:
    """A picture as people see it.

    Attributes:
        rgb: mode RGB, in sRGB; of shards as stored, which may be smaller than the source.
        width, height: of the source, upright, in pixels.
    """

    rgb: Image.Image
    width: int
    height: int


class PredictedPictures(Protocol):
    """Pictures by the names that a table of suggestions has for them."""

    def read(self, name: str, *, cover: int = 0) -> UprightPicture:
        """A picture; may be called from many threads.

        Args:
            name: of the file, or the key of the sample.
            cover: where above 0, a smaller one will do, see `AllowedScale`.

        Raises:
            BadPicture: if there is none of that name, or it cannot be read.
        """
        ...


class FolderPictures:
    """The files of a folder, at any depth."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of `--images`.

        Raises:
            ArttlError: if it is none.
        """
        self._folder = image_folder(folder, "folders")

    def read(self, name: str, *, cover: int = 0) -> UprightPicture:
        """See `PredictedPictures`."""
        path = image_path(self._folder, name) if name else None
        if path is None:
            raise BadPicture(
                "missing", "no file of the folder has such a name", name or "a picture without a name"
            )
        return _upright(decode_picture(read_image(PictureFile(path)), allowed=AllowedScale(cover)))


class ShardPictures:
    """The samples of shards, by their keys."""

    def __init__(self, manifest: Manifest) -> None:
        """Take the shards of a manifest."""
        self._manifest = manifest
        self._rows = {key: row for row, key in enumerate(manifest.keys)}
        columns = [manifest.table.column(name).to_numpy() for name in ("original_width", "original_height")]
        self._sizes = np.stack(columns, axis=1)

    @cached_property
    def _files(self) -> ShardFiles:
        return ShardFiles(self._manifest, np.arange(len(self._manifest)))

    def read(self, name: str, *, cover: int = 0) -> UprightPicture:
        """See `PredictedPictures`."""
        row = self._rows.get(name)
        if row is None:
            raise BadPicture("missing", f"no sample of {self._manifest.directory} has this key", name)
        decoded = _upright(decode_picture(self._files.jpeg(row), allowed=AllowedScale(cover)))
        width, height = self._sizes[row].tolist()
        return UprightPicture(decoded.rgb, width, height)


def open_pictures(images: Path | None, shards: Path | None) -> PredictedPictures:
    """The pictures of `--images` or of `--shards`, one of which is given.

    Raises:
        ArttlError: if none or both are, or it cannot be read.
    """
    if (images is None) == (shards is None):
        raise ArttlError("name where the pictures are with --images or with --shards, one of them")
    if shards is not None:
        return ShardPictures(read_manifest(shards))
    assert images is not None
    return FolderPictures(images)


def _upright(decoded: Decoded) -> UprightPicture:
    width, height = decoded.width, decoded.height
    if decoded.orientation in _TURNED:
        width, height = height, width
    return UprightPicture(decoded.upright_rgb(), width, height)
