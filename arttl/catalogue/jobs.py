"""An artwork that is to be packed, with what its picture is called."""

from __future__ import annotations

from dataclasses import dataclass

from arttl.artworks import Artwork
from arttl.shards.rejects import Reason, Reject


@dataclass(frozen=True, slots=True)
class Job:
    """An artwork to pack.

    Attributes:
        artwork: itself.
        file: its image's name in the metadata.
        near_hash: its picture's perceptual hash, where that is known already.
    """

    artwork: Artwork
    file: str
    near_hash: int | None = None

    def reject(self, reason: Reason, detail: str) -> Reject:
        """That the artwork is left out."""
        return Reject(self.artwork.object_number, self.artwork.key, self.file, reason, detail)
