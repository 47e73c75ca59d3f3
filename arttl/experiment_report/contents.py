"""What the report of an experiment holds, whatever the experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arttl.experiment_report.tables import ReportTable


@dataclass(frozen=True)
class Wording:
    """What the report of an experiment calls its parts."""

    title: str
    claims: str
    notes: str


@dataclass(frozen=True)
class ClaimText:
    """A claim of a publication, and what became of it here.

    Attributes:
        text: the claim.
        verdict: `held`, `did not hold`, `not decided` or `not tested`.
        note: the reason for the verdict, one sentence.
    """

    text: str
    verdict: str
    note: str


@dataclass(frozen=True)
class Contents:
    """Of a report.

    Attributes:
        wording: of its headings.
        how: the figures were made, one sentence each.
        claims: of the publication.
        tables: in the order of the report; those without rows are left out.
        curves: title and PNG of each.
        stars: whether the curves mark the publication's best.
        panels: title and JPEG of each.
        failures: the runs that failed, and the sentence that each ended with.
        notes: on the publication: what each is about, and its text.
    """

    wording: Wording
    how: Sequence[str]
    claims: Sequence[ClaimText]
    tables: Sequence[ReportTable]
    curves: Sequence[tuple[str, bytes]]
    stars: bool
    panels: Sequence[tuple[str, bytes]]
    failures: Sequence[tuple[str, str]]
    notes: Sequence[tuple[str, str]]
