"""How long a call takes: by a clock of the processor, or by events in the stream of a card."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

Call = Callable[[], object]

_CYCLES_PER_SECOND = 2e9  # a card's clock or more, so that it sleeps for long enough


class HostClock:
    """A clock of the processor, for calls that have done their work when they return."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now

    def milliseconds(self, call: Call) -> float:
        """Of one call."""
        begin = self._now()
        call()
        return 1e3 * (self._now() - begin)

    def queued_milliseconds(self, call: Call, repeats: int) -> float:
        """Of one call, the mean of several."""
        begin = self._now()
        for _ in range(repeats):
            call()
        return 1e3 * (self._now() - begin) / repeats


class EventClock:
    """The clock of the current CUDA device."""

    def milliseconds(self, call: Call) -> float:
        """Of one call on an idle card, from its first operation to its last: waiting for Python counts."""
        torch.cuda.synchronize()
        return self._between(call)

    def queued_milliseconds(self, call: Call, repeats: int) -> float:
        """Of one call, the mean of several that are queued while the card sleeps, so that it waits for no launch."""
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(repeats):
            call()
        queueing = time.perf_counter() - begin
        torch.cuda.synchronize()
        torch.cuda._sleep(int(1.5 * _CYCLES_PER_SECOND * min(queueing, 0.5)))

        def several() -> None:
            for _ in range(repeats):
                call()

        return self._between(several) / repeats

    def _between(self, call: Call) -> float:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end)
