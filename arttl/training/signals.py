"""SIGTERM, a cluster's warning that the time is up: leave a checkpoint and end well."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import torch
from accelerate import Accelerator


class Terminated(Exception):
    """Training was asked to stop and has left a checkpoint."""


class SignalWatch:
    """Notes SIGTERM while it is entered, instead of ending the process."""

    def __init__(self) -> None:
        self._noted = False
        self._before: Any = None
        # Only the main thread may set a handler; elsewhere the caller's own rules stand.
        self._active = threading.current_thread() is threading.main_thread()

    def terminated(self, accelerator: Accelerator) -> bool:
        """Whether any rank received SIGTERM; every rank must call this, and all get the same result."""
        if accelerator.num_processes == 1:
            return self._noted
        noted = torch.tensor([int(self._noted)], device=accelerator.device)
        return bool(accelerator.reduce(noted, "sum"))

    def __enter__(self) -> SignalWatch:
        if self._active:
            self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._active:
            signal.signal(signal.SIGTERM, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._noted = True
