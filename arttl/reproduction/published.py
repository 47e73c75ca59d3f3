"""The figures that others have published, from `published.yaml` beside this file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import cattrs
import yaml

from arttl.reproduction.cells import IMAGENET, Cell

_MODES = ("off-the-shelf", "fine-tune", "scratch")
_COLLECTIONS = {
    "source": "rijksmuseum",
    "target": "antwerp",
    "common": "antwerp",
}  # of the parts of the experiment


@dataclass(frozen=True)
class Source:
    """A publication."""

    title: str
    authors: str
    venue: str
    where: str
    """An address."""


@dataclass(frozen=True)
class Note:
    """Where a publication misleads."""

    source: str
    """Key of `Published.sources`."""
    about: str
    text: str


@dataclass(frozen=True)
class Dataset:
    """A line of a publication's table of its data."""

    source: str
    """Key of `Published.sources`."""
    collection: str
    task: str
    images: int
    """N, of all splits."""
    classes: int
    """Q."""
    overlap: float
    """Share of classes that the other collection has too, in percent; 0 where there is none."""


@dataclass(frozen=True)
class Figure:
    """One published number."""

    source: str
    """Key of `Published.sources`."""
    location: str
    """Where in the source it stands."""
    collection: str
    """`rijksmuseum` or `antwerp`."""
    task: str
    """`material`, `type`, `artist` or `year`."""
    network: str
    """As this project's settings name it, or the name of another method."""
    split: str
    """`test` or `val`."""
    measure: str
    """`accuracy`, `balanced accuracy`, or as the source defines it."""
    value: float
    """Percent, or years for errors of the task `year`."""
    mode: str | None = None
    """`off-the-shelf`, `fine-tune`, `scratch` or `joint`; None for other methods."""
    weights: str | None = None
    """`imagenet`, `rijksmuseum` or `none`; None for other methods."""
    classes: str | None = None
    """`common` (those of both collections), `all`, or a number, where it is not the dataset table's."""
    epoch: int | None = None
    """Of the value, counted from 0, for the best of a curve."""
    note: str | None = None
    """A remark on the number."""


@dataclass(frozen=True)
class Published:
    """The contents of the file."""

    sources: Mapping[str, Source]
    notes: tuple[Note, ...]
    datasets: tuple[Dataset, ...]
    figures: tuple[Figure, ...]

    def find(self, **attributes: Any) -> tuple[Figure, ...]:
        """The figures with the given attributes.

        Args:
            attributes: names of `Figure` and their values, such as `collection="antwerp", task="type"`.
        """
        return tuple(
            figure
            for figure in self.figures
            if all(getattr(figure, name) == value for name, value in attributes.items())
        )

    def of_cell(self, cell: Cell, split: str) -> Figure | None:
        """The paper's accuracy for a cell on a split, whatever collections are at hand."""
        if cell.part not in _COLLECTIONS or cell.mode == "joint":
            return None
        figures = self.find(
            source="sabatelli2018",
            collection=_COLLECTIONS[cell.part],
            task=cell.task,
            network=cell.backbone.removeprefix("keras_").removeprefix("keras2018_"),
            mode=cell.mode,
            weights=cell.weights if cell.weights in (IMAGENET, "none") else "rijksmuseum",
            measure="accuracy",
            split=split,
            classes="common" if cell.part == "common" else None,
        )
        return figures[0] if figures else None

    def of_network(self, cell: Cell, measure: str) -> Figure | None:
        """What Tonkes and Sabatelli 2022 have for a cell: its `accuracy` or `balanced accuracy` on the test split."""
        figures = self.find(
            source="tonkes2022",
            task=cell.task,
            network=cell.backbone.partition(".")[0],  # timm's name without the tag of its weights
            mode=cell.mode,
            measure=measure,
        )
        return figures[0] if figures else None


@lru_cache(maxsize=1)
def published() -> Published:
    """Read the file, once."""
    raw = yaml.safe_load(files(__package__).joinpath("published.yaml").read_text(encoding="utf-8"))
    converter = cattrs.Converter(forbid_extra_keys=True)
    figures = [converter.structure(figure, Figure) for table in raw["tables"] for figure in _figures(table)]
    return Published(
        sources=converter.structure(raw["sources"], dict[str, Source]),
        notes=converter.structure(raw["notes"], tuple[Note, ...]),
        datasets=converter.structure(raw["datasets"], tuple[Dataset, ...]),
        figures=tuple(figures),
    )


def _figures(table: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A table's numbers: a column that is a mode, a measure or `value` holds numbers, any other their attributes."""
    common = {key: value for key, value in table.items() if key not in ("columns", "rows")}
    for row in table["rows"]:
        cells = dict(zip(table["columns"], row, strict=True))
        numbers = {name: cells.pop(name) for name in list(cells) if _holds_numbers(name)}
        for column, number in numbers.items():
            figure = number if isinstance(number, dict) else {"value": number}
            if column in _MODES:
                figure = {"mode": column, **figure}
            elif column != "value":
                figure = {"measure": column.removeprefix("measure:"), **figure}
            yield {**common, **cells, **figure}


def _holds_numbers(column: str) -> bool:
    return column in _MODES or column == "value" or column.startswith("measure:")
