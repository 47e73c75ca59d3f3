"""What the report of an experiment holds, whatever the experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from arttl.experiment_report.plots import Plot
from arttl.experiment_report.tables import ReportTable

Verdict = Literal["held", "did not hold", "not decided", "not tested"]


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
        verdict: of the tests.
        note: the reason for the verdict, one sentence.
    """

    text: str
    verdict: Verdict
    note: str


@dataclass(frozen=True)
class RunLine:
    """A run, and where its settings are.

    Attributes:
        name: which the texts of figures name it by.
        collection, tasks, network, mode, seed: of the run; empty where it has none.
        weights: that it starts from; the name of a run, if it is another run's.
        state: `done`, `failed` or `open`.
        folder: its address from the report's folder.
        error: the sentence that it failed with; empty if it did not.
    """

    name: str
    collection: str
    tasks: str
    network: str
    mode: str
    weights: str
    seed: str
    state: str
    folder: str
    error: str = ""


@dataclass(frozen=True)
class Contents:
    """Of a report.

    Attributes:
        wording: of its headings.
        how: what was run and how, one sentence each.
        claims: of the publication.
        summary: the main figures, one row per collection and task.
        without_figure: why cells have no figure, with the number of such cells.
        tables: in the order of the report; those without rows are left out.
        plots: the validation curves.
        panels: title and JPEG of each.
        runs: all of them, in their order; `failed` ones are listed by themselves as well.
        settings: what the runs have in common, a column per mode.
        notes: on the publication: what each is about, and its text.
    """

    wording: Wording
    how: Sequence[str]
    claims: Sequence[ClaimText]
    summary: ReportTable
    without_figure: Sequence[tuple[str, int]]
    tables: Sequence[ReportTable]
    plots: Sequence[Plot]
    panels: Sequence[tuple[str, bytes]]
    runs: Sequence[RunLine]
    settings: ReportTable
    notes: Sequence[tuple[str, str]]

    @property
    def failed(self) -> list[RunLine]:
        """The runs that failed."""
        return [run for run in self.runs if run.state == "failed"]
