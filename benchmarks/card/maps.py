"""VisualBackProp on a card: whole maps, the parts of the work, the kernels by the shapes they meet, and the rivals.

The network is in channels-last memory, as cuDNN prefers it. Calls take their arrays in turn, with four times the bytes
of the second-level cache; only a CUDA graph always has the same input. Times of whole calls are as a caller sees them,
launches included; times of parts are the card's alone, which has all launches queued before it begins.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from functools import partial

import torch
from visual_backprop import in_rounds
from visual_backprop_calls import Subject, copies_of, in_plain_torch

from arttl.saliency import ops, visual_backprop
from card.devices import Card, Emulated, queued
from card.run import Run

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
LAYOUTS = {"channels-last": torch.channels_last, "planar": torch.contiguous_format}


def measure(run: Run) -> None:
    """Each type and batch size."""
    device = run.device()
    with device.kernels(run):
        for dtype, batch in run.sizes.cases:
            _measure(run, device, dtype, batch)


def _subject(run: Run, device: Card | Emulated, dtype: str, batch: int) -> Subject:
    sizes = run.sizes
    return Subject(
        sizes.network, sizes.pixels, batch, device.device, DTYPES[dtype], torch.channels_last, device.cache
    )


def _whole_calls(
    run: Run, device: Card | Emulated, title: str, calls: dict[str, Callable[[], object]]
) -> dict[str, float]:
    """Report the median milliseconds of calls, taken in turn; by their names."""
    for call in calls.values():  # warm up
        call()
    times = in_rounds(calls, run.sizes.rounds, device.clock)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, value in medians.items():
        run.report(f"{title}: {name}", value, "ms")
    return medians


def _measure(run: Run, device: Card | Emulated, dtype: str, batch: int) -> None:
    subject = _subject(run, device, dtype, batch)
    title, same = f"{dtype}, batch {batch}", subject.images[0]
    whole = {
        "forward": subject.forward,
        "forward and map": subject.map,
        "forward, CUDA graph": device.capture(subject.forward),
        "forward and map, one CUDA graph": device.capture(partial(visual_backprop, subject.model, same)),
        "forward and Grad-CAM": subject.grad_cam,
    }
    medians = _whole_calls(run, device, title, whole)
    for added, name, base in (
        ("map over forward", "forward and map", "forward"),
        ("map over forward, CUDA graphs", "forward and map, one CUDA graph", "forward, CUDA graph"),
        ("Grad-CAM over forward", "forward and Grad-CAM", "forward"),
    ):
        run.report(f"{title}: {added}", 100 * (medians[name] / medians[base] - 1), "%")
    parts = {
        "channel means": subject.channel_means,
        "backprojection": subject.backprojection,
        "own work": subject.own_work,
    }
    for name, call in parts.items():
        run.report(f"{title}: {name}", 1e3 * queued(run, device, call), "us")
    plain = partial(in_plain_torch, subject.own_work)
    run.report(f"{title}: own work, plain torch", 1e3 * queued(run, device, plain, 4), "us")


def by_tap(run: Run) -> None:
    """The kernel of the channel means for each shape that it meets, in both layouts and types."""
    device, sizes = run.device(), run.sizes
    kept = _subject(run, device, "float32", 1).activations[0]
    shapes = dict.fromkeys(tuple(maps.shape[1:]) for maps in kept)
    with device.kernels(run):
        for batch in sizes.tap_batches:
            for (layout, memory), (dtype, typed), shape in itertools.product(
                LAYOUTS.items(), DTYPES.items(), shapes
            ):
                maps = torch.randn(batch, *shape, device=device.device).to(typed).to(memory_format=memory)
                turns = itertools.cycle(copies_of(maps, maps.nbytes, device.cache))
                took = queued(run, device, lambda turns=turns: ops.run_channel_mean(next(turns), True))
                read_and_written = maps.nbytes + 4 * batch * shape[1] * shape[2]
                title = f"{dtype}, batch {batch}, {layout}: {'x'.join(map(str, shape))}"
                run.report(title, read_and_written / took / 1e6, "GB/s")


def compiled(run: Run) -> None:
    """The rivals, all under torch.compile: the network, network and map as one, and the own work alone."""
    device = run.device()
    with device.kernels(run):
        for dtype, batch in run.sizes.compiled:
            torch.compiler.reset()
            subject, title = _subject(run, device, dtype, batch), f"{dtype}, batch {batch}"
            calls = {
                "forward": subject.compiled_forward(device.backend),
                "forward and map": subject.compiled_map(device.backend),
            }
            medians = _whole_calls(run, device, title, calls)
            ratio = medians["forward and map"] / medians["forward"]
            run.report(f"{title}: map over forward", 100 * (ratio - 1), "%")
            alone = {name: queued(run, device, call, 4) for name, call in calls.items()}
            added = 1e3 * (alone["forward and map"] - alone["forward"])
            run.report(f"{title}: map added to forward", added, "us")
            twin = subject.compiled_twin(device.backend)
            run.report(f"{title}: own work", 1e3 * queued(run, device, twin), "us")
