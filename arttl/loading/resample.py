"""From decoded pictures to normalised squares: the kernel, called with the geometry of stored pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from arttl.compiled import kernels
from arttl.loading.color import ColorChange
from arttl.loading.geometry import Geometry

FILTERS = {"nearest": 0, "bilinear": 1, "bicubic": 2}
"""The filters, and their codes (`Filter` in `csrc/cpu/resample_weights.h`)."""
DTYPES = {torch.float32: 0, torch.bfloat16: 2}
"""The types of the result, and their codes (`DType` in `csrc/arithmetic.h`)."""


@dataclass(frozen=True)
class Cuts:
    """How N squares are cut from decoded pictures, in the kernel's terms.

    Attributes:
        part: [N, 4] int64, top, left, bottom and right of what may be read, in pixels of the decoded picture.
        start: [N, 2] float64, vertical and horizontal position of the square's corner, likewise.
        step: [N, 2] float64, pixels of the decoded picture per pixel of the square, vertically and horizontally.
        flip: [N] bool, whether the square is mirrored left to right.
        color: [N, 12] float32, see `ColorChange.matrices`; [N, 0]: colours stay.
    """

    part: npt.NDArray[np.int64]
    start: npt.NDArray[np.float64]
    step: npt.NDArray[np.float64]
    flip: npt.NDArray[np.bool_]
    color: npt.NDArray[np.float32]


def cuts(geometry: Geometry, color: ColorChange | None = None) -> Cuts:
    """The squares of a geometry, in pictures decoded at 1/reduction of their size, rounded up.

    Args:
        geometry: of N pictures.
        color: of the same pictures; None leaves colours unchanged.
    """
    by = geometry.reduction[:, None]
    corner, sides = geometry.source[:, :2], geometry.source[:, 2:]
    part = np.concatenate([corner // by, -(-(corner + sides) // by)], axis=1)
    # The scale is that of the stored picture. The decoded size is rounded up; a scale taken from it would shift the
    # square by up to a quarter of a pixel (measured: one grey level on a scan of 2000 pixels).
    step = sides / geometry.resized
    start = (corner + geometry.offset * step) / by
    matrices = np.zeros((len(part), 0), np.float32) if color is None else color.matrices().reshape(-1, 12)
    return Cuts(part, start, step / by, geometry.flip, matrices)


class SquareWriter:
    """The kernel with the arguments that all pictures of a loader share; may be called from many threads."""

    def __init__(
        self, size: int, filter: str, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype
    ) -> None:
        self._kernel = kernels().crop_resize_normalise_cpu
        self._size, self._filter, self._dtype = size, FILTERS[filter], DTYPES[dtype]
        # (value / 255 - mean) / std as value * scale + shift.
        self._scale = [1 / (255 * s) for s in std]
        self._shift = [-m / s for m, s in zip(mean, std, strict=True)]

    @property
    def settings(self) -> tuple[int, list[float], list[float], int, int]:
        """Filter, scale, shift, type and size, for the compiled step that reads and decodes as well."""
        return self._filter, self._scale, self._shift, self._dtype, self._size

    def write(self, picture: npt.NDArray[np.uint8], cuts: Cuts, index: int, address: int) -> None:
        """Crop, resize, mirror, recolour and normalise one decoded picture, outside the interpreter lock.

        Args:
            picture: [H, W, 3], contiguous.
            cuts: of several pictures.
            index: of this picture in `cuts`.
            address: of [size, size, 3] in the dtype, contiguous; receives the result.
        """
        height, width, channels = picture.shape
        _, _, bottom, right = part = cuts.part[index].tolist()
        # The kernel does not check its arguments.
        assert channels == 3 and bottom <= height and right <= width, (picture.shape, part)
        assert picture.flags.c_contiguous and picture.dtype == np.uint8
        self._kernel(
            picture.__array_interface__["data"][0],
            width,
            part,
            cuts.start[index].tolist(),
            cuts.step[index].tolist(),
            self._filter,
            bool(cuts.flip[index]),
            cuts.color[index].tolist(),
            self._scale,
            self._shift,
            address,
            self._dtype,
            self._size,
        )
