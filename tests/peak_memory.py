"""The most memory that this process has had."""

from __future__ import annotations

import resource
import sys


def peak_memory() -> int:
    """In kB, on every system: macOS counts in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
