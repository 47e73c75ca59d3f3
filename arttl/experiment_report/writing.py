"""The report: a page that needs no other file, the same in Markdown, and a CSV file per table."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from arttl.experiment_report.contents import Contents
from arttl.files import make_folder, write_text
from arttl.pages import render_page


def write_report(contents: Contents, out: Path) -> Path:
    """Write `report.html`, `report.md` and `tables/*.csv` from what has been run so far; each appears whole.

    Args:
        contents: of the report.
        out: folder of the experiment.

    Returns:
        The page.
    """
    contents = replace(contents, tables=[table for table in contents.tables if table.rows])
    make_folder(out / "tables")
    for table in contents.tables:
        write_text(out / "tables" / f"{table.name}.csv", table.to_csv())
    write_text(out / "report.md", _markdown(contents))
    page = out / "report.html"
    of_page = {field.name: getattr(contents, field.name) for field in fields(contents)}
    write_text(page, render_page("experiment.html", **of_page))
    return page


def _markdown(contents: Contents) -> str:
    wording = contents.wording
    lines = [f"# {wording.title}", *contents.how, f"## {wording.claims}"]
    lines += [f"- **{claim.verdict}**: {claim.text} {claim.note}" for claim in contents.claims]
    lines += [table.to_markdown() for table in contents.tables]
    if contents.failures:
        lines.append("## Runs that failed")
        lines += [f"- `{name}`: {error}" for name, error in contents.failures]
    lines.append(f"## {wording.notes}")
    lines += [f"- {about}: {text}" for about, text in contents.notes]
    return "\n\n".join(lines) + "\n"
