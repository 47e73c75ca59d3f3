"""What a process that runs networks on the CPU sets once: its threads, and how memory comes and goes."""

from __future__ import annotations

import ctypes
import os

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def prepare_cpu(threads: int | None) -> None:
    """Use the cores, and keep the memory of one step for the next, see `keep_memory`.

    Args:
        threads: for computing; None for one a core.
    """
    import torch

    # The launchers leave each process a single thread, whatever the cores.
    torch.set_num_threads(threads or usable_cores())
    keep_memory()


def usable_cores() -> int:
    """Cores that this process may use, shared fairly among the processes that a launcher started here."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", 1))))


def keep_memory() -> None:
    """Keep memory that was freed for what comes next.

    The activations of a network are tens of megabytes each. glibc takes each such piece from the kernel and gives it
    back at once, so that every step has all its pages cleared and mapped anew, which can cost more than the network
    itself. Kept on the heap they are mapped once; the process then holds its peak until it ends. Other C libraries are
    left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)
