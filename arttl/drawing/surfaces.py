"""What an object is made of, as a photograph shows it: colour, grain and the way it takes light."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.floating]  # [H, W, 3], 0 to 255
Plane = npt.NDArray[np.floating]  # [H, W]


def noise(size: tuple[int, int], cells: int, rng: np.random.RandomState) -> Plane:
    """Smooth noise, [H, W] in about -1 to 1, with `cells` hills along the longer side; `size` is (width, height)."""
    width, height = size
    longest = max(size)
    shape = (max(2, round(cells * height / longest)), max(2, round(cells * width / longest)))
    small = Image.fromarray(rng.uniform(-1, 1, shape).astype(np.float32))
    return np.asarray(small.resize(size, Image.Resampling.BICUBIC))


def surface(material: str, size: tuple[int, int], rng: np.random.RandomState) -> Pixels:
    """A picture of `size` (width, height) filled with one support: paper, canvas, wood, ceramic, glass or metal."""
    return _SURFACES[material](size, rng)


def grain(material: str, size: tuple[int, int], rng: np.random.RandomState) -> Plane:
    """How a support shows through paint: factors around 1, [H, W]."""
    width, height = size
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    if material == "canvas":  # threads over and under each other
        period = rng.uniform(8, 10)
        return 1 + 0.22 * np.sin(columns * 2 * np.pi / period) * np.sin(rows * 2 * np.pi / period)
    if material == "wood":  # boards with upright grain
        warp = 5 * noise(size, 3, rng)
        lines = np.sin((columns + warp) * 2 * np.pi / rng.uniform(9, 13))
        boards = np.where((columns + rng.randint(60)) % 60 < 2, np.float32(0.55), np.float32(1))
        return boards * (1 - 0.26 * np.clip(lines, 0.2, 1))
    return np.ones((height, width), np.float32)


def _flat_colour(size: tuple[int, int], colour: tuple[int, int, int]) -> Pixels:
    return np.full((size[1], size[0], 3), colour, np.float32)


def _paper(size: tuple[int, int], rng: np.random.RandomState) -> Pixels:
    age = rng.uniform(0, 1)
    base = _flat_colour(size, (round(238 - 14 * age), round(230 - 22 * age), round(212 - 44 * age)))
    return base + (5 * noise(size, 5, rng) + 3 * noise(size, 60, rng))[..., None]


def _canvas(size: tuple[int, int], rng: np.random.RandomState) -> Pixels:
    return _flat_colour(size, (196, 178, 146)) * grain("canvas", size, rng)[..., None]


def _wood(size: tuple[int, int], rng: np.random.RandomState) -> Pixels:
    dark = rng.uniform(0.75, 1.1)
    colour = _flat_colour(size, (158, 104, 58)) * dark
    return colour * grain("wood", size, rng)[..., None] + 6 * noise(size, 8, rng)[..., None]


def _ceramic(size: tuple[int, int], rng: np.random.RandomState) -> Pixels:
    return _flat_colour(size, (236, 238, 236)) + 3 * noise(size, 4, rng)[..., None]


def _silver(size: tuple[int, int], rng: np.random.RandomState) -> Pixels:
    columns = np.arange(size[0], dtype=np.float32)[None, :, None] / size[0]
    bands = np.sin(columns * 2 * np.pi * rng.uniform(3, 4.5) + rng.uniform(0, 6))
    return _flat_colour(size, (172, 176, 184)) + 52 * np.sign(bands) * np.abs(bands) ** 0.4


def _bronze(size: tuple[int, int], rng: np.random.RandomState) -> Pixels:
    patina = np.clip(noise(size, 9, rng) * 1.8, 0, 1)[..., None]
    body = _flat_colour(size, (122, 84, 40)) + 12 * noise(size, 24, rng)[..., None]
    return body * (1 - patina) + np.asarray((78, 132, 112), np.float32) * patina


def _glass(size: tuple[int, int], rng: np.random.RandomState) -> Pixels:
    return _flat_colour(size, (122, 176, 150)) + 10 * noise(size, 6, rng)[..., None]


_SURFACES: dict[str, Callable[[tuple[int, int], np.random.RandomState], Pixels]] = {
    "paper": _paper,
    "canvas": _canvas,
    "wood": _wood,
    "ceramic": _ceramic,
    "silver": _silver,
    "bronze": _bronze,
    "glass": _glass,
}
