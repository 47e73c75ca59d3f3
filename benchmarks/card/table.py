"""A run as a section of Markdown: first what became of its parts, then their figures, beside what was expected."""

from __future__ import annotations

from collections.abc import Sequence

from card.predictions import CARD, prediction_of
from card.run import Figure
from card.running import Outcome

EMULATED = "EMULATED"


def section(outcomes: Sequence[Outcome], date: str, emulated: bool) -> str:
    """The section, without a blank line at its ends.

    Args:
        outcomes: of the parts.
        date: of the run.
        emulated: whether no card was there: each heading and each table then says so.
    """
    facts = {figure.name: str(figure.value) for outcome in outcomes for figure in outcome.figures}
    mark = f"{EMULATED}: " if emulated else ""
    card = "no card" if emulated else facts.get("card", "unknown card")
    versions = [f"{name} {facts[name]}" for name in ("arttl", "Python", "torch", "timm") if name in facts]
    versions += [f"DALI {value}" for name, value in facts.items() if name.startswith("nvidia-dali")]
    if "driver, highest clocks, power limit" in facts and not emulated:
        versions.insert(0, f"driver {facts['driver, highest clocks, power limit']}")
    lines = [f"## {mark}{card}, {date}", "", "; ".join(versions) or "versions unknown", ""]
    if emulated:
        lines += [
            "No figure here says anything about a card: the run shows that `scripts/on_a_card.sh` works.",
            "",
        ]
    else:
        lines += [f"Expected of one {CARD}, in brackets: see `benchmarks/card/predictions.py`.", ""]
    heading = f"part, {EMULATED}" if emulated else "part"
    lines += [f"| {heading} | result | seconds | at most | |", "|---|---|---|---|---|"]
    for outcome in outcomes:
        result = outcome.status if outcome.status == "done" else f"**{outcome.status}**"
        lines.append(
            f"| {outcome.title} | {result} | {outcome.seconds:.0f} | {outcome.limit:.0f} | {_cell(outcome.remark)} |"
        )
    for outcome in outcomes:
        if outcome.figures:
            lines += ["", f"### {mark}{outcome.title}", "", *_table(outcome, emulated)]
    return "\n".join(lines)


def _table(outcome: Outcome, emulated: bool) -> list[str]:
    """The figures of a part: those named `case: what` with a column per case."""
    named = [figure.name.partition(": ") for figure in outcome.figures]
    if not all(what for _, _, what in named):
        rows = [
            f"| {_cell(figure.name)} | {_value(outcome.part, figure, emulated, figure.unit)} |"
            for figure in outcome.figures
        ]
        return [f"| | {EMULATED if emulated else 'measured'} |", "|---|---|", *rows]
    values = {
        (case, what): _value(outcome.part, figure, emulated)
        for (case, _, what), figure in zip(named, outcome.figures, strict=True)
    }
    units = {what: figure.unit for (_, _, what), figure in zip(named, outcome.figures, strict=True)}
    cases = list(dict.fromkeys(case for case, _, _ in named))
    lines = [f"|{f' {EMULATED}' if emulated else ''} | {' | '.join(cases)} |", f"|---|{'---|' * len(cases)}"]
    for what, unit in units.items():
        cells = [values.get((case, what), "") for case in cases]
        lines.append(f"| {_cell(what)}{f', {unit}' if unit else ''} | {' | '.join(cells)} |")
    return lines


def _value(part: str, figure: Figure, emulated: bool, unit: str = "") -> str:
    """A figure, and in brackets what was expected of it, which no emulated one is compared with."""
    value = _number(figure.value) + (f" {unit}" if unit else "")
    expected = None if emulated else prediction_of(part, figure.name)
    if isinstance(figure.value, str) or expected is None:
        return value
    missed = expected.misses(figure.value)
    return f"{value} ({expected}{f': **{missed}**' if missed else ''})"


def _number(value: float | str) -> str:
    if isinstance(value, str):
        return _cell(value)
    if isinstance(value, int):
        return f"{value:,}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def _cell(text: str) -> str:
    """Text that a table's cell can hold."""
    return text.replace("|", "\\|").replace("\n", " ")
