"""How often each status and class is met among the cards of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arttl.evaluation.classes import per_cent
from arttl.pages import shown
from arttl.reports.cards import STATUSES, Card, Claim

MOST_CLASSES = 200
"""Rows of a table of classes."""
_MISTAKEN = "most often mistaken for"


@dataclass(frozen=True)
class PageTable:
    """A table of a page.

    Attributes:
        title: above it.
        columns: headings.
        rows: of cells, all texts.
        texts: columns of texts; the others hold figures.
        note: below it; empty: none.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: tuple[str, ...]
    note: str = ""


class Counts:
    """Counts over cards, taken one by one."""

    def __init__(self, *, agreement: bool) -> None:
        """Begin.

        Args:
            agreement: whether it is of interest how often labels agree with the catalogue's.
        """
        self._agreement = agreement
        self.cards, self.problems = 0, 0
        self._statuses: dict[str, Counter[str]] = {}
        self._classes: dict[str, dict[str, Counter[str]]] = {}
        self._catalogued: set[str] = set()  # tasks for which any card has a label in the catalogue

    def add(self, card: Card) -> None:
        """Count a card."""
        self.cards += 1
        self.problems += bool(card.problem)
        for claim in card.claims:
            self._add(claim)

    def _add(self, claim: Claim) -> None:
        of_task = self._statuses.setdefault(claim.task, Counter())
        of_task[claim.status] += 1
        of_task[claim.agreement] += 1
        if claim.catalogued and self._agreement:
            self._catalogued.add(claim.task)
        if all(each.probability is None for each in claim.ranked) and claim.probability is None:
            return  # a number has no classes
        for label in claim.labels:
            of_class = self._classes.setdefault(claim.task, {}).setdefault(label, Counter())
            of_class[claim.status] += 1
            of_class[claim.agreement] += 1

    @property
    def tasks(self) -> list[str]:
        """Those that cards have."""
        return list(self._statuses)

    @property
    def statuses(self) -> list[str]:
        """Those that cards have, in their order."""
        return [status for status in STATUSES if any(of_task[status] for of_task in self._statuses.values())]

    def summary(self) -> PageTable:
        """A row per task."""
        agreement = ("agrees", "differs") if self._catalogued else ()
        rows = tuple(
            (shown(task), *(f"{of_task[name]:,}" for name in (*self.statuses, *agreement)))
            for task, of_task in self._statuses.items()
        )
        headings = tuple(
            f"{name} {'with' if name == 'agrees' else 'from'} the catalogue" for name in agreement
        )
        return PageTable("", ("task", *self.statuses, *headings), rows, ("task",))

    def classes(self, tested: Mapping[str, Sequence[Mapping[str, str]]]) -> list[PageTable]:
        """A table per task that has classes, with a row per class.

        Args:
            tested: task name to the rows of `classes.csv` of the model's run; none where it is not at hand.
        """
        return [
            self._of_task(task, tested.get(task, ())) for task in self._statuses if self._classes.get(task)
        ]

    def _of_task(self, task: str, tested: Sequence[Mapping[str, str]]) -> PageTable:
        here = self._classes[task]
        by_class = {row["class"]: row for row in tested}
        labels = sorted({*here, *by_class}, key=lambda label: (-sum(here.get(label, {}).values()), label))
        agreement = ("agrees", "differs") if task in self._catalogued else ()
        counted = (*(name for name in self.statuses if self._statuses[task][name]), *agreement)
        rows = []
        for label in labels[:MOST_CLASSES]:
            row, own = by_class.get(label, {}), here.get(label, Counter())
            counts = (f"{own[name]:,}" for name in counted)
            mistaken = [shown(row.get("most_often_mistaken_for", ""))] if tested else []
            sizes = [shown(row.get(column, "")) for column in ("train", "samples")] if tested else []
            ratios = (
                [per_cent(row.get(column, ""), 1) for column in ("precision", "recall", "f1")]
                if tested
                else []
            )
            rows.append((shown(label), *counts, *sizes, *ratios, *mistaken))
        note = ""
        if len(labels) > MOST_CLASSES:
            note = f"The {MOST_CLASSES} of {len(labels):,} classes that are met most often here."
        name = "class" if self._agreement else "class suggested instead"
        of_test = ("training", "test", "precision %", "recall %", "F1 %", _MISTAKEN) if tested else ()
        return PageTable(shown(task), (name, *counted, *of_test), tuple(rows), (name, _MISTAKEN), note)
