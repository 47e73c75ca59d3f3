"""The report: one page that needs no other file, the same as Markdown, and a CSV per table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from arttl.files import make_folder, write_text
from arttl.pages import render_page
from arttl.reproduction.claims import Claim
from arttl.reproduction.experiment import Plan
from arttl.reproduction.figures import validation_curves
from arttl.reproduction.fusion import fused_name
from arttl.reproduction.published import published
from arttl.reproduction.results import Results
from arttl.reproduction.settings import PAPER_RECIPE, ReproduceSettings
from arttl.reproduction.tables import ReportTable
from arttl.version import __version__


def write_report(
    settings: ReproduceSettings,
    laid: Plan,
    results: Results,
    tables: Sequence[ReportTable],
    claims: Sequence[Claim],
    panels: Sequence[tuple[str, bytes]],
) -> Path:
    """Write `report.html`, `report.md` and `tables/*.csv` from what has been run so far; each appears whole.

    Args:
        settings, laid: of the experiment.
        results: of its runs.
        tables: in their order.
        claims: from `examine_claims`.
        panels: from `draw_panels`.

    Returns:
        The page.
    """
    curves = [
        (f"{name}: {task}", picture)
        for name, collection in laid.collections.items()
        for task in collection.usable
        if (picture := validation_curves(results, name, task))
    ]
    states = [laid.experiment.state(run) for run in laid.matrix.runs]
    summary = (
        f"{states.count('done')} of {len(states)} runs done, {states.count('failed')} failed. Written by arttl"
        f" {__version__}."
    )
    failed = failures(laid)
    tables = [table for table in tables if table.rows]
    make_folder(settings.out / "tables")
    for table in tables:
        write_text(settings.out / "tables" / f"{table.name}.csv", table.to_csv())
    how = [summary, *_how(settings, laid.experiment.fine_tuning.model.input_size)]
    write_text(settings.out / "report.md", _markdown(how, tables, claims, failed))
    page = settings.out / "report.html"
    of_page = {"curves": curves, "panels": panels, "failures": failed, "notes": published().notes}
    write_text(page, render_page("experiment.html", how=how, tables=tables, claims=claims, **of_page))
    return page


def failures(laid: Plan) -> list[tuple[str, str]]:
    """The runs that failed, and the sentence that each ended with."""
    names = [*(run.name for run in laid.matrix.runs), *map(fused_name, laid.collections)]
    return [
        (name, laid.experiment.failure(name)) for name in names if laid.experiment.state(name) == "failed"
    ]


def _how(settings: ReproduceSettings, size: int | None) -> list[str]:
    """How the figures were made, one sentence each."""
    paper = settings.recipe == PAPER_RECIPE
    recipe = "the paper's text" if paper else f"the recipe {settings.recipe.name}"
    sentences = [
        f"Fine-tuning by {recipe}; off-the-shelf heads are logistic regressions solved to convergence on frozen"
        " features; tested is the epoch of the lowest validation loss.",
        f"Class rule {settings.classes}; {settings.seeds} {'seed' if settings.seeds == 1 else 'seeds'}.",
    ]
    if size is not None:
        sentences.append(f"Every network sees {size} x {size} pixels.")
    if settings.quick:
        sentences.append("A quick run on a sample, to see that everything works: its figures mean nothing.")
    return sentences


def _markdown(
    how: Sequence[str],
    tables: Sequence[ReportTable],
    claims: Sequence[Claim],
    failures: Sequence[tuple[str, str]],
) -> str:
    lines = ["# Deep transfer learning for art classification: the experiment", *how]
    lines.append("## The paper's claims")
    lines += [f"- **{claim.verdict}**: {claim.text} {claim.note}" for claim in claims]
    lines += [table.to_markdown() for table in tables]
    if failures:
        lines.append("## Runs that failed")
        lines += [f"- `{name}`: {error}" for name, error in failures]
    lines.append("## Where the paper's print misleads")
    lines += [f"- {note.about}: {note.text}" for note in published().notes]
    return "\n\n".join(lines) + "\n"
