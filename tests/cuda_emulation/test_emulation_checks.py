"""The emulation itself: kernels that are right run, and kernels that are wrong are found (`checks.cu`)."""

from __future__ import annotations

import ctypes
import re

import pytest
import torch
from emulated_card import EMULATION, INPUT, ORDERS, OUTPUT, EmulatedCard, build, needs_compiler

pytestmark = [pytest.mark.slow, needs_compiler]

THREADS = 96


class Checks:
    """The kernels of `checks.cu`, each with an input and an output of `THREADS` floats."""

    def __init__(self, order: str) -> None:
        self.card = EmulatedCard(build(extra=[EMULATION / "checks.cu"]), order, seed=1)
        self.input, self.output = torch.arange(float(THREADS)), torch.empty(THREADS)

    def run(self, name: str, *options: int, threads: int = THREADS) -> str:
        """What the emulation found, or nothing."""
        function = getattr(self.card.library, f"check_{name}")
        function.restype = ctypes.c_char_p
        addresses = [ctypes.c_size_t(array.data_ptr()) for array in (self.input, self.output)]
        arrays = [("input", *addresses[:1], INPUT), ("output", *addresses[1:], OUTPUT)]
        for label, address, use in arrays:
            self.card.library.emulation_add_array(label.encode(), address, ctypes.c_size_t(4 * THREADS), use)
        fault = function(
            *addresses, threads, ctypes.c_size_t(self.card.stream), *map(ctypes.c_size_t, options)
        )
        self.card.library.emulation_end_call()
        return (fault or b"").decode()


@pytest.fixture(params=ORDERS)
def checks(request):
    return Checks(request.param)


def test_dynamic_shared_memory(checks):
    assert checks.run("reverse", 4 * THREADS, THREADS) == ""
    assert torch.equal(checks.output, checks.input.flip(0))
    assert "bounds: a thread writes past the end of dynamic" in checks.run(
        "reverse", 4 * THREADS - 4, THREADS
    )
    assert "unwritten: a thread reads a word of dynamic" in checks.run("reverse", 4 * THREADS, THREADS - 1)
    assert checks.run("reverse", 227 * 1024, THREADS) == ""
    assert "invalid argument" in checks.run("reverse", 227 * 1024 + 4, THREADS)
    checks.card.set_card(86, 84)
    assert "invalid argument" in checks.run("reverse", 99 * 1024 + 4, THREADS)
    assert "invalid configuration" in checks.run("reverse", 4 * 1056, THREADS, threads=1056)
    assert checks.run("reverse", 4 * THREADS, THREADS) == ""  # a fault leaves nothing behind


def test_shuffles_of_groups_within_a_warp(checks):
    assert checks.run("sum_of_eight") == ""
    assert torch.equal(checks.output, checks.input.view(-1, 8).sum(1).repeat_interleave(8))


def test_clusters(checks):
    assert checks.run("pass_on", 3, 1, 1) == ""
    assert torch.equal(checks.output, checks.input.view(3, 32).roll(1, 0).flatten())
    assert (
        "cluster: a thread writes shared memory of another block, which may not have started"
        in checks.run("pass_on", 3, 0, 1)
    )
    # In one order of the threads it is unwritten, in another a race: the barrier is missing in either.
    assert re.search("race|unwritten|cluster: .* leave", checks.run("pass_on", 3, 1, 0))
    assert re.search("cluster: .* (leaves while|may have left)", checks.run("leave_early"))
    assert re.search("barrier of the cluster that \\d+ never reached", checks.run("miss_barrier"))
    assert "invalid cluster size" in checks.run("pass_on", 12, 1, 1)
    checks.card.set_card(89, 128)
    assert "operation not supported" in checks.run("pass_on", 3, 1, 1)


def test_barriers_of_a_warp(checks):
    assert checks.run("reverse_warps", 1) == ""
    assert torch.equal(checks.output, checks.input.view(-1, 32).flip(1).flatten())
    assert re.search("race|unwritten", checks.run("reverse_warps", 0))


def test_the_largest_of_a_warp(checks):
    assert checks.run("largest") == ""
    assert torch.equal(checks.output, checks.input.view(-1, 32).amax(1).repeat_interleave(32))


def test_an_input_is_only_read(checks):
    assert "bounds: a thread writes input, which is only read" in checks.run("overwrite")


def test_a_variable_belongs_to_its_thread(checks):
    assert "bounds: a thread reads 4 bytes that are in no array" in checks.run("read_anothers_variable")
