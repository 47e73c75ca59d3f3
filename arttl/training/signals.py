"""SIGTERM, a cluster's warning that the time is up: leave a checkpoint and exit with 0."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import torch
from accelerate import Accelerator


class Terminated(Exception):
    """Training was asked to stop and has left a checkpoint."""


@contextmanager
def watch_sigterm(accelerator: Accelerator) -> Iterator[Callable[[], bool]]:
    """Note SIGTERM within the block, where it would end the process.

    Yields:
        A function that returns whether any rank has received it; every rank must call it, and all get the same result.
    """
    received = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received = True

    def terminated() -> bool:
        if accelerator.num_processes == 1:
            return received
        return bool(accelerator.reduce(torch.tensor([int(received)], device=accelerator.device), "sum"))

    # Only the main thread may set a handler; elsewhere the caller's own rules stand.
    if threading.current_thread() is not threading.main_thread():
        yield terminated
        return
    before = signal.signal(signal.SIGTERM, note)
    try:
        yield terminated
    finally:
        signal.signal(signal.SIGTERM, before)
