"""Small calls of every kernel, for compute-sanitizer; each result is compared with the CPU kernels'.

python -m card.calls FOLDER [--planted] [--emulate]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from arttl.saliency import ops
from card.devices import Card, Emulated
from card.run import Run

SHAPES = [(1, 512, 14, 14), (2, 64, 28, 28), (2, 2048, 7, 7), (2, 32, 29, 29), (5, 3, 1, 1), (1, 1, 33, 40)]
LAYOUTS = (torch.contiguous_format, torch.channels_last)
DTYPES = (torch.float32, torch.float16, torch.bfloat16)

# A map per row: its size, and the kernel, stride and padding of the step to it; see `ops.backproject`.
RESNET = [(7, 0, 0, 0), (14, 3, 2, 1), (28, 3, 2, 1), (56, 3, 2, 1), (112, 3, 2, 1), (224, 7, 2, 3)]
ODD = [(5, 0, 0, 0), (9, 5, 2, 2), (9, 1, 1, 0), (41, 3, 4, 0), (83, 2, 2, 0)]
SMALL = [(1, 0, 0, 0), (1, 3, 1, 1), (4, 4, 4, 0)]


def compare(device: Card | Emulated, name: str, *arguments: object) -> None:
    """Run an operator on the card and on the CPU."""

    def on(where: torch.device) -> list[object]:
        return [
            a.to(where) if isinstance(a, Tensor) else [t.to(where) for t in a] if isinstance(a, tuple) else a
            for a in arguments
        ]

    actual = getattr(ops, f"run_{name}")(*on(device.device))
    with device.on_cpu():
        expected = getattr(ops, f"run_{name}")(*on(torch.device("cpu")))
    for ours, theirs in zip(
        *((r if isinstance(r, tuple) else (r,)) for r in (actual, expected)), strict=True
    ):
        torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-5, atol=1e-5)


def call_all(device: Card | Emulated, shapes: list[tuple[int, ...]]) -> int:
    """Run all calls.

    Returns:
        Their number.
    """
    calls = 0
    torch.manual_seed(0)
    for shape in shapes:
        for layout in LAYOUTS:
            for dtype in DTYPES:
                maps = torch.randn(shape).to(dtype).to(memory_format=layout)
                compare(device, "channel_mean", maps, calls % 2 == 0)
                calls += 1
    for rows in (SMALL, ODD) if isinstance(device, Emulated) else (SMALL, ODD, RESNET):
        # Heights and widths differ, so that one is not taken for the other.
        sizes = [(size, size + size // 4) for size, *_ in rows]
        steps = [
            number
            for index, (_, *window) in enumerate(rows[1:], start=1)
            for number in (
                int(index < len(rows) - 1),
                *sizes[index],
                *(each for each in window for _ in range(2)),
            )
        ]
        for images in (1, 3):
            means = tuple(torch.rand(images, *size) for size in reversed(sizes[:-1]))
            compare(device, "backproject", means, steps)
            calls += 1
    return calls


def main() -> None:
    """Run the calls, or one that reads beyond its input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--emulate", action="store_true")
    options = parser.parse_args()
    run = Run(options.scratch, "calls", options.emulate)
    device = run.device()
    with device.kernels(run):
        if options.planted:
            device.read_beyond_an_array()
        else:
            print(call_all(device, SHAPES[-3:] if run.emulated else SHAPES), "calls")


if __name__ == "__main__":
    main()
