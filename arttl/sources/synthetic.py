"""A collection that the package draws itself: no metadata, no photographs, and known labels.

Each object has a type, seen in its outline, one or two materials, seen in its surface, and an artist, seen in
palette, stroke and motif. As in real catalogues a few classes are common and many rare, and labels are missing.

Example of an object: type `painting`, materials `canvas` and `oil`, artist `Master of the Red Sun`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from arttl.artworks import Artwork, sample_key
from arttl.drawing.scene import Photograph, photograph
from arttl.drawing.styles import STYLES
from arttl.errors import ArttlError
from arttl.sources.settings import SourceSettings

T = TypeVar("T")

TASKS = ("material", "type", "artist")
COUNT = 600
LONGEST_SIDE = 96

# Type to its share, and what such objects are made of, with shares.
_TYPES: dict[str, tuple[float, dict[tuple[str, ...], float]]] = {
    "print": (0.26, {("paper", "ink"): 1.0}),
    "drawing": (0.18, {("paper", "chalk"): 0.5, ("paper", "ink"): 0.2, ("paper", "watercolour"): 0.3}),
    "painting": (0.16, {("canvas", "oil"): 0.65, ("wood", "oil"): 0.35}),
    "vase": (0.11, {("ceramic",): 0.5, ("glass",): 0.25, ("silver",): 0.15, ("bronze",): 0.1}),
    "bowl": (0.08, {("ceramic",): 0.5, ("wood",): 0.3, ("silver",): 0.2}),
    "coin": (0.08, {("silver",): 0.5, ("bronze",): 0.5}),
    "figurine": (0.06, {("wood",): 0.4, ("bronze",): 0.4, ("ceramic",): 0.2}),
    "plate": (0.05, {("ceramic",): 0.7, ("silver",): 0.3}),
    "box": (0.02, {("wood",): 1.0}),
}
_ARTIST_SHARES = (0.26, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05, 0.04)
_MISSING = {"material": 0.25, "type": 0.04, "artist": 0.35}


@dataclass(frozen=True)
class DrawnObject:
    """An object of the collection.

    Attributes:
        object_number: its number in the catalogue.
        labels: the labels that the catalogue gives; some are missing.
        true_labels: every task's labels, none missing.
        title, date: of the catalogue.
        photograph: the picture, and where the object is in it.
    """

    object_number: str
    labels: dict[str, tuple[str, ...]]
    true_labels: dict[str, tuple[str, ...]]
    title: str
    date: str
    photograph: Photograph


def drawn_objects(count: int = COUNT, seed: int = 0) -> Iterator[DrawnObject]:
    """Draw a collection, object by object; the same for the same seed, whatever the count."""
    for index in range(count):
        yield _draw(index, np.random.RandomState([seed, index]))


def synthetic_artworks(folder: Path, count: int = COUNT, seed: int = 0) -> Iterator[Artwork]:
    """Draw a collection into a folder and catalogue it.

    Args:
        folder: gets a JPEG of 96 pixels per object; made if it does not exist.
        count: number of objects.
        seed: decides everything.

    Raises:
        ArttlError: if the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for drawn in drawn_objects(count, seed):
            key = sample_key(drawn.object_number)
            image = folder / f"{drawn.object_number}.jpg"
            drawn.photograph.picture.save(image, quality=92)
            yield Artwork(
                key=key,
                object_number=drawn.object_number,
                image=image,
                labels=drawn.labels,
                title=drawn.title,
                date=drawn.date,
                source="drawn",
            )
    except OSError as error:
        raise ArttlError(f"cannot draw the collection into {folder}: {error.strerror or error}") from error


def read_synthetic(settings: SourceSettings) -> Iterator[Artwork]:
    """The drawn collection as a source; `images` is the folder to draw into."""
    if settings.images is None:
        raise ArttlError("--source synthetic needs --images FOLDER, to draw the pictures into")
    yield from synthetic_artworks(settings.images)


def _draw(index: int, rng: np.random.RandomState) -> DrawnObject:
    type_ = _choice(list(_TYPES), [share for share, _ in _TYPES.values()], rng)
    made_of = _TYPES[type_][1]
    materials = _choice(list(made_of), list(made_of.values()), rng)
    artist = _choice(list(STYLES), list(_ARTIST_SHARES), rng)
    true_labels = {"material": materials, "type": (type_,), "artist": (artist,)}
    known = {task: names for task, names in true_labels.items() if rng.rand() >= _MISSING[task]}
    shorter = int(rng.randint(78, LONGEST_SIDE + 1))
    size = (LONGEST_SIDE, shorter) if rng.rand() < 0.5 else (shorter, LONGEST_SIDE)
    return DrawnObject(
        object_number=f"S.{index:04d}",
        labels=known,
        true_labels=true_labels,
        title=f"{type_.capitalize()} by the {artist}",
        date=str(1600 + int(rng.randint(300))),
        photograph=photograph(type_, materials, artist, size, rng),
    )


def _choice(items: Sequence[T], shares: Sequence[float], rng: np.random.RandomState) -> T:
    return items[int(np.searchsorted(np.cumsum(shares), rng.rand() * sum(shares)))]
