"""Small calls of every kernel, for compute-sanitizer; each result is compared with the CPU kernels'.

python -m card.calls FOLDER [--planted] [--emulate]
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import torch
from torch import Tensor

from arttl.explain import ops
from card.devices import Card, Emulated
from card.run import Run

SHAPES = [(1, 512, 14, 14), (2, 64, 28, 28), (2, 2048, 7, 7), (2, 32, 29, 29), (5, 3, 1, 1), (1, 1, 33, 40)]
LAYOUTS = (torch.contiguous_format, torch.channels_last)
DTYPES = (torch.float32, torch.float16, torch.bfloat16)

# From 7x7 to 224x224 as in a ResNet; see `ops.backproject`.
SIZES = [(112, 112), (56, 56), (28, 28), (14, 14), (7, 7)]
STEPS = [
    *[n for size in reversed(SIZES[:-1]) for n in (1, *size, 3, 3, 2, 2, 1, 1)],
    *(0, 224, 224, 7, 7, 2, 2, 3, 3),
]


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


def call_all(device: Card | Emulated, shapes: list[tuple[int, ...]], steps: int) -> int:
    """Run all calls.

    Returns:
        Their number.
    """
    calls = 0
    torch.manual_seed(0)
    for shape in shapes:
        for layout in LAYOUTS:
            for dtype in DTYPES:
                compare(
                    device,
                    "channel_mean",
                    torch.randn(shape).to(dtype).to(memory_format=layout),
                    calls % 2 == 0,
                )
                calls += 1
    generator = random.Random(0)
    for _ in range(steps):
        size = [generator.randint(1, 70) for _ in range(2)]
        deep = torch.randn(2, generator.randint(1, 30), generator.randint(1, 30))
        window = [[generator.randint(low, high)] * 2 for low, high in ((1, 9), (1, 5), (0, 6))]
        shallow = torch.randn(2, *size) if generator.random() < 0.5 else None
        compare(device, "upsample_multiply", deep, deep.abs().amax((1, 2)), shallow, size, *window)
        compare(device, "minmax_normalise", torch.randn(3, *size), 0.0)
        calls += 2
    means = tuple(torch.rand(3, *size) for size in SIZES)
    compare(device, "backproject", means, STEPS)
    return calls + 1


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
            print(
                call_all(device, SHAPES[-3:] if run.emulated else SHAPES, 2 if run.emulated else 20), "calls"
            )


if __name__ == "__main__":
    main()
