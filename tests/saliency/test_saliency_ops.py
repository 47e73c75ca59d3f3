"""The compiled kernels against their plain-torch twins, and the operators against torch's own checks."""

from __future__ import annotations

import ctypes
import math
import re
import sys
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from arttl import _kernels
from arttl.errors import ArttlError
from arttl.saliency import _torch_twin as twin
from arttl.saliency import ops, visual_backprop

DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def close(actual: Tensor, expected: Tensor, scale: float = 1.0) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5 * scale)


def on_threads(threads: int, operator: Callable[..., Any], *arguments: object) -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return operator(*arguments)
    finally:
        torch.set_num_threads(before)


def spread(x: Tensor) -> Tensor:
    """The same numbers with gaps between them, and NaN in the gaps."""
    gaps = torch.full_like(x, torch.nan)
    return torch.stack([x, gaps], dim=-1).flatten(-2)[..., ::2]


@st.composite
def pairs(draw: st.DrawFn, low: int, high: int) -> list[int]:
    return [draw(st.integers(low, high)), draw(st.integers(low, high))]


@settings(max_examples=150, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 70), st.integers(1, 30), st.integers(1, 90)),
    dtype=st.sampled_from(DTYPES),
    layout=st.sampled_from(["contiguous", "channels_last", "strided"]),
    rectify=st.booleans(),
    threads=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 2**16),
)
def test_channel_mean_equals_twin(shape, dtype, layout, rectify, threads, seed):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    if layout == "channels_last":
        x = x.to(memory_format=torch.channels_last)
    elif layout == "strided":
        x = spread(x)
    found = on_threads(threads, ops.channel_mean, x, rectify)
    assert found.dtype == torch.float32 and found.is_contiguous()
    close(found, twin.channel_mean(x, rectify))
    exact = x.double().clamp(min=0) if rectify else x.double()
    close(found, exact.mean(dim=1).float())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", DTYPES)
def test_channel_mean_of_large_maps_on_several_threads(dtype, layout):
    x = torch.randn(2, 67, 113, 97).to(dtype).to(memory_format=layout)
    close(ops.channel_mean(x, True), twin.channel_mean(x, True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [False, True])
def test_every_half_precision_number_is_read_right(dtype, channels_last):
    numbers = torch.arange(-(2**15), 2**15, dtype=torch.int16).view(dtype).reshape(1, 1, 256, 256)
    x = numbers.expand(1, 16, 256, 256).contiguous()
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    expected = numbers[0].float()
    expected[expected.abs() > 2e37] = torch.nan  # sums of sixteen would overflow
    found = ops.channel_mean(x, False).where(~expected.isnan(), torch.nan)
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(ops.channel_mean(x, False).isnan(), twin.channel_mean(x, False).isnan())


def test_channel_mean_keeps_nan_when_it_rectifies():
    x = torch.ones(1, 32, 2, 2)
    x[0, 3, 0, 1] = torch.nan
    for layout in (torch.contiguous_format, torch.channels_last):
        found = ops.channel_mean(x.to(memory_format=layout), True)
        assert found.isnan().tolist() == [[[False, True], [False, False]]]


def upsampled(deep, peak, shallow, size, kernel, stride, padding, average):
    """By the definition and in float64: each deep pixel is added to the window that it covers, and counted."""
    images, height, width = deep.shape
    output = torch.zeros(images, *size, dtype=torch.float64)
    counts = torch.zeros(*size, dtype=torch.float64)
    for i in range(height):
        for j in range(width):
            top, left = i * stride[0] - padding[0], j * stride[1] - padding[1]
            rows = slice(max(top, 0), max(top + kernel[0], 0))
            columns = slice(max(left, 0), max(left + kernel[1], 0))
            output[:, rows, columns] += deep[:, i, j].double()[:, None, None]
            counts[rows, columns] += 1
    if average:
        output /= counts.clamp(min=1)
    if peak is not None:
        output *= (2.0 ** -(torch.frexp(peak.double()).exponent - 1).double())[:, None, None]
    return (output if shallow is None else output * shallow.double()).float()


@settings(max_examples=200, deadline=None)
@given(
    images=st.integers(0, 3),
    deep_size=pairs(1, 12),
    size=pairs(1, 70),
    kernel=pairs(1, 9),
    stride=pairs(1, 5),
    padding=pairs(0, 6),
    with_shallow=st.booleans(),
    exponent=st.sampled_from([None, 0, -120, -60, 60, 120]),
    average=st.booleans(),
    strided=st.booleans(),
    threads=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 2**16),
)
def test_upsample_multiply_equals_twin(
    images, deep_size, size, kernel, stride, padding, with_shallow, exponent, average, strided, threads, seed
):
    generator = torch.Generator().manual_seed(seed)
    deep = torch.randn(images, *deep_size, generator=generator) * 2.0 ** (exponent or 0)
    peak = None if exponent is None else deep.abs().amax((1, 2))
    shallow = torch.randn(images, *size, generator=generator) if with_shallow else None
    window = (size, kernel, stride, padding, average)
    given = [spread(maps) if strided and maps is not None else maps for maps in (deep, peak, shallow)]
    found, found_peak = on_threads(threads, ops.upsample_multiply, *given, *window)
    expected, expected_peak = twin.upsample_multiply(deep, peak, shallow, *window)
    close(found, expected, scale=10)
    close(found_peak, expected_peak, scale=10)
    close(found, upsampled(deep, peak, shallow, *window), scale=10)
    assert torch.equal(found_peak, found.abs().amax((1, 2)))


def test_upsample_multiply_of_a_large_map_on_several_threads():
    deep, shallow = torch.rand(1, 112, 100), torch.rand(1, 224, 199)
    arguments = (deep, deep.amax((1, 2)), shallow, [224, 199], [7, 7], [2, 2], [3, 3])
    for found, expected in zip(
        ops.upsample_multiply(*arguments), twin.upsample_multiply(*arguments), strict=True
    ):
        close(found, expected)


@pytest.mark.parametrize("exponent", [-149, -140, -126, -3, 0, 5, 126, 127])
def test_rescaling_brings_the_peak_near_one(exponent):
    deep = torch.full((1, 1, 1), 2.0) ** exponent
    found, _ = ops.upsample_multiply(deep, deep.flatten(), None, [1, 1], [1, 1], [1, 1], [0, 0])
    assert 2.0**-24 < found.item() < 4
    assert found.item() == 2.0 ** round(torch.log2(found).item())  # nothing but the exponent changed
    if -126 <= exponent <= 126:
        assert found.item() == 1


@settings(max_examples=100, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 4), st.integers(1, 40), st.integers(1, 40)),
    epsilon=st.sampled_from([0.0, 1e-6]),
    offset=st.sampled_from([0.0, -3.0, 100.0]),
    strided=st.booleans(),
    threads=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 2**16),
)
def test_minmax_normalise_equals_twin(shape, epsilon, offset, strided, threads, seed):
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) + offset
    found = on_threads(threads, ops.minmax_normalise, spread(maps) if strided else maps, epsilon)
    close(found, twin.minmax_normalise(maps, epsilon))
    low, high = maps.double().amin((1, 2), keepdim=True), maps.double().amax((1, 2), keepdim=True)
    close(found, ((maps - low) / (high - low + epsilon)).nan_to_num(0.0).float())


def test_minmax_normalise_on_several_threads_finds_extremes_anywhere():
    maps = torch.rand(1, 300, 300)
    for place, value in ((0, -7.0), (-1, 9.0)):
        maps.view(-1)[place] = value
    found = ops.minmax_normalise(maps, 0.0)
    assert found.view(-1)[0] == 0 and found.view(-1)[-1] == 1
    close(found, (maps + 7) / 16)


def test_minmax_normalise_of_a_constant_map_is_zero_and_of_a_nan_is_nan():
    maps = torch.stack([torch.full((3, 3), 5.0), torch.arange(9.0).view(3, 3), torch.zeros(3, 3)])
    maps[2, 1, 1] = torch.nan
    found = ops.minmax_normalise(maps, 0.0)
    assert (found[0] == 0).all()
    assert found[1].amax() == 1
    assert found[2].isnan().all()


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


@settings(max_examples=150, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 4), st.integers(1, 9), st.integers(0, 40)),
    with_against=st.booleans(),
    scale=st.sampled_from([0.0, 1.0, 100.0, 1e30]),
    strided=st.booleans(),
    threads=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 2**16),
)
def test_class_evidence_equals_twin(shape, with_against, scale, strided, threads, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=generator) * scale
    classes, against = torch.randint(shape[1], (2, shape[0]), generator=generator)
    rivals = against if with_against else None
    given_logits = spread(logits) if strided else logits
    found = on_threads(threads, ops.class_evidence, given_logits, classes, rivals)
    tolerance = max(1.0, scale)
    close(found, twin.class_evidence(logits, classes, rivals), scale=tolerance)
    close(
        found,
        torch.from_numpy(evidence_of(logits.double().numpy(), classes, rivals)).float(),
        scale=tolerance,
    )


def evidence_of(logits, classes, against):
    """In double precision, from the probabilities of a softmax (of one output: of a logistic function)."""
    output = np.zeros((logits.shape[0], logits.shape[2]))
    for image, (own, label) in enumerate(zip(logits, classes.tolist(), strict=True)):
        for pixel, values in enumerate(own.T):
            if against is not None:
                odds = values[label] - values[against[image]]
            elif len(values) == 1:
                odds = values[0]
            else:
                others = np.delete(values, label)
                odds = values[label] - others.max() - math.log(np.exp(others - others.max()).sum())
            output[image, pixel] = max(odds, 0.0)
    return output


def test_class_evidence_is_positive_where_the_class_has_more_than_half():
    logits = torch.tensor([[2.0, 0.0, 1.0], [1.0, 0.0, 3.0], [1.0, 0.1, 1.0]])[None]  # [1, Q, P]
    found = ops.class_evidence(logits, torch.tensor([0]), None)[0]
    share = logits[0].softmax(0)[0]
    assert (found > 0).tolist() == [True, False, False] == (share > 0.5).tolist()
    assert found[0].item() == pytest.approx(math.log(share[0] / (1 - share[0])), abs=1e-6)


@pytest.mark.parametrize("rivals", [None, torch.tensor([2])])
def test_class_evidence_keeps_what_is_not_finite(rivals):
    logits = torch.zeros(1, 3, 4)
    logits[0, 0, 0] = logits[0, 2, 1] = torch.nan
    found = ops.class_evidence(logits, torch.tensor([0]), rivals)[0]
    assert found.isnan().tolist() == [True, True, False, False]


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


def example_calls() -> list[tuple[torch._ops.OpOverload, tuple[object, ...]]]:
    x, deep, shallow = torch.randn(2, 8, 5, 6), torch.rand(2, 3, 4), torch.rand(2, 6, 8)
    geometry = ([6, 8], [3, 3], [2, 2], [1, 1])
    return [
        (ops.channel_mean, (x, True)),
        (ops.channel_mean, (x.to(memory_format=torch.channels_last), False)),
        (ops.channel_mean, (x.bfloat16()[:, ::2], False)),
        (ops.upsample_multiply, (deep, deep.amax((1, 2)), shallow, *geometry)),
        (ops.upsample_multiply, (deep, None, None, *geometry)),
        (ops.upsample_multiply, (deep, None, None, *geometry, True)),
        (ops.minmax_normalise, (shallow, 1e-6)),
        (ops.class_evidence, (torch.randn(2, 5, 12), torch.tensor([4, 0]), None)),
        (ops.class_evidence, (torch.randn(2, 5, 12), torch.tensor([4, 0]), torch.tensor([1, 1]))),
        (ops.backproject, ([shallow, deep], [1, 6, 8, 3, 3, 2, 2, 1, 1, 0, 6, 8, 1, 1, 1, 1, 0, 0])),
    ]


@pytest.mark.parametrize("call", range(len(example_calls())))
def test_opcheck(call):
    operator, arguments = example_calls()[call]
    results = torch.library.opcheck(operator, arguments)
    assert set(results.values()) == {"SUCCESS"}


@pytest.mark.slow
def test_operators_compile_as_one_graph():
    def chain(x: Tensor, y: Tensor) -> Tensor:
        deep = ops.channel_mean(x, True)
        product, peak = ops.upsample_multiply(deep, None, y, y.shape[1:], [3, 3], [2, 2], [1, 1])
        product, _ = ops.upsample_multiply(product, peak, None, y.shape[1:], [3, 3], [1, 1], [1, 1])
        return ops.minmax_normalise(product, 0.0)

    compiled = torch.compile(chain, fullgraph=True, backend="inductor")
    for size in (8, 12):  # the second size makes the shapes dynamic
        x, y = torch.randn(2, 4, size, size), torch.rand(2, 2 * size, 2 * size)
        torch.testing.assert_close(compiled(x, y), chain(x, y))


def test_exports():
    class Chain(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return ops.minmax_normalise(ops.channel_mean(x, True), 0.0)

    x = torch.randn(2, 4, 5, 5)
    exported = torch.export.export(Chain(), (x,))
    assert any(node.target == ops.channel_mean for node in exported.graph.nodes)
    torch.testing.assert_close(exported.module()(x), Chain()(x))


def test_gradients_are_refused_in_one_sentence():
    x = torch.randn(1, 2, 3, 3, requires_grad=True)
    with pytest.raises(ArttlError, match="no gradient"):
        ops.channel_mean(x, False)
    with torch.no_grad():
        assert ops.channel_mean(x, False).shape == (1, 3, 3)


def test_wrong_arrays_are_refused():
    deep = torch.rand(1, 2, 2)
    geometry = ([4, 4], [2, 2], [2, 2], [0, 0])
    with pytest.raises(ValueError, match="shallow must be float32"):
        ops.upsample_multiply(deep, None, torch.rand(1, 4, 5), *geometry)
    with pytest.raises(ValueError, match="deep must be float32"):
        ops.upsample_multiply(deep.double(), None, None, *geometry)
    with pytest.raises(ValueError, match="deep_peak must be float32"):
        ops.upsample_multiply(deep, torch.ones(2), None, *geometry)
    with pytest.raises(ValueError, match="no transposed convolution"):
        ops.upsample_multiply(deep, None, None, [4, 4], [2, 2], [0, 2], [0, 0])
    with pytest.raises(ValueError, match="x must be"):
        ops.channel_mean(torch.rand(1, 2, 3, 3).double(), False)
    with pytest.raises(ValueError, match="maps must be"):
        ops.minmax_normalise(torch.rand(3, 3), 0.0)
    step = [0, 4, 4, 2, 2, 2, 2, 0, 0]
    with pytest.raises(ValueError, match=r"sum of its flags, not \[4\]"):
        ops.backproject([deep], [4, *step[1:]])
    for logits, classes, sentence in [
        (torch.rand(2, 3), torch.tensor([0, 1]), "logits must be"),
        (torch.rand(2, 3, 4), torch.tensor([0]), "classes must be int64"),
        (torch.rand(2, 3, 4), torch.tensor([0, 3]), r"from 0 to 2, not \[0, 3\]"),
        (torch.rand(2, 3, 4), torch.tensor([-1, 2]), "from 0 to 2"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            ops.class_evidence(logits, classes, None)
    with pytest.raises(ValueError, match="needs maps"):
        ops.backproject([deep], [])
    with pytest.raises(ValueError, match="needs maps"):
        ops.backproject([deep], [*step, 0])
    with pytest.raises(ValueError, match=r"no transposed convolution to \[4, 4\] has .* stride \[0, 2\]"):
        ops.backproject([deep], [0, 4, 4, 2, 2, 0, 2, 0, 0])
    with pytest.raises(ValueError, match="the steps are for 1 maps, not 2"):
        ops.backproject([deep, deep], step)
    with pytest.raises(ValueError, match=r"a mean must be float32 \[1, 4, 4\]"):
        ops.backproject([deep, deep], [1, *step[1:]])


ANY_NUMBER = st.sampled_from([-(2**31), -1, 0, 1, 2, 3, 2**20, 2**31 - 1, 2**31, 2**63 - 1])
ANY_MAPS = st.sampled_from(
    [
        torch.ones(shape)
        for shape in ((), (2,), (2, 3), (2, 3, 4), (0, 3, 4), (2, 0, 4), (1, 6, 8), (2, 8, 3, 4))
    ]
    + [torch.ones(2, 3, 4, dtype=torch.float64), torch.ones(2, 3, 4, dtype=torch.int8)]
)


@settings(max_examples=200, deadline=None)
@given(maps=st.tuples(*[ANY_MAPS] * 3), numbers=st.lists(ANY_NUMBER, min_size=0, max_size=10), data=st.data())
def test_any_arguments_are_computed_or_refused(maps, numbers, data):
    """Never an address outside an array; run with the sanitisers as well."""
    window = [(numbers + [2] * 8)[index : index + 2] for index in (0, 2, 4, 6)]
    if data.draw(st.booleans()):
        window[0] = [6, 8]  # not sizes of maps that take all memory
    elif max(window[0]) > 2**20:
        window[0] = [2**20, -1]
    calls = [
        (ops.run_channel_mean, maps[0], True),
        (ops.run_minmax_normalise, maps[0], 0.0),
        (ops.run_upsample_multiply, maps[0], None, maps[1], *window),
        (ops.run_upsample_multiply, maps[0], maps[1], maps[2], *window),
        (ops.run_backproject, maps, [1, *numbers]),
        (
            ops.run_class_evidence,
            maps[0],
            torch.tensor(numbers[: maps[0].shape[0] if maps[0].dim() else 0]),
            None,
        ),
        (ops.run_backproject, [maps[0]], [0, 6, 8, *window[1], *window[2], *window[3]]),
    ]
    for run, *arguments in calls:
        try:
            found = run(*arguments)
        except (ValueError, TypeError, IndexError):
            continue
        assert torch.isfinite(found[0] if isinstance(found, tuple) else found).all()


def test_a_missing_compiled_module_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "arttl._kernels", None)
    monkeypatch.delattr("arttl._kernels", raising=False)
    ops.kernels.cache_clear()
    try:
        with pytest.raises(ArttlError, match=r"arttl\._kernels does not load.*pip install"):
            ops.channel_mean(torch.rand(1, 2, 3, 3), False)
    finally:
        ops.kernels.cache_clear()


def test_without_cuda_in_the_build_plain_torch_serves_a_card(monkeypatch):
    monkeypatch.delattr(_kernels, "channel_mean_cuda", raising=False)
    ops._has_cuda_kernels.cache_clear()
    try:
        with pytest.warns(UserWarning, match="built without CUDA"):
            assert not ops._is_served(torch.device("cuda:0"))
        assert ops._is_served(torch.device("cpu"))
    finally:
        ops._has_cuda_kernels.cache_clear()


@pytest.mark.parametrize(("kernel", "output"), [("channel_mean_cpu", 1), ("backproject_cpu", 5)])
def test_the_compiled_code_makes_the_map(monkeypatch, kernel, output):
    """A kernel that writes zeros must show in the map: nothing else does its work."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
    images = torch.randn(1, 3, 12, 12)
    real = getattr(_kernels, kernel)
    assert visual_backprop(network, images, taps=["1"]).amax() == 1

    def zeros(*arguments: object) -> None:
        real(*arguments)
        ctypes.memset(arguments[output], 0, 12 * 12 * 4)

    monkeypatch.setattr(_kernels, kernel, zeros)
    assert (visual_backprop(network, images, taps=["1"]) == 0).all()
