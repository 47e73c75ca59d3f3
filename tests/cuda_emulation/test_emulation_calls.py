"""Calls of the CUDA kernels on the emulated card: what `tests/gpu` does not ask, since a card cannot tell."""

from __future__ import annotations

import pytest
import timm
import torch
from emulated_card import ORDERS, EmulatedCard, build, needs_compiler
from torch import Tensor

from arttl.saliency import ops, visual_backprop

pytestmark = [pytest.mark.slow, needs_compiler]

MEANS = [(96, 80), (48, 40), (48, 40)]
STEPS = [1, 48, 40, 3, 3, 1, 1, 1, 1, 1, 96, 80, 2, 2, 2, 2, 0, 0, 0, 192, 160, 7, 7, 2, 2, 3, 3]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("capability", [80, 90])
def test_any_order_of_threads_gives_the_bits_of_the_cpu(order, seed, capability):
    """On an A100 and an H200: a block of an image, and a cluster of eight."""
    card = EmulatedCard(build(), order, seed)
    card.set_card(capability, 132)
    generator = torch.Generator().manual_seed(0)
    means = [torch.rand(1, *size, generator=generator) for size in MEANS]
    for epsilon in (None, 1e-6):
        with card.used():
            actual = ops.backproject(means, STEPS, epsilon)
        assert torch.equal(actual, ops.backproject(means, STEPS, epsilon))
    assert (card.calls, card.operations) == ({"backproject": 2}, 2)


# Kernels of one map, and no memset: the means, and one for everything else.
@pytest.mark.parametrize(
    ("name", "means"),
    [("resnet50", 17), ("vgg19", 16), ("inception_v3", 16), ("legacy_xception", 16), ("densenet121", 8)],
)
@pytest.mark.parametrize("mode", ["overlap-normalised", "sabatelli"])
def test_operations_of_a_map(name, mode, means):
    network = timm.create_model(name, pretrained=False, num_classes=0).eval()
    card = EmulatedCard(build())
    card.set_card(90, 1)
    with card.used():
        visual_backprop(network, torch.rand(1, 3, 75, 75), mode)
    print(f"{name}, {mode}: {card.operations} operations for {means} means")
    assert (card.calls["channel_mean"], card.operations) == (means, means + 1)


def test_arrays_of_a_call_that_overlap_are_a_fault():
    card = EmulatedCard(build())
    x = torch.rand(1, 2, 3, 4)
    with pytest.raises(RuntimeError, match="overlap: input and output"):
        card.call("channel_mean", x.data_ptr(), x.data_ptr() + 92, 0, False, 1, 2, 12, False)


def mean(card: EmulatedCard, device: int, stream: int) -> Tensor:
    x, out = torch.arange(24.0).view(1, 2, 3, 4), torch.empty(3, 4)
    card.call(
        "channel_mean", x.data_ptr(), out.data_ptr(), 0, False, 1, 2, 12, False, device=device, stream=stream
    )
    return out


@pytest.mark.parametrize("device", [0, 1])
def test_a_call_on_any_device_leaves_the_current_one(device):
    card = EmulatedCard(build())
    card.set_devices(2)
    card.add_stream(0xB00, 1)
    assert mean(card, device, (card.stream, 0xB00)[device]).flatten()[-1] == 17
    assert card.current_device == 0


def test_a_call_that_fails_leaves_the_current_device():
    card = EmulatedCard(build())
    card.set_devices(2)
    with pytest.raises(RuntimeError, match="invalid resource handle"):
        mean(card, 1, card.stream)  # which is device 0's
    assert card.current_device == 0
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        mean(card, 2, card.stream)
    assert card.current_device == 0
