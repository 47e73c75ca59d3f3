"""What was found in LIDO records, in sentences for the person who packs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from arttl.errors import counted
from arttl.lido.actors import Roles
from arttl.lido.terms import Counts


@dataclass
class Findings:
    """What was found in all records, for the sentences that are printed.

    Attributes:
        language: that labels are taken in, as a code; empty for none.
        attributed: whether makers who are not named as such are artists.
        records: how many were read.
        in_others: records of which labels had to be taken in another language.
        production, alone, left: names of events: of a production; taken since the record has no other; not taken.
        materials, materials_taken: kinds of materials that are not known, and how many terms of them were taken.
        parts, frames: of which materials are said; those of frames are not taken.
        untyped: terms of materials without a kind.
        displayed: records whose materials are a text for display.
        roles: of actors.
    """

    language: str
    attributed: bool = False
    records: int = 0
    in_others: int = 0
    other_languages: Counts = field(default_factory=Counts)
    production: Counts = field(default_factory=Counts)
    alone: Counts = field(default_factory=Counts)
    left: Counts = field(default_factory=Counts)
    materials: Counts = field(default_factory=Counts)
    materials_taken: int = 0
    parts: Counts = field(default_factory=Counts)
    frames: Counts = field(default_factory=Counts)
    untyped: int = 0
    displayed: int = 0
    roles: Roles = field(default_factory=Roles)

    def sentences(self) -> Iterator[str]:
        """What a person who packs should know of the records."""
        if self.production or self.alone or self.left:
            parts = [
                f"{heading} {counts.listed()}"
                for heading, counts in (
                    ("of a production:", self.production),
                    ("taken as production since a record has no other:", self.alone),
                    ("not taken:", self.left),
                )
                if counts
            ]
            yield f"events: {'; '.join(parts)}"
        roles = self.roles
        if roles.taken or roles.left:
            left = f"; not taken: {roles.left.listed()}" if roles.left else ""
            yield f"roles: taken as artists: {roles.taken.listed() or 'none'}{left}"
        if roles.qualifiers:
            done = (
                "are taken as artists too" if self.attributed else "are no artists; --attributed takes them"
            )
            yield f"attributions: makers who are not named as such {done}: {roles.qualifiers.listed()}"
        if self.materials:
            yield (
                f"materials: types that are not known: {self.materials.listed()}; taken as materials, where a record"
                f" has no other: {self.materials_taken:,}"
            )
        if self.parts or self.frames:
            frames = f"; not taken: {self.frames.listed()}" if self.frames else ""
            yield f"materials of parts: taken: {self.parts.listed() or 'none'}{frames}"
        if self.untyped:
            yield f"materials: terms without a type are taken as materials: {self.untyped:,}"
        if self.displayed:
            yield f"materials: records without terms, whose text for display is one label: {self.displayed:,}"
        if self.in_others:
            yield (
                f"--language {self.language}: labels are taken in other languages where there are none in it, in"
                f" {self.in_others:,} of {counted(self.records, 'record')}: {self.other_languages.listed()}"
            )
