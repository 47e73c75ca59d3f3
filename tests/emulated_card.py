"""A card that is none: the CUDA kernels compiled for the CPU against `tests/cuda_emulation`, every access checked.

`csrc/` is compiled with its bindings into a module like `arttl._kernels`. Tensors of the CPU stand for those of the
card: `EmulatedCard` launches the CUDA kernels on them where `arttl.saliency.ops` would launch the CPU's.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pybind11
import pytest
import torch

from arttl.saliency import ops

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "csrc"
EMULATION = ROOT / "tests" / "cuda_emulation"
BUILD = ROOT / "build" / "emulated"

COMPILER = shutil.which("g++")
needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or COMPILER is None, reason="the emulation needs Linux and GCC"
)
FLAGS = [
    "-std=c++17",
    "-O2",
    "-fPIC",
    "-fvisibility=hidden",
    "-DARTTL_WITH_CUDA",
    "-Wno-unknown-pragmas",
]
# Of the CUDA sources: each access calls a function of the emulation, which is linked in place of TSan's library.
CHECKED = ["-O1", "-fsanitize=thread,undefined", "--param=tsan-instrument-func-entry-exit=0", "-x", "c++"]
LAUNCH, THREADS = ops._launch, torch.get_num_threads

ORDERS = {"ascending": 0, "descending": 1, "random": 2}

INPUT, OUTPUT, WORKSPACE = range(3)
Array = tuple[str, int, int, int]  # name, address, bytes, use


def build(sources: Path = SOURCES, extra: Sequence[Path] = (), folder: Path = BUILD) -> Path:
    """The module of `sources` and of `extra` ones, in `folder`; what was compiled before is taken from `BUILD`."""
    includes = [EMULATION, sources, pybind11.get_include(), sysconfig.get_path("include")]

    def compiled(source: Path) -> Path:
        flags = [*FLAGS, *(CHECKED if source.suffix == ".cu" else [])]
        digest = hashlib.sha256(repr(flags).encode())
        for path in _with_headers(source, (source.parent, sources, EMULATION)):
            digest.update(path.read_bytes())
        name = f"{source.stem}-{digest.hexdigest()[:16]}.o"
        target = BUILD / name if (BUILD / name).is_file() else folder / name
        _make(target, [*flags, *[f"-I{include}" for include in includes], "-c", source])
        return target

    # Of an inline function that is in several objects the linker takes the first: the emulation's own must not be
    # checked, and the kernels' must be.
    parts = [
        *sorted(EMULATION.glob("*.cpp")),
        *sorted(sources.glob("cuda/*.cu")),
        *extra,
        sources / "bindings.cpp",
        *sorted(sources.glob("cpu/*.cpp")),
    ]
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compiled, parts))
    digest = hashlib.sha256(b"".join(path.name.encode() for path in objects)).hexdigest()[:16]
    module = folder / f"_kernels-{digest}.so"
    _make(module, ["-shared", "-static-libubsan", *objects, "-fsanitize=undefined"])
    return module


def _with_headers(source: Path, folders: Sequence[Path]) -> list[Path]:
    """A source, and the headers of ours that it includes, directly or by others."""
    paths = [source]
    for path in paths:
        for name in re.findall(r'^#include ["<](\w[\w/.]*)[">]', path.read_text(), re.MULTILINE):
            header = next((folder / name for folder in folders if (folder / name).is_file()), None)
            if header is not None and header not in paths:
                paths.append(header)
    return paths


def _make(target: Path, arguments: Sequence[str | Path]) -> None:
    """Run the compiler unless the target is there; other processes may do the same."""
    if target.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        output = Path(folder) / target.name
        subprocess.run([str(COMPILER), *arguments, "-o", output], check=True)
        output.replace(target)


def arrays_of(name: str, arguments: Sequence[Any]) -> list[Array]:
    """The arrays of a call of a kernel, exactly as large as csrc/kernels.h says."""
    if name == "channel_mean":
        x, out, dtype, _, images, channels, pixels, _ = arguments
        size = 4 if dtype == 0 else 2
        return [
            ("input", x, images * channels * pixels * size, INPUT),
            ("output", out, images * pixels * 4, OUTPUT),
        ]
    if name == "backproject":
        means, steps, deep_size, _, workspace, out, images = arguments
        sizes = [deep_size, *(steps[i + 1 : i + 3] for i in range(0, len(steps), 9) if steps[i] & 1)]
        pixels = steps[-8] * steps[-7]
        return [
            *[
                (f"mean {index}", mean, images * size[0] * size[1] * 4, INPUT)
                for index, (mean, size) in enumerate(zip(means, reversed(sizes), strict=True))
            ],
            ("workspace", workspace, images * pixels * 4, WORKSPACE),
            ("output", out, images * pixels * 4, OUTPUT),
        ]
    if name == "class_evidence":
        logits, classes, against, out, images, outputs, pixels = arguments
        return [
            ("logits", logits, images * outputs * pixels * 4, INPUT),
            ("classes", classes, images * 8, INPUT),
            ("against", against, images * 8, INPUT),
            ("output", out, images * pixels * 4, OUTPUT),
        ]
    raise ValueError(f"the emulation knows no arrays of {name}: add them here, as csrc/kernels.h has them")


class EmulatedCard:
    """Runs the kernels of a module that `build` made; a fault is a RuntimeError that says what and where.

    It is an H200 until `set_card` makes it another.

    Args:
        module: the path of the module.
        order: in which threads and blocks run, a key of `ORDERS`.
        seed: of the random order.
    """

    device = torch.device("cpu")  # its tensors stand for those of the card
    stream = 0x5EA0

    def __init__(self, module: Path, order: str = "ascending", seed: int = 0) -> None:
        self.kernels = _loaded(module)
        self.library = ctypes.CDLL(str(module))
        for function in ("emulation_add_array", "emulation_end_call", "emulation_run_deferred"):
            getattr(self.library, function).restype = ctypes.c_char_p
        self.library.emulation_operations.restype = ctypes.c_int64
        self.library.emulation_reset()
        self.library.emulation_set_order(ORDERS[order], ctypes.c_uint64(seed))
        self.add_stream(self.stream, 0)
        self.calls: dict[str, int] = {}
        self._kept: list[torch.Tensor] = []

    def add_stream(self, stream: int, device: int) -> None:
        """Make `stream` one of `device`."""
        self.library.emulation_add_stream(ctypes.c_size_t(stream), device)

    def set_devices(self, count: int) -> None:
        """Have so many devices."""
        self.library.emulation_set_devices(count)

    def set_card(self, capability: int, processors: int) -> None:
        """Have the compute capability, 90 for 9.0, and so many multiprocessors."""
        self.library.emulation_set_card(capability, processors)

    @property
    def current_device(self) -> int:
        """The device that the runtime would use now."""
        return int(self.library.emulation_device())

    @property
    def operations(self) -> int:
        """Kernels and memsets that were queued."""
        return int(self.library.emulation_operations())

    def call(self, name: str, *arguments: Any, device: int = 0, stream: int | None = None) -> None:
        """Run a kernel by its name in csrc/kernels.h without `_cuda`."""
        self.calls[name] = self.calls.get(name, 0) + 1
        try:
            for array in arrays_of(name, arguments):
                self._add(*array)
            function = getattr(self.kernels, name + "_cuda")
            function(*arguments, device, self.stream if stream is None else stream)
        except BaseException:
            self.library.emulation_end_call()
            raise
        _check(self.library.emulation_end_call())

    def _add(self, name: str, address: int, size: int, use: int) -> None:
        if address and size:
            sizes = (ctypes.c_size_t(address), ctypes.c_size_t(size))
            _check(self.library.emulation_add_array(name.encode(), *sizes, use))

    @contextlib.contextmanager
    def used(self) -> Iterator[EmulatedCard]:
        """Launch on this card what the operators would run on the CPU."""
        with pytest.MonkeyPatch.context() as patches:
            patches.setattr(ops, "_launch", lambda name, device, *arguments: self.call(name, *arguments))
            # A card needs a workspace per image, the CPU one per thread.
            patches.setattr(torch, "get_num_threads", lambda: 2**30)
            yield self

    @contextlib.contextmanager
    def on_cpu(self) -> Iterator[None]:
        """Run the CPU's kernels after all."""
        with pytest.MonkeyPatch.context() as patches:
            patches.setattr(ops, "_launch", LAUNCH)
            patches.setattr(torch, "get_num_threads", THREADS)
            yield

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """What is queued within waits until the end."""
        with self._deferred():
            yield
        self._run_deferred()

    def capture(self, function: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, Callable[[], None]]:
        """What a function returns once its operations ran, and a call that runs them, again each time."""
        with self._deferred():
            return function(), self._run_deferred

    def _run_deferred(self) -> None:
        if fault := self.library.emulation_run_deferred():
            raise RuntimeError(fault.decode())

    @contextlib.contextmanager
    def _deferred(self) -> Iterator[None]:
        """Operations wait; the arrays made for them are kept, as torch keeps them for a stream or a graph."""

        def kept(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
            def made(*arguments: Any, **options: Any) -> torch.Tensor:
                self._kept.append(make(*arguments, **options))
                return self._kept[-1]

            return made

        self.library.emulation_defer()
        with pytest.MonkeyPatch.context() as patches:
            patches.setattr(torch.Tensor, "new_empty", kept(torch.Tensor.new_empty))
            patches.setattr(torch, "empty_like", kept(torch.empty_like))
            yield


def _loaded(path: Path) -> ModuleType:
    # pybind11 makes one module per name and process, of which each of ours needs its own.
    spec = importlib.util.spec_from_file_location(f"{path.stem}._kernels", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _check(fault: bytes) -> None:
    if fault:
        raise RuntimeError("emulation: " + fault.decode())
