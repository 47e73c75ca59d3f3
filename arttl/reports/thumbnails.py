"""Small pictures for pages, and the maps that lie over them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from arttl.explain.overlay import Heat, brightness, colour_table
from arttl.explain.regions import region_on
from arttl.loading import Preprocess
from arttl.pictures.resizing import resized

SIDE = 176
"""Longer side of a thumbnail in pixels."""
MOST_BYTES = 8 * 1024
"""Of a thumbnail."""
_QUALITIES = (68, 55, 40, 25, 10, 1)
_MAP_SIDE, _MAP_QUALITY = 48, 40  # maps are smooth, and enlarged by the browser
_STRENGTH = 0.85


def thumbnail(picture: Image.Image) -> tuple[bytes, tuple[int, int]]:
    """A picture of at most `MOST_BYTES`.

    Args:
        picture: mode RGB.

    Returns:
        WebP, and its width and height.
    """
    size = _size(picture, SIDE)
    small = resized(picture, size, picture.size)
    for quality in _QUALITIES:
        data = _webp(small, quality)
        if len(data) <= MOST_BYTES:
            return data, size
    raise RuntimeError(f"{size[0]} x {size[1]} pixels are more than {MOST_BYTES} bytes at any quality")


def map_over(heat: Heat, picture: Image.Image, preprocess: Preprocess) -> bytes:
    """A map to be laid over all of a picture; transparent where the network saw nothing of it.

    Args:
        heat: [h, w], of the preprocessed square.
        picture: that was preprocessed.
        preprocess: the evaluation transform.

    Returns:
        WebP with an alpha channel.
    """
    size = _size(picture, _MAP_SIDE)
    height, width = heat.shape
    region = region_on(size, picture.size, preprocess, heat.shape, (0, 0, width, height))
    values = Image.fromarray(brightness(heat)).resize((region.width, region.height), Image.Resampling.BOX)
    levels = np.round(np.asarray(values) * 255).astype(np.uint8)
    over = np.zeros((size[1], size[0], 4), np.uint8)
    over[..., :3] = colour_table()[0]
    part = over[region.y : region.y + region.height, region.x : region.x + region.width]
    part[..., :3] = colour_table()[levels]
    part[..., 3] = np.round(_STRENGTH * (0.2 + 0.8 * levels / 255) * 255).astype(np.uint8)
    return _webp(Image.fromarray(over, "RGBA"), _MAP_QUALITY)


def _size(picture: Image.Image, side: int) -> tuple[int, int]:
    """Width and height of a picture of that longer side, at most its own."""
    scale = min(1.0, side / max(picture.size))
    return max(1, round(picture.width * scale)), max(1, round(picture.height * scale))


def _webp(picture: Image.Image, quality: int) -> bytes:
    data = io.BytesIO()
    picture.save(data, "WEBP", quality=quality, alpha_quality=quality, method=4)
    return data.getvalue()
