"""The strongest part of a map, as a box in the pixels of the picture or canvas that was mapped."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from arttl.exchange.values import Region
from arttl.explain.overlay import Heat
from arttl.loading import Preprocess

Box = tuple[int, int, int, int]  # left, top, right and bottom; the last two are behind the last cell

# Maps of single pixels are frayed: they are smoothed as `contour` does it, by this share of the longer side.
_SMOOTHED = 1 / 50
_MOST_DISTORTED = 0.01
_WITH_CORNERS = np.ones((3, 3))


def strongest_box(heat: Heat, mass: float) -> Box | None:
    """The box around the strongest part of a map.

    Of the map, smoothed over a fiftieth of its longer side, the strongest cells are taken that together hold `mass` of
    its sum (a cell as strong as the weakest of these is taken too). They form connected parts, by edges or corners; the
    box is the smallest one around the part with the largest sum.

    Args:
        heat: [h, w], finite, at least 0.
        mass: share of the sum, above 0 and below 1.

    Returns:
        In cells; None for a map of zeros.
    """
    values = ndimage.gaussian_filter(
        np.asarray(heat, np.float64), max(heat.shape) * _SMOOTHED, mode="nearest"
    )
    descending = np.sort(values, axis=None)[::-1]
    sums = np.cumsum(descending)
    if not sums[-1] > 0:
        return None
    weakest = descending[min(int(np.searchsorted(sums, mass * sums[-1])), len(sums) - 1)]
    parts, count = ndimage.label(values >= weakest, _WITH_CORNERS)
    of_parts = ndimage.sum_labels(values, parts, range(1, count + 1))
    rows, columns = ndimage.find_objects(parts)[int(np.argmax(of_parts))]
    return columns.start, rows.start, columns.stop, rows.stop


def same_proportions(picture: Sequence[int], target: Sequence[int]) -> bool:
    """Whether a picture and a target show the same, going by their sizes: 1% apart at most, beside rounded sides.

    Args:
        picture: width and height.
        target: likewise.
    """
    difference = abs(target[0] * picture[1] - target[1] * picture[0])
    # Each of the four sides may have been rounded by half a unit.
    return difference <= _MOST_DISTORTED * target[1] * picture[0] + sum((*picture, *target)) / 2


def region_on(
    target: Sequence[int], picture: Sequence[int], preprocess: Preprocess, shape: Sequence[int], box: Box
) -> Region:
    """A box of a map on the target that shows the same as the picture.

    Args:
        target: width and height, in the region's unit.
        picture: width and height of the picture, upright, that was preprocessed.
        preprocess: the evaluation transform, which resizes and crops it.
        shape: height and width of the map, which covers the preprocessed square.
        box: of it.

    Returns:
        The smallest region of whole units that holds the box; it does not leave the target.
    """
    geometry = preprocess.geometry(np.array([[picture[1], picture[0]]]))
    start, end = (
        ends[0].astype(np.float64) for ends in geometry.region(preprocess.size)
    )  # vertical, horizontal

    def on_target(first: int, last: int, axis: int) -> tuple[int, int]:
        cell = (end[axis] - start[axis]) / shape[axis]
        length = target[1 - axis]
        units = length / picture[1 - axis]
        low, high = ((start[axis] + position * cell) * units for position in (first, last))
        begin = min(max(math.floor(low + _ROUNDING), 0), length - 1)
        return begin, min(max(math.ceil(high - _ROUNDING), begin + 1), length)

    left, right = on_target(box[0], box[2], 1)
    top, bottom = on_target(box[1], box[3], 0)
    return Region(left, top, right - left, bottom - top)


_ROUNDING = 1e-3  # of a unit, since geometries are in single precision
