"""The torch operators `arttl::channel_mean`, `upsample_multiply`, `minmax_normalise`, `backproject`, `class_evidence`.

Each is implemented by the compiled kernel on the CPU, by plain torch on any other device, and by a fake implementation
for tracing (`torch.compile`, `torch.export`). Those that a map is made of, `channel_mean`, `class_evidence` and
`backproject`, have CUDA kernels as well. They are for inference: an input that requires a gradient, with gradients
enabled, is an error.
The compiled module is loaded at the first call.

`run_channel_mean` and the other `run_` functions do the same without torch's dispatcher, which takes 5 to 20 µs to pass
a call and its lists of sizes to Python, more than the kernels need for the maps of one picture.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from arttl.compiled import kernels as kernels
from arttl.errors import ArttlError
from arttl.saliency import _torch_twin as twin

DTYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}
"""The types `channel_mean` reads, and their codes (`DType` in `csrc/arithmetic.h`)."""

_LARGEST = 2**24
"""Of a size, kernel, stride or padding, in pixels, and of a number of channels."""

_library = torch.library.Library("arttl", "DEF")
_library.define("channel_mean(Tensor x, bool rectify) -> Tensor")
_library.define(
    "upsample_multiply(Tensor deep, Tensor? deep_peak, Tensor? shallow, SymInt[2] size, SymInt[2] kernel, "
    "SymInt[2] stride, SymInt[2] padding, bool average=False) -> (Tensor, Tensor)"
)
_library.define("minmax_normalise(Tensor maps, float epsilon) -> Tensor")
_library.define("class_evidence(Tensor logits, Tensor classes, Tensor? against) -> Tensor")
_library.define("backproject(Tensor[] means, SymInt[] steps, float? epsilon=None) -> Tensor")


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
    return device.type == "cpu" or (device.type == "cuda" and _has_cuda_kernels())


def _launch(name: str, device: torch.device, *arguments: Any) -> None:
    """Run a kernel on torch's threads, or on the device's current stream."""
    if device.type == "cpu":
        getattr(kernels(), name + "_cpu")(*arguments, torch.get_num_threads())
    else:
        stream = torch.cuda.current_stream(device).cuda_stream
        getattr(kernels(), name + "_cuda")(*arguments, device.index, stream)


def _refuse_gradients() -> ArttlError:
    return ArttlError(
        "the arttl:: operators have no gradient: call them under torch.no_grad() or detach their inputs"
    )


def _as_map(name: str, tensor: Tensor, shape: tuple[int, ...], device: torch.device) -> Tensor:
    if tensor.shape != shape or tensor.dtype != torch.float32 or tensor.device != device:
        raise ValueError(
            f"{name} must be float32 {list(shape)} on {device}, "
            f"not {tensor.dtype} {list(tensor.shape)} on {tensor.device}"
        )
    if tensor.requires_grad and torch.is_grad_enabled():
        raise _refuse_gradients()
    return tensor.contiguous()


def _check_windows(rows: Sequence[Sequence[int]]) -> None:
    """Check sizes, kernels, strides and paddings, two each; the kernels compute with them in 32 bits, unchecked."""
    for row in rows:
        if min(row[:6]) < 1 or min(row[6:]) < 0 or max(row) > _LARGEST:
            size, kernel, stride, padding = (list(row[i : i + 2]) for i in range(0, 8, 2))
            raise ValueError(
                f"no transposed convolution to {size} has kernel {kernel}, stride {stride}, padding {padding}"
            )


def run_channel_mean(x: Tensor, rectify: bool) -> Tensor:
    """`_torch_twin.channel_mean` by the compiled kernel."""
    if x.requires_grad and torch.is_grad_enabled():
        raise _refuse_gradients()
    dtype, shape = DTYPES.get(x.dtype), x.shape
    if len(shape) != 4 or dtype is None or not 0 < shape[1] <= _LARGEST:
        raise ValueError(
            f"x must be [N, C, H, W] of float32, float16 or bfloat16, with 1 to {_LARGEST} channels, "
            f"not {x.dtype} {list(x.shape)}"
        )
    device = x.device
    if not _is_served(device):
        return twin.channel_mean(x, rectify)
    n, c, h, w = shape
    channels_last = False
    if not x.is_contiguous():
        channels_last = x.is_contiguous(memory_format=torch.channels_last)
        if not channels_last:
            x = x.contiguous()
    out = x.new_empty((n, h, w), dtype=torch.float32)
    _launch("channel_mean", device, x.data_ptr(), out.data_ptr(), dtype, channels_last, n, c, h * w, rectify)
    return out  # [N, H, W]


def run_upsample_multiply(
    deep: Tensor,
    deep_peak: Tensor | None,
    shallow: Tensor | None,
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    average: bool = False,
) -> tuple[Tensor, Tensor]:
    """`_torch_twin.upsample_multiply` by the compiled kernel."""
    if deep.dim() != 3:
        raise ValueError(f"deep must be [N, h, w], not {list(deep.shape)}")
    _check_windows([[*size, *kernel, *stride, *padding]])
    n, h, w = deep.shape
    device = deep.device
    deep = _as_map("deep", deep, (n, h, w), device)
    if deep_peak is not None:
        deep_peak = _as_map("deep_peak", deep_peak, (n,), device)
    if shallow is not None:
        shallow = _as_map("shallow", shallow, (n, *size), device)
    if device.type != "cpu":
        return twin.upsample_multiply(deep, deep_peak, shallow, size, kernel, stride, padding, average)
    out, peak = deep.new_empty((n, *size)), deep.new_empty((n,))
    arrays = [0 if array is None else array.data_ptr() for array in (deep, deep_peak, shallow, out, peak)]
    window = (size, kernel, stride, padding)
    _launch("upsample_multiply", device, *arrays, n, (h, w), *window, average)
    return out, peak  # [N, H, W], [N]


def run_minmax_normalise(maps: Tensor, epsilon: float) -> Tensor:
    """`_torch_twin.minmax_normalise` by the compiled kernel."""
    if maps.dim() != 3:
        raise ValueError(f"maps must be [N, H, W], not {list(maps.shape)}")
    device = maps.device
    maps = _as_map("maps", maps, maps.shape, device)
    if device.type != "cpu":
        return twin.minmax_normalise(maps, epsilon)
    n, h, w = maps.shape
    out = torch.empty_like(maps)
    scratch = maps.new_empty((2, n), dtype=torch.int32)
    arrays = (maps.data_ptr(), out.data_ptr(), scratch.data_ptr())
    _launch("minmax_normalise", device, *arrays, n, h * w, epsilon)
    return out  # [N, H, W]


def run_backproject(means: Sequence[Tensor], steps: Sequence[int], epsilon: float | None = None) -> Tensor:
    """`_torch_twin.backproject` by the compiled kernels, in one call of the compiled module."""
    rows = twin.rows_of(steps)
    if not means or not rows or len(steps) % 9 or means[0].dim() != 3:
        raise ValueError(f"backproject needs maps [N, h, w] and steps of nine numbers, not {list(steps)}")
    _check_windows([row[1:] for row in rows])
    if not all(0 <= row[0] <= twin.MULTIPLIES | twin.AVERAGES for row in rows):
        raise ValueError(
            f"the first number of a step is the sum of its flags, not {[row[0] for row in rows]}"
        )
    device, images = means[0].device, means[0].shape[0]
    # The sizes of the maps, from the deepest on; only that of the deepest is in none of the steps.
    sizes = [means[-1].shape[1:], *(row[1:3] for row in rows if row[0] & twin.MULTIPLIES)]
    if len(sizes) != len(means):
        raise ValueError(f"the steps are for {len(sizes)} maps, not {len(means)}")
    means = [
        _as_map("a mean", mean, (images, *size), device)
        for mean, size in zip(means, reversed(sizes), strict=True)
    ]
    height, width = rows[-1][1:3]
    if not _is_served(device) or _is_too_large(sizes[0], rows):
        return twin.backproject(means, steps, epsilon)
    pixels = height * width
    out = means[0].new_empty((images, height, width))
    together = min(images, torch.get_num_threads()) if device.type == "cpu" else images
    workspace = means[0].new_empty((together, pixels + 4 if epsilon is None else 2 * pixels + 4))
    outputs = workspace.data_ptr(), out.data_ptr()
    _launch(
        "backproject",
        device,
        [m.data_ptr() for m in means],
        steps,
        tuple(sizes[0]),
        epsilon,
        *outputs,
        images,
    )
    return out  # [N, H, W]


def _is_too_large(deepest: Sequence[int], rows: Sequence[Sequence[int]]) -> bool:
    """Whether a backprojection is beyond what `csrc/kernels.h` says that the kernels have room for.

    No picture and network is near these limits but for layers that pad by more than they crop, whose maps may be
    larger than a small picture.
    """
    module = kernels()
    sizes = [deepest, *(row[1:3] for row in rows)]
    pixels = [height * width for height, width in sizes]
    return (
        len(rows) > module.MOST_STEPS
        or max(pixels) > min(pixels[-1], module.MOST_PIXELS)
        or max(width for _, width in sizes[:-1]) > module.WIDEST_MAP
    )


def run_class_evidence(logits: Tensor, classes: Tensor, against: Tensor | None) -> Tensor:
    """`_torch_twin.class_evidence` by the compiled kernel."""
    if logits.dim() != 3 or logits.shape[1] == 0:
        raise ValueError(f"logits must be [N, Q, P] with at least one output, not {list(logits.shape)}")
    n, q, p = logits.shape
    device = logits.device
    logits = _as_map("logits", logits, (n, q, p), device)
    classes = _as_classes("classes", classes, (n, q), device)
    if against is not None:
        against = _as_classes("against", against, (n, q), device)
    if not _is_served(device):
        return twin.class_evidence(logits, classes, against)
    out = logits.new_empty((n, p))
    arrays = [0 if array is None else array.data_ptr() for array in (logits, classes, against, out)]
    _launch("class_evidence", device, *arrays, n, q, p)
    return out  # [N, P]


def _as_classes(name: str, classes: Tensor, shape: tuple[int, int], device: torch.device) -> Tensor:
    """Indices [N] below Q, of `shape` (N, Q); on a GPU their values are not looked at, which would wait for it."""
    n, q = shape
    if classes.shape != (n,) or classes.dtype != torch.int64 or classes.device != device:
        raise ValueError(
            f"{name} must be int64 [{n}] on {device}, not {classes.dtype} {list(classes.shape)} on {classes.device}"
        )
    if device.type == "cpu" and n and not 0 <= int(classes.min()) <= int(classes.max()) < q:
        raise ValueError(f"{name} must be from 0 to {q - 1}, not {classes.tolist()}")
    return classes.contiguous()


for _run in (
    run_channel_mean,
    run_upsample_multiply,
    run_minmax_normalise,
    run_class_evidence,
    run_backproject,
):
    _name = _run.__name__.removeprefix("run_")
    _library.impl(_name, _run, "CPU")
    _library.impl(_name, _run, "CUDA")
    _library.impl(_name, getattr(twin, _name), "CompositeExplicitAutograd")


@torch.library.register_fake("arttl::channel_mean", lib=_library)
def _(x: Tensor, rectify: bool) -> Tensor:
    torch._check(x.dim() == 4)
    return x.new_empty((x.shape[0], x.shape[2], x.shape[3]), dtype=torch.float32)


@torch.library.register_fake("arttl::upsample_multiply", lib=_library)
def _(
    deep: Tensor, deep_peak: Tensor | None, shallow: Tensor | None, size: list[int], *window: list[int] | bool
) -> tuple[Tensor, Tensor]:
    torch._check(deep.dim() == 3)
    return deep.new_empty((deep.shape[0], *size)), deep.new_empty(deep.shape[0])


@torch.library.register_fake("arttl::minmax_normalise", lib=_library)
def _(maps: Tensor, epsilon: float) -> Tensor:
    torch._check(maps.dim() == 3)
    return torch.empty_like(maps, memory_format=torch.contiguous_format)


@torch.library.register_fake("arttl::class_evidence", lib=_library)
def _(logits: Tensor, classes: Tensor, against: Tensor | None) -> Tensor:
    torch._check(logits.dim() == 3)
    return logits.new_empty((logits.shape[0], logits.shape[2]))


@torch.library.register_fake("arttl::backproject", lib=_library)
def _(means: list[Tensor], steps: list[int], epsilon: float | None = None) -> Tensor:
    torch._check(len(means) > 0 and len(steps) > 0)
    return means[0].new_empty((means[0].shape[0], *twin.rows_of(steps)[-1][1:3]))


channel_mean = torch.ops.arttl.channel_mean.default
upsample_multiply = torch.ops.arttl.upsample_multiply.default
minmax_normalise = torch.ops.arttl.minmax_normalise.default
class_evidence = torch.ops.arttl.class_evidence.default
backproject = torch.ops.arttl.backproject.default
