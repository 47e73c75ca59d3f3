"""The outline of an object, by its type: what makes a vase a vase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Kind = Literal["sheet", "framed", "round", "relief"]
Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels

# Half-widths of solids of revolution from top to bottom, both relative to the height.
_PROFILES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "vase": ((0.0, 0.05, 0.2, 0.5, 0.75, 0.93, 1.0), (0.2, 0.17, 0.11, 0.34, 0.28, 0.15, 0.2)),
    "bowl": ((0.0, 0.3, 0.7, 0.88, 1.0), (1.0, 0.95, 0.55, 0.3, 0.36)),
    "figurine": (
        (0.0, 0.05, 0.13, 0.22, 0.25, 0.3, 0.4, 0.55, 0.8, 0.86, 0.88, 1.0),
        (0.02, 0.09, 0.12, 0.07, 0.06, 0.17, 0.18, 0.1, 0.22, 0.24, 0.3, 0.3),
    ),
}
_HEIGHTS = {"vase": 0.82, "bowl": 0.42, "figurine": 0.86}


@dataclass(frozen=True)
class Silhouette:
    """Where an object is in its picture.

    Attributes:
        mask: mode L, 255 on the object.
        field: the part of the object that an artist decorates.
        kind: how light falls on it: a `sheet`, `framed`, a body turned `round`, a flat disc or box in `relief`.
    """

    mask: Image.Image
    field: Box
    kind: Kind


def silhouette(type_: str, size: tuple[int, int], rng: np.random.RandomState) -> Silhouette:
    """Draw the outline of one object of a type, somewhere near the middle of a picture of `size` (width, height)."""
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    width, height = size
    scale = rng.uniform(0.82, 1.0) * min(size)
    x = width / 2 + rng.uniform(-0.05, 0.05) * width
    y = height / 2 + rng.uniform(-0.04, 0.04) * height
    if type_ in _PROFILES:
        return _turned(type_, mask, x, y, scale, rng)
    if type_ in ("plate", "coin"):
        radius = scale * (0.44 if type_ == "plate" else 0.27)
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(box, fill=255)
        inner = radius * (0.6 if type_ == "plate" else 0.7)
        return Silhouette(mask, (x - inner, y - inner, x + inner, y + inner), "relief")
    if type_ == "box":
        half_width, half_height = scale * rng.uniform(0.34, 0.4), scale * rng.uniform(0.2, 0.26)
        lid = half_height * 0.55
        draw.polygon(
            [
                (x - half_width, y + half_height),
                (x - half_width, y - half_height + lid),
                (x - half_width * 0.78, y - half_height),
                (x + half_width * 0.78, y - half_height),
                (x + half_width, y - half_height + lid),
                (x + half_width, y + half_height),
            ],
            fill=255,
        )
        field = (
            x - half_width * 0.8,
            y - half_height + lid * 1.3,
            x + half_width * 0.8,
            y + half_height * 0.85,
        )
        return Silhouette(mask, field, "relief")
    return _flat(type_, mask, x, y, scale, rng)


def _turned(
    type_: str, mask: Image.Image, x: float, y: float, scale: float, rng: np.random.RandomState
) -> Silhouette:
    heights, widths = (np.asarray(values) for values in _PROFILES[type_])
    widths = widths * rng.uniform(0.88, 1.12, len(widths)) * rng.uniform(0.92, 1.08)
    height = _HEIGHTS[type_] * scale
    steps = np.linspace(0, 1, 64)
    radii = _smooth(np.interp(steps, heights, widths)) * height
    tops = y - height / 2 + steps * height
    right = list(zip(x + radii, tops, strict=True))
    left = list(zip(x - radii, tops, strict=True))[::-1]
    ImageDraw.Draw(mask).polygon([(float(a), float(b)) for a, b in right + left], fill=255)
    widest = float(radii.max())
    top, bottom = {"vase": (0.32, 0.72), "bowl": (0.08, 0.6), "figurine": (0.33, 0.8)}[type_]
    field = (x - widest, y - height / 2 + top * height, x + widest, y - height / 2 + bottom * height)
    return Silhouette(mask, field, "round")


def _smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    padded = np.pad(values, 2, mode="edge")
    return np.convolve(padded, np.ones(5) / 5, mode="valid")


def _flat(
    type_: str, mask: Image.Image, x: float, y: float, scale: float, rng: np.random.RandomState
) -> Silhouette:
    """A rectangle: a painting in its frame, a print with its margins, a drawing that fills its sheet."""
    aspect = rng.uniform(0.72, 0.95)
    half_width, half_height = 0.44 * scale, 0.44 * scale * aspect
    if rng.rand() < 0.4:
        half_width, half_height = half_height, half_width
    box = (x - half_width, y - half_height, x + half_width, y + half_height)
    ImageDraw.Draw(mask).rectangle(box, fill=255)
    margin = {"painting": 0.16, "print": 0.17, "drawing": 0.04}[type_] * 2 * min(half_width, half_height)
    field = (box[0] + margin, box[1] + margin, box[2] - margin, box[3] - margin)
    return Silhouette(mask, field, "framed" if type_ == "painting" else "sheet")
