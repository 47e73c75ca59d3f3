"""Columns of a table as heat maps: what each network knows, from its first stage to its last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from arttl.experiment_report.tables import ReportTable

STEPS = 9
"""Of the colour scale in `templates/experiment.css`: one hue, evenly spaced in lightness, with legible text on each."""


@dataclass(frozen=True)
class HeatCell:
    """A figure.

    Attributes:
        name: of what it is measured at.
        text: the figure.
        step: of the colour scale, from 0 to `STEPS` - 1.
    """

    name: str
    text: str
    step: int


@dataclass(frozen=True)
class HeatMap:
    """A column of figures, the rows of one first name side by side.

    Attributes:
        title: the column's group, or its heading.
        rows: first name to its cells, in the order of the table.
        low, high: texts of the lowest and highest figure, which the colour scale goes from and to.
    """

    title: str
    rows: dict[str, list[HeatCell]]
    low: str
    high: str

    @property
    def columns(self) -> int:
        """Of the longest row."""
        return max(map(len, self.rows.values()))


def heat_maps(table: ReportTable) -> Iterator[HeatMap]:
    """The heat maps of the columns that a table names, in which every text is a number."""
    for heading in table.heat:
        column = table.columns.index(heading)
        texts = [row[column] for row in table.rows]
        low, high = min(texts, key=float), max(texts, key=float)
        spread = float(high) - float(low)
        rows: dict[str, list[HeatCell]] = {}
        for row, text in zip(table.rows, texts, strict=True):
            share = (float(text) - float(low)) / spread if spread else 0.0
            cell = HeatCell(row[1], text, min(STEPS - 1, int(share * STEPS)))
            rows.setdefault(row[0], []).append(cell)
        yield HeatMap(heading.partition(":")[0], rows, low, high)
