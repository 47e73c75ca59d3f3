"""Pictures scaled down, by the compiled kernel with Pillow's arithmetic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from arttl.compiled import kernels

_BICUBIC = 2  # `Filter` in csrc/cpu/resample_weights.h
_REDUCING_GAP = 2.0


def resized(picture: Image.Image, size: tuple[int, int], box: tuple[float, float]) -> Image.Image:
    """A picture through the bicubic filter, antialiased.

    An RGB picture of less than four times the size goes through the compiled kernel: several times as fast as Pillow,
    with the same bytes as its `resize` along the lines and then down the columns, whatever its version. Any other
    goes through Pillow, which first takes the means of whole pixels where the picture is larger than that.

    Args:
        picture: of any mode.
        size: width and height of the result.
        box: width and height of the part that is scaled, from the upper left corner; not always whole pixels.
    """
    if picture.mode == "RGB" and all(b < 2 * _REDUCING_GAP * s for b, s in zip(box, size, strict=True)):
        return Image.fromarray(_resized_rgb(np.asarray(picture), size, box))
    return picture.resize(size, Image.Resampling.BICUBIC, box=(0.0, 0.0, *box), reducing_gap=_REDUCING_GAP)


def _resized_rgb(
    pixels: npt.NDArray[np.uint8], size: tuple[int, int], box: tuple[float, float]
) -> npt.NDArray[np.uint8]:
    """[H, W, 3] to [height, width, 3]."""
    pixels = np.ascontiguousarray(pixels)
    out = np.empty((size[1], size[0], 3), np.uint8)
    kernels().resize_rgb_cpu(
        pixels.ctypes.data, *pixels.shape[:2], box[::-1], _BICUBIC, out.ctypes.data, size[::-1]
    )
    return out
