"""The report: a page that needs no other file, the same in Markdown, and a CSV file per table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arttl.errors import counted
from arttl.files import make_folder, write_text
from arttl.pages import render_page
from arttl.reproduction.claims import Claim
from arttl.reproduction.experiment import Plan
from arttl.reproduction.figures import validation_curves
from arttl.reproduction.fusion import fused_name
from arttl.reproduction.published import Note, published
from arttl.reproduction.results import Results
from arttl.reproduction.settings import DEFAULTS, Protocol
from arttl.reproduction.tables import ReportTable
from arttl.version import __version__


@dataclass(frozen=True)
class Wording:
    """What the report of an experiment calls its parts."""

    title: str
    claims: str
    notes: str


_WORDING: dict[Protocol, Wording] = {
    "sabatelli2018": Wording(
        "Deep transfer learning for art classification: the experiment",
        "The paper's claims",
        "Where the paper's print misleads",
    ),
    "tonkes2022": Wording(
        "Convolutional networks and transformers for art classification: the experiment",
        "The publication's claims",
        "What the publication leaves open, and what is done otherwise here",
    ),
}


def write_report(
    results: Results,
    tables: Sequence[ReportTable],
    claims: Sequence[Claim],
    panels: Sequence[tuple[str, bytes]],
) -> Path:
    """Write `report.html`, `report.md` and `tables/*.csv` from what has been run so far; each appears whole.

    Args:
        results: of the runs.
        tables: in the order of the report; those without rows are left out.
        claims: from `examine_claims`.
        panels: from `draw_panels`.

    Returns:
        The page.
    """
    plan, out = results.plan, results.plan.settings.out
    curves = [
        (f"{name}: {task}", picture)
        for name, collection in plan.collections.items()
        for task in collection.usable
        if (picture := validation_curves(results, name, task))
    ]
    how, failed = _how(plan), failures(plan)
    tables = [table for table in tables if table.rows]
    make_folder(out / "tables")
    for table in tables:
        write_text(out / "tables" / f"{table.name}.csv", table.to_csv())
    write_text(out / "report.md", _markdown(plan, how, tables, claims, failed))
    page = out / "report.html"
    of_page: dict[str, Any] = {
        "curves": curves,
        "panels": panels,
        "failures": failed,
        "notes": _notes(plan),
        "wording": _WORDING[plan.settings.protocol],
        "stars": plan.settings.protocol == "sabatelli2018",
    }
    write_text(page, render_page("experiment.html", how=how, tables=tables, claims=claims, **of_page))
    return page


def failures(plan: Plan) -> list[tuple[str, str]]:
    """The runs that failed, and the sentence that each ended with."""
    names = [*(run.name for run in plan.matrix.runs), *map(fused_name, plan.collections)]
    return [
        (name, plan.experiment.failure(name)) for name in names if plan.experiment.state(name) == "failed"
    ]


def _how(plan: Plan) -> list[str]:
    """How the figures were made, one sentence each."""
    settings, size = plan.settings, plan.experiment.fine_tuning.model.input_size
    states = [plan.experiment.state(run) for run in plan.matrix.runs]
    paper = settings.chosen_recipe == DEFAULTS["sabatelli2018"].recipe
    recipe = "the paper's text" if paper else f"the recipe {settings.chosen_recipe.name}"
    sentences = [
        f"{states.count('done')} of {counted(len(states), 'run')} done, {states.count('failed')} failed. Written by"
        f" arttl {__version__}.",
        f"Fine-tuning by {recipe}; off-the-shelf heads are logistic regressions solved to convergence on frozen"
        " features; tested is the epoch of the lowest validation loss.",
        f"Class rule {settings.classes}; {counted(settings.trainings, 'seed')}.",
    ]
    if settings.protocol == "tonkes2022":
        sentences[1] = sentences[1].replace(
            "tested is", "they have one seed, fine-tunings have all; tested is"
        )
    if size is not None:
        sentences.append(f"Every network sees {size} x {size} pixels.")
    if settings.quick:
        sentences.append("A quick run on a sample, to see that everything works: its figures mean nothing.")
    return sentences


def _notes(plan: Plan) -> list[Note]:
    """On the publication; the paper's report has those on the later ones as well, whose figures it shows."""
    notes, protocol = published().notes, plan.settings.protocol
    return [note for note in notes if (note.source == "tonkes2022") == (protocol == "tonkes2022")]


def _markdown(
    plan: Plan,
    how: Sequence[str],
    tables: Sequence[ReportTable],
    claims: Sequence[Claim],
    failures: Sequence[tuple[str, str]],
) -> str:
    wording = _WORDING[plan.settings.protocol]
    lines = [f"# {wording.title}", *how, f"## {wording.claims}"]
    lines += [f"- **{claim.verdict}**: {claim.text} {claim.note}" for claim in claims]
    lines += [table.to_markdown() for table in tables]
    if failures:
        lines.append("## Runs that failed")
        lines += [f"- `{name}`: {error}" for name, error in failures]
    lines.append(f"## {wording.notes}")
    lines += [f"- {note.about}: {note.text}" for note in _notes(plan)]
    return "\n\n".join(lines) + "\n"
