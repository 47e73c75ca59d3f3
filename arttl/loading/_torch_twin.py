"""The loader's kernel of `csrc/` in plain torch: the same name, arguments and result, on any device.

The tests hold the compiled kernel to it; it also does the work on devices that the compiled module does not serve.
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

    The square's pixel (y, x) is centred at `start + (y + 0.5, x + 0.5) * step` in the picture. Values are cut off
    at 0 and 255 after each of the two passes, the vertical one first; they are not rounded.

    Args:
        picture: [H, W, 3] uint8.
        part: top, left, bottom, right: nothing outside is read.
        start: vertical and horizontal, in pixels of the picture; so is `step`.
        step: see `start`.
        size: side of the square.
        filter: `nearest`, `bilinear` or `bicubic`, as Pillow's of that name.
        flip: whether the square is mirrored left to right.
        color: [3, 4] as twelve numbers: each new channel's weights of red, green and blue, and what is added; the
            result is cut off at 0 and 255. Empty: colours stay.
        mean: of each channel, on the scale of 0 to 1; so is `std`.
        std: see `mean`.
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
    places = torch.arange(length, dtype=torch.float64)  # [length]
    if filter == "nearest":  # Pillow adds the centres up, and ties fall by the sum's rounding
        steps = torch.full((size, 1), step, dtype=torch.float64)
        steps[0] = start + 0.5 * step
        centre = steps.cumsum(0)
        return (places == centre.floor().clamp(0, length - 1)).double()
    scale, reach = max(step, 1.0), {"bilinear": 1.0, "bicubic": 2.0}[filter]
    first = (centre - reach * scale + 0.5).floor().clamp(0, length - 1)
    end = torch.maximum((centre + reach * scale + 0.5).floor().clamp(max=length), first + 1)
    x = ((places + 0.5 - centre) / scale).abs()
    if filter == "bilinear":
        weights = (1 - x).clamp(min=0)
    else:  # Keys 1981, a = -0.5
        near = (1.5 * x - 2.5) * x * x + 1
        far = ((x - 5) * x + 8) * -0.5 * x + 2
        weights = torch.where(x < 1, near, torch.where(x < 2, far, 0.0))
    weights = torch.where((places >= first) & (places < end), weights, 0.0)
    return weights / weights.sum(1, keepdim=True)
