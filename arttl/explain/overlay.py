"""Heat maps as pictures: the map alone in colours, over the picture it explains, as contours, or as a difference.

The colours are matplotlib's scale `inferno`. Its lightness rises evenly from black to pale yellow, so equal steps of
the map look equal, and it reads the same in grey and with any kind of colour blindness.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from arttl.errors import ArttlError
from arttl.explain.typeset import DPI, POINT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Picture = npt.NDArray[np.uint8]  # [H, W, 3], RGB
Heat = npt.NDArray[np.floating]  # [h, w]
Values = npt.NDArray[np.float32]

# A few pixels carry most of a map: unless values are clipped at this percentile, as the paper's authors do, all but
# those would be dark.
_BRIGHTEST = 99.0
LEVELS = (0.3, 0.6, 0.9)
"""The levels of brightness that `contour` draws lines at."""
# Colours that every kind of colour blindness tells apart: blue for the first map, orange for the second.
_FIRST, _SECOND = np.array([20, 90, 200], np.float32), np.array([240, 120, 0], np.float32)
# Two networks seldom differ by more than half of the scale anywhere; more than this has the full colour.
_FULL_DIFFERENCE = 0.5
_STRENGTH = 0.85


@lru_cache(maxsize=1)
def colour_table() -> Picture:
    """The colour scale, [256, 3] uint8 RGB, from the lowest value to the highest."""
    from matplotlib import colormaps

    return colormaps["inferno"](np.arange(256), bytes=True)[:, :3]


def brightness(heat: Heat, *, brightest: float = _BRIGHTEST) -> Values:
    """A map rescaled for display: its minimum to 0 and a high percentile to 1, with larger values clipped.

    Args:
        heat: [h, w], finite.
        brightest: the percentile, above 0 and at most 100.

    Returns:
        [h, w] float32 in [0, 1]; a constant map gives zeros.

    Raises:
        ArttlError: if the map is not two-dimensional or not finite.
    """
    values = np.asarray(heat, dtype=np.float32)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ArttlError(
            f"the heat map is {list(values.shape)} with {np.count_nonzero(~np.isfinite(values))} values that are not "
            "finite: give one finite map [h, w] at a time"
        )
    low, high = values.min(), np.percentile(values, brightest)
    if high <= low:  # all but a few pixels are equal: those few set the scale
        high = values.max()
    if high <= low:
        return np.zeros_like(values)
    return np.clip((values - low) / (high - low), 0, 1).astype(np.float32)


def colourise(heat: Heat, *, brightest: float = _BRIGHTEST) -> Picture:
    """The map alone, in the colours of the scale.

    Args:
        heat: [h, w], finite.
        brightest: as for `brightness`.

    Returns:
        [h, w, 3] uint8 RGB.

    Raises:
        ArttlError: as `brightness`.
    """
    return _colours(brightness(heat, brightest=brightest))


def overlay(
    picture: Picture, heat: Heat, *, strength: float = _STRENGTH, brightest: float = _BRIGHTEST
) -> Picture:
    """The map's colours over the picture, which is shown in grey so that it lends no colour of its own.

    The opacity rises with the map, so that the picture can be made out where the network did not look.

    Args:
        picture: [H, W, 3] uint8 RGB.
        heat: [h, w], finite, of the same view; enlarged to the picture where it is smaller.
        strength: opacity of the brightest colour, 0 to 1; the darkest has 0.3 of it.
        brightest: as for `brightness`.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        ArttlError: as `brightness`, or if the picture is not [H, W, 3] uint8.
    """
    values = _brightness_over(picture, heat, brightest)
    return _blend(_grey(picture), _colours(values).astype(np.float32), strength * (0.3 + 0.7 * values))


def contour(picture: Picture, heat: Heat, *, brightest: float = _BRIGHTEST) -> Picture:
    """Contour lines of the map, over the picture in its own colours.

    They run at 0.3, 0.6 and 0.9 of the map's brightness, in the colours of the scale on a dark edge. The map is first
    smoothed over a fiftieth of the picture, since its own level lines are frayed.

    Args:
        picture: [H, W, 3] uint8 RGB.
        heat: [h, w], finite, of the same view.
        brightest: as for `brightness`.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        ArttlError: as `overlay`.
    """
    from matplotlib.patheffects import withStroke

    values = np.round(_brightness_over(picture, heat, brightest) * 255).astype(np.uint8)
    height, width = values.shape
    side = max(height, width)
    smooth = np.asarray(Image.fromarray(values).filter(ImageFilter.GaussianBlur(side / 50)), dtype=np.float32)
    smooth /= max(1.0, float(smooth.max()))
    levels = [level for level in LEVELS if smooth.min() < level < smooth.max()]
    if not levels:
        return picture.copy()
    figure = pixel_figure(width, height)
    figure.figimage(picture, origin="upper", zorder=-1)
    # The map is padded by a pixel on every side, so that lines run to the edge.
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0.5, width + 0.5), ylim=(height + 0.5, 0.5))
    axes.set_axis_off()
    lines = axes.contour(
        np.pad(smooth, 1, mode="edge"), levels=levels, colors=contour_colours()[-len(levels) :] / 255
    )
    thickness = max(1.5, side / 160)
    edge = withStroke(linewidth=(thickness + 2) * POINT, foreground="black")
    lines.set(linewidths=thickness * POINT, path_effects=[edge])
    return pixels(figure)


def contour_colours() -> Picture:
    """The colours of the lines of `contour`, [3] levels by [3] uint8 RGB: the lighter half of the scale."""
    return colour_table()[[round(255 * (0.4 + 0.6 * level)) for level in LEVELS]]


def difference(
    picture: Picture, first: Heat, second: Heat, *, strength: float = _STRENGTH, brightest: float = _BRIGHTEST
) -> Picture:
    """Where two maps differ, over the picture in grey: blue where the first is brighter, orange where the second is.

    The grey is compressed to the middle third of its range, so that both colours stand out on dark and light pictures.

    Args:
        picture: [H, W, 3] uint8 RGB.
        first: [h, w], finite, of the same view.
        second: likewise; the two are compared as they are shown, each by its own `brightness`.
        strength: opacity of a difference of half the scale or more.
        brightest: as for `brightness`.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        ArttlError: as `overlay`.
    """
    left, right = (_brightness_over(picture, heat, brightest) for heat in (first, second))
    return _blend_change(_grey(picture) / np.float32(3) + np.float32(85), right - left, strength)


def difference_table() -> Picture:
    """The colours of `difference` over a middle grey, [256, 3] uint8: from more in the first to more in the second."""
    change = np.linspace(-_FULL_DIFFERENCE, _FULL_DIFFERENCE, 256, dtype=np.float32)[None]
    return _blend_change(np.full((1, 256, 1), 127.5, np.float32), change, _STRENGTH)[0]


def _blend_change(grey: Values, change: Values, strength: float) -> Picture:
    """The colours of `difference` over grey [H, W, 1], by how much brighter the second map is [H, W]."""
    colours = np.where(change[:, :, None] > 0, _SECOND, _FIRST)
    return _blend(grey, colours, strength * np.minimum(np.abs(change) / _FULL_DIFFERENCE, 1))


def _blend(grey: Values, colours: Values, opacity: Heat) -> Picture:
    """Colours [H, W, 3] over grey [H, W, 1] with an opacity [H, W]."""
    opacity = opacity[:, :, None]
    return np.round(grey * (1 - opacity) + colours * opacity).astype(np.uint8)


def _colours(values: Values) -> Picture:
    """The colours of brightness values [H, W] in [0, 1]."""
    return colour_table()[np.round(values * 255).astype(np.uint8)]


def _grey(picture: Picture) -> Values:
    """The picture in grey, [H, W, 1]."""
    return np.asarray(Image.fromarray(picture).convert("L"), dtype=np.float32)[:, :, None]


def _brightness_over(picture: Picture, heat: Heat, brightest: float) -> Values:
    """The `brightness` of a map at the picture's size, [H, W]."""
    height, width = as_picture(picture).shape[:2]
    values = brightness(heat, brightest=brightest)
    if values.shape == (height, width):
        return values
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))


def pixel_figure(width: int, height: int) -> Figure:
    """An empty white figure of a size in pixels; as in all of matplotlib's, the origin is the lower left."""
    from matplotlib.figure import Figure

    figure = Figure((width / DPI, height / DPI), DPI, facecolor="white")
    figure.set_layout_engine("none")
    return figure


def pixels(figure: Figure) -> Picture:
    """A figure rendered, [H, W, 3] uint8 RGB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def as_picture(picture: npt.NDArray[np.generic]) -> Picture:
    """The picture itself, if it is [H, W, 3] uint8.

    Raises:
        ArttlError: if it is not.
    """
    array = np.asarray(picture)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
        raise ArttlError(
            f"a picture must be [H, W, 3] uint8 RGB, not {list(array.shape)} {array.dtype}: convert it"
        )
    return array
