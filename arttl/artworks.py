"""Artwork: one catalogued object with its photograph, labels and provenance."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

# A tar's plain header has 100 bytes for a member's name, and `<key>.json` must fit.
_KEY = re.compile(r"[A-Za-z0-9_-]{1,95}\Z")
_NOT_IN_KEY = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Artwork:
    """One photograph of one catalogued object.

    Attributes:
        key: name of the sample in the shards, see `sample_key`.
        object_number: the object's number exactly as catalogued.
        image: path of the photograph; not opened before packing.
        labels: task name to labels, in the order of the catalogue. No entry: unknown. Never an empty tuple.
        raw_labels: task name to the strings as catalogued, before any normalisation.
        title, date, source: free provenance, kept with the sample.
        institution: the museum that holds the object, where the metadata or `--institution` give it.
        identifiers: task name to label as catalogued to its identifiers in vocabularies, such as
            `{"material": {"oil paint": ("http://vocab.getty.edu/aat/300015050",)}}`.
        attributions: makers that are not named as such, each as qualifier and name: `("circle of", "Rembrandt")`.
        split: the metadata's own split (`train`, `val` or `test`), where there is one.
        group: shared by all artworks that must stay in one split; None: the object number.
    """

    key: str
    object_number: str
    image: Path
    labels: Mapping[str, tuple[str, ...]]
    raw_labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    title: str | None = None
    date: str | None = None
    source: str | None = None
    institution: str | None = None
    identifiers: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    attributions: tuple[tuple[str, str], ...] = ()
    split: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        if not _KEY.match(self.key):
            raise ValueError(
                f"key {self.key!r} may only hold letters, digits, '_' and '-', at most 95 of them"
            )


@lru_cache(maxsize=1024)  # sources ask for the picture and the artwork of each object
def sample_key(object_number: str, *, part: str = "") -> str:
    """A key of letters, digits, `_` and `-` from an object number as catalogued.

    DALI cuts a sample's name at the first dot, names of tar members must not contain slashes, and museums use both. A
    number that is already a key stays as it is. In any other number each run of other characters becomes `_`, and ten
    hex digits of its SHA-256 are appended, so that `A.1`, `A/1` and `A_1` stay distinct.

    Args:
        object_number: the number as catalogued, any Unicode.
        part: distinguishes several photographs of one object (the file's name, say).

    Returns:
        At most 95 characters, always the same for the same arguments.
    """
    if not part and _KEY.match(object_number):
        return object_number
    digest = hashlib.sha256(f"{object_number}\0{part}".encode("utf-8", "surrogatepass")).hexdigest()[:10]
    readable = _NOT_IN_KEY.sub("_", object_number)[:80].strip("_")
    return f"{readable}-{digest}" if readable else f"object-{digest}"


@dataclass(frozen=True, slots=True)
class ArchivedArtwork(Artwork):
    """An artwork whose `image` is the path of an uncompressed archive.

    Attributes:
        member: name of the photograph in the archive.
        offset, size: of its bytes in the archive.
    """

    member: str = ""
    offset: int = 0
    size: int = 0
