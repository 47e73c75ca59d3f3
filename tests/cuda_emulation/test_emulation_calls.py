"""Calls of the CUDA kernels on the emulated card: what `tests/gpu` does not ask, since a card cannot tell."""

from __future__ import annotations

import pytest
import timm
import torch
from emulated_card import ORDERS, EmulatedCard, build, needs_compiler
from torch import Tensor

from arttl.explain import ops, visual_backprop

pytestmark = [pytest.mark.slow, needs_compiler]

MEANS = [(96, 80), (48, 40), (48, 40)]
STEPS = [1, 48, 40, 3, 3, 1, 1, 1, 1, 1, 96, 80, 2, 2, 2, 2, 0, 0, 0, 192, 160, 7, 7, 2, 2, 3, 3]


def results() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    means = [torch.rand(2, *size, generator=generator) for size in MEANS]
    shallow = torch.randn(2, 48, 40, generator=generator)
    window = ([48, 40], [3, 3], [1, 1], [1, 1])
    return [
        *ops.upsample_multiply(means[1], means[1].amax((1, 2)), shallow, *window),
        ops.minmax_normalise(shallow, 0.0),
        ops.backproject(means, STEPS),
    ]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_threads_gives_the_bits_of_the_cpu(order, seed):
    """All but the channel mean, whose sums are taken in another order."""
    card = EmulatedCard(build(), order, seed)
    with card.used():
        actual = results()
        with card.on_cpu():
            expected = results()
    assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))
    assert card.calls == {"upsample_multiply": 1, "minmax_normalise": 1, "backproject": 1}


# Kernels and memsets of one map: the means, two for each step, a memset, a maximum and a normalisation. Sabatelli's
# normalises each mean as well.
@pytest.mark.parametrize(
    ("name", "mode", "means", "operations"),
    [
        ("resnet50", "bojarski", 17, 56),
        ("resnet50", "sabatelli", 17, 105),
        ("vgg19", "bojarski", 16, 59),
        ("inception_v3", "bojarski", 16, 53),
        ("legacy_xception", "bojarski", 16, 99),
        ("densenet121", "bojarski", 8, 29),
    ],
)
def test_operations_of_a_map(name, mode, means, operations):
    network = timm.create_model(name, pretrained=False, num_classes=0).eval()
    card = EmulatedCard(build())
    with card.used():
        visual_backprop(network, torch.rand(1, 3, 75, 75), mode)
    print(f"{name}, {mode}: {card.operations} operations for {means} means")
    assert (card.calls["channel_mean"], card.operations) == (means, operations)


def test_arrays_of_a_call_that_overlap_are_a_fault():
    card = EmulatedCard(build())
    maps, scratch = torch.rand(1, 3, 4), torch.empty(2, 1, dtype=torch.int32)
    with pytest.raises(RuntimeError, match="overlap: maps and output"):
        card.call("minmax_normalise", maps.data_ptr(), maps.data_ptr() + 44, scratch.data_ptr(), 1, 12, 0.0)


def normalise(card: EmulatedCard, device: int, stream: int) -> Tensor:
    maps, scratch = torch.arange(12.0).view(1, 3, 4), torch.empty(2, 1, dtype=torch.int32)
    out = torch.empty_like(maps)
    arrays = (maps.data_ptr(), out.data_ptr(), scratch.data_ptr())
    card.call("minmax_normalise", *arrays, 1, 12, 0.0, device=device, stream=stream)
    return out


@pytest.mark.parametrize("device", [0, 1])
def test_a_call_on_any_device_leaves_the_current_one(device):
    card = EmulatedCard(build())
    card.set_devices(2)
    card.add_stream(0xB00, 1)
    out = normalise(card, device, (card.stream, 0xB00)[device])
    assert out.flatten()[-1] == 1
    assert card.current_device == 0


def test_a_call_that_fails_leaves_the_current_device():
    card = EmulatedCard(build())
    card.set_devices(2)
    with pytest.raises(RuntimeError, match="invalid resource handle"):
        normalise(card, 1, card.stream)  # which is device 0's
    assert card.current_device == 0
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        normalise(card, 2, card.stream)
    assert card.current_device == 0
