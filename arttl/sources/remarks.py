"""What a source reports beside artworks and rejects: what it passed over, and what it noticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class PassedOver:
    """One thing that was not read, and is no row or picture of its own that could be rejected.

    Attributes:
        kind: in the plural, such as `symbolic links`; it is counted by it.
        name: of this one.
        count: of all that this one stands for.
    """

    kind: str
    name: str
    count: int = 1


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
        self.counts[remark.kind] += remark.count
        examples = self.examples.setdefault(remark.kind, [])
        if len(examples) < _EXAMPLES:
            examples.append(remark.name)

    def items(self) -> Iterator[PassedOver | Note]:
        """Remarks that add up to these: the notes, then of each kind the examples, which stand for all."""
        yield from map(Note, self.notes)
        for kind, examples in self.examples.items():
            rest = self.counts[kind] - len(examples)
            for index, name in enumerate(examples):
                yield PassedOver(kind, name, 1 + (rest if index == len(examples) - 1 else 0))

    def sentences(self) -> list[str]:
        """The notes, then one sentence for each kind of thing passed over."""
        passed = []
        for kind, count in self.counts.items():
            more = ", ..." if count > _EXAMPLES else ""
            number = f"{count:,} " if count > 1 else ""  # a kind is in the plural
            passed.append(f"passed over: {number}{kind} ({', '.join(self.examples[kind])}{more})")
        return [*self.notes, *passed]
