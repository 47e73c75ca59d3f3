"""Panels: rows of pictures under column titles, such as "picture | ImageNet weights | fine-tuned"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
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
_MOST_LINES = 8  # of a caption or note

Legend = Literal["scale", "contour", "difference"]
"""What explains the colours of `overlay` and `colourise`, of `contour`, and of `difference`."""
_LEGENDS: dict[Legend, tuple[str, tuple[str, ...]]] = {  # above the colours, and below from left to right
    "scale": ("Looked at", ("little", "much")),
    "contour": ("Lines at shares of the brightest", tuple(f"{100 * level:.0f}%" for level in LEVELS)),
    "difference": ("Looked at more", ("on the left", "on the right")),
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
    columns = min(columns, len(pictures))
    sheet = _Sheet(columns, cell, max(11, cell // 14), [title, *captions], legends)
    sheet.add_text(title, most=4)
    for start in range(0, len(pictures), columns):
        sheet.add_pictures(pictures[start : start + columns])
        sheet.add_texts(captions[start : start + columns])
    return sheet.drawn()


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
    titles = ["Picture", *columns]
    texts = [*titles, *(text for row in rows for text in (row.caption, *row.notes))]
    sheet = _Sheet(len(titles), cell, max(11, cell // 16), texts, legends)
    sheet.add_texts(titles, most=3, align_last=True)
    for row in rows:
        sheet.add_text(row.caption)
        sheet.add_pictures([row.picture, *(_shown(row.picture, item) for item in row.maps)])
        sheet.add_texts(["", *row.notes])
    return sheet.drawn()


class _Sheet:
    """Texts and pictures below one another, collected first and drawn when the height is known; in pixels."""

    def __init__(
        self, columns: int, cell: int, size: int, texts: Sequence[str], legends: Sequence[Legend]
    ) -> None:
        self.type = Typesetter(texts, size)
        self.cell, self.legends = cell, legends
        self.gap = max(6, cell // 20)
        self.lefts = [self.gap + column * (cell + self.gap) for column in range(columns)]
        self.width = columns * (cell + self.gap) + self.gap
        self.top = self.gap
        self._texts: list[tuple[float, int, str, str]] = []  # x, top, line, which side of it is at x
        self._pictures: list[tuple[int, int, Picture]] = []  # left, top, picture

    def add_text(self, text: str, *, most: int = _MOST_LINES) -> None:
        """A text over the whole width."""
        self._add_blocks([self.type.lines(text, self.width - 2 * self.gap, most)], [(self.gap, "left")])

    def add_texts(self, texts: Sequence[str], *, most: int = _MOST_LINES, align_last: bool = False) -> None:
        """A text for each column, their first lines side by side, or their last."""
        blocks = [self.type.lines(text, self.cell, most) for text in texts]
        if align_last:
            deepest = max(map(len, blocks))
            blocks = [[""] * (deepest - len(lines)) + lines for lines in blocks]
        self._add_blocks(blocks, [(left, "left") for left in self.lefts])
        self.top += self.gap

    def add_pictures(self, pictures: Sequence[Picture]) -> None:
        """A picture for each column, resized so that its longer side is as long as the column is wide."""
        self.top += self.gap // 4
        height = 0
        for left, picture in zip(self.lefts, pictures, strict=False):
            image = Image.fromarray(as_picture(picture))
            scale = self.cell / max(image.size)
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            filter_ = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
            self._pictures.append((left, self.top, np.asarray(image.resize(size, filter_))))
            height = max(height, size[1])
        self.top += height + self.gap // 2

    def drawn(self) -> Picture:
        """The sheet, with the legends below."""
        from matplotlib.transforms import IdentityTransform

        for legend in self.legends:
            self._add_legend(legend)
        figure = pixel_figure(self.width, self.top)
        for left, top, picture in self._pictures:
            figure.figimage(picture, left, self.top - top - len(picture), origin="upper")
        for x, top, line, side in self._texts:
            text = figure.text(x, self.top - top - self.type.ascent, line, transform=IdentityTransform())
            text.set(font=self.type.font, color=_INK, ha=side, parse_math=False, usetex=False)
        return pixels(figure)

    def _add_legend(self, legend: Legend) -> None:
        """What a bar of the colours shows, the bar, and labels below."""
        title, labels = _LEGENDS[legend]
        self.add_text(title)
        width = min(self.width, 2 * self.cell) - 2 * self.gap
        if legend == "contour":
            colours = contour_colours()[np.arange(width) * len(LEVELS) // width]  # [width, 3]
        else:
            table = colour_table() if legend == "scale" else difference_table()
            colours = table[np.linspace(0, 255, width).round().astype(np.uint8)]
        height = self.type.line_height // 2
        self._pictures.append((self.gap, self.top, np.tile(colours, (height, 1, 1))))
        self.top += height + self.gap // 4
        last = len(labels) - 1
        blocks = [self.type.lines(label, width // len(labels) - self.gap, most=4) for label in labels]
        sides = ["left", *["center"] * (last - 1), "right"]
        self._add_blocks(blocks, [(self.gap + width * i / last, side) for i, side in enumerate(sides)])
        self.top += self.gap

    def _add_blocks(self, blocks: Sequence[Sequence[str]], positions: Sequence[tuple[float, str]]) -> None:
        """Lines from the current top on, which moves below the longest block."""
        for lines, (x, side) in zip(blocks, positions, strict=False):
            tops = range(self.top, self.top + len(lines) * self.type.line_height, self.type.line_height)
            self._texts += [(x, top, line, side) for top, line in zip(tops, lines, strict=True)]
        self.top += max(map(len, blocks)) * self.type.line_height


def _shown(picture: Picture, item: Heat | Picture) -> Picture:
    return overlay(picture, cast("Heat", item)) if np.ndim(item) == 2 else as_picture(item)
