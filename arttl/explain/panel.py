"""Panels: rows of pictures under column titles, such as "picture | ImageNet weights | fine-tuned"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from arttl.errors import ArttlError
from arttl.explain.overlay import (
    LEVELS,
    Heat,
    Picture,
    as_picture,
    colour_table,
    contour_colours,
    difference_table,
    overlay,
    pixel_figure,
    pixels,
)
from arttl.explain.typeset import Typesetter

_INK = "#141414"

Legend = Literal["scale", "label", "contour", "difference"]
"""The legend of the colours of `overlay` and `colourise`, of these for maps of a label, of `contour`, or of
`difference`."""
_CONTOUR_LEVELS = ", ".join(f"{100 * level:.0f}%" for level in LEVELS)
_LEGENDS: dict[Legend, tuple[Callable[[], Picture], str]] = {
    "scale": (colour_table, "looked at, from little to much"),
    "label": (colour_table, "speaks for the label, from little to much"),
    "contour": (contour_colours, f"lines at {_CONTOUR_LEVELS} of the brightest"),
    "difference": (difference_table, "looked at more on the left, or more on the right"),
}
"""The colours from left to right, and the text below them."""


@dataclass(frozen=True)
class PanelRow:
    """A row of a panel: a picture, and the maps beside it."""

    picture: Picture
    """[H, W, 3] uint8 RGB, of any size."""
    maps: Sequence[Heat | Picture]
    """One per column after the first: a heat map [h, w], overlaid on the picture, or a finished picture."""
    caption: str = ""
    """Above the row, over its whole width; its line breaks are kept."""
    notes: Sequence[str] = ()
    """One per map, below it, such as the predicted labels; or empty."""


def contact_sheet(
    pictures: Sequence[Picture],
    captions: Sequence[str],
    title: str,
    *,
    columns: int = 5,
    cell: int = 160,
    legends: Sequence[Legend] = (),
) -> Picture:
    """Pictures in rows under one title, each with its caption below.

    Args:
        pictures: N of [H, W, 3] uint8 RGB, of any sizes.
        captions: one per picture.
        title: of the sheet.
        columns: pictures per row.
        cell: width of a column and maximum height of a picture, in pixels.
        legends: of the colours, below the pictures.

    Returns:
        The sheet, [H, W, 3] uint8 RGB.

    Raises:
        ArttlError: if there are no pictures, or not one caption per picture.
    """
    if not pictures or len(pictures) != len(captions):
        raise ArttlError(
            f"a contact sheet has {len(pictures)} pictures and {len(captions)} captions: give one caption per picture"
        )
    columns = min(columns, len(pictures))
    sheet = _Sheet(columns, cell, max(11, cell // 14), [title, *captions])
    sheet.add([title], width=sheet.width, most=4)
    for start in range(0, len(pictures), columns):
        sheet.add(pictures[start : start + columns])
        sheet.add(captions[start : start + columns], gap=True)
    return sheet.render(legends)


def panel(
    rows: Sequence[PanelRow],
    columns: Sequence[str],
    *,
    cell: int = 256,
    legends: Sequence[Legend] = ("scale",),
) -> Picture:
    """Draw rows of "picture | map | map ..." under column titles, with legends of the colours below.

    Args:
        rows: from the top down.
        columns: the title of each column of maps. The pictures' own column has the title "Picture".
        cell: width of a column and maximum height of a picture, in pixels.
        legends: of the colours that the maps are drawn in.

    Returns:
        The panel, [H, W, 3] uint8 RGB. Titles, notes and captions wrap; of very long ones the middle is left out.

    Raises:
        ArttlError: if there are no rows, if the maps (or notes) of a row do not match the columns, or if a picture or
            map has another shape or type.
    """
    if not rows:
        raise ArttlError("a panel needs at least one row: give it pictures")
    for number, row in enumerate(rows, start=1):
        if len(row.maps) != len(columns) or len(row.notes) not in (0, len(columns)):
            raise ArttlError(
                f"row {number} of the panel has {len(row.maps)} maps and {len(row.notes)} notes for {len(columns)} "
                "columns: give one map per column, and one note per column or none"
            )
    titles = ["Picture", *columns]
    texts = [*titles, *(text for row in rows for text in (row.caption, *row.notes))]
    sheet = _Sheet(len(titles), cell, max(11, cell // 16), texts)
    sheet.add(titles, most=5, gap=True)
    for row in rows:
        maps = [overlay(row.picture, cast("Heat", item)) if np.ndim(item) == 2 else item for item in row.maps]
        sheet.add([row.caption], width=sheet.width)
        sheet.add([row.picture, *maps])
        sheet.add(["", *row.notes], gap=True)
    return sheet.render(legends)


class _Sheet:
    """Texts and pictures below one another, collected first and drawn once the height is known; in pixels."""

    def __init__(self, columns: int, cell: int, size: int, texts: Sequence[str]) -> None:
        self.type = Typesetter(texts, size)
        self.cell, self.gap = cell, max(6, cell // 20)
        self.lefts = [self.gap + column * (cell + self.gap) for column in range(columns)]
        self.width = self.lefts[-1] + cell - self.gap
        self.top = self.gap
        self._texts: list[tuple[int, int, str]] = []  # left, top, line
        self._pictures: list[tuple[int, int, Picture]] = []  # left, top, picture

    def add(
        self,
        items: Sequence[str | npt.NDArray[Any]],
        *,
        width: int | None = None,
        most: int = 8,
        gap: bool = False,
    ) -> None:
        """Add texts of at most `most` lines, or pictures, side by side in columns, below what was added before."""
        bottom = self.top
        for left, item in zip(self.lefts, items, strict=False):
            top = self.top
            if isinstance(item, str):
                for line in self.type.lines(item, width or self.cell, most):
                    self._texts.append((left, top, line))
                    top += self.type.line_height
            else:
                picture = _resized(item, self.cell)
                self._pictures.append((left, top + self.gap // 4, picture))
                top += len(picture) + self.gap // 2
            bottom = max(bottom, top)
        self.top = bottom + gap * self.gap

    def render(self, legends: Sequence[Legend]) -> Picture:
        """The sheet, with legends below: a bar of the colours and its text."""
        from matplotlib.transforms import IdentityTransform

        for legend in legends:
            colours, text = _LEGENDS[legend]
            self.add([_bar(colours(), self.cell, self.type.line_height)])
            self.add([text], width=self.width, gap=True)
        figure = pixel_figure(self.lefts[-1] + self.cell + self.gap, self.top)
        for left, top, picture in self._pictures:
            figure.figimage(picture, left, self.top - top - len(picture), origin="upper")
        for left, top, line in self._texts:
            artist = figure.text(left, self.top - top - self.type.ascent, line, transform=IdentityTransform())
            artist.set(font=self.type.font, color=_INK, parse_math=False, usetex=False)
        return pixels(figure)


def _resized(picture: npt.NDArray[np.generic], side: int) -> Picture:
    """The picture scaled to a longer side of `side` pixels."""
    image = Image.fromarray(as_picture(picture))
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    filter_ = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    return np.asarray(image.resize(size, filter_))


def _bar(colours: Picture, width: int, height: int) -> Picture:
    """A bar of the colours [N, 3], from left to right."""
    columns = np.linspace(0, len(colours) - 1e-6, width).astype(int)
    return np.tile(colours[columns], (height, 1, 1))
