"""What a report shows of each object: a card with a picture and, per task, the catalogue's labels and the model's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from arttl.pages import shown

STATUSES = {
    "suggested": "sure enough for the promise of precision",
    "unsure": "a prediction that nothing is promised of",
    "outside": "the picture is unlike the training collection, or of none of the classes",
    "contradicted": "the pictures contradict the catalogue's label, by the rule of confident learning",
    "doubtful": "the pictures contradict the catalogue's label with less evidence",
    "pair": "two labels of the object that occur together nowhere else",
}
"""What a card says of a task, and what it means; the last three are of an audit."""


@dataclass(frozen=True)
class Likely:
    """A label with its probability, 0 to 1; None for a number."""

    label: str
    probability: float | None


@dataclass(frozen=True)
class Claim:
    """What is said of one task of an object.

    Attributes:
        task: its name.
        status: one of `STATUSES`.
        labels: the predicted ones, or of an audit the suggested one.
        probability: of the least likely of these, 0 to 1; None for a number, or where it is not known.
        doubt: what cards are sorted by, 0 to 1: the higher, the more a person should look at it.
        catalogued: labels in the catalogue.
        ranked: the likeliest labels.
        candidates: of `arttl predict --sets`.
        notes: further sentences.
    """

    task: str
    status: str
    labels: tuple[str, ...]
    probability: float | None
    doubt: float
    catalogued: tuple[str, ...] = ()
    ranked: tuple[Likely, ...] = ()
    candidates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def agreement(self) -> str:
        """`agrees` or `differs`, by whether the catalogue has one of the labels; `empty` where it has none at all."""
        if not self.catalogued:
            return "empty"
        known = {label.casefold() for label in self.catalogued}
        return "agrees" if any(label.casefold() in known for label in self.labels) else "differs"

    @property
    def labels_json(self) -> str:
        """The labels for the page's script."""
        return json.dumps([shown(label) for label in self.labels], ensure_ascii=False)

    @property
    def per_cent(self) -> str:
        """The probability as everywhere else; empty where there is none."""
        return "" if self.probability is None else f"{100 * self.probability:.1f}%"


@dataclass(frozen=True)
class Card:
    """An object, or one of its photographs.

    Attributes:
        object_number: as catalogued; empty where it is not known.
        picture: the name of the file, or the key of the sample.
        institution: empty where it is not known.
        claims: by task.
        problem: why there are none; empty where there are.
    """

    object_number: str
    picture: str
    institution: str = ""
    claims: tuple[Claim, ...] = field(default=())
    problem: str = ""

    @property
    def title(self) -> str:
        """What names it."""
        return self.object_number or self.picture or "without a name"

    @property
    def doubt(self) -> float:
        """Of its most doubtful claim; 0 without any."""
        return max((claim.doubt for claim in self.claims), default=0.0)
