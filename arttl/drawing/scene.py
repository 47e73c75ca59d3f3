"""The photograph of a drawn object: backdrop, shadow, surface, decoration and light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from arttl.drawing.silhouettes import Silhouette, silhouette
from arttl.drawing.styles import STYLES, Medium, decorate
from arttl.drawing.surfaces import Pixels, grain, noise, surface

_SCALE = 2  # drawn at twice the size, then reduced, so that edges are smooth
_MEDIA: dict[str, Medium] = {"oil": "oil", "ink": "ink", "chalk": "chalk", "watercolour": "watercolour"}
_GLOSS = {"ceramic": 70.0, "glass": 90.0, "silver": 50.0, "bronze": 26.0}


@dataclass(frozen=True)
class Photograph:
    """A drawn picture.

    Attributes:
        picture: mode RGB.
        box: the object's bounding box, (left, top, right, bottom) in pixels, right and bottom outside.
    """

    picture: Image.Image
    box: tuple[int, int, int, int]


def photograph(
    type_: str, materials: tuple[str, ...], artist: str, size: tuple[int, int], rng: np.random.RandomState
) -> Photograph:
    """Draw one object on a studio backdrop.

    Args:
        type_: of `silhouettes`.
        materials: the support, and for works on paper, canvas or panel the medium.
        artist: of `STYLES`.
        size: width and height of the picture, in pixels.
        rng: decides everything else.
    """
    large = (size[0] * _SCALE, size[1] * _SCALE)
    support, medium = materials[0], _MEDIA[materials[1]] if len(materials) > 1 else "ornament"
    outline = silhouette(type_, large, rng)
    body = surface(support, large, rng)
    layer = Image.new("RGBA", large)
    decorate(layer, STYLES[artist], medium, outline.field, rng)
    body = _covered(body, layer, support, medium, outline, rng)
    body = _lit(body, type_, support, outline)
    mask = np.asarray(outline.mask, np.float32)[..., None] / 255
    if support == "glass":
        mask = mask * 0.78
    shadow = outline.mask.filter(ImageFilter.GaussianBlur(7))
    shade = np.roll(np.asarray(shadow, np.float32), (6, 5), axis=(0, 1))[..., None] / 255
    scene = _backdrop(large, rng) * (1 - 0.45 * shade)
    scene = scene * (1 - mask) + body * mask
    reduced = scene.reshape(size[1], _SCALE, size[0], _SCALE, 3).mean(axis=(1, 3))
    film = rng.normal(0, 1.5, reduced.shape)
    picture = Image.fromarray(np.clip(reduced + film, 0, 255).astype(np.uint8))
    box = outline.mask.getbbox()
    assert box is not None
    left, top, right, bottom = box
    return Photograph(picture, (left // _SCALE, top // _SCALE, -(-right // _SCALE), -(-bottom // _SCALE)))


def _backdrop(size: tuple[int, int], rng: np.random.RandomState) -> Pixels:
    """A studio's paper roll: some grey, warm or cold, lighter at the top or at a side. It depends on no label."""
    grey = rng.uniform(70, 205) + rng.uniform(-9, 9, 3).astype(np.float32)
    columns, rows = np.meshgrid(
        np.linspace(-1, 1, size[0], dtype=np.float32), np.linspace(-1, 1, size[1], dtype=np.float32)
    )
    light = rng.uniform(-16, 16) * columns + rng.uniform(-22, 4) * rows
    backdrop: Pixels = grey + (light + 3 * noise(size, 6, rng))[..., None]
    return backdrop


def _covered(
    body: Pixels,
    layer: Image.Image,
    support: str,
    medium: str,
    outline: Silhouette,
    rng: np.random.RandomState,
) -> Pixels:
    """The decoration on the surface, within the object and its field, the support showing through paint."""
    if medium == "chalk":  # breaks up over the paper's tooth
        tooth = noise(layer.size, 90, rng) > -0.15
        layer.putalpha(Image.fromarray((np.asarray(layer.getchannel("A")) * tooth).astype(np.uint8)))
    pixels = np.asarray(layer, np.float32)
    alpha = pixels[..., 3:] / 255
    left, top, right, bottom = (round(edge) for edge in outline.field)
    inside = np.zeros_like(alpha)
    inside[max(0, top - 2) : bottom + 2, max(0, left) : right] = 1
    if medium == "ornament":  # thin glaze, niello or stain: the body stays visible
        alpha = alpha * 0.85
    paint = (
        pixels[..., :3] * grain(support, layer.size, rng)[..., None] if medium == "oil" else pixels[..., :3]
    )
    alpha = alpha * inside
    return body * (1 - alpha) + paint * alpha


def _lit(body: Pixels, type_: str, support: str, outline: Silhouette) -> Pixels:
    """Light from the left, by the form; frames, plate marks, rims and lids are form too."""
    height, width = body.shape[:2]
    box = outline.mask.getbbox()
    assert box is not None
    left, top, right, bottom = box
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    across = np.clip((columns - left) / max(1, right - left) * 2 - 1, -1, 1)
    gloss = _GLOSS.get(support, 0.0)
    if outline.kind == "round":
        shading = 0.45 + 0.6 * np.sqrt(np.clip(1 - (across + 0.25) ** 2 / 1.6, 0, 1))
        shine = np.exp(-(((across + 0.4) / 0.12) ** 2)) * gloss
        return body * shading[..., None] + shine[..., None]
    if outline.kind == "relief":
        x, y = (left + right) / 2, (top + bottom) / 2
        if type_ == "box":
            lid = np.abs(rows - (top + 0.3 * (bottom - top))) < 2
            return (body * np.where(rows < top + 0.3 * (bottom - top), 1.12, 0.9)[..., None]) * np.where(
                lid, 0.4, 1
            )[..., None]
        radius = np.hypot(columns - x, rows - y) / ((right - left) / 2)
        facing = np.cos(np.arctan2(rows - y, columns - x) - 3.9)
        rims = (0.66, 0.95) if type_ == "plate" else (0.78, 0.92)
        ring = sum(np.exp(-(((radius - rim) / 0.05) ** 2)) for rim in rims)
        shading = 1 + 0.5 * ring * facing
        if type_ == "coin":  # beads along the edge
            beads = (radius > 0.84) & (np.sin(np.arctan2(rows - y, columns - x) * 28) > 0)
            shading = shading * np.where(beads, 0.7, 1)
        shine = (
            np.exp(-((np.hypot(columns - x + 0.3 * (right - x), rows - y + 0.3 * (bottom - y)) / 14) ** 2))
            * gloss
        )
        return body * shading[..., None] + shine[..., None]
    depth = np.minimum.reduce([columns - left, right - 1 - columns, rows - top, bottom - 1 - rows])
    margin = outline.field[0] - left
    if outline.kind == "framed":
        moulding = 118 + 60 * np.sin(np.clip(depth / margin, 0, 1) * 2.4 * np.pi)
        frame = moulding[..., None] * np.asarray((1.0, 0.76, 0.36), np.float32)
        return np.where((depth < margin)[..., None], frame, body)
    if type_ == "print":  # the copper plate's edge, pressed into the paper
        plate = np.abs(depth - margin * 0.72) < 1.5
        return body * np.where(plate, 0.72, 1)[..., None]
    return body
