"""The card of a run, and what stands for one where there is none."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from clocks import Call, EventClock, HostClock

import arttl
from arttl.errors import one_line
from arttl.saliency import ops
from card.run import Missing, Run, tests_on_path

SMI = {
    "--query-gpu=driver_version,clocks.max.sm,clocks.max.mem,power.limit --format=csv,noheader": "EMULATED",
    "dmon -s u -c 1": "# gpu     sm    mem    jpg\n# Idx      %      %      %\n    0      -      -      -",
}
"""What the stand-in for nvidia-smi prints."""


class Card:
    """The current CUDA device.

    Attributes:
        device: for tensors.
        name: of the card.
        clock: by events.
        backend: of torch.compile.
        cache: bytes of the second-level cache.
    """

    backend = "inductor"

    def __init__(self) -> None:
        """Take the first device.

        Raises:
            Missing: if there is none.
        """
        if not torch.cuda.is_available():
            raise Missing("a card: torch sees no CUDA device (--emulate does without)")
        self.device = torch.device("cuda", 0)
        self.clock = EventClock()
        self.properties = torch.cuda.get_device_properties(self.device)
        self.name = self.properties.name
        self.cache = self.properties.L2_cache_size
        torch.backends.cudnn.benchmark = True  # the fastest forward pass is the one to compare with

    def kernels(self, run: Run) -> AbstractContextManager[object]:
        """Within, `arttl.saliency.ops` launches the kernels that this run built.

        Raises:
            Missing: if there are none.
        """
        use_kernels(run)
        return contextlib.nullcontext()

    def on_cpu(self) -> AbstractContextManager[object]:
        """Within, tensors of the CPU go to its own kernels."""
        return contextlib.nullcontext()

    def synchronise(self) -> None:
        """Wait for all that is queued."""
        torch.cuda.synchronize()

    def capture(self, call: Callable[[], object]) -> Call:
        """A CUDA graph of a call, as a call that replays it."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            call()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            kept = call()

        def replay() -> object:
            graph.replay()
            return kept

        return replay

    def read_beyond_an_array(self) -> None:
        """A fault that memcheck must find: a kernel gets an array of half the memory that its shape needs."""
        maps = torch.zeros(4, 64, 64, 64).to(self.device)
        maps.untyped_storage().resize_(maps.nbytes // 2)
        ops.run_channel_mean(maps, True)
        self.synchronise()

    def used_bytes(self) -> int:
        """Bytes of the card's memory that are taken, by torch, DALI and all others."""
        free, total = torch.cuda.mem_get_info()
        return total - free

    def smi(self, arguments: str) -> str:
        """What nvidia-smi prints, or why it does not."""
        try:
            return subprocess.run(
                ["nvidia-smi", *arguments.split()], capture_output=True, text=True, check=True, timeout=20
            ).stdout.strip()
        except (OSError, subprocess.SubprocessError) as error:
            return f"not available: {one_line(error)}"


class Emulated:
    """The CPU in place of a card: the kernels are the CUDA sources under emulation, and no time means anything.

    Attributes: see `Card`.
    """

    name = "EMULATED card"
    backend = "eager"
    cache = 4096

    def __init__(self) -> None:
        self.device = torch.device("cpu")
        self.clock = HostClock()

    @functools.cached_property
    def _card(self) -> Any:
        tests_on_path()
        import emulated_card

        return emulated_card.EmulatedCard(emulated_card.build())

    def kernels(self, run: Run) -> AbstractContextManager[object]:
        """Within, `arttl.saliency.ops` launches the emulated kernels."""
        within: AbstractContextManager[object] = self._card.used()
        return within

    def on_cpu(self) -> AbstractContextManager[object]:
        """Within, tensors go to the CPU's own kernels."""
        within: AbstractContextManager[object] = self._card.on_cpu()
        return within

    def synchronise(self) -> None:
        """Nothing is queued."""

    def capture(self, call: Callable[[], object]) -> Call:
        """The call itself."""
        return call

    def read_beyond_an_array(self) -> None:
        """A fault that the emulation must find, of another kind than a card's: a stream that it does not have."""
        self._card.stream = 1
        ops.run_channel_mean(torch.zeros(1, 2, 3, 4), True)

    def used_bytes(self) -> int:
        """No card's memory is taken."""
        return 0

    def smi(self, arguments: str) -> str:
        """What the stand-in for nvidia-smi prints."""
        return SMI[arguments]


def use_kernels(run: Run) -> None:
    """Make the module that this run built `arttl._kernels`, whatever is installed.

    Raises:
        Missing: if it was not built.
    """
    if not run.kernels.is_file():
        raise Missing("the CUDA kernels: they were not built")
    if getattr(sys.modules.get("arttl._kernels"), "__file__", None) == str(run.kernels):
        return
    spec = importlib.util.spec_from_file_location("arttl._kernels", run.kernels)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules["arttl._kernels"] = module
    arttl._kernels = module  # type: ignore[attr-defined]


def queued(run: Run, device: Card | Emulated, call: Call, share: int = 1) -> float:
    """Milliseconds of the card for a call, whose launches it does not wait for: the median over rounds.

    Args:
        run, device: of the part.
        call: some operations, together with its repeats fewer than the thousand that a card lets wait.
        share: divides the repeats.
    """
    call()
    repeats = max(1, run.sizes.repeats // share)
    return statistics.median(device.clock.queued_milliseconds(call, repeats) for _ in range(run.sizes.rounds))


def find_tool(name: str) -> str:
    """The path of a tool, of the CUDA toolkit or beside Python too.

    Raises:
        Missing: if it is not found.
    """
    folders = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda", sys.prefix]
    path = [os.environ.get("PATH", ""), *(str(Path(folder) / "bin") for folder in folders if folder)]
    tool = shutil.which(name, path=os.pathsep.join(path))
    if tool is None:
        raise Missing(f"{name}: it is neither on the path nor in /usr/local/cuda/bin")
    return tool
