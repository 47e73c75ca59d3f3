"""Whether a network is faster in bfloat16: measured once per machine and network, and kept in the user's cache.

A CPU with AMX or AVX512-BF16 computes large convolutions twice as fast in bfloat16 as in float32 and depth-wise ones
more slowly, and a CPU without them is slower throughout, so that no list of networks or processors would tell.
"""

from __future__ import annotations

import copy
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from accelerate import Accelerator, PartialState

from arttl.cache import Rates, measured_once
from arttl.models import Backbone
from arttl.runs import on_first_rank, open_accelerator

Precision = Literal["no", "bf16"]
CONTESTANTS: tuple[Precision, ...] = ("no", "bf16")
FILE = "precisions.json"
"""In the cache: kind of work to precision to pictures per second."""

_GAIN = 1.1  # that a lower precision must bring
_PICTURES = 4  # in a batch
_ROUNDS = 3


def faster_precision(
    networks: Sequence[Backbone], sizes: Sequence[int], device: torch.device, *, learns: bool
) -> tuple[Precision, str]:
    """bf16 where it is faster than float32 by a tenth or more, else no.

    Args:
        networks: of a model; left as they are, and so are PyTorch's random numbers.
        sizes: the side in pixels of each one's input.
        device: that they will run on.
        learns: whether they are trained; else they only make features.

    Returns:
        A value of `--mixed-precision`, and the reason for it in one line.

    Raises:
        ArttlError: if the cache cannot be used.
    """
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "no", "no: the card has no bfloat16"
    work = "training" if learns else "inference"
    names = ", ".join(f"{each.name} at {size}" for each, size in zip(networks, sizes, strict=True))
    kind = f"{work} of {names}, {device_name(device)}, torch {torch.__version__}"
    rates = measured_once(FILE, kind, CONTESTANTS, lambda: _measured(networks, sizes, device, learns))
    chosen: Precision = "bf16" if rates["bf16"] >= _GAIN * rates["no"] else "no"
    return chosen, (
        f"{chosen}: {work} in bf16 is {rates['bf16'] / rates['no']:.2f} times as fast as in float32, as measured on"
        " this machine"
    )


def open_faster(
    networks: Sequence[Backbone], sizes: Sequence[int], threads: int | None, *, learns: bool
) -> tuple[Accelerator, str]:
    """What `--mixed-precision auto` opens: the processes and the device of a run, at the precision that is faster.

    Args:
        networks, sizes, learns: as of `faster_precision`.
        threads: on the CPU; None: one per core.

    Returns:
        The accelerator, and the reason for its precision in one line. Every rank must call this; the first one chooses.
    """
    device = PartialState().device
    chosen, reason = on_first_rank(lambda: faster_precision(networks, sizes, device, learns=learns))
    return open_accelerator(chosen, threads), reason


def device_name(device: torch.device) -> str:
    """A card's name, or the processor's with what else its speed depends on: its instructions, and how many threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    model = platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        model = next(
            (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model
        )
    return f"{model}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"


def _measured(
    networks: Sequence[Backbone], sizes: Sequence[int], device: torch.device, learns: bool
) -> Rates:
    """Pictures per second in each precision, in turn: that of the fastest round, which was disturbed least."""
    numbers = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():  # dropout draws numbers
        copies = [
            copy.deepcopy(each).to(device).to(memory_format=torch.channels_last).train(learns)
            for each in networks
        ]
        pictures = [
            torch.randn(_PICTURES, 3, size, size, generator=numbers)
            .to(device)
            .to(memory_format=torch.channels_last)
            for size in sizes
        ]
        rates: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
        for number in range(_ROUNDS + 1):
            for name in CONTESTANTS:
                started = time.perf_counter()
                with (
                    torch.set_grad_enabled(learns),
                    torch.autocast(device.type, torch.bfloat16, enabled=name == "bf16"),
                ):
                    parts = [
                        network(each).float().sum() for network, each in zip(copies, pictures, strict=True)
                    ]
                total = torch.stack(parts).sum()
                if total.requires_grad:
                    total.backward()
                total.item()  # waits for a card
                if number:  # the first prepares
                    rates[name].append(_PICTURES / (time.perf_counter() - started))
    return {name: round(max(each), 2) for name, each in rates.items()}
