"""How far a layer looks: the kernel, stride and padding of convolutions and pooling, and the steps back through them.

A step back is an all-ones transposed convolution (`arttl::upsample_multiply`): position y of the shallower map sums the
positions i of the deeper map with `0 <= y + padding - i * stride < kernel`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

Size = tuple[int, int]  # of the vertical axis, of the horizontal one


@dataclass(frozen=True)
class Layer:
    """The window of a convolution or pooling layer, per axis."""

    kernel: Size
    """Its extent, dilation included."""
    stride: Size
    padding: Size | None
    """Before the first pixel; None for TensorFlow's `same`, which depends on the size of the input."""
    rounds_up: bool = False
    """Whether a last, incomplete window counts (the `ceil_mode` of pooling)."""

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
        """The step back from this layer's output to its input of `size`."""
        if self.padding is not None:
            return Step(size, self.kernel, self.stride, self.padding)
        padding = _pairwise(_same_padding, self.output_size(size), size, self.kernel, self.stride)
        return Step(size, self.kernel, self.stride, padding)


@dataclass(frozen=True)
class Step:
    """One all-ones transposed convolution: to which size, with which kernel, stride and padding."""

    size: Size
    kernel: Size = (1, 1)
    stride: Size = (1, 1)
    padding: Size = (0, 0)


def layer_of(module: nn.Module) -> Layer | None:
    """The window of a module, or None if it works on each pixel by itself."""
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
        layer = Layer((size, size), (stride, stride), _pair(module.padding[0]))  # type: ignore[index]
    else:
        return None
    return None if layer.kernel == layer.stride == (1, 1) and layer.padding in ((0, 0), None) else layer


def steps_through(layers: Sequence[Layer], size: Size) -> tuple[list[Step], Size]:
    """The steps back through a chain of layers.

    Two layers that each look along another axis (1x7 and 7x1) make one step, which is the same sum.

    Args:
        layers: from the shallowest to the deepest.
        size: of the input of the first.

    Returns:
        The steps in the order of the layers (take them backwards), and the size of the last layer's output.
    """
    steps: list[Step] = []
    for layer in layers:
        step = layer.step(size)
        steps.append(step)
        if len(steps) > 1 and (merged := _merged(steps[-2], step)):
            steps[-2:] = [merged]
        size = layer.output_size(size)
    return steps, size


def step_between(shallow: Size, deep: Size) -> Step:
    """A step back that knows nothing but the two sizes.

    Where the sizes differ by a factor s, each output pixel sums the two nearest deep ones on each axis: a kernel
    of 2s, stride s, centred. A kernel of s would show blocks, and one of 2s - 1 a chequerboard. The kernel is larger
    where that would not reach the edge, as for the few pixels that an unpadded convolution takes off (s = 1).
    """
    stride = _pairwise(lambda n, m: max(1, round(n / m)), shallow, deep)
    kernel = _pairwise(lambda n, m, s: max(2 * s if s > 1 else 1, n - (m - 1) * s), shallow, deep, stride)
    return Step(shallow, kernel, stride, _pairwise(_same_padding, deep, shallow, kernel, stride))


def published_steps(shallow: Size, deep: Size) -> list[Step]:
    """The steps back of the code published with Sabatelli et al. (2018): a kernel of 3 and a stride of 2.

    That code takes one such step where two maps differ in size, with TensorFlow's `same` padding, and fails unless
    the one is exactly twice the other. Here a larger ratio takes several, and sizes that differ by less, as those
    around an unpadded convolution do, a kernel of 3 and a stride of 1.

    Returns:
        The steps in forward order (take them backwards); none where the sizes are equal.
    """
    steps: list[Step] = []
    while deep != shallow:
        axes = [_published_axis(*axis) for axis in zip(deep, shallow, strict=True)]
        deep, kernel, stride, padding = zip(*axes, strict=True)
        steps.append(Step(deep, kernel, stride, padding))
    return steps[::-1]


def _published_axis(deep: int, shallow: int) -> tuple[int, int, int, int]:
    """The size reached, the kernel, the stride and the padding of the next step on one axis."""
    if deep == shallow:
        return deep, 1, 1, 0
    if shallow >= 2 * deep - 1:
        size = shallow if shallow <= 2 * deep + 1 else 2 * deep
        return size, 3, 2, _same_padding(deep, size, 3, 2)
    size = min(shallow, deep + 2)
    return size, 3, 1, _same_padding(deep, size, 3, 1)


def _same_padding(deep: int, shallow: int, kernel: int, stride: int) -> int:
    """The padding before the first pixel that TensorFlow's `same` gives."""
    return max((deep - 1) * stride + kernel - shallow, 0) // 2


def _merged(first: Step, second: Step) -> Step | None:
    """One step for two in a row, if on each axis one of them does nothing."""
    axes = []
    for a, b in zip(_axes(first), _axes(second), strict=True):
        if a != (1, 1, 0) and b != (1, 1, 0):
            return None
        axes.append(b if a == (1, 1, 0) else a)
    (ky, sy, py), (kx, sx, px) = axes
    return Step(first.size, (ky, kx), (sy, sx), (py, px))


def _axes(step: Step) -> list[tuple[int, int, int]]:
    return list(zip(step.kernel, step.stride, step.padding, strict=True))


def _pair(value: object) -> Size:
    if isinstance(value, int):
        return value, value
    first, second = map(int, value)  # type: ignore[call-overload]
    return first, second


def _pairwise(function: Callable[..., int], *pairs: Size) -> Size:
    vertical, horizontal = (function(*axis) for axis in zip(*pairs, strict=True))
    return vertical, horizontal
