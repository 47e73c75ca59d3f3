"""The windows of layers (kernel, stride and padding of convolutions and pooling), and the backprojection through them.

A backprojection step is an all-ones transposed convolution (`arttl::upsample_multiply`): position y of the shallower
map sums the positions i of the deeper map with `0 <= y + padding - i * stride < kernel`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from arttl.errors import ArttlError

Size = tuple[int, int]  # vertical, horizontal
_IDENTITY = (1, 1, 0)  # kernel, stride and padding


@dataclass(frozen=True)
class Layer:
    """The window of a convolution or pooling layer, per axis."""

    kernel: Size
    """Its extent, dilation included."""
    stride: Size
    padding: Size | None
    """Before the first pixel; None for TensorFlow's `same`, which depends on the input size."""
    rounds_up: bool = False
    """Whether an incomplete last window counts (`ceil_mode` of pooling)."""

    def output_size(self, size: Size) -> Size:
        """The size of the layer's output for an input of `size`."""
        if self.padding is None:
            return _pairwise(lambda n, s: -(-n // s), size, self.stride)
        return _pairwise(self._windows, size, self.kernel, self.stride, self.padding)

    def _windows(self, n: int, kernel: int, stride: int, padding: int) -> int:
        room = n + 2 * padding - kernel
        if not self.rounds_up:
            return room // stride + 1
        count = -(-room // stride) + 1
        return count - 1 if (count - 1) * stride >= n + padding else count

    def step(self, size: Size) -> Step:
        """The backprojection step from this layer's output to its input of `size`."""
        if self.padding is not None:
            return Step(size, self.kernel, self.stride, self.padding)
        padding = _pairwise(_same_padding, self.output_size(size), size, self.kernel, self.stride)
        return Step(size, self.kernel, self.stride, padding)


@dataclass(frozen=True)
class Step:
    """An all-ones transposed convolution: its output size, kernel, stride and padding."""

    size: Size
    kernel: Size = (1, 1)
    stride: Size = (1, 1)
    padding: Size = (0, 0)


def layer_of(module: nn.Module) -> Layer | None:
    """The window of a module, or None if it is pointwise or neither a convolution nor a pool."""
    same = type(module).__name__.endswith("Same")  # timm's ports of TensorFlow's layers
    if isinstance(module, nn.Conv2d):
        kernel = _pairwise(lambda k, d: (k - 1) * d + 1, _pair(module.kernel_size), _pair(module.dilation))
        if isinstance(module.padding, str):
            padding = None if module.padding == "same" else (0, 0)
        else:
            padding = None if same else _pair(module.padding)
        layer = Layer(kernel, _pair(module.stride), padding)
    elif isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        padding = None if same else _pair(module.padding)
        layer = Layer(_pair(module.kernel_size), _pair(module.stride), padding, bool(module.ceil_mode))
    elif type(module).__name__ == "BlurPool2d":  # timm's; its padding is one list of the four sides
        size, stride = int(module.filt_size), int(module.stride)  # type: ignore[arg-type]
        layer = Layer(_pair(size), _pair(stride), _pair(module.padding[0]))  # type: ignore[index]
    else:
        return None
    return None if layer.kernel == layer.stride == (1, 1) and layer.padding in ((0, 0), None) else layer


def steps_through(layers: Sequence[Layer], size: Size) -> tuple[list[Step], Size]:
    """The backprojection steps through a chain of layers.

    Two layers along different axes (1x7 and 7x1) are merged into one step, which is the same sum.

    Args:
        layers: from the shallowest to the deepest.
        size: of the input of the first.

    Returns:
        The steps in the order of the layers (to be taken in reverse), and the size of the last layer's output.
    """
    steps: list[Step] = []
    for layer in layers:
        steps.append(layer.step(size))
        if len(steps) > 1 and (merged := _merged(*steps[-2:])):
            steps[-2:] = [merged]
        size = layer.output_size(size)
    return steps, size


def step_between(shallow: Size, deep: Size) -> Step:
    """A backprojection step from the two sizes alone.

    Where the sizes differ by a factor s, each output pixel sums the two nearest deep ones on each axis: a kernel
    of 2s, stride s, centred. A kernel of s would show blocks, and one of 2s - 1 a chequerboard. The kernel is larger
    where that would not reach the edge, as for the few pixels that an unpadded convolution crops (s = 1).
    """
    stride = _pairwise(lambda n, m: max(1, round(n / m)), shallow, deep)
    kernel = _pairwise(lambda n, m, s: max(2 * s if s > 1 else 1, n - (m - 1) * s), shallow, deep, stride)
    return Step(shallow, kernel, stride, _pairwise(_same_padding, deep, shallow, kernel, stride))


def published_steps(shallow: Size, deep: Size) -> list[Step]:
    """The backprojection steps of the code published with Sabatelli et al. (2018): a kernel of 3 and a stride of 2.

    That code takes one such step where two maps differ in size, with TensorFlow's `same` padding, and fails unless
    one is exactly twice the other. Here a larger ratio takes several steps, and sizes that differ by less, as
    around an unpadded convolution, take a kernel of 3 and a stride of 1.

    Returns:
        The steps in forward order (to be taken in reverse); none where the sizes are equal.
    """
    steps: list[Step] = []
    while deep != shallow:
        axes = [_published_axis(*axis) for axis in zip(deep, shallow, strict=True)]
        deep, kernel, stride, padding = zip(*axes, strict=True)
        steps.append(Step(deep, kernel, stride, padding))
    return steps[::-1]


def _published_axis(deep: int, shallow: int) -> tuple[int, int, int, int]:
    """The next step on one axis: the size it leads to, its kernel, stride and padding."""
    if deep == shallow:
        return deep, 1, 1, 0
    if shallow >= 2 * deep - 1:
        size, stride = shallow if shallow <= 2 * deep + 1 else 2 * deep, 2
    else:
        size, stride = min(shallow, deep + 2), 1
    return size, 3, stride, _same_padding(deep, size, 3, stride)


def _same_padding(deep: int, shallow: int, kernel: int, stride: int) -> int:
    """The padding before the first pixel under TensorFlow's `same`."""
    return max((deep - 1) * stride + kernel - shallow, 0) // 2


def _merged(first: Step, second: Step) -> Step | None:
    """Two consecutive steps as one, if on each axis one of them is the identity."""
    windows = []
    axes = (zip(step.kernel, step.stride, step.padding, strict=True) for step in (first, second))
    for on_axis in zip(*axes, strict=True):
        if _IDENTITY not in on_axis:
            return None
        windows.append(max(on_axis))  # the identity is the smallest
    kernel, stride, padding = zip(*windows, strict=True)
    return Step(first.size, kernel, stride, padding)


def _pair(value: object) -> Size:
    if isinstance(value, int):
        return value, value
    first, second = map(int, value)  # type: ignore[call-overload]
    return first, second


def _pairwise(function: Callable[..., int], *pairs: Size) -> Size:
    vertical, horizontal = (function(*axis) for axis in zip(*pairs, strict=True))
    return vertical, horizontal


def token_grid(count: int, image: Size) -> Size:
    """Rows and columns of a picture's patches.

    Args:
        count: of the patches.
        image: height and width of the picture.

    Raises:
        ArttlError: if they are not the patches of such a picture.
    """
    rows = max(1, round(math.sqrt(count * image[0] / image[1])))
    columns = round(rows * image[1] / image[0])
    if rows * columns != count:
        raise ArttlError(f"{count} tokens are not the patches of a picture of {image[1]} x {image[0]} px")
    return rows, columns
