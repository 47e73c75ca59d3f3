"""The file that a photograph is, or is a part of."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from arttl.artworks import ArchivedArtwork, Artwork


class PictureFile(NamedTuple):
    """A photograph as bytes on disk.

    Attributes:
        path: the file.
        span: offset and size in bytes, where the photograph is a part of the file, as in a tar.
    """

    path: Path
    span: tuple[int, int] | None = None

    @classmethod
    def of(cls, artwork: Artwork) -> PictureFile:
        """The image of an artwork."""
        if isinstance(artwork, ArchivedArtwork):
            return cls(artwork.image, (artwork.offset, artwork.size))
        return cls(artwork.image)

    def size(self) -> int:
        """Bytes of the photograph.

        Raises:
            OSError: if there is no such file, or it is not a regular one; ValueError for a path that no file can have.
        """
        status = os.stat(self.path)  # noqa: PTH116 - a million times
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a file")
        return status.st_size if self.span is None else self.span[1]

    def read(self, start: int = 0, count: int = -1) -> bytes:
        """Up to `count` bytes from `start` on; all to the end by default.

        Raises:
            OSError: if the file cannot be read.
        """
        with self.path.open("rb", buffering=0) as file:
            if self.span is not None:
                offset, size = self.span
                count = size - start if count < 0 else min(count, size - start)
                start += offset
            file.seek(start)
            if count < 0:
                return file.read()
            data = bytearray()
            while len(data) < count and (piece := file.read(count - len(data))):
                data += piece
            return bytes(data)
