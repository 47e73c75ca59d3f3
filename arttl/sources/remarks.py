"""What a source reports beside artworks and rejects: what it passed over, and what it noticed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class PassedOver:
    """One thing that was not read, and is no row or picture of its own that could be rejected.

    Attributes:
        kind: in the plural, such as `symbolic links`; it is counted by it.
        name: of this one.
    """

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the person who packs, such as the kinds of events that were read."""

    text: str


@dataclass
class Remarks:
    """All remarks of one reading."""

    notes: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, remark: PassedOver | Note) -> None:
        """Take a remark."""
        if isinstance(remark, Note):
            self.notes.append(remark.text)
            return
        self.counts[remark.kind] += 1
        examples = self.examples.setdefault(remark.kind, [])
        if len(examples) < _EXAMPLES:
            examples.append(remark.name)

    def sentences(self) -> list[str]:
        """The notes, then one sentence for each kind of thing passed over."""
        passed = []
        for kind, count in self.counts.items():
            more = ", ..." if count > _EXAMPLES else ""
            passed.append(f"passed over: {count:,} {kind} ({', '.join(self.examples[kind])}{more})")
        return [*self.notes, *passed]
