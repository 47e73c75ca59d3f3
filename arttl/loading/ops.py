"""The torch operator `arttl::crop_resize_normalise`, and the compiled kernel behind it.

It is declared once, with the compiled kernel behind it on the CPU, plain torch on any other device, and a fake
implementation for tracing (`torch.compile`, `torch.export`). The CPU engine calls the kernel itself, from its decoding
threads, outside torch's dispatcher. The compiled module is loaded at the first call.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from arttl.compiled import kernels as kernels
from arttl.loading import _torch_twin as twin

FILTERS = {"nearest": 0, "bilinear": 1, "bicubic": 2}
"""The filters, and their codes (`Filter` in `csrc/cpu/resample_weights.h`)."""
DTYPES = {torch.float32: 0, torch.bfloat16: 2}
"""The types of the result, and their codes (`DType` in `csrc/arithmetic.h`)."""

_library = torch.library.Library("arttl", "FRAGMENT")
_library.define(
    "crop_resize_normalise(Tensor picture, int[4] part, float[2] start, float[2] step, int size, str filter, "
    "bool flip, float[] color, float[3] mean, float[3] std, ScalarType dtype) -> Tensor"
)


def folded(mean: Sequence[float], std: Sequence[float]) -> tuple[list[float], list[float]]:
    """`(value / 255 - mean) / std` as `value * scale + shift`, [3] each."""
    scale = [1 / (255 * s) for s in std]
    return scale, [-m / s for m, s in zip(mean, std, strict=True)]


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
    """`_torch_twin.crop_resize_normalise` by the compiled kernel."""
    _check(picture, part, start, step, size, filter, color, dtype)
    out = torch.empty((size, size, 3), dtype=dtype)
    picture = picture.contiguous()
    kernels().crop_resize_normalise_cpu(
        picture.data_ptr(),
        picture.shape[1],
        list(part),
        list(start),
        list(step),
        FILTERS[filter],
        flip,
        list(color),
        *folded(mean, std),
        out.data_ptr(),
        DTYPES[dtype],
        size,
    )
    return out  # [size, size, 3]


def _check(
    picture: Tensor,
    part: Sequence[int],
    start: Sequence[float],
    step: Sequence[float],
    size: int,
    filter: str,
    color: Sequence[float],
    dtype: torch.dtype,
) -> None:
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


_library.impl("crop_resize_normalise", run_crop_resize_normalise, "CPU")
_library.impl("crop_resize_normalise", twin.crop_resize_normalise, "CompositeExplicitAutograd")


@torch.library.register_fake("arttl::crop_resize_normalise", lib=_library)
def _(
    picture: Tensor,
    part: list[int],
    start: list[float],
    step: list[float],
    size: int,
    filter: str,
    flip: bool,
    color: list[float],
    mean: list[float],
    std: list[float],
    dtype: torch.dtype,
) -> Tensor:
    torch._check(picture.dim() == 3)
    return picture.new_empty((size, size, 3), dtype=dtype)


crop_resize_normalise = torch.ops.arttl.crop_resize_normalise.default
