"""Pictures that come row by row, reduced by the means of whole pixels before all of their rows are there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from arttl.compiled import kernels
from arttl.pictures.resizing import capped, reduction

_LAB_SIGNS = np.array([0, 128, 128], np.uint8)  # the last two of CIELab are signed outside of Pillow
_PREMULTIPLIED = {"RGBA": "RGBa", "LA": "La"}  # whose means are those of what is seen


@dataclass(frozen=True, slots=True)
class AllowedScale:
    """How small a picture may be decoded.

    Attributes:
        cover: where above 0, a version of the picture that its file offers (a JPEG at 1/2, 1/4 or 1/8 of its size, a
            level of a pyramid, a resolution of JPEG 2000) may be decoded, as long as its longest side stays at least
            this long.
        max_side: where above 0, the means of whole pixels may be taken, by as many as `resized` would to this longest
            side.
    """

    cover: int = 0
    max_side: int = 0

    def factors(self, size: tuple[int, int], full: tuple[int, int] | None = None) -> tuple[int, int]:
        """How many pixels across and down become one.

        Args:
            size: width and height of what is decoded.
            full: those of the whole picture, where that is larger.
        """
        return reduction(size, capped(*(full or size), self.max_side))


FULL_SCALE = AllowedScale()


class Reducer:
    """The means of boxes of pixels, from rows of samples: those of `Image.reduce` of the whole picture, to the bit."""

    def __init__(self, factors: tuple[int, int]) -> None:
        self._along, self._down = factors
        self._means: list[npt.NDArray[np.uint8]] = []
        self._pending: npt.NDArray[np.uint8] | None = None  # rows of a box whose other rows are still to come

    def add(self, rows: npt.NDArray[np.uint8]) -> None:
        """Take the next rows.

        Args:
            rows: [h, W, C] of at most four channels. Its pixels lie side by side, samples one byte or two apart.
        """
        if self._pending is not None:
            missing = self._down - len(self._pending)
            box = np.concatenate([self._pending, rows[:missing]])
            self._pending = box if len(box) < self._down else None
            if self._pending is None:
                self._reduce(box)
            rows = rows[missing:]
        complete = len(rows) - len(rows) % self._down
        if complete:
            self._reduce(rows[:complete])
        if complete < len(rows):
            self._pending = rows[complete:].copy()

    def means(self) -> npt.NDArray[np.uint8]:
        """Of all rows [ceil(H / down), ceil(W / along), C]."""
        if self._pending is not None:
            self._reduce(self._pending)
            self._pending = None
        return np.concatenate(self._means)

    def _reduce(self, rows: npt.NDArray[np.uint8]) -> None:
        height, width, channels = rows.shape
        stride, pixel, step = rows.strides
        if pixel != channels * step or step not in (1, 2):
            rows, stride, step = np.ascontiguousarray(rows), width * channels, 1
        out = np.empty((-(-height // self._down), -(-width // self._along), channels), np.uint8)
        kernels().box_means_cpu(
            address(rows), rows.shape, stride, step, (self._down, self._along), address(out)
        )
        self._means.append(out)


class PictureReducer:
    """A `Reducer` of pictures, each of which has the next rows, in the modes of `to_eight_bit`."""

    def __init__(self, factors: tuple[int, int]) -> None:
        self._reducer = Reducer(factors)
        self._mode = ""

    def add(self, picture: Image.Image) -> None:
        """Take the next rows."""
        if self._mode not in ("", picture.mode):
            raise ValueError(f"parts of the picture are {self._mode} and {picture.mode}")
        self._mode = picture.mode
        rows = np.asarray(picture.convert(_PREMULTIPLIED.get(picture.mode, picture.mode)))
        rows = rows.reshape(picture.height, picture.width, -1)
        self._reducer.add(rows ^ _LAB_SIGNS if picture.mode == "LAB" else rows)

    def picture(self) -> Image.Image:
        """The whole, in the mode of its parts."""
        means = self._reducer.means()
        return picture_of(means ^ _LAB_SIGNS if self._mode == "LAB" else means, self._mode)


def picture_of(means: npt.NDArray[np.uint8], mode: str) -> Image.Image:
    """Means [h, w, C] as a picture; where the mode has alpha, they are of premultiplied colours."""
    size = means.shape[1::-1]
    return Image.frombytes(_PREMULTIPLIED.get(mode, mode), size, means.tobytes()).convert(mode)


def extended(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A picture with its last column and row repeated, where it has less than this width and height."""
    missing = [(0, max(0, least - side)) for least, side in zip(size, picture.size, strict=True)]
    if not any(count for _, count in missing):
        return picture
    pixels = np.asarray(picture).reshape(picture.height, picture.width, -1)
    padded = np.pad(pixels, (missing[1], missing[0], (0, 0)), "edge")
    return Image.frombytes(picture.mode, padded.shape[1::-1], padded.tobytes())


def address(array: npt.NDArray[np.uint8]) -> int:
    """Of its first element."""
    return int(array.__array_interface__["data"][0])
