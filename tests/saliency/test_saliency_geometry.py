"""Windows of layers and the steps back through them, against what torch's own layers do."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from timm.layers import BlurPool2d, create_conv2d, create_pool2d
from torch import Tensor, nn

from arttl.saliency import _torch_twin as twin
from arttl.saliency.geometry import (
    Layer,
    Step,
    layer_of,
    published_steps,
    step_between,
    steps_through,
)


def seen_by_ones(layer: nn.Module, x: Tensor) -> Tensor:
    """A convolution of ones over the windows of a layer, written with torch's own functions."""
    if isinstance(layer, nn.Conv2d):
        ones = torch.ones(1, 1, *layer.kernel_size, dtype=x.dtype)
        return F.conv2d(x, ones, None, layer.stride, layer.padding)
    padding = layer.padding if isinstance(layer.padding, tuple) else (layer.padding, layer.padding)
    x = F.pad(x, (padding[1], padding[1] + layer.stride[1], padding[0], padding[0] + layer.stride[0]))
    return F.avg_pool2d(x, layer.kernel_size, layer.stride, divisor_override=1)


def pulled_back(layers: list[nn.Module], deep: Tensor, size: tuple[int, int]) -> Tensor:
    """The transposes of all-ones layers, by automatic differentiation in double precision."""
    x = torch.zeros(1, 1, *size, dtype=torch.float64, requires_grad=True)
    y = x
    for layer in layers:
        y = seen_by_ones(layer, y)
        if not isinstance(layer, nn.Conv2d):
            height, width = layer(torch.zeros(1, 1, *_sizes_before(layers, layer, size))).shape[2:]
            y = y[..., :height, :width]
    (gradient,) = torch.autograd.grad(y, x, deep.double()[:, None])
    return gradient[:, 0]


def _sizes_before(layers: list[nn.Module], until: nn.Module, size: tuple[int, int]) -> tuple[int, int]:
    for layer in layers:
        if layer is until:
            break
        size = tuple(layer(torch.zeros(1, 1, *size)).shape[2:])
    return size


def backprojected(steps: list[Step], deep: Tensor) -> Tensor:
    for step in reversed(steps):
        deep, _ = twin.upsample_multiply(deep, None, None, step.size, step.kernel, step.stride, step.padding)
    return deep


@st.composite
def layers(draw: st.DrawFn) -> nn.Module:
    kernel = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    if draw(st.booleans()):
        padding = (draw(st.integers(0, 3)), draw(st.integers(0, 3)))
        return nn.Conv2d(1, 1, kernel, stride, padding)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    return nn.MaxPool2d(kernel, stride, padding, ceil_mode=draw(st.booleans()))


@settings(max_examples=80, deadline=None)
@given(
    chain=st.lists(layers(), min_size=1, max_size=3), size=st.tuples(st.integers(4, 20), st.integers(4, 20))
)
def test_steps_are_the_transposes_of_ones(chain, size):
    """Through any chain of convolutions and pools: odd sizes, rounding up, and rows that no window reaches."""
    try:
        y = torch.zeros(1, 1, *size)
        for layer in chain:
            y = layer(y)
    except RuntimeError:
        assume(False)
    steps, reached = steps_through([found for layer in chain if (found := layer_of(layer))], size)
    assert reached == y.shape[2:]
    torch.manual_seed(0)
    deep = torch.rand(1, *reached)
    expected = pulled_back(chain, deep, size).float()
    torch.testing.assert_close(backprojected(steps, deep) if steps else deep, expected)


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(1, 1, 3, dilation=2, padding=2),
        nn.Conv2d(1, 1, 5, padding="same"),
        nn.Conv2d(1, 1, 5, padding="valid", stride=2),
        create_conv2d(1, 1, 3, stride=2, padding="same"),  # timm's Conv2dSame
        create_conv2d(1, 1, 5, stride=2, padding="same"),
        create_pool2d("max", 3, 2, padding="same"),
        create_pool2d("avg", 3, 2, padding="same"),
        nn.AvgPool2d(2),
        nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False),
        nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        BlurPool2d(1, filt_size=3, stride=2),
    ],
    ids=lambda module: type(module).__name__,
)
@pytest.mark.parametrize("size", [(8, 8), (9, 13), (16, 7)])
def test_sizes_and_windows_of_real_layers(module, size):
    layer = layer_of(module)
    assert layer is not None
    module = module.double()
    for parameter in module.parameters():
        nn.init.ones_(parameter)
    x = torch.rand(1, 1, *size, dtype=torch.float64, requires_grad=True)
    y = module(x)
    assert layer.output_size(size) == y.shape[2:]
    # The pixels that a step back reaches from one output are those that the output depends on.
    step = layer.step(size)
    middle = (y.shape[2] // 2, y.shape[3] // 2)
    deep = torch.zeros(1, *y.shape[2:])
    deep[0, middle[0], middle[1]] = 1
    reached = backprojected([step], deep)[0] > 0
    (gradient,) = torch.autograd.grad(y[0, 0, middle[0], middle[1]], x)
    touched = gradient[0, 0] != 0
    assert (reached | ~touched).all()
    if isinstance(module, nn.Conv2d) and module.dilation == (1, 1):
        assert torch.equal(reached, touched)


def test_layers_that_see_one_pixel_are_no_steps():
    assert layer_of(nn.Conv2d(3, 8, 1)) is None
    assert layer_of(nn.ReLU()) is None
    assert layer_of(nn.Conv2d(3, 8, 1, stride=2)) == Layer((1, 1), (2, 2), (0, 0))


def test_crossed_kernels_make_one_step():
    chain = [Layer((1, 7), (1, 1), (0, 3)), Layer((7, 1), (1, 1), (3, 0))]
    assert steps_through(chain, (17, 17)) == ([Step((17, 17), (7, 7), (1, 1), (3, 3))], (17, 17))
    three = [Layer((3, 3), (1, 1), (1, 1))] * 2
    assert len(steps_through(three, (9, 9))[0]) == 2


@settings(max_examples=40, deadline=None)
@given(deep=st.integers(2, 12), factor=st.integers(2, 16))
def test_a_step_by_sizes_covers_the_inside_evenly(deep, factor):
    size = (deep * factor, deep * factor)
    covered = backprojected([step_between(size, (deep, deep))], torch.ones(1, deep, deep))[0]
    assert tuple(covered.shape) == size and covered.amin() >= 1
    inside = covered[factor:-factor, factor:-factor]
    assert inside.numel() == 0 or (inside == 4).all()


@settings(max_examples=60, deadline=None)
@given(shallow=st.integers(1, 60), deep=st.integers(1, 60))
def test_a_step_by_sizes_reaches_every_pixel(shallow, deep):
    assume(deep <= shallow)
    step = step_between((shallow, shallow), (deep, deep))
    assert backprojected([step], torch.ones(1, deep, deep)).amin() >= 1


def test_a_step_between_equal_sizes_changes_nothing():
    deep = torch.rand(1, 5, 7)
    assert torch.equal(backprojected([step_between((5, 7), (5, 7))], deep), deep)


@settings(max_examples=40, deadline=None)
@given(shallow=st.integers(1, 80), deep=st.integers(1, 80))
def test_published_steps_end_at_the_size(shallow, deep):
    assume(deep <= shallow)
    steps = published_steps((shallow, shallow), (deep, deep))
    assert (steps[0].size if steps else (deep, deep)) == (shallow, shallow)
    assert backprojected(steps, torch.ones(1, deep, deep)).amin() >= 1


def test_a_published_step_to_the_double_size_is_tensorflows():
    # same padding of a 3x3 stride 2 convolution on an even size: none before, one after
    assert published_steps((8, 8), (4, 4)) == [Step((8, 8), (3, 3), (2, 2), (0, 0))]
    assert published_steps((7, 7), (4, 4)) == [Step((7, 7), (3, 3), (2, 2), (1, 1))]
    assert published_steps((149, 149), (147, 147)) == [Step((149, 149), (3, 3), (1, 1), (0, 0))]
    assert [step.size for step in published_steps((32, 32), (8, 8))] == [(32, 32), (16, 16)]
