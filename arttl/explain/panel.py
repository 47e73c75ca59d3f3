"""Panels: rows of pictures under column titles, such as "picture | ImageNet weights | fine-tuned"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from PIL import Image, ImageDraw

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
)
from arttl.explain.typeset import Typesetter

_INK = (20, 20, 20)
_PAPER = (255, 255, 255)
_PICTURE = "Picture"

Legend = Literal["scale", "contour", "difference"]
"""What explains the colours of `overlay` and `colourise`, of `contour`, and of `difference`."""
_LEGENDS: dict[Legend, tuple[str, str]] = {  # to the left and to the right of the colours
    "scale": ("little looked at", "much looked at"),
    "contour": ("lines at", ", ".join(f"{100 * level:.0f}%" for level in LEVELS) + " of the brightest"),
    "difference": ("more on the left", "more on the right"),
}


@dataclass(frozen=True)
class PanelRow:
    """One row of a panel: a picture, and what to set beside it."""

    picture: Picture
    """[H, W, 3] uint8 RGB, of any size."""
    maps: Sequence[Heat | Picture]
    """One for each column after the first: a heat map [h, w], drawn over the picture, or a picture as it is."""
    caption: str = ""
    """Above the row, over its whole width; its line breaks are kept."""
    notes: Sequence[str] = ()
    """Below each of the maps: what was predicted, for example. None at all, or one for each."""


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
        captions: one for each.
        title: of the sheet.
        columns: pictures a row.
        cell: width of a column, and the most that a picture is high, in pixels.
        legends: of the colours, below.

    Returns:
        The sheet, [H, W, 3] uint8 RGB.

    Raises:
        ArttlError: if there are no pictures, or not one caption for each.
    """
    if not pictures or len(pictures) != len(captions):
        raise ArttlError(
            f"a contact sheet has {len(pictures)} pictures and {len(captions)} captions: give it one caption for each"
        )
    texts = [title, *captions, *_texts_of(legends)]
    sheet = _Sheet(columns, cell, Typesetter(texts, max(11, cell // 14)))
    return sheet.draw_grid(pictures, captions, title, legends)


def panel(
    rows: Sequence[PanelRow],
    columns: Sequence[str],
    *,
    cell: int = 256,
    legends: Sequence[Legend] = ("scale",),
) -> Picture:
    """Draw rows of "picture | map | map ..." under column titles, with legends of the colours below.

    Args:
        rows: what it shows.
        columns: the title of each column of maps. The pictures' own column has the title "Picture".
        cell: width of a column, and the most that a picture is high, in pixels.
        legends: of the colours that the maps are drawn in.

    Returns:
        The panel, [H, W, 3] uint8 RGB. Titles, notes and captions wrap, and end in an ellipsis after a few lines.

    Raises:
        ArttlError: if there are no rows, a row has not one map (or note) for each column, or a picture or map is of
            another shape or type.
    """
    if not rows:
        raise ArttlError("a panel needs at least one row: give it pictures")
    for number, row in enumerate(rows, start=1):
        if len(row.maps) != len(columns) or len(row.notes) not in (0, len(columns)):
            raise ArttlError(
                f"row {number} of the panel has {len(row.maps)} maps and {len(row.notes)} notes for {len(columns)} "
                "columns: give one map for each column, and one note for each or none"
            )
    titles = [_PICTURE, *columns]
    texts = [
        *titles,
        *(text for row in rows for text in (row.caption, *row.notes)),
        *_texts_of(legends),
    ]
    return _Sheet(len(titles), cell, Typesetter(texts, max(11, cell // 16))).draw(rows, titles, legends)


def _texts_of(legends: Sequence[Legend]) -> list[str]:
    """The texts that legends, and lines cut short, are made of."""
    return ["left: , right: ...", *(text for legend in legends for text in _LEGENDS[legend])]


class _Sheet:
    """Lines and pictures set below one another, collected first and drawn when the height is known."""

    def __init__(self, columns: int, cell: int, type_: Typesetter) -> None:
        self.type = type_
        self.cell = cell
        self.gap = max(6, cell // 20)
        self.width = columns * (cell + self.gap) + self.gap
        self.top = self.gap
        self.texts: list[tuple[int, int, str]] = []
        self.pictures: list[tuple[int, int, Image.Image]] = []

    def draw(self, rows: Sequence[PanelRow], titles: Sequence[str], legends: Sequence[Legend]) -> Picture:
        self._set_titles(titles)
        for row in rows:
            self._set_lines(row.caption, self.gap, self.width - 2 * self.gap, most=8)
            self._set_pictures([row.picture, *(_shown(row.picture, item) for item in row.maps)])
            self._set_notes(["", *row.notes])
            self.top += self.gap
        for legend in legends:
            self._set_legend(legend)
        return self._drawn()

    def draw_grid(
        self, pictures: Sequence[Picture], captions: Sequence[str], title: str, legends: Sequence[Legend]
    ) -> Picture:
        columns = (self.width - self.gap) // (self.cell + self.gap)
        self._set_lines(title, self.gap, self.width - 2 * self.gap, most=4)
        self.top += self.gap // 2
        for start in range(0, len(pictures), columns):
            self._set_pictures(pictures[start : start + columns])
            self._set_notes(captions[start : start + columns])
            self.top += self.gap
        for legend in legends:
            self._set_legend(legend)
        return self._drawn()

    def _drawn(self) -> Picture:
        sheet = Image.new("RGB", (self.width, self.top), _PAPER)
        for left, top, picture in self.pictures:
            sheet.paste(picture, (left, top))
        pen = ImageDraw.Draw(sheet)
        for left, top, line in self.texts:
            pen.text((left, top), line, fill=_INK, font=self.type.font)
        return np.array(sheet)

    def _left(self, column: int) -> int:
        return self.gap + column * (self.cell + self.gap)

    def _set_lines(self, text: str, left: int, width: int, most: int) -> None:
        """Lines from the current top on, which moves below them."""
        for line in self.type.lines(text, width, most):
            self.texts.append((left, self.top, line))
            self.top += self.type.line_height

    def _set_titles(self, titles: Sequence[str]) -> None:
        """The titles of the columns, which all end just above the first row."""
        lines = [self.type.lines(title, self.cell, most=3) for title in titles]
        deepest = max(map(len, lines))
        for column, title in enumerate(lines):
            for i, line in enumerate(title, start=deepest - len(title)):
                self.texts.append((self._left(column), self.top + i * self.type.line_height, line))
        self.top += deepest * self.type.line_height + self.gap // 2

    def _set_notes(self, notes: Sequence[str]) -> None:
        top = bottom = self.top
        for column, note in enumerate(notes):
            self.top = top
            self._set_lines(note, self._left(column), self.cell, most=8)
            bottom = max(bottom, self.top)
        self.top = bottom

    def _set_pictures(self, pictures: Sequence[Picture]) -> None:
        height = 0
        for column, picture in enumerate(pictures):
            image = Image.fromarray(as_picture(picture))
            scale = self.cell / max(image.size)
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            filter_ = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
            self.pictures.append((self._left(column), self.top, image.resize(size, filter_)))
            height = max(height, size[1])
        self.top += height + self.gap // 2

    def _set_legend(self, legend: Legend) -> None:
        """The text of the lowest value, the colours and the text of the highest, as wide as fits."""
        low, high = (self.type.lines(text, self.width, most=1)[0] for text in _LEGENDS[legend])
        room = self.width - 2 * self.gap - self.type.width(low) - self.type.width(high) - 2 * self.gap
        bar = min(self.cell, room)
        height = self.type.line_height
        if bar < height:  # a single narrow column
            bar = self.width - 2 * self.gap
            self._set_bar(legend, self.gap, bar, height // 2)
            self.top += height // 2 + self.gap // 2
            self._set_lines(f"left: {low}, right: {high}", self.gap, bar, most=4)
            self.top += self.gap
            return
        self.texts.append((self.gap, self.top, low))
        left = 2 * self.gap + self.type.width(low)
        self._set_bar(legend, left, bar, height)
        self.texts.append((left + bar + self.gap, self.top, high))
        self.top += height + self.gap

    def _set_bar(self, legend: Legend, left: int, width: int, height: int) -> None:
        if legend == "contour":
            colours = contour_colours()[np.arange(width) * len(LEVELS) // width]  # [width, 3]
        else:
            table = colour_table() if legend == "scale" else difference_table()
            colours = table[np.linspace(0, 255, width).round().astype(np.uint8)]
        self.pictures.append((left, self.top, Image.fromarray(np.tile(colours, (height, 1, 1)))))


def _shown(picture: Picture, item: Heat | Picture) -> Picture:
    return overlay(picture, cast("Heat", item)) if np.ndim(item) == 2 else as_picture(item)
