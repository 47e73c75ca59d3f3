"""From a decoded picture to the normalised square, for the CPU engine and for single pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from arttl.loading.geometry import Geometry

# The operators beneath torch.nn.functional.interpolate(antialias=True), which takes either sizes or scales;
# here both are given. Bytes in, bytes out, on one core.
_RESIZE = {
    "bilinear": torch.ops.aten._upsample_bilinear2d_aa.default,
    "bicubic": torch.ops.aten._upsample_bicubic2d_aa.default,
}


def cut_square(
    picture: npt.NDArray[np.uint8], geometry: Geometry, index: int, size: int, filter: str, reduction: int
) -> npt.NDArray[np.uint8]:
    """Crop, resize with antialias, cut and mirror one picture.

    Args:
        picture: [H, W, 3], the whole picture, decoded at one over `reduction` of its stored size, rounded up.
        geometry: of several pictures, in stored pixels.
        index: which of them this is.
        size: side of the square.
        filter: `bilinear` or `bicubic`, as Pillow's and torchvision's of that name.
        reduction: a divisor of the geometry's.

    Returns:
        [size, size, 3].
    """
    top, left, height, width = geometry.source[index].tolist()
    resized_height, resized_width = geometry.resized[index].tolist()
    offset_top, offset_left = geometry.offset[index].tolist()
    bottom, right = -(-(top + height) // reduction), -(-(left + width) // reduction)
    part = torch.from_numpy(picture[top // reduction : bottom, left // reduction : right])
    # The scale is that of the stored picture. Taken from the decoded size, which is rounded up, the square
    # would come out shifted by up to a quarter of a pixel: one grey level on a scan of 2000 pixels, measured.
    resized = _RESIZE[filter](
        part.permute(2, 0, 1)[None],
        [offset_top + size, offset_left + size],  # nothing right of or below the square
        False,
        resized_height * reduction / height,
        resized_width * reduction / width,
    )
    square = resized[0].permute(1, 2, 0).numpy()[offset_top:, offset_left:]  # [size, size, 3]
    return np.take(square, np.arange(size)[::-1], axis=1) if geometry.flip[index] else square


def normalise(
    square: npt.NDArray[np.uint8],
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    out: npt.NDArray[np.float32],
) -> None:
    """(value / 255 - mean) / std for each channel.

    Args:
        square: [S, S, 3].
        mean: of each channel, on the scale of 0 to 1.
        std: likewise.
        out: [S, S, 3], contiguous; receives the result.
    """
    side = len(square)
    # Whole lines of interleaved channels keep numpy's inner loops long; three channels at a time is ten times
    # slower.
    lines = out.reshape(side, side * 3)
    lines[...] = square.reshape(side, side * 3)
    lines *= np.tile(np.float32(1) / (255 * np.asarray(std, np.float32)), side)
    lines -= np.tile(np.asarray(mean, np.float32) / np.asarray(std, np.float32), side)
