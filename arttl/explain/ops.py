"""The torch operators `arttl::channel_mean`, `arttl::upsample_multiply` and `arttl::minmax_normalise`.

Each is declared once, with the compiled kernel behind it on the CPU and on CUDA devices, plain torch on any other
device, and a fake implementation for tracing (`torch.compile`, `torch.export`). They are for inference: an input that
requires a gradient, with gradients enabled, is an error. The compiled module is loaded at the first call.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from arttl.errors import ArttlError
from arttl.explain import _torch_twin as twin

DTYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}
"""The types `channel_mean` reads, and their codes (`DType` in `csrc/arithmetic.h`)."""

_library = torch.library.Library("arttl", "DEF")
_library.define("channel_mean(Tensor x, bool rectify) -> Tensor")
_library.define(
    "upsample_multiply(Tensor deep, Tensor? deep_peak, Tensor? shallow, SymInt[2] size, SymInt[2] kernel, "
    "SymInt[2] stride, SymInt[2] padding) -> (Tensor, Tensor)"
)
_library.define("minmax_normalise(Tensor maps, float epsilon) -> Tensor")


@functools.cache
def kernels() -> Any:
    """The compiled module.

    Raises:
        ArttlError: if it is not there.
    """
    try:
        from arttl import _kernels
    except ImportError as error:
        raise ArttlError(
            f"the compiled module arttl._kernels does not load ({error}): install arttl with a C++ compiler at hand, "
            "`pip install .` in its folder"
        ) from error
    return _kernels


@functools.cache
def _has_cuda_kernels() -> bool:
    if hasattr(kernels(), "channel_mean_cuda"):
        return True
    warnings.warn(
        "arttl._kernels was built without CUDA, so plain torch computes the maps on this device: install arttl where "
        "nvcc is found for the compiled kernels",
        stacklevel=2,
    )
    return False


def _is_served(device: torch.device) -> bool:
    return device.type == "cpu" or _has_cuda_kernels()


def _launch(name: str, device: torch.device, *arguments: Any) -> None:
    """Run a kernel on torch's threads, or on the device's current stream."""
    if device.type == "cpu":
        getattr(kernels(), f"{name}_cpu")(*arguments, torch.get_num_threads())
    else:
        stream = torch.cuda.current_stream(device).cuda_stream
        getattr(kernels(), f"{name}_cuda")(*arguments, device.index, stream)


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _refuse_gradients(*tensors: Tensor | None) -> None:
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        raise ArttlError(
            "the arttl:: operators have no gradient: call them under torch.no_grad() or detach their inputs"
        )


def _as_map(name: str, tensor: Tensor, shape: Sequence[int], device: torch.device) -> Tensor:
    if list(tensor.shape) != list(shape) or tensor.dtype != torch.float32 or tensor.device != device:
        raise ValueError(
            f"{name} must be float32 {list(shape)} on {device}, "
            f"not {tensor.dtype} {list(tensor.shape)} on {tensor.device}"
        )
    return tensor.contiguous()


def _channel_mean(x: Tensor, rectify: bool) -> Tensor:
    _refuse_gradients(x)
    if x.dim() != 4 or x.dtype not in DTYPES or x.shape[1] == 0:
        raise ValueError(
            f"x must be [N, C, H, W] of float32, float16 or bfloat16, not {x.dtype} {list(x.shape)}"
        )
    if not _is_served(x.device):
        return twin.channel_mean(x, rectify)
    n, c, h, w = x.shape
    channels_last = not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
    if not channels_last:
        x = x.contiguous()
    out = torch.empty((n, h, w), dtype=torch.float32, device=x.device)
    arrays = (x.data_ptr(), out.data_ptr())
    _launch("channel_mean", x.device, *arrays, DTYPES[x.dtype], channels_last, n, c, h * w, rectify)
    return out  # [N, H, W]


def _upsample_multiply(
    deep: Tensor,
    deep_peak: Tensor | None,
    shallow: Tensor | None,
    size: list[int],
    kernel: list[int],
    stride: list[int],
    padding: list[int],
) -> tuple[Tensor, Tensor]:
    _refuse_gradients(deep, deep_peak, shallow)
    if deep.dim() != 3:
        raise ValueError(f"deep must be [N, h, w], not {list(deep.shape)}")
    if min(size) < 1 or min(kernel) < 1 or min(stride) < 1 or min(padding) < 0:
        raise ValueError(
            f"no transposed convolution to {size} has kernel {kernel}, stride {stride}, padding {padding}"
        )
    n, h, w = deep.shape
    deep = _as_map("deep", deep, (n, h, w), deep.device)
    if deep_peak is not None:
        deep_peak = _as_map("deep_peak", deep_peak, (n,), deep.device)
    if shallow is not None:
        shallow = _as_map("shallow", shallow, (n, *size), deep.device)
    if not _is_served(deep.device):
        return twin.upsample_multiply(deep, deep_peak, shallow, size, kernel, stride, padding)
    out = torch.empty((n, *size), dtype=torch.float32, device=deep.device)
    peak = torch.empty(n, dtype=torch.float32, device=deep.device)
    arrays = (deep.data_ptr(), _address(deep_peak), _address(shallow), out.data_ptr(), peak.data_ptr())
    _launch("upsample_multiply", deep.device, *arrays, n, (h, w), size, kernel, stride, padding)
    return out, peak  # [N, H, W], [N]


def _minmax_normalise(maps: Tensor, epsilon: float) -> Tensor:
    _refuse_gradients(maps)
    if maps.dim() != 3:
        raise ValueError(f"maps must be [N, H, W], not {list(maps.shape)}")
    maps = _as_map("maps", maps, maps.shape, maps.device)
    if not _is_served(maps.device):
        return twin.minmax_normalise(maps, epsilon)
    n, h, w = maps.shape
    out = torch.empty_like(maps)
    scratch = torch.empty((2, n), dtype=torch.int32, device=maps.device)
    arrays = (maps.data_ptr(), out.data_ptr(), scratch.data_ptr())
    _launch("minmax_normalise", maps.device, *arrays, n, h * w, epsilon)
    return out  # [N, H, W]


for _name, _served in (
    ("channel_mean", _channel_mean),
    ("upsample_multiply", _upsample_multiply),
    ("minmax_normalise", _minmax_normalise),
):
    _library.impl(_name, _served, "CPU")
    _library.impl(_name, _served, "CUDA")
    _library.impl(_name, getattr(twin, _name), "CompositeExplicitAutograd")


@torch.library.register_fake("arttl::channel_mean", lib=_library)
def _(x: Tensor, rectify: bool) -> Tensor:
    torch._check(x.dim() == 4)
    return x.new_empty((x.shape[0], x.shape[2], x.shape[3]), dtype=torch.float32)


@torch.library.register_fake("arttl::upsample_multiply", lib=_library)
def _(
    deep: Tensor,
    deep_peak: Tensor | None,
    shallow: Tensor | None,
    size: list[int],
    kernel: list[int],
    stride: list[int],
    padding: list[int],
) -> tuple[Tensor, Tensor]:
    torch._check(deep.dim() == 3)
    return deep.new_empty((deep.shape[0], *size)), deep.new_empty(deep.shape[0])


@torch.library.register_fake("arttl::minmax_normalise", lib=_library)
def _(maps: Tensor, epsilon: float) -> Tensor:
    torch._check(maps.dim() == 3)
    return torch.empty_like(maps, memory_format=torch.contiguous_format)


channel_mean = torch.ops.arttl.channel_mean.default
upsample_multiply = torch.ops.arttl.upsample_multiply.default
minmax_normalise = torch.ops.arttl.minmax_normalise.default
