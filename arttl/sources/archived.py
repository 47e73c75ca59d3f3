"""An artwork whose photograph is a member of an archive."""

from __future__ import annotations

from dataclasses import dataclass

from arttl.artworks import Artwork


@dataclass(frozen=True, slots=True)
class ArchivedArtwork(Artwork):
    """An artwork whose `image` is the path of an uncompressed archive.

    Attributes:
        member: name of the photograph in it.
        offset, size: where its bytes are in the archive.
    """

    member: str = ""
    offset: int = 0
    size: int = 0
