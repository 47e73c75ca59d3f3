"""The report: a page that needs no other file, the same in Markdown, and a CSV file per table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from arttl.errors import counted
from arttl.experiment_report.contents import ClaimText, Contents, Verdict
from arttl.experiment_report.heat_maps import STEPS, heat_maps
from arttl.experiment_report.plots import HEIGHT, WIDTH
from arttl.experiment_report.tables import ReportTable
from arttl.files import make_folder, write_text
from arttl.pages import render_page

_VERDICTS: dict[Verdict, tuple[str, str]] = {
    "held": ("holds here", "hold here"),
    "did not hold": ("does not hold here", "do not hold here"),
    "not decided": ("is not decided", "are not decided"),
    "not tested": ("is not tested", "are not tested"),
}


def write_report(contents: Contents, out: Path) -> Path:
    """Write `report.html`, `report.md` and `tables/*.csv` from what has been run so far; each appears whole.

    Args:
        contents: of the report.
        out: folder of the experiment.

    Returns:
        The page.
    """
    make_folder(out / "tables")
    for table in _tables(contents):
        write_text(out / "tables" / f"{table.name}.csv", table.to_csv())
    write_text(out / "report.md", _markdown(contents))
    page = out / "report.html"
    write_text(page, render_report(contents, beside_runs=True))
    return page


def render_report(contents: Contents, *, beside_runs: bool) -> str:
    """The page.

    Args:
        contents: of the report.
        beside_runs: whether the page will lie in the experiment's folder, so that it can name the files of its runs;
            the settings that are in the page itself are there in any case.
    """
    return render_page(
        "experiment.html",
        styles=("experiment.css",),
        script="tables.js",
        contents=contents,
        tables=[table for table in contents.tables if table.rows],
        verdicts=count_verdicts(contents.claims),
        run_numbers={run.name: number for number, run in enumerate(contents.runs, start=1)},
        beside_runs=beside_runs,
        heat_maps=heat_maps,
        heat_steps=range(STEPS),
        size=(WIDTH, HEIGHT),
    )


def count_verdicts(claims: Sequence[ClaimText]) -> str:
    """How many claims hold here, in one sentence; nothing without claims."""
    if not claims:
        return ""
    counts = Counter(claim.verdict for claim in claims)
    parts = [
        f"{counts[verdict] or 'none'} {one if counts[verdict] < 2 else several}"
        for verdict, (one, several) in _VERDICTS.items()
        if counts[verdict] or verdict == "held"
    ]
    return f"Of {counted(len(claims), 'claim')} {', '.join(parts)}."


def _tables(contents: Contents) -> list[ReportTable]:
    """All that have rows."""
    return [table for table in (contents.summary, *contents.tables, contents.settings) if table.rows]


def _markdown(contents: Contents) -> str:
    wording = contents.wording
    lines = [f"# {wording.title}", *contents.how, f"## {wording.claims}", count_verdicts(contents.claims)]
    lines += [
        f"{number}. **{claim.verdict}**: {claim.text} {claim.note}"
        for number, claim in enumerate(contents.claims, start=1)
    ]
    lines += [table.to_markdown() for table in _tables(contents)]
    if contents.failed:
        lines.append("## Runs that failed")
        lines += [f"- `{run.name}`: {run.error}" for run in contents.failed]
    lines.append(f"## {wording.notes}")
    lines += [f"- {about}: {text}" for about, text in contents.notes]
    return "\n\n".join(filter(None, lines)) + "\n"
