"""The least rate at which bytes must arrive: a server that drips holds a command for ever, and is given up."""

from __future__ import annotations

import time

SECONDS_PER_MIB = 120.0
"""That every MiB of a large file may take: 70 kbit per second."""


class TooSlowError(Exception):
    """Bytes arrive too slowly."""


class Pace:
    """Watches the bytes of one download."""

    def __init__(self, seconds: float | None = None) -> None:
        """Begin.

        Args:
            seconds: per MiB; by default `SECONDS_PER_MIB`.
        """
        self._seconds = SECONDS_PER_MIB if seconds is None else seconds
        self._bytes = 0
        self._end = time.monotonic() + self._seconds

    @property
    def remaining(self) -> float:
        """Seconds until the current MiB must be here; 0 or less: it is too late."""
        return self._end - time.monotonic()

    def count(self, size: int) -> None:
        """Count bytes that have arrived.

        Raises:
            TooSlowError: if the MiB that they belong to took too long.
        """
        if self.remaining <= 0:
            raise TooSlowError(f"less than 1 MiB arrived in {self._seconds:g} s")
        self._bytes += size
        if self._bytes >= 1 << 20:
            self._bytes = 0
            self._end = time.monotonic() + self._seconds
