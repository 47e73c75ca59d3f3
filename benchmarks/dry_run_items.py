"""What the generated records of metadata are about."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

_TEXT = """landscape with a river and cattle portrait of the artist mother still life fruit flowers view city from east
    interior church man reading an old letter woman at window winter scene skaters frozen canal ships storm harbour
    évening lumière früh stad"""
_WORDS = _TEXT.split()
_SUPPORTS = ("canvas", "panel", "paper", "copper", "vellum", "board", "silk", "card")
_MEDIA = ("oil", "tempera", "watercolour", "pen and brown ink", "etching", "engraving", "pastel", "gouache")
_TYPES = ("painting", "drawing", "print", "photograph", "sculpture", "vase", "coin", "tapestry")


@dataclass(frozen=True)
class Item:
    """What a generated record is about."""

    index: int
    number: str
    title: str
    artist: str
    artist_number: int
    medium: str
    support: str
    kind: str
    year: int
    note: str

    @property
    def material(self) -> str:
        """As catalogued for display."""
        return f"{self.medium} on {self.support}"

    @property
    def address(self) -> str:
        """Identifier of the record."""
        return f"https://museum.example/object/{self.index}"


def _name(number: int) -> str:
    """A name without digits, so that a task of names is not taken for one of numbers."""
    syllables = ("van ", "de ", "ber", "mont", "hals", "ter", "ru", "li", "sa", "en")
    surname = "".join(syllables[int(digit)] for digit in str(number))
    return f"{_WORDS[number % len(_WORDS)].title()} {surname.title().strip()}"


def items(count: int) -> Iterator[Item]:
    """Objects whose labels have long tails: few materials, thousands of artists, titles that hardly repeat."""
    rng = random.Random(0)
    for index in range(count):
        artist = int(20_000 * rng.random() ** 3)
        yield Item(
            index,
            f"SK-{'ABCD'[index % 4]}-{index}.{index % 7}",
            " ".join(rng.choices(_WORDS, k=7)).capitalize(),
            _name(artist),
            artist,
            rng.choice(_MEDIA),
            rng.choice(_SUPPORTS),
            rng.choice(_TYPES),
            rng.randint(1500, 1950),
            " ".join(rng.choices(_WORDS, k=60)),
        )
