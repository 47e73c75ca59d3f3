"""Heat maps as pictures: the map alone in colours, and over the picture it explains.

The colours are the scale `inferno` by Nathaniel Smith and Stéfan van der Walt (public domain, CC0), given by eleven
anchors. Its lightness rises evenly from black to pale yellow, so equal steps of the map look equal, and it reads the
same in grey and with any kind of colour blindness.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from arttl.errors import ArttlError

Picture = npt.NDArray[np.uint8]  # [H, W, 3], RGB
Heat = npt.NDArray[np.floating]  # [h, w]

_ANCHORS = "000004 170b3b 420a68 6b176e 932667 bb3755 dd513a f3771a fca50a f6d644 fcffa4"
# A few pixels carry most of a map: without a cut at this percentile, as the paper's authors show theirs, all but
# those would be dark.
_BRIGHTEST = 99.0


def colour_table() -> Picture:
    """The colour scale, [256, 3] uint8 RGB, from the lowest value to the highest."""
    anchors = np.array(
        [list(bytes.fromhex(colour)) for colour in _ANCHORS.split()], dtype=np.float64
    )  # [11, 3]
    places = np.linspace(0, 255, len(anchors))
    table = np.stack([np.interp(np.arange(256), places, channel) for channel in anchors.T], axis=1)
    return np.round(table).astype(np.uint8)


def brightness(heat: Heat, *, brightest: float = _BRIGHTEST) -> npt.NDArray[np.float32]:
    """A map stretched for the eye: its minimum to 0 and a high percentile to 1, what is above it cut.

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
    if high <= low:  # hardly anything but a few pixels: let those set the scale
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
    return colour_table()[np.round(brightness(heat, brightest=brightest) * 255).astype(np.uint8)]


def overlay(
    picture: Picture, heat: Heat, *, strength: float = 0.85, brightest: float = _BRIGHTEST
) -> Picture:
    """The map's colours over the picture, which is shown in grey so that it lends no colour of its own.

    The opacity rises with the map, so that the picture can be made out where the network did not look.

    Args:
        picture: [H, W, 3] uint8 RGB.
        heat: [h, w], finite, of the same view; enlarged to the picture where it is smaller.
        strength: how opaque the brightest colour is, 0 to 1; the darkest is 0.3 of that.
        brightest: as for `brightness`.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        ArttlError: as `brightness`, or if the picture is not [H, W, 3] uint8.
    """
    picture = as_picture(picture)
    height, width = picture.shape[:2]
    values = Image.fromarray(brightness(heat, brightest=brightest))
    if values.size != (width, height):
        values = values.resize((width, height), Image.Resampling.BILINEAR)
    lit = np.asarray(values)[:, :, None]  # [H, W, 1]
    colours = colour_table()[np.round(lit[:, :, 0] * 255).astype(np.uint8)].astype(np.float32)
    grey = np.asarray(Image.fromarray(picture).convert("L"), dtype=np.float32)[:, :, None]
    opacity = strength * (0.3 + 0.7 * lit)
    return np.round(grey * (1 - opacity) + colours * opacity).astype(np.uint8)


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
