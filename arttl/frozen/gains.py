"""Gains of one head over another, measured on the test samples of several splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from arttl.evaluation.bootstrap import Difference
from arttl.frozen.tables import figures_table


@dataclass(frozen=True)
class Gain:
    """What a head is worth beside another, on the test samples of all seeds.

    Attributes:
        task: its name.
        head: the one asked about.
        reference: the other.
        difference: of a measure, by a paired bootstrap.
    """

    task: str
    head: str
    reference: str
    difference: Difference


def gains_table(gains: Sequence[Gain], of: str, kind: str) -> Table:
    """A row a comparison: points, with interval and p-value; the other head is in the title if it is always the same.

    Args:
        gains: the comparisons.
        of: the measure, in words.
        kind: what the heads are called.
    """
    references = {gain.reference for gain in gains}
    beside = f" over {references.pop()}" if len(references) == 1 else ""
    table = figures_table(f"Gain in {of}{beside}, points")
    for heading in ("task", kind, *(() if beside else ("beside",))):
        table.add_column(heading, no_wrap=heading != "beside", overflow="fold")
    for heading in ("gain", "95% interval", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for gain in gains:
        found = gain.difference
        table.add_row(
            gain.task,
            gain.head,
            *(() if beside else (gain.reference,)),
            f"{100 * found.value:+.1f}",
            f"{100 * found.low:+.1f} to {100 * found.high:+.1f}",
            f"{found.p:.3f}",
        )
    return table
