"""The walk from the deepest map to the image in one kernel, against its plain-torch twin."""

from __future__ import annotations

import re
from typing import ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import close, on_threads, pairs
from torch.utils._python_dispatch import TorchDispatchMode

from arttl.saliency import _torch_twin as twin
from arttl.saliency import ops


@st.composite
def walks(draw: st.DrawFn) -> tuple[list[list[int]], list[int]]:
    """Sizes of maps, from the image on, and the numbers of the steps between them, the deepest first."""
    sizes = [draw(pairs(1, 6))]
    steps: list[int] = []
    levels = draw(st.integers(1, 5))
    for level in range(levels):
        between = draw(st.integers(1, 3))
        for i in range(between):
            size = [draw(st.integers(1, 30)), draw(st.integers(1, 30))]
            multiplies = level < levels - 1 and i == between - 1
            flags = int(multiplies) + 2 * draw(st.booleans())
            steps += [flags, *size, *draw(pairs(1, 5)), *draw(pairs(1, 3)), *draw(pairs(0, 3))]
            if multiplies:
                sizes.insert(0, size)
    return sizes, steps


@settings(max_examples=80, deadline=None)
@given(
    walk=walks(),
    epsilon=st.sampled_from([None, 0.0, 1e-6]),
    images=st.integers(0, 5),
    threads=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 2**16),
)
def test_backproject_equals_twin(walk, epsilon, images, threads, seed):
    """Steps to maps that are larger than the last one are among them."""
    sizes, steps = walk
    generator = torch.Generator().manual_seed(seed)
    means = [torch.rand(images, *size, generator=generator) for size in sizes]
    found = on_threads(threads, ops.backproject, means, steps, epsilon)
    close(found, twin.backproject(means, steps, epsilon), scale=10)


def test_backproject_of_many_images_on_several_threads():
    means = [torch.rand(5, 96, 80), torch.rand(5, 48, 40), torch.rand(5, 48, 40)]
    steps = [1, 48, 40, 3, 3, 1, 1, 1, 1, 1, 96, 80, 2, 2, 2, 2, 0, 0, 0, 192, 160, 7, 7, 2, 2, 3, 3]
    for epsilon in (None, 1e-6):
        close(ops.backproject(means, steps, epsilon), twin.backproject(means, steps, epsilon))


@pytest.mark.parametrize(("count", "width"), [(80, 8192), (81, 4), (1, 8193)])
def test_backprojections_beyond_the_kernels_limits_are_computed_too(count, width):
    means = [torch.rand(1, 2, width)]
    steps = [0, 3, width, 2, 1, 1, 1, 0, 0] * count
    close(ops.backproject(means, steps), twin.backproject(means, steps))


def test_the_twin_takes_no_operation_that_rounds_to_tensorfloat32():
    """Convolutions and matrix products do on a card, as torch's settings allow."""

    class Names(TorchDispatchMode):
        names: ClassVar[set[str]] = set()

        def __torch_dispatch__(self, function, types, arguments=(), options=None):
            self.names.add(str(function))
            return function(*arguments, **(options or {}))

    with Names():
        twin.backproject([torch.rand(1, 6, 8), torch.rand(1, 3, 4)], [1, 6, 8, 3, 3, 2, 2, 1, 1], 1e-6)
    assert any("sum" in name for name in Names.names)
    assert not [name for name in Names.names if re.search("conv|mm|matmul|einsum|linear", name)]
