"""What the page that searches all pages of a report knows of their cards."""

from __future__ import annotations

from typing import Any

from arttl.pages import shown
from arttl.reports.cards import Card, Claim

FILE = "search.html"


class SearchIndex:
    """The names of all cards, and each different claim once: the same label is suggested for many."""

    def __init__(self) -> None:
        self._cards: list[tuple[str, str, list[int]]] = []
        self._claims: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._cards)

    def add(self, card: Card) -> None:
        """Take in the next card."""
        names = dict.fromkeys((card.institution, card.picture))
        texts = [*map(_text, card.claims), *([shown(card.problem)] if card.problem else [])]
        self._cards.append(
            (
                shown(card.title),
                ", ".join(shown(name) for name in names if name and name != card.object_number),
                [self._claims.setdefault(text, len(self._claims)) for text in texts],
            )
        )

    def values(self) -> dict[str, Any]:
        """For the page's script: of each card its name, what is below it, and the numbers of its claims."""
        return {"cards": self._cards, "claims": [*self._claims]}


def _text(claim: Claim) -> str:
    labels, catalogued = (", ".join(map(shown, names)) for names in (claim.labels, claim.catalogued))
    parts = [f"{shown(claim.task)}: {labels or '–'}, {claim.status}"]
    return "; ".join([*parts, *([f"catalogue: {catalogued}"] if catalogued else [])])
