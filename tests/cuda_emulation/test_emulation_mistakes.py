"""Mistakes put into copies of the CUDA sources: the emulation must find each, and none in the sources as they are."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from emulated_card import SOURCES, EmulatedCard, build, needs_compiler

from arttl.explain import _torch_twin as twin
from arttl.explain import ops

pytestmark = [pytest.mark.slow, needs_compiler]

VALUES = "Tensor-likes are not"  # what torch says of results unlike the twin's


class Mistake(NamedTuple):
    name: str
    file: str
    right: str
    wrong: str
    finding: str  # a regular expression of the fault


MEAN, UPSAMPLE, MINMAX = "cuda/channel_mean.cu", "cuda/upsample_multiply.cu", "cuda/minmax_normalise.cu"
LAUNCH, STEPS = "cuda/launch.cuh", "backproject.h"
MISTAKES = [
    Mistake(
        "barrier after the partial sums",
        MEAN,
        "__syncthreads();\n    // The first",
        "// The first",
        "unwritten|race",
    ),
    Mistake(
        "barrier before the next image",
        MEAN,
        "}\n    __syncthreads();\n  }\n}",
        "}\n  }\n}",
        "race.*static shared",
    ),
    Mistake(
        "barrier before the warps' maxima",
        LAUNCH,
        "__syncthreads();\n  if (warp",
        "if (warp",
        "unwritten|race",
    ),
    Mistake(
        "barrier before warps is used again", LAUNCH, "  __syncthreads();  // `warps", "  // `warps", "race"
    ),
    Mistake(
        "barrier in a branch", UPSAMPLE, "magnitude = block_max", "if (inside) magnitude = block_max", "lanes"
    ),
    Mistake(
        "threads that return before a barrier",
        UPSAMPLE,
        "  const Window rows",
        "  if (pixel / kWarp * kWarp >= pixels) return;\n  const Window rows",
        "barrier: .* never reached",
    ),
    Mistake(
        "lanes that return before a shuffle",
        MEAN,
        "  float sum = 0.0f;\n  if (pixel < all_pixels) {",
        "  if (pixel >= all_pixels) return;\n  float sum = 0.0f;\n  if (pixel < all_pixels) {",
        "lanes: .* returned: ",
    ),
    Mistake("a mask that leaves lanes out", LAUNCH, "0xffffffffu", "0x0fffffffu", "lanes: .* leaves out"),
    Mistake(
        "a block that is no multiple of a warp",
        UPSAMPLE,
        "kThreads = 256",
        "kThreads = 240",
        "lanes: .* not have",
    ),
    Mistake("too few shuffles", MEAN, "offset = group / 2", "offset = group / 4", VALUES),
    Mistake(
        "memset of the peaks",
        UPSAMPLE,
        "  check(cudaMemsetAsync",
        "  if (false) check(cudaMemsetAsync",
        "unwritten",
    ),
    Mistake("memset of half of the range", MINMAX, "0, 2 * images *", "0, images *", "unwritten.* of range"),
    Mistake("memset of too much", UPSAMPLE, "0, images *", "0, 2 * images *", "bounds: a memset"),
    Mistake(
        "one pack too many",
        MEAN,
        "pack = lane; pack < packs;",
        "pack = lane; pack <= packs;",
        "bounds.* input",
    ),
    Mistake(
        "one column of packs too many", MEAN, "if (pack < packs) {", "if (pack <= packs) {", "bounds.* input"
    ),
    Mistake(
        "one row too many",
        "arithmetic.h",
        "row <= rows.last; ++row) sum",
        "row <= rows.last + 1; ++row) sum",
        "bounds.* past the end of deep",
    ),
    Mistake("one pixel too many", MEAN, "position < pixels) {", "position <= pixels) {", "race|bounds"),
    Mistake(
        "a wide load that is not aligned", MEAN, "input % 16 == 0 &&", "", "undefined: .*misaligned address"
    ),
    Mistake(
        "shared memory that is too small",
        LAUNCH,
        "warps[kWarp];",
        "warps[kWarp / 8];",
        "undefined: Index 4 out",
    ),
    Mistake(
        "a grid of 70,000 rows",
        LAUNCH,
        "images < kMaxGridYZ ? images : kMaxGridYZ",
        "images",
        "invalid config",
    ),
    Mistake("a block of 2,048 threads", MINMAX, "kThreads = 256", "kThreads = 2048", "invalid configuration"),
    Mistake(
        "a grid without its last block",
        LAUNCH,
        "ceil_div(items, per_block)",
        "items / per_block",
        "invalid|unwrit",
    ),
    Mistake(
        "kernels on the default stream", LAUNCH, "config.stream = stream", "config.stream = nullptr", "stream"
    ),
    Mistake(
        "a memset on the default stream",
        MINMAX,
        "(std::uint32_t), stream_of(stream))",
        "(std::uint32_t), 0)",
        "stream",
    ),
    Mistake(
        "maximum without an atomic",
        UPSAMPLE,
        "atomicMax(peak + image, magnitude)",
        "peak[image] = max(peak[image], magnitude)",
        "race.* word 0 of peak, which a thread of another block",
    ),
    Mistake(
        "the wrong index of the block",
        MINMAX,
        "blockIdx.x) * kThreads + threadIdx",
        "blockIdx.y) * kThreads + threadIdx",
        "unwritten|race",
    ),
    Mistake(
        "the next image's plane",
        MEAN,
        "input + image * channels * pixels",
        "input + (image + 1) * channels * pixels",
        "bounds.* input",
    ),
    Mistake(
        "peaks in one place",
        STEPS,
        "offset(workspace, images * (pixels + 1))}",
        "offset(workspace, images * pixels)}",
        f"race|unwritten|{VALUES}",
    ),
    Mistake("maps in one place", STEPS, "left % 2 ? workspace : output", "workspace", "race.* of workspace"),
    Mistake("a size that is not passed on", STEPS, "    deep_size = size;\n", "", f"bounds|{VALUES}"),
    Mistake(
        "a workspace that is too short",
        STEPS,
        "images * (pixels + 2))",
        "images * (pixels + 3))",
        "bounds: a memset",
    ),
    Mistake(
        "a maximum that loses NaN",
        "arithmetic.h",
        "value < floor ? floor : value",
        "value > floor ? value : floor",
        VALUES,
    ),
    Mistake(
        "the last device forgotten",
        LAUNCH,
        "if (changed_) cudaSetDevice(before_);",
        "",
        "current device is 1",
    ),
    Mistake(
        "a device that is not chosen",
        MINMAX,
        "  const DeviceGuard guard(device);\n",
        "",
        "invalid resource handle",
    ),
]


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


def check(module: Path) -> None:
    """Small calls of every kernel, each compared with its twin."""
    torch.manual_seed(0)
    close = torch.testing.assert_close
    card = EmulatedCard(module)
    with card.used():
        for dtype in (torch.float32, torch.bfloat16):
            for shape in ((2, 40, 5, 7), (3, 64, 8, 12), (1, 24, 16, 33)):
                x = torch.randn(shape).to(dtype)
                x[0, 3, 1, 2] = torch.nan
                for layout in (torch.contiguous_format, torch.channels_last):
                    given = x.to(memory_format=layout)
                    close(ops.channel_mean(given, True), twin.channel_mean(given, True), equal_nan=True)
        unaligned = torch.randn(2 * 16 * 8 * 8 + 1)[1:].view(2, 16, 8, 8)
        close(ops.channel_mean(unaligned, False), twin.channel_mean(unaligned, False))

        deep, shallow = torch.rand(3, 11, 14), torch.rand(3, 21, 28)
        arguments = (deep, deep.amax((1, 2)), shallow, [21, 28], [3, 3], [2, 2], [1, 1])
        for actual, expected in zip(
            ops.upsample_multiply(*arguments), twin.upsample_multiply(*arguments), strict=True
        ):
            close(actual, expected)
        maps = torch.randn(3, 60, 50)
        close(ops.minmax_normalise(maps, 1e-6), twin.minmax_normalise(maps, 1e-6))
        means = [torch.rand(2, *size) for size in ((24, 20), (12, 10), (12, 10))]
        steps = [1, 12, 10, 3, 3, 1, 1, 1, 1, 1, 24, 20, 2, 2, 2, 2, 0, 0, 0, 48, 40, 7, 7, 2, 2, 3, 3]
        close(ops.backproject(means, steps), twin.backproject(means, steps))

    # A device that is not the current one, as in a process with several.
    card.set_devices(2)
    card.add_stream(0xB00, 1)
    out, scratch = torch.empty_like(maps), torch.empty(2, 3, dtype=torch.int32)
    arrays = (maps.data_ptr(), out.data_ptr(), scratch.data_ptr())
    card.call("minmax_normalise", *arrays, 3, 3000, 0.0, device=1, stream=0xB00)
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
