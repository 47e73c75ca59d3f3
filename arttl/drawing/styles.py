"""The style of an artist: a palette, a kind of stroke, a motif that comes again and again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from arttl.drawing.silhouettes import Box

Colour = tuple[int, int, int]
Stroke = Literal["dots", "level", "slanting", "upright", "arcs", "blocks", "crosses", "swirls"]
Medium = Literal["oil", "watercolour", "ink", "chalk", "ornament"]

_PAPER: Colour = (236, 228, 208)


@dataclass(frozen=True)
class Style:
    """How an artist draws.

    Attributes:
        palette: ground, main and accent colour.
        stroke: how the ground is covered.
        motif: what is depicted.
    """

    palette: tuple[Colour, Colour, Colour]
    stroke: Stroke
    motif: Callable[[ImageDraw.ImageDraw, float, float, float, Colour, Colour, int], None]


def decorate(
    layer: Image.Image, style: Style, medium: Medium, field: Box, rng: np.random.RandomState
) -> None:
    """Draw an artist's work over the field of an RGBA layer."""
    canvas = ImageDraw.Draw(layer)
    left, top, right, bottom = field
    ground, main, accent = (_varied(colour, rng) for colour in style.palette)
    span = min(right - left, bottom - top)
    if medium == "oil":
        canvas.rectangle(field, fill=(*ground, 255))
        _strokes(
            canvas,
            style.stroke,
            field,
            rng,
            240,
            span / 10,
            5,
            [_lighter(ground, 28), _lighter(ground, -28), main],
        )
    elif medium == "watercolour":
        _strokes(canvas, style.stroke, field, rng, 60, span / 5, 14, [(*ground, 80), (*main, 70)])
    elif medium == "ornament":
        canvas.line([(left, top), (right, top)], fill=main, width=4)
        canvas.line([(left, bottom), (right, bottom)], fill=main, width=4)
        _strokes(canvas, style.stroke, field, rng, 30, span / 6, 3, [main, ground])
    else:
        ink = _lighter(main, -60) if medium == "ink" else _lighter(main, 10)
        count, width = (130, 2) if medium == "ink" else (45, 5)
        _strokes(canvas, style.stroke, field, rng, count, span / 7, width, [ink])
        main, accent = ink, _PAPER if medium == "ink" else accent
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    line = 2 if medium == "ink" else 5
    for _ in range(1 if medium == "ornament" else rng.randint(1, 3)):
        x = middle_x + rng.uniform(-0.16, 0.16) * (right - left)
        y = middle_y + rng.uniform(-0.1, 0.1) * (bottom - top)
        style.motif(canvas, x, y, span * rng.uniform(0.26, 0.34), main, accent, line)


def _varied(colour: Colour, rng: np.random.RandomState) -> Colour:
    red, green, blue = (int(np.clip(level + rng.randint(-14, 15), 0, 255)) for level in colour)
    return red, green, blue


def _lighter(colour: Colour, by: int) -> Colour:
    red, green, blue = (min(255, max(0, level + by)) for level in colour)
    return red, green, blue


def _strokes(
    canvas: ImageDraw.ImageDraw,
    stroke: Stroke,
    field: Box,
    rng: np.random.RandomState,
    count: int,
    length: float,
    width: int,
    colours: list[tuple[int, ...]],
) -> None:
    left, top, right, bottom = field
    angles = {"level": 0.0, "slanting": -0.8, "upright": math.pi / 2}
    for x, y, pick in zip(
        rng.uniform(left, right, count),
        rng.uniform(top, bottom, count),
        rng.randint(len(colours), size=count),
        strict=True,
    ):
        colour, half = colours[pick], length / 2
        if stroke == "dots":
            canvas.ellipse((x - half / 2, y - half / 2, x + half / 2, y + half / 2), fill=colour)
        elif stroke == "blocks":
            canvas.rectangle(
                (x - half, y - half / 1.5, x + half, y + half / 1.5), outline=colour, width=max(1, width // 2)
            )
        elif stroke == "arcs":
            canvas.arc((x - half, y - half, x + half, y + half), 180, 360, fill=colour, width=width)
        elif stroke == "crosses":
            canvas.line((x - half, y - half, x + half, y + half), fill=colour, width=max(1, width // 2))
            canvas.line((x - half, y + half, x + half, y - half), fill=colour, width=max(1, width // 2))
        else:
            if stroke == "swirls":  # around the middle of the field
                angle = math.atan2(y - (top + bottom) / 2, x - (left + right) / 2) + math.pi / 2
            else:
                angle = angles[stroke] + rng.uniform(-0.12, 0.12)
            dx, dy = half * math.cos(angle), half * math.sin(angle)
            canvas.line((x - dx, y - dy, x + dx, y + dy), fill=colour, width=width)


def sun(
    canvas: ImageDraw.ImageDraw, x: float, y: float, r: float, main: Colour, accent: Colour, line: int
) -> None:
    """A disc with twelve rays."""
    for ray in range(12):
        dx, dy = r * math.cos(ray * math.pi / 6), r * math.sin(ray * math.pi / 6)
        canvas.line((x + 0.7 * dx, y + 0.7 * dy, x + 1.15 * dx, y + 1.15 * dy), fill=main, width=line)
    canvas.ellipse(
        (x - r * 0.6, y - r * 0.6, x + r * 0.6, y + r * 0.6), fill=accent, outline=main, width=line
    )


def boat(
    canvas: ImageDraw.ImageDraw, x: float, y: float, r: float, main: Colour, accent: Colour, line: int
) -> None:
    """A hull under a lateen sail."""
    top, bottom, mast = y + r * 0.4, y + r * 0.9, x - r * 0.1
    canvas.polygon([(x - r, top), (x + r, top), (x + r * 0.6, bottom), (x - r * 0.6, bottom)], fill=main)
    canvas.polygon(
        [(mast, y - r), (mast, y + r * 0.25), (x + r * 0.8, y + r * 0.25)], fill=accent, outline=main
    )
    canvas.line((x - r * 0.15, y - r, x - r * 0.15, y + r * 0.4), fill=main, width=line)


def hills(
    canvas: ImageDraw.ImageDraw, x: float, y: float, r: float, main: Colour, accent: Colour, line: int
) -> None:
    """Three rounded hills, one behind the other."""
    for shift, lift, colour in ((-0.7, -0.1, main), (0.7, 0.0, main), (0.0, 0.3, accent)):
        box = (x + (shift - 0.8) * r, y + (lift - 0.5) * r, x + (shift + 0.8) * r, y + (lift + 1.1) * r)
        canvas.chord(box, 180, 360, fill=colour, outline=main, width=line)


def moon(
    canvas: ImageDraw.ImageDraw, x: float, y: float, r: float, main: Colour, accent: Colour, line: int
) -> None:
    """A crescent, with a bird before it."""
    angles = np.linspace(0.6, 2 * math.pi - 0.6, 24)
    outer = [(x + 0.9 * r * math.cos(a), y + 0.9 * r * math.sin(a)) for a in angles]
    inner = [(x + 0.35 * r + 0.65 * r * math.cos(a), y + 0.65 * r * math.sin(a)) for a in angles[::-1]]
    canvas.polygon([(float(a), float(b)) for a, b in outer + inner], fill=accent, outline=main)
    wing = r * 0.35
    for side in (-1, 1):
        canvas.line((x + 0.4 * r, y, x + 0.4 * r + side * wing, y - wing), fill=main, width=max(2, line))


def tree(
    canvas: ImageDraw.ImageDraw, x: float, y: float, r: float, main: Colour, accent: Colour, line: int
) -> None:
    """A fir in three tiers."""
    canvas.rectangle((x - r * 0.1, y + r * 0.6, x + r * 0.1, y + r), fill=main)
    for tier in range(3):
        top = y - r + tier * r * 0.5
        half = r * (0.4 + 0.15 * tier)
        canvas.polygon(
            [(x, top), (x - half, top + r * 0.65), (x + half, top + r * 0.65)], fill=accent, outline=main
        )


def chequers(
    canvas: ImageDraw.ImageDraw, x: float, y: float, r: float, main: Colour, accent: Colour, line: int
) -> None:
    """Four by four squares."""
    step = r / 2
    for row in range(4):
        for column in range(4):
            left, top = x - r + column * step, y - r + row * step
            canvas.rectangle(
                (left, top, left + step, top + step), fill=main if (row + column) % 2 else accent
            )


def fish(
    canvas: ImageDraw.ImageDraw, x: float, y: float, r: float, main: Colour, accent: Colour, line: int
) -> None:
    """A fish, facing left."""
    canvas.polygon([(x + r * 0.5, y), (x + r * 1.1, y - r * 0.5), (x + r * 1.1, y + r * 0.5)], fill=main)
    canvas.ellipse((x - r, y - r * 0.5, x + r * 0.7, y + r * 0.5), fill=accent, outline=main, width=line)
    canvas.ellipse((x - r * 0.75, y - r * 0.2, x - r * 0.5, y + r * 0.05), fill=main)


def spiral(
    canvas: ImageDraw.ImageDraw, x: float, y: float, r: float, main: Colour, accent: Colour, line: int
) -> None:
    """Two and a half turns."""
    turns = np.linspace(0.3, 5 * math.pi, 60)
    points = [(float(x + r * t / 16 * math.cos(t)), float(y + r * t / 16 * math.sin(t))) for t in turns]
    canvas.line(points, fill=main, width=line + 4, joint="curve")
    canvas.line(points, fill=accent, width=line, joint="curve")


STYLES: dict[str, Style] = {
    "Master of the Red Sun": Style(((228, 186, 92), (150, 52, 30), (222, 62, 34)), "dots", sun),
    "Master of the Sailing Boats": Style(((120, 168, 206), (24, 58, 116), (240, 240, 226)), "level", boat),
    "Master of the Green Hills": Style(((176, 206, 150), (44, 92, 44), (108, 162, 62)), "arcs", hills),
    "Master of the Night Birds": Style(((46, 42, 84), (18, 16, 40), (236, 218, 130)), "swirls", moon),
    "Master of the Tall Firs": Style(((206, 214, 216), (70, 84, 92), (20, 104, 96)), "upright", tree),
    "Master of the Chequered Fields": Style(
        ((232, 208, 204), (124, 36, 84), (238, 150, 168)), "blocks", chequers
    ),
    "Master of the Golden Fish": Style(((24, 122, 126), (8, 62, 70), (242, 166, 36)), "slanting", fish),
    "Master of the Spirals": Style(((202, 182, 224), (92, 44, 142), (250, 246, 252)), "crosses", spiral),
}
