"""The cards of a table of suggestions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from arttl.exchange.predictions import TaskSuggestion, read_predictions
from arttl.reports.cards import Card, Claim, Likely


@dataclass
class Extremes:
    """The ends of the probabilities of each status, which show what threshold they were given by.

    Attributes:
        lowest_suggested: task name to the lowest probability of a label that was suggested.
        highest_unsure: task name to the highest probability of a picture for which none was.
    """

    lowest_suggested: dict[str, float] = field(default_factory=dict)
    highest_unsure: dict[str, float] = field(default_factory=dict)

    def add(self, claim: Claim) -> None:
        """Take a claim into account."""
        if claim.probability is None or claim.status not in ("suggested", "unsure"):
            return
        if claim.status == "suggested":
            known = self.lowest_suggested.get(claim.task, 1.0)
            self.lowest_suggested[claim.task] = min(known, claim.probability)
        else:
            highest = max((each.probability or 0.0 for each in claim.ranked), default=claim.probability)
            known = self.highest_unsure.get(claim.task, 0.0)
            self.highest_unsure[claim.task] = max(known, highest)


def suggested_cards(path: Path) -> Iterator[Card]:
    """A card per record of `arttl predict`.

    Args:
        path: `.parquet` or `.jsonl`.

    Raises:
        ArttlError: as `read_predictions`.
    """
    for record in read_predictions(path):
        claims = tuple(_claim(task, suggestion) for task, suggestion in record.tasks.items())
        problem = record.problem or ("" if claims else "without a prediction")
        yield Card(record.object_number, record.picture, record.institution, claims, problem)


def _claim(task: str, suggestion: TaskSuggestion) -> Claim:
    ranked = tuple(Likely(each.label, each.probability) for each in suggestion.ranked)
    known = [suggestion.probability(label) for label in suggestion.labels]
    probabilities = [each for each in known if each is not None]
    probability = min(probabilities) if probabilities and len(probabilities) == len(known) else None
    notes: tuple[str, ...] = ()
    if suggestion.interval is not None and len(suggestion.interval) == 2:
        notes = ("interval: {:g} to {:g}".format(*suggestion.interval),)
    return Claim(
        task=task,
        status=suggestion.status,
        labels=suggestion.labels,
        probability=probability,
        doubt=0.0 if probability is None else 1 - probability,
        catalogued=suggestion.catalogued or (),
        ranked=ranked,
        candidates=suggestion.set or (),
        notes=notes,
    )
