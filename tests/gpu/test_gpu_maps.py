"""Whole maps on a card: CUDA graphs, no waiting for it, memory and devices; without one as far as the CPU can tell."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import timm
import torch
from emulated_card import EmulatedCard
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from arttl.saliency import ops, visual_backprop

MODES = ("bojarski", "sabatelli")


def network_on(card, name: str = "resnet18") -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, pretrained=False, num_classes=0).eval().to(card.device)


@contextmanager
def outputs_kept(network: nn.Module) -> Iterator[None]:
    """What each module returns stays in memory, as in that of a CUDA graph."""
    kept: list[Any] = []
    with ExitStack() as hooks:
        for module in network.modules():
            hooks.callback(module.register_forward_hook(lambda m, i, output: kept.append(output)).remove)
        yield


@pytest.mark.parametrize("mode", MODES)
def test_a_cuda_graph_captures_a_whole_map(card, mode):
    network = network_on(card)
    images = torch.randn(2, 3, 64, 64, device=card.device)
    expected = visual_backprop(network, images, mode)
    with outputs_kept(network):  # the emulation records the operations of the kernels alone
        captured, replay = card.capture(lambda: visual_backprop(network, images, mode))
        if card.device.type == "cuda":
            images.copy_(torch.randn_like(images))
            expected = visual_backprop(network, images, mode)
            captured.zero_()
        assert not torch.equal(captured, expected)
        for _ in range(2):
            replay()
            torch.testing.assert_close(captured, expected, rtol=0, atol=1e-5)


class Waiting(TorchDispatchMode):
    """Keeps the operators that would wait for a card, were the tensors on one."""

    NAMES = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "unique", "bincount", "_unique2")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        by_mask = any(isinstance(a, (list, tuple)) and _has_mask(a) for a in args)
        if function.overloadpacket.__name__ in self.NAMES or by_mask:
            self.found.append(str(function))
        return function(*args, **(kwargs or {}))


def _has_mask(indices: Any) -> bool:
    return any(isinstance(index, Tensor) and index.dtype == torch.bool for index in indices)


def test_what_waits_is_found():
    values = torch.arange(3.0)
    with Waiting() as waiting:
        values.add(1)
        assert not waiting.found
        values.max().item()
        values[values > 1]
        torch.equal(values, values)
    assert waiting.found == ["aten._local_scalar_dense.default", "aten.index.Tensor", "aten.equal.default"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["resnet18", "densenet121", "vit_tiny_patch16_224"])
def test_a_map_reads_no_value_of_a_tensor(name, mode):
    network = timm.create_model(name, pretrained=False, num_classes=0).eval()
    images = torch.randn(1, 3, 224, 224)
    with Waiting() as waiting:
        visual_backprop(network, images, mode)
    assert waiting.found == []


@pytest.mark.gpu
@pytest.mark.parametrize("mode", MODES)
def test_a_map_does_not_wait_for_the_card(cuda_card, mode):
    network = network_on(cuda_card)
    images = torch.randn(2, 3, 96, 96, device=cuda_card.device)
    visual_backprop(network, images, mode)  # the first allocates, and chooses kernels
    torch.cuda.set_sync_debug_mode("error")
    try:
        maps = visual_backprop(network, images, mode)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert maps.isfinite().all()


@pytest.mark.parametrize("mode", MODES)
def test_maps_of_many_sizes_leave_no_tensors(mode):
    network = timm.create_model("test_resnet", pretrained=False, num_classes=0).eval()

    def alive() -> int:
        gc.collect()
        return sum(issubclass(type(each), Tensor) for each in gc.get_objects())

    visual_backprop(network, torch.randn(1, 3, 64, 64), mode)
    before = alive()
    for number in range(40):
        visual_backprop(network, torch.randn(1, 3, 64 + number, 64), mode)
    assert alive() == before


@pytest.mark.gpu
@pytest.mark.parametrize("mode", MODES)
def test_memory_of_the_card_over_many_maps(cuda_card, mode):
    """After the first maps neither tensors nor torch's blocks of memory grow; nor does what others than torch take."""
    network = network_on(cuda_card)
    images = torch.randn(8, 3, 160, 160, device=cuda_card.device)

    def taken() -> tuple[int, int, int]:
        torch.cuda.synchronize()
        return torch.cuda.memory_allocated(), torch.cuda.memory_reserved(), torch.cuda.mem_get_info()[0]

    for _ in range(3):
        visual_backprop(network, images, mode)
    before = taken()
    for _ in range(200):
        visual_backprop(network, images, mode)
    after = taken()
    assert after[:2] == before[:2]
    assert before[2] - after[2] < 16 * 2**20


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one CUDA device")
def test_a_map_on_the_second_card_leaves_the_first_current(cuda_card):
    network = network_on(cuda_card)
    images = torch.randn(1, 3, 96, 96, device=cuda_card.device)
    expected = visual_backprop(network, images)
    actual = visual_backprop(network.to("cuda:1"), images.to("cuda:1"))
    assert actual.device.index == 1 and torch.cuda.current_device() == 0
    assert torch.zeros(1, device="cuda").device.index == 0
    torch.testing.assert_close(actual.to(expected.device), expected, rtol=0, atol=1e-5)


def test_a_map_on_the_second_emulated_card_leaves_the_first_current(card, monkeypatch):
    if not isinstance(card, EmulatedCard):
        pytest.skip("a card has a test of its own")
    card.set_devices(2)
    card.add_stream(0xB00, 1)
    network = network_on(card)
    images = torch.randn(1, 3, 64, 64)
    expected = visual_backprop(network, images)
    calls = []

    def launch(name: str, device: torch.device, *arguments: Any) -> None:
        calls.append(name)
        card.call(name, *arguments, device=1, stream=0xB00)
        assert card.current_device == 0

    monkeypatch.setattr(ops, "_launch", launch)
    assert torch.equal(visual_backprop(network, images), expected)
    assert len(calls) > 2
