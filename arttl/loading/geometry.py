"""Crops: which part of a stored picture becomes the square that a network sees.

Everything random or rounded is computed here, for both engines, in stored pixels; the engines only cut and resample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ATTEMPTS = 10  # of a random-resized crop before it falls back to the middle, as in torchvision
UNIFORMS = 2 * ATTEMPTS + 3  # random numbers per sample: areas, ratios, top, left, flip

# A picture longer than this times its width is trimmed to its middle first: the square comes from there anyway, and a
# scan of 30000 x 1 pixels, resized, would not fit in memory.
_LONGEST = 4


@dataclass(frozen=True)
class Geometry:
    """How N squares are cut: take `source`, resize it to `resized`, cut the square at `offset`.

    Attributes:
        source: [N, 4] int64, top, left, height and width of the used part, in stored pixels.
        resized: [N, 2] int64, height and width of that part after the resize, in output pixels.
        offset: [N, 2] int64, top and left of the square in the resized part.
        flip: [N] bool, whether the square is mirrored left to right.
        reduction: [N] int64, 1, 2, 4 or 8: in a picture decoded at 1/reduction of its size, the part is still at
            least twice as long as the square's side, in each direction. Top and left of `source` are multiples of it.
    """

    source: npt.NDArray[np.int64]
    resized: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    flip: npt.NDArray[np.bool_]
    reduction: npt.NDArray[np.int64]

    def region(self, size: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The same squares, each as a region of the stored picture that is resized to `size` in one step.

        Returns:
            Start and end, each [N, 2] float32: vertical and horizontal, in stored pixels.
        """
        stored_per_output = self.source[:, 2:] / self.resized
        start = self.source[:, :2] + self.offset * stored_per_output
        end = start + size * stored_per_output
        return start.astype(np.float32), end.astype(np.float32)


def centre_geometry(
    sizes: npt.NDArray[np.integer], size: int, resize_to: int, *, squash: bool, reduce: bool = True
) -> Geometry:
    """The evaluation transform: resize, then the square in the middle, rounded as torchvision does.

    Args:
        sizes: [N, 2], height and width of the stored pictures.
        size: side of the square.
        resize_to: the shorter side after the resize (both sides with `squash`), at least `size`.
        squash: whether to distort the picture to a square instead of cropping its longer side.
        reduce: whether pictures may be decoded at a reduced scale; if not, every reduction is 1.
    """
    sizes = sizes.astype(np.int64)
    shorter = sizes.min(axis=1, keepdims=True)
    used = sizes if squash else np.minimum(sizes, _LONGEST * shorter)
    resized = np.full_like(used, resize_to) if squash else resize_to * used // shorter
    offset = np.rint((resized - size) / 2).astype(np.int64)
    source = np.concatenate([(sizes - used) // 2, used], axis=1)
    return _reduced(source, resized, offset, np.zeros(len(sizes), bool), size, reduce)


def random_geometry(
    sizes: npt.NDArray[np.integer],
    size: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    flip: float,
    uniforms: npt.NDArray[np.float64],
    *,
    reduce: bool = True,
) -> Geometry:
    """Random-resized crops (Szegedy et al. 2015, section 6; torchvision's RandomResizedCrop) and mirroring.

    A crop's share of the area is uniform in `scale`, its ratio of width to height log-uniform in `ratio`. Of ten random
    crops the first that fits the picture is taken, else the largest allowed one in the middle.

    Args:
        sizes: [N, 2], height and width of the stored pictures.
        size: side of the square.
        scale: smallest and largest share of the area.
        ratio: smallest and largest ratio of width to height.
        flip: probability of mirroring.
        uniforms: [N, UNIFORMS] in [0, 1).
        reduce: as for `centre_geometry`.
    """
    sizes = sizes.astype(np.int64)
    height, width = sizes[:, :1], sizes[:, 1:]  # [N, 1] each
    areas, ratios, rest = np.split(uniforms, [ATTEMPTS, 2 * ATTEMPTS], axis=1)
    area = height * width * (scale[0] + (scale[1] - scale[0]) * areas)  # [N, ATTEMPTS]
    aspect = np.exp(np.log(ratio[0]) + (np.log(ratio[1]) - np.log(ratio[0])) * ratios)
    limits = sizes[:, None]  # [N, 1, 2]
    attempts = np.rint(np.sqrt(np.stack([area / aspect, area * aspect], axis=2)))  # [N, ATTEMPTS, 2]
    fallback = np.clip(np.rint(np.stack([width / ratio[0], height * ratio[1]], axis=2)), 1, limits)
    parts = np.concatenate([attempts, fallback], axis=1).astype(np.int64)
    fits = ((parts > 0) & (parts <= limits)).all(axis=2)  # the fallback always does
    chosen = fits.argmax(axis=1)
    part = parts[np.arange(len(sizes)), chosen]  # [N, 2]
    corner = np.floor(rest[:, :2] * (sizes - part + 1)).astype(np.int64)
    corner = np.where(chosen[:, None] == ATTEMPTS, (sizes - part) // 2, corner)
    resized = np.full_like(part, size)
    source = np.concatenate([corner, part], axis=1)
    return _reduced(source, resized, np.zeros_like(resized), rest[:, 2] < flip, size, reduce)


def uniform_numbers(
    seed: int, epoch: int, rows: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.float64]:
    """Random numbers that depend only on the seed, the epoch, the row and their column.

    They are therefore the same on any number of ranks, in any batch, with any engine, and after a resume. The generator
    is SplitMix64's finaliser (Steele, Lea and Flood 2014) over a counter.

    Args:
        seed: at least 0.
        epoch: at least 0.
        rows: [N] int64.
        count: numbers per row.

    Returns:
        [N, count] float64 in [0, 1).
    """
    stream = _scramble(_scramble(np.uint64(seed)) + np.uint64(epoch))
    streams = _scramble(_scramble(stream + rows.astype(np.uint64)))  # [N]
    steps = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
    return (_scramble(streams[:, None] + steps) >> np.uint64(11)) * 2.0**-53


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _scramble(state: npt.NDArray[np.uint64] | np.uint64) -> npt.NDArray[np.uint64]:
    z = (
        np.atleast_1d(np.asarray(state, dtype=np.uint64)) + _GOLDEN
    )  # arrays wrap around silently, scalars warn
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _reduced(
    source: npt.NDArray[np.int64],
    resized: npt.NDArray[np.int64],
    offset: npt.NDArray[np.int64],
    flip: npt.NDArray[np.bool_],
    size: int,
    reduce: bool,
) -> Geometry:
    """Add the reduction, and move the source to the pixel grid of the reduced decode."""
    reduction = np.ones(len(source), dtype=np.int64)
    for candidate in (2, 4, 8) if reduce else ():
        reduction[(source[:, 2:] >= 2 * candidate * size).all(axis=1)] = candidate
    source = source.copy()
    source[:, :2] -= source[:, :2] % reduction[:, None]
    return Geometry(source, resized, offset, flip, reduction)
