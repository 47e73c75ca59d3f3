"""The torch operator `arttl::crop_resize_normalise`, and the compiled kernel that it runs.

The operator is declared once. On the CPU it runs the compiled kernel, on any other device plain torch, and for tracing
(`torch.compile`, `torch.export`) it has a fake implementation. The CPU engine calls the kernel directly, from its
decoding threads, outside torch's dispatcher. The compiled module is loaded at the first call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from arttl.loading import _torch_twin as twin
from arttl.loading.resample import DTYPES, FILTERS, Cuts, SquareWriter

_library = torch.library.Library("arttl", "FRAGMENT")
_library.define(
    "crop_resize_normalise(Tensor picture, int[4] part, float[2] start, float[2] step, int size, str filter, "
    "bool flip, float[] color, float[3] mean, float[3] std, ScalarType dtype) -> Tensor"
)


def run_crop_resize_normalise(
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
    """`_torch_twin.crop_resize_normalise`, computed by the compiled kernel.

    Raises:
        ValueError: for arguments that the kernel does not support.
    """
    if picture.dim() != 3 or picture.shape[2] != 3 or picture.dtype != torch.uint8:
        raise ValueError(f"a picture is [H, W, 3] uint8, not {list(picture.shape)} {picture.dtype}")
    if filter not in FILTERS or dtype not in DTYPES or size < 1:
        raise ValueError(f"no square of side {size} in {dtype} by the filter {filter!r}")
    if len(color) not in (0, 12):
        raise ValueError(f"a change of colours has 12 numbers, or none, not {len(color)}")
    for axis in (0, 1):
        begin, end = part[axis], part[axis + 2]
        first, last = start[axis], start[axis] + size * step[axis]
        if not (0 <= begin < end <= picture.shape[axis] and begin - 1 <= first < last <= end + 1):
            raise ValueError(
                f"the part {list(part)} or the square at {list(start)}, step {list(step)}, lies outside the picture"
            )
    square = torch.empty((size, size, 3), dtype=dtype)
    cuts = Cuts(
        np.array([part]), np.array([start]), np.array([step]), np.array([flip]), np.array([color], np.float32)
    )
    writer = SquareWriter(size, filter, mean, std, dtype)
    writer.write(picture.contiguous().numpy(), cuts, 0, square.data_ptr())
    return square  # [size, size, 3]


_library.impl("crop_resize_normalise", run_crop_resize_normalise, "CPU")
_library.impl("crop_resize_normalise", twin.crop_resize_normalise, "CompositeExplicitAutograd")


@torch.library.register_fake("arttl::crop_resize_normalise", lib=_library)
def _(picture: Tensor, *arguments: Any) -> Tensor:
    _part, _start, _step, size, *_, dtype = arguments
    torch._check(picture.dim() == 3)
    return picture.new_empty((size, size, 3), dtype=dtype)


crop_resize_normalise = torch.ops.arttl.crop_resize_normalise.default
