"""The report: one page that needs no other file, the same as Markdown, and a CSV a table."""

from __future__ import annotations

import base64
import html
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from arttl.files import make_folder, write_text
from arttl.reproduction.claims import Claim
from arttl.reproduction.experiment import Laid
from arttl.reproduction.figures import validation_curves
from arttl.reproduction.fusion import fused_name
from arttl.reproduction.published import published
from arttl.reproduction.results import Results
from arttl.reproduction.settings import ReproduceSettings
from arttl.reproduction.tables import ReportTable
from arttl.version import __version__

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 88rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
summary { font-size: 1.25rem; font-weight: 600; margin-top: 2.2rem; cursor: pointer; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.5rem; border-bottom: 1px solid #eee; text-align: right; white-space: nowrap; }
th { vertical-align: bottom; border-bottom: 2px solid #999; white-space: normal; }
th.name, td.name { text-align: left; }
th.group { text-align: center; border-bottom: 1px solid #bbb; }
small { color: #666; }
td.problem { color: #888; font-style: italic; text-align: left; }
table.wide { font-size: 0.74rem; } .wide th, .wide td { padding: 0.25rem 0.28rem; }
p.note { color: #555; font-size: 0.85rem; max-width: 60rem; }
.verdict { font-weight: 600; padding: 0.05rem 0.5rem; border-radius: 0.7rem; background: #eee; }
.verdict.held { background: #cfe8d5; } .verdict.not-held { background: #f6d0c4; }
img { max-width: 100%; }
dl dt { font-weight: 600; margin-top: 0.6rem; } dl dd { margin: 0; }
"""
_MANY_COLUMNS = 14
_CLASS_OF_VERDICT = {"held": "held", "did not hold": "not-held"}


def write_report(
    settings: ReproduceSettings,
    laid: Laid,
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
    how = [summary, *_how(settings, laid.experiment.fine_tuning.input_size)]
    write_text(settings.out / "report.md", _markdown(how, tables, claims, failed))
    page = settings.out / "report.html"
    write_text(page, _page(how, tables, claims, curves, panels, failed))
    return page


def failures(laid: Laid) -> list[tuple[str, str]]:
    """The runs that failed, and the sentence that each ended with."""
    names = [*(run.name for run in laid.matrix.runs), *map(fused_name, laid.collections)]
    return [
        (name, laid.experiment.failure(name)) for name in names if laid.experiment.state(name) == "failed"
    ]


def _how(settings: ReproduceSettings, size: int | None) -> list[str]:
    """How the figures were made, a sentence each."""
    recipe = "the paper's text" if settings.recipe is None else f"the recipe {settings.recipe.name}"
    found = [
        f"Fine-tuning by {recipe}; off-the-shelf heads are logistic regressions solved to convergence on frozen"
        " features; tested is the epoch of the lowest validation loss.",
        f"Class rule {settings.classes}; {settings.seeds} {'seed' if settings.seeds == 1 else 'seeds'}.",
    ]
    if size is not None:
        found.append(f"Every network sees {size} x {size} pixels.")
    if settings.quick:
        found.append("A quick run on a sample, to see that everything works: its figures mean nothing.")
    return found


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


def _page(
    how: Sequence[str],
    tables: Sequence[ReportTable],
    claims: Sequence[Claim],
    curves: Sequence[tuple[str, bytes]],
    panels: Sequence[tuple[str, bytes]],
    failures: Sequence[tuple[str, str]],
) -> str:
    parts = ["<h1>Deep transfer learning for art classification: the experiment</h1>"]
    parts += [f"<p>{_text(sentence)}</p>" for sentence in how]
    parts.append("<h2>The paper's claims</h2>")
    parts += [_claim(claim) for claim in claims]
    for table in tables:
        parts.append(_table(table))
    parts.append("<h2>Validation curves</h2>")
    parts.append(
        '<p class="note">Solid: fine-tuned; dotted: from scratch; dashed: joint. A star is the best of the paper\'s'
        " curve of the same network and task.</p>"
    )
    parts += [_picture(title, picture, "png") for title, picture in curves]
    if panels:
        parts.append("<h2>What the networks look at</h2>")
        parts.append(
            '<p class="note">VisualBackProp on test pictures: of each task the network with the highest accuracy, with'
            " ImageNet's weights and fine-tuned, and where the two differ.</p>"
        )
        for title, picture in panels:
            parts += [f"<h3>{_text(title)}</h3>", _picture(title, picture, "jpeg")]
    if failures:
        parts.append("<h2>Runs that failed</h2>")
        parts += [f"<p><code>{_text(name)}</code>: {_text(error)}</p>" for name, error in failures]
    parts.append("<h2>Where the paper's print misleads</h2><dl>")
    parts += [f"<dt>{_text(note.about)}</dt><dd>{_text(note.text)}</dd>" for note in published().notes]
    parts.append("</dl>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>arttl: the experiment</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _picture(title: str, data: bytes, kind: str) -> str:
    encoded = base64.b64encode(data).decode()
    return f'<p><img alt="{_text(title)}" src="data:image/{kind};base64,{encoded}"></p>'


def _claim(claim: Claim) -> str:
    kind = _CLASS_OF_VERDICT.get(claim.verdict, "")
    return (
        f'<p><span class="verdict {kind}">{_text(claim.verdict)}</span> {_text(claim.text)}'
        f" {_text(claim.note)}</p>"
    )


def _table(table: ReportTable) -> str:
    rows = "".join(f"<tr>{''.join(_cells(table, row))}</tr>" for row in table.rows)
    notes = "".join(f'<p class="note">{_text(note)}</p>' for note in table.notes)
    kind = ' class="wide"' if len(table.columns) > _MANY_COLUMNS else ""
    body = f'<div class="scroll"><table{kind}><thead>{_head(table)}</thead><tbody>{rows}</tbody></table></div>{notes}'
    if table.folded:
        return f"<details><summary>{_text(table.title)}</summary>{body}</details>"
    return f"<h2>{_text(table.title)}</h2>{body}"


def _cells(table: ReportTable, row: Sequence[str]) -> Iterator[str]:
    """What stands in place of a figure takes the empty cells beside it too; an interval stands below its figure."""
    groups = [column.partition(": ")[0] for column in table.columns]
    place = 0
    while place < len(row):
        cell, span = row[place], 1
        if place < table.names:
            yield f'<td class="name">{_text(cell)}</td>'
        elif cell[:1].isalpha():
            while place + span < len(row) and (row[place + span], groups[place + span]) == (
                "",
                groups[place],
            ):
                span += 1
            yield f'<td class="problem" colspan="{span}">{_text(cell)}</td>'
        else:
            figure, bracket, interval = cell.partition(" (")
            below = f"<br><small>({_text(interval)}</small>" if bracket else ""
            yield f"<td>{_text(figure)}{below}</td>"
        place += span


def _head(table: ReportTable) -> str:
    """Columns named `group: heading` stand under their group."""
    above, below = [], []
    parts = (column.partition(": ") for column in table.columns)
    place = 0
    for (group, colon), columns in itertools.groupby(parts, key=lambda part: part[:2]):
        headings = [heading for _, _, heading in columns]
        if colon:
            above.append(f'<th class="group" colspan="{len(headings)}">{_text(group)}</th>')
            below += [f"<th>{_text(heading)}</th>" for heading in headings]
        else:
            kind = "name" if place < table.names else ""
            above.append(f'<th rowspan="2" class="{kind}">{_text(group)}</th>')
        place += len(headings)
    return f"<tr>{''.join(above)}</tr><tr>{''.join(below)}</tr>"


def _text(text: str) -> str:
    return html.escape(text)
