"""How a command ends: its exit status, and what is reported of a failure, also where nothing can be written."""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from arttl.errors import ArttlError, printable

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # that a write reports without a name


def status_of(work: Callable[[], object]) -> int:
    """Do what a command does, and report its failure."""
    _tolerate_encodings()
    try:
        with _readers_may_leave():
            work()
        _leave_process_group()
    except ArttlError as error:
        if error.on_every_rank:
            _leave_process_group()
        if os.environ.get("RANK", "0") == "0" or not error.on_every_rank:
            _report(f"error: {printable(str(error))}")
        return 2
    except OSError as error:
        if error.filename is None and error.errno not in _DISK_ERRORS:
            raise
        name = "standard output" if error.filename is None else error.filename
        path = os.fsdecode(name) if isinstance(name, bytes) else str(name)
        _report(f"error: {printable(path)} cannot be read or written: {error.strerror}")
        return 2
    except KeyboardInterrupt:
        _report("interrupted")
        return 130
    return 0


def _leave_process_group() -> None:
    """Join the threads of this rank's collectives, where all ranks end.

    A thread of gloo's that frees the last tensor of a collective while the interpreter is being torn down ends the
    process with SIGABRT (pytorch issue 190489).
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _report(text: str) -> None:
    """Print to standard error, which may be on a full disk too."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """Lose what a stream still holds and is given, or the end of the process fails on it once more."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _tolerate_encodings() -> None:
    """Let standard output and error print as escapes what their encoding lacks, where they would fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _readers_may_leave() -> Iterator[None]:
    """End quietly, as other programs do, when standard output is a pipe that nobody reads any more."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            poll = select.poll()
            poll.register(sys.stdout.fileno(), select.POLLOUT)
            # Without a reader: Linux says POLLERR, macOS and the BSDs POLLHUP.
            if any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0)):
                _discard(sys.stdout)
                sys.exit(128 + signal.SIGPIPE)
        elif error.filename is None and error.errno in _DISK_ERRORS:
            _discard(sys.stdout)
        raise  # another pipe, such as a worker's, or another file
