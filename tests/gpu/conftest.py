"""The card that the tests of the kernels run on: a real one, and one emulated on the CPU."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import emulated_card
import pytest
import torch

from arttl import _kernels

CARDS = [(75, 40), (80, 108), (90, 2), (90, 4), (120, 4)]
"""Emulated cards: compute capability and multiprocessors, so few that clusters are small, since thousands of threads
take seconds."""


class CudaCard:
    """The current CUDA device, as `emulated_card.EmulatedCard` is one."""

    device = torch.device("cuda")

    def on_cpu(self) -> AbstractContextManager[None]:
        """Tensors of the CPU go to its kernels without more ado."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """What is queued within waits behind other work, until the end."""
        side = torch.cuda.Stream()
        torch.cuda.synchronize()
        with torch.cuda.stream(side):
            torch.cuda._sleep(50_000_000)
            yield
        side.synchronize()

    def capture(self, function: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, Callable[[], None]]:
        """What a function returns once its operations ran, and a call that runs them, again each time."""
        function()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = function()
        return captured, graph.replay


@pytest.fixture
def cuda_card() -> CudaCard:
    """A real card."""
    if not hasattr(_kernels, "channel_mean_cuda"):
        pytest.skip("arttl._kernels was built without CUDA")
    return CudaCard()


@pytest.fixture(
    params=[
        pytest.param("cuda", marks=pytest.mark.gpu),
        pytest.param("emulated", marks=[pytest.mark.slow, emulated_card.needs_compiler]),
    ]
)
def card(request: pytest.FixtureRequest) -> Iterator[CudaCard | emulated_card.EmulatedCard]:
    """A real card, and an emulated one: of `CARDS` and orders of threads a test has always the same."""
    if request.param == "cuda":
        yield request.getfixturevalue("cuda_card")
        return
    draw = zlib.crc32(request.node.nodeid.encode())
    order = list(emulated_card.ORDERS)[draw % len(emulated_card.ORDERS)]
    with emulated_card.EmulatedCard(emulated_card.build(), order, draw).used() as emulated:
        emulated.set_card(*CARDS[draw // 8 % len(CARDS)])
        yield emulated
