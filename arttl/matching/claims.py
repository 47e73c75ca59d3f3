"""Objects and the pictures that they name: which of several objects that name one picture may have it.

Records are read one by one, and each object gets the picture whose name is nearest to its own. Only when all records
have been read is it known whether another object names the same picture more exactly.
"""

from __future__ import annotations

import os
import unicodedata
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from arttl.artworks import ArchivedArtwork, Artwork

_Column = npt.NDArray[Any]

if TYPE_CHECKING:
    _Path = Path
else:
    _Path = type(Path())  # before Python 3.12 only the platform's own class can be derived from


class LooselyNamed(_Path):
    """The path of a picture that the metadata do not name exactly.

    Attributes:
        rank: how far the name is from the picture's, 1 to 3, see `arttl.matching.rules.deciding`.
        called: the name as the metadata have it.
    """

    rank: int = 0
    called: str = ""

    @classmethod
    def of(cls, path: Path, rank: int, called: str) -> LooselyNamed:
        """A path with its attributes."""
        loosely_named = cls(path)
        loosely_named.rank, loosely_named.called = rank, called
        return loosely_named


@dataclass(frozen=True, slots=True)
class Contest:
    """A picture that several objects name.

    Attributes:
        losing: rows of the catalogue that do not get it.
        keeping: of each object that has it the first row in the catalogue, where it has one.
        objects: how many objects have it, those without a row in the catalogue too.
    """

    losing: list[int]
    keeping: list[int]
    objects: int


class Claims:
    """Which object names which picture, in 41 bytes per artwork.

    Artworks without labels count too: one of them may be the object whose picture it is.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._images = array("Q")  # hashes of paths
        self._numbers = array("Q")  # of object numbers
        self._owners = array("Q")  # of institutions; 0 for none
        self._names = array("Q")  # of the names in the metadata, where they are not exactly the picture's
        self._ranks = array("b")
        self._rows = array("q")

    def add(self, artwork: Artwork, row: int | None, owner: str | None = None) -> None:
        """Count an artwork's picture.

        Args:
            artwork: itself.
            row: in the catalogue; None if it is left out of it.
            owner: the institution that its number is of, where that tells objects apart.
        """
        if isinstance(artwork, ArchivedArtwork):
            return  # its picture lies beside its labels
        image = artwork.image
        rank, name = (image.rank, image.called) if isinstance(image, LooselyNamed) else (0, "")
        self._images.append(hash(os.fspath(image)) & (2**64 - 1))
        self._numbers.append(_hash_of_name(artwork.object_number))
        self._owners.append(_hash_of_name(owner) if owner else 0)
        self._names.append(_hash_of_name(name))
        self._ranks.append(rank)
        self._rows.append(-1 if row is None else row)

    def contests(self) -> Iterator[Contest]:
        """The pictures that several objects name, in no particular order.

        The object that names a picture most exactly has it. Where several do so in the same way, they all have it if
        they name it exactly or by the same name, and otherwise none has it. Nor has any of several objects
        that have one number in several institutions.
        """
        columns = (self._images, self._numbers, self._owners, self._names, self._ranks, self._rows)
        images, numbers, owners, names, ranks, row_of = map(np.asarray, columns)
        for uses in _of_several(images, numbers, owners):
            loses = _losing(ranks[uses], numbers[uses], owners[uses], names[uses])
            staying = uses[~loses]
            first = staying[np.sort(np.unique(numbers[staying], return_index=True)[1])]
            losing, keeping = row_of[uses[loses]], row_of[first]
            yield Contest(losing[losing >= 0].tolist(), keeping[keeping >= 0].tolist(), len(first))


def _of_several(images: _Column, numbers: _Column, owners: _Column) -> Iterator[_Column]:
    """For each picture that several objects name the artworks that do so, in order."""
    if not len(images):
        return
    order = np.argsort(images, kind="stable")
    in_order = images[order]
    starts = np.flatnonzero(np.concatenate(([True], in_order[1:] != in_order[:-1])))
    ends = np.append(starts[1:], len(order))
    several = ends - starts > 1
    for start, end in zip(starts[several], ends[several], strict=True):
        uses = order[start:end]
        if (numbers[uses] != numbers[uses[0]]).any() or _owned_alike(numbers[uses], owners[uses]):
            yield uses


def _owned_alike(numbers: _Column, owners: _Column) -> bool:
    """Whether objects of several institutions have one number."""
    owned = np.unique(np.stack([numbers, owners], 1)[owners != 0], axis=0)
    return len(np.unique(owned[:, 0])) < len(owned)


def _losing(ranks: _Column, numbers: _Column, owners: _Column, names: _Column) -> npt.NDArray[np.bool_]:
    best = ranks == ranks.min()
    several = len(np.unique(names[best])) > 1 and len(np.unique(numbers[best])) > 1
    if several or _owned_alike(numbers[best], owners[best]):
        return np.ones(len(ranks), dtype=bool)
    loses: npt.NDArray[np.bool_] = ~np.isin(numbers, numbers[best])
    return loses


def _hash_of_name(name: str) -> int:
    return hash(name if name.isascii() else unicodedata.normalize("NFC", name)) & (2**64 - 1)
