"""Files that appear whole: written under another name, flushed to the disk, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def settle(temporary: Path, final: Path) -> None:
    """Give a written and flushed file its final name, and make the name itself survive a power cut."""
    temporary.replace(final)
    if os.name == "posix":  # elsewhere folders cannot be opened, and need not be
        descriptor = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_whole(final: Path, data: bytes | Iterable[bytes], scratch: Path) -> None:
    """Write `data` to `final` by way of the folder `scratch`, which is on the same disk."""
    temporary = scratch / (final.name + ".part")
    with temporary.open("wb") as file:
        file.writelines([data] if isinstance(data, bytes) else data)
        file.flush()
        os.fsync(file.fileno())
    settle(temporary, final)
