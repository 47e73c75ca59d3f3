"""The operators as torch sees them: its own checks, compiling, exporting, wrong arguments, a build that lacks them."""

from __future__ import annotations

import ctypes
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from arttl import _kernels
from arttl.errors import ArttlError
from arttl.saliency import ops, visual_backprop


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
