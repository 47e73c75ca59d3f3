"""The cores of this process: how many it may use, how its threads wait for each other, and which memory it keeps."""

from __future__ import annotations

import ctypes
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4

WAITING = {
    "GOMP_SPINCOUNT": "20000",  # iterations in GNU's OpenMP: some hundred microseconds
    "KMP_BLOCKTIME": "1",  # milliseconds in LLVM's and Intel's OpenMP, whose default is 200
}
"""The variables that `share_cores` sets."""
_USERS_OWN = (*WAITING, "OMP_WAIT_POLICY")
_OPENMP_LIBRARY = re.compile(r"/lib(?:gomp|i?omp5?)[-.][^/]*$")


def share_cores() -> None:
    """Let threads that wait for each other release their cores soon, so that other programs can use them.

    OpenMP's threads wait in a busy loop for milliseconds. On a machine that other programs use as well, the thread that
    all others wait for gets no core, because the waiting threads occupy them, and a step takes many times its fair
    share. A short busy wait costs little on an idle machine. The results are the same to the bit.

    OpenMP reads its settings while it is loaded: call this before the first import of torch. The `arttl` command does.
    Child processes inherit the settings. If `GOMP_SPINCOUNT`, `KMP_BLOCKTIME` or `OMP_WAIT_POLICY` is already set,
    nothing is changed.

    Warns:
        RuntimeWarning: if an OpenMP library is already loaded; then only child processes get the settings.
    """
    if any(name in os.environ for name in _USERS_OWN):
        return
    os.environ.update(WAITING)
    library = _loaded_openmp()
    if library:
        variables = " ".join(f"{name}={value}" for name, value in WAITING.items())
        warnings.warn(
            f"too late to share the cores: {library} is loaded already; call arttl.share_cores() before the first "
            f"import of torch, or start Python with {variables}",
            RuntimeWarning,
            stacklevel=2,
        )


def _loaded_openmp() -> str | None:
    """The OpenMP library loaded by this process; `torch` where the loaded libraries cannot be listed."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:  # not Linux
        return "torch" if "torch" in sys.modules else None
    return next((line.split(maxsplit=5)[5] for line in lines if _OPENMP_LIBRARY.search(line)), None)


def prepare_cpu(threads: int | None) -> None:
    """Set the number of threads, and keep the memory of a step for the next one, see `keep_memory`.

    Args:
        threads: for computing; None: one per core.
    """
    import torch

    # Launchers give each process a single thread, whatever the number of cores.
    torch.set_num_threads(threads or usable_cores())
    keep_memory()


def prepare_cpu_for_inference() -> None:
    """As `prepare_cpu`, with the number of threads set for OpenMP, but no more than `usable_cores`."""
    import torch

    prepare_cpu(min(torch.get_num_threads(), usable_cores()))


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that this process may use, shared fairly between the processes that a launcher started here.

    The minimum of its CPU affinity and the CPU quotas of its control groups, rounded to whole cores, divided by
    `LOCAL_WORLD_SIZE` and rounded down; at least 1.

    Args:
        root: of the file system, whose `proc` and `sys` describe the control groups.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # A fraction of half a core or more is worth another thread; with less, the others would wait for that thread.
    allowed = int(min([cores, *_quotas(root)]) + 0.5)
    return max(1, allowed // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", 1))))


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that programs may still take without swapping, of the whole machine; None where Linux does not say."""
    try:
        text = (root / "proc/meminfo").read_text()
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", text, re.MULTILINE)
    return None if found is None else int(found[1]) << 10


def _quotas(root: Path) -> Iterator[float]:
    """The quotas, in cores, of this process's control groups and their parents, of both versions."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
        mounts = (root / "proc/self/mountinfo").read_text().splitlines()
    except OSError:  # not Linux
        return
    paths: dict[str, str] = {}  # by controller, "" in version 2
    for line in groups:
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    for line in mounts:
        left, _, right = line.partition(" - ")
        within, point = left.split()[3:5]
        kind, *_, options = right.split()
        controller = {"cgroup2": "", "cgroup": "cpu" if "cpu" in options.split(",") else None}.get(kind)
        if controller is None or controller not in paths:
            continue
        mount = root / point.lstrip("/")
        folder = mount
        # In a container the mount may begin at the container's own group, or at a group outside the path.
        own = PurePosixPath(paths[controller])
        if own.is_relative_to(within) and ".." not in own.parts:
            folder = mount / own.relative_to(within)
        for group in (folder, *folder.parents):
            yield from _quota(group)
            if group == mount:
                break


def _quota(group: Path) -> Iterator[float]:
    """The quota of one control group itself, in cores, if it has one."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = (
                (group / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period")
            )
    except (OSError, ValueError):  # a group without the controller, such as the root
        return
    if quota.isdigit() and int(period):  # neither "max" nor -1
        yield int(quota) / int(period)


def keep_memory() -> None:
    """Keep freed memory for later allocations.

    The activations of a network are tens of megabytes each. glibc maps each such block separately and returns it to the
    kernel when it is freed, so that in every step all pages are mapped and cleared again, which can cost more than the
    network itself. On the heap they are mapped once; the process then keeps its peak memory until it ends. With other C
    libraries this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)
