"""Mistakes put into copies of the CUDA sources: the emulation must find each, and none in the sources as they are."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from emulated_card import SOURCES, EmulatedCard, build, needs_compiler
from mistakes import MISTAKES, Mistake

from arttl.saliency import _torch_twin as twin
from arttl.saliency import ops

pytestmark = [pytest.mark.slow, needs_compiler]


def module_with(mistake: Mistake, folder: Path) -> Path:
    build()  # compiles what the mistake leaves as it is, for all
    sources = folder / "csrc"
    shutil.copytree(SOURCES, sources)
    text = (sources / mistake.file).read_text()
    assert text.count(mistake.right) == 1, (
        f"{mistake.file} has not one place for {mistake.name!r}: mend the list"
    )
    (sources / mistake.file).write_text(text.replace(mistake.right, mistake.wrong))
    return build(sources, folder=folder)


STEPS = [1, 12, 10, 3, 3, 1, 1, 1, 1, 1, 24, 20, 2, 2, 2, 2, 0, 0, 0, 48, 40, 7, 7, 2, 2, 3, 3]
SIZES = [(24, 20), (12, 10), (12, 10)]
LARGE_STEPS = [0, 100, 200, 2, 2, 2, 2, 0, 0, 1, 100, 200, 3, 3, 1, 1, 1, 1, 0, 100, 200, 3, 3, 1, 1, 1, 1]
LARGE_SIZES = [(100, 200), (50, 100)]


def check(module: Path) -> None:
    """Small calls of every kernel on several cards, each compared with its twin."""
    torch.manual_seed(0)
    close = torch.testing.assert_close
    card = EmulatedCard(module)
    with card.used():
        for capability in (80, 90):
            card.set_card(capability, 132)
            for dtype in (torch.float32, torch.bfloat16):
                for shape in ((2, 40, 5, 7), (3, 64, 8, 12), (1, 25, 18, 33)):
                    x = torch.randn(shape).to(dtype)
                    x[0, 3, 1, 2] = torch.nan
                    for layout in (torch.contiguous_format, torch.channels_last):
                        given = x.to(memory_format=layout)
                        close(ops.channel_mean(given, True), twin.channel_mean(given, True), equal_nan=True)
            unaligned = torch.randn(2 * 16 * 8 * 8 + 1)[1:].view(2, 16, 8, 8)
            close(ops.channel_mean(unaligned, False), twin.channel_mean(unaligned, False))

        # A block per image and a cluster of two; the running map in shared memory, and too large for it.
        for capability, sizes, steps in (
            (80, SIZES, STEPS),
            (90, SIZES, STEPS),
            (75, LARGE_SIZES, LARGE_STEPS),
            (120, LARGE_SIZES, LARGE_STEPS),
        ):
            card.set_card(capability, 4)
            means = [torch.rand(2, *size) for size in sizes]
            for epsilon in (None, 1e-6):
                close(ops.backproject(means, steps, epsilon), twin.backproject(means, steps, epsilon))
            averaged = [number + 2 * (index % 9 == 0) for index, number in enumerate(steps)]
            close(ops.backproject(means, averaged), twin.backproject(means, averaged))
        logits, labels = torch.randn(3, 5, 130), torch.tensor([4, 0, 2])
        for rivals in (None, torch.tensor([1, 1, 3])):
            close(ops.class_evidence(logits, labels, rivals), twin.class_evidence(logits, labels, rivals))

    # A device that is not the current one, as in a process with several.
    card.set_devices(2)
    card.add_stream(0xB00, 1)
    card.set_card(90, 1)
    for device, stream in ((0, card.stream), (1, 0xB00)):
        deep, workspace, out = torch.rand(1, 100, 100), torch.empty(100 * 100), torch.empty(100, 100)
        steps = [0, 100, 100, 1, 1, 1, 1, 0, 0]
        arrays = ([deep.data_ptr()], steps, (100, 100), None, workspace.data_ptr(), out.data_ptr())
        card.call("backproject", *arrays, 1, device=device, stream=stream)
        assert card.current_device == 0, f"the current device is {card.current_device}"

    # More images than a grid has rows; in full in tests/gpu, here as far as the first block.
    with card.used():
        ops.channel_mean(torch.randn(65536 + 64, 4, 1, 1), False)


def test_the_sources_as_they_are_pass():
    check(build())


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name.replace(" ", "-"))
def test_a_mistake_is_found(mistake):
    with tempfile.TemporaryDirectory() as folder:  # pytest would keep the modules of its own
        module = module_with(mistake, Path(folder))
        with pytest.raises((RuntimeError, AssertionError), match=mistake.finding) as fault:
            check(module)
    print(f"{mistake.name}: {str(fault.value).splitlines()[0]}")
