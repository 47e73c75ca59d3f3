"""The loader's kernel of `csrc/` in plain torch: the same name, arguments and result, on any device.

The tests compare the compiled kernel with it; it also runs on devices that the compiled module does not support.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def crop_resize_normalise(
    picture: Tensor,
    part: Sequence[int],
    start: Sequence[float],
    step: Sequence[float],
    size: int,
    filter: str,
    flip: bool,
    color: Sequence[float],
    mean: Sequence[float],
    std: Sequence[float],
    dtype: torch.dtype,
) -> Tensor:
    """A square of a picture, resized with antialias as Pillow does it, mirrored, recoloured and normalised.

    The square's pixel (y, x) is centred at `start + (y + 0.5, x + 0.5) * step` in the picture. Values are clipped to 0
    to 255 after each of the two passes, the vertical one first; they are not rounded.

    Args:
        picture: [H, W, 3] uint8.
        part: top, left, bottom, right: nothing outside is read.
        start, step: vertical and horizontal, in pixels of the picture.
        size: side of the square.
        filter: `nearest`, `bilinear` or `bicubic`, as Pillow's of that name.
        flip: whether the square is mirrored left to right.
        color: [3, 4] as twelve numbers: each new channel's weights of red, green and blue, and its offset; the result
            is clipped to 0 to 255. Empty: colours stay.
        mean, std: of each channel, on the scale of 0 to 1.
        dtype: of the result.

    Returns:
        [size, size, 3], `(value / 255 - mean) / std`.
    """
    top, left, bottom, right = part
    values = picture[top:bottom, left:right].double()  # [h, w, 3]
    down = _weights(bottom - top, start[0] - top, step[0], size, filter).to(values)  # [size, h]
    across = _weights(right - left, start[1] - left, step[1], size, filter).to(values)  # [size, w]
    lines = torch.einsum("yh,hwc->ywc", down, values).clamp(0, 255)
    square = torch.einsum("xw,ywc->yxc", across, lines).clamp(0, 255)  # [size, size, 3]
    if flip:
        square = square.flip(1)
    if len(color):
        matrix = torch.tensor(color, dtype=torch.float64).reshape(3, 4).to(values)
        square = (square @ matrix[:, :3].T + matrix[:, 3]).clamp(0, 255)
    mean_, std_ = (torch.tensor(colour, dtype=torch.float64).to(values) for colour in (mean, std))
    return ((square / 255 - mean_) / std_).to(dtype)


def _weights(length: int, start: float, step: float, size: int, filter: str) -> Tensor:
    """[size, length] float64; Pillow's `precompute_coeffs`, and its nearest neighbour."""
    centre = start + (torch.arange(size, dtype=torch.float64)[:, None] + 0.5) * step  # [size, 1]
    positions = torch.arange(length, dtype=torch.float64)  # [length]
    if filter == "nearest":  # Pillow accumulates the centres, and the rounding of the sums decides ties
        steps = torch.full((size, 1), step, dtype=torch.float64)
        steps[0] = start + 0.5 * step
        centre = steps.cumsum(0)
        return (positions == centre.floor().clamp(0, length - 1)).double()
    scale, reach = max(step, 1.0), {"bilinear": 1.0, "bicubic": 2.0}[filter]
    first = (centre - reach * scale + 0.5).floor().clamp(0, length - 1)
    end = torch.maximum((centre + reach * scale + 0.5).floor().clamp(max=length), first + 1)
    x = ((positions + 0.5 - centre) / scale).abs()
    if filter == "bilinear":
        weights = (1 - x).clamp(min=0)
    else:  # Keys 1981, a = -0.5
        near = (1.5 * x - 2.5) * x * x + 1
        far = ((x - 5) * x + 8) * -0.5 * x + 2
        weights = torch.where(x < 1, near, torch.where(x < 2, far, 0.0))
    weights = torch.where((positions >= first) & (positions < end), weights, 0.0)
    return weights / weights.sum(1, keepdim=True)
