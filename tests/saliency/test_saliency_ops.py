"""The compiled kernels against their plain-torch twins and against formulas in double precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import close, on_threads, pairs, spread

from arttl.saliency import _torch_twin as twin
from arttl.saliency import ops

DTYPES = [torch.float32, torch.float16, torch.bfloat16]


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
        exponents = (torch.frexp(peak.double()).exponent - 1).clamp(min=-126)  # that of subnormal numbers
        output *= (2.0 ** -exponents.double())[:, None, None]
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
    logits[0, 2, 2], logits[0, 0, 3] = torch.inf, torch.inf
    found = ops.class_evidence(logits, torch.tensor([0]), rivals)[0]
    assert found.isnan().tolist() == [True, True, False, False] and found[2:].tolist() == [0, torch.inf]
