"""Processes that share work and may be killed at any moment: each has a pipe of its own, and no lock is shared.

`concurrent.futures.ProcessPoolExecutor` has one queue for the results of all its processes, whose lock a killed process
keeps: the others then wait for ever. Here the end of a process is the end of its pipe, and which job it had is known.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

_BY_THE_CLOCK = 12  # times the limit of processor time
_LAST_SECONDS = 5.0  # that a process may take to end when it is asked to


class ProcessDied(Exception):
    """A process that does the work is gone.

    Attributes:
        event: what happened, for a message.
        job: that it was working on; None where that is not known.
    """

    def __init__(self, event: str, job: Any = None) -> None:
        super().__init__(event)
        self.event = event
        self.job = job


def output_of(module: str, arguments: Sequence[str], seconds: float) -> bytes:
    """What the function `main` of a module prints, in a process that shares nothing with this one.

    Args:
        module: whose `main` calls `limit_memory` before it reads what a stranger wrote.
        arguments: of its command line.
        seconds: of the processor that it may take; by the clock twelve times as long, where a machine does much else.

    Raises:
        ProcessDied: if it crashed or took longer.
        RuntimeError: with its traceback, for any other failure.
    """
    # Nothing is imported from the current folder, which may be a stranger's.
    code = (
        "import sys; sys.path[:] = filter(None, sys.path); from arttl.processes import limit_time;"
        f" limit_time({math.ceil(seconds)}); from {module} import main; main()"
    )
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_BY_THE_CLOCK * seconds,
            env={**os.environ, **one_thread},  # threads reserve memory
        )
    except subprocess.TimeoutExpired as error:
        raise ProcessDied(f"a process took more than {_BY_THE_CLOCK * seconds:g} s") from error
    if b"Traceback (most recent call last)" in done.stderr:
        raise RuntimeError(f"in the process of {module}:\n{done.stderr.decode(errors='replace')}")
    if done.returncode == -getattr(signal, "SIGXCPU", math.inf):
        raise ProcessDied(f"a process took more than {seconds:g} s")
    if done.returncode:
        raise ProcessDied("a process crashed")
    return done.stdout


def limit_time(seconds: int) -> None:
    """Let this process have no more than so many seconds of the processor; of no effect on Windows."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def limit_memory(most: int) -> None:
    """Let this process have no more than so many bytes of address space; of no effect on macOS and Windows."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (most, most))  # which macOS refuses


class Ticket:
    """Jobs that were handed to a process, and in the end their results."""

    def __init__(self, jobs: Sequence[Any]) -> None:
        """Nothing is done yet."""
        self.jobs = jobs
        self._done = threading.Event()
        self._message: bytes | ProcessDied = b""

    def complete(self, message: bytes | ProcessDied) -> None:
        """Set the outcome: the process's message, or that it died."""
        self._message = message
        self._done.set()

    @property
    def is_complete(self) -> bool:
        """Whether `result` has no more to wait for."""
        return self._done.is_set()

    def result(self) -> list[Any]:
        """The result of each job, when all are there.

        Raises:
            ProcessDied: if any process of the pool died before.
            Exception: what the work raised.
        """
        self._done.wait()
        if isinstance(self._message, ProcessDied):
            raise self._message
        results, error, text = pickle.loads(self._message)
        if error is not None:
            raise error from RuntimeError(f"in a process of the pool:\n{text}")
        outcome: list[Any] = results
        return outcome


class _Worker:
    """A process, its pipe, and the tickets that it has not answered.

    Attributes:
        progress: the number of tickets it has begun with, and the index of the job that it is at; written by it.
    """

    def __init__(self, context: Any) -> None:
        self.progress = context.RawArray("q", [0, 0])
        self.answered = 0
        self.waiting: deque[Ticket] = deque()
        self.connection, its_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(its_end, self.progress), daemon=True)
        self.process.start()
        its_end.close()  # or its end would not be the end of the pipe

    def job(self) -> Any:
        """The job that it is at; None if it has none."""
        if not self.waiting:
            return None
        begun, index = self.progress
        return self.waiting[0].jobs[index if begun > self.answered else 0]


class ProcessPool:
    """Fresh processes, no forks: the caller may have threads or a card open. They end when it ends, even if killed."""

    def __init__(self, count: int) -> None:
        """Start `count` processes."""
        context = multiprocessing.get_context("spawn")
        self._workers = [_Worker(context) for _ in range(count)]
        self._lock = threading.Lock()
        self._died: ProcessDied | None = None
        self._receiver = threading.Thread(target=self._receive, daemon=True)
        self._receiver.start()

    def submit(self, work: Callable[[Any], Any], jobs: Sequence[Any]) -> Ticket:
        """Let the process that has the least to do apply `work` to each job.

        Args:
            work: a function of a module.
            jobs: to be pickled, as the results are.
        """
        ticket = Ticket(jobs)
        message = pickle.dumps((work, jobs))
        with self._lock:
            if self._died is not None:
                ticket.complete(self._died)
                return ticket
            worker = min(self._workers, key=lambda worker: len(worker.waiting))
            worker.waiting.append(ticket)
        with contextlib.suppress(OSError):  # the receiver sees that the process is gone
            worker.connection.send_bytes(message)
        return ticket

    def close(self) -> None:
        """End all processes; what they have not answered is lost."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(_LAST_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._receiver.join()
        for worker in self._workers:
            worker.connection.close()

    def _receive(self) -> None:
        """Take the messages of all processes until one is gone."""
        workers: dict[Any, _Worker] = {worker.connection: worker for worker in self._workers}
        while True:
            for connection in wait(list(workers)):
                worker = workers[connection]
                try:
                    message = worker.connection.recv_bytes()
                except (EOFError, OSError):
                    self._give_up(ProcessDied("a process died", worker.job()))
                    return
                with self._lock:
                    ticket = worker.waiting.popleft()
                    worker.answered += 1
                ticket.complete(message)

    def _give_up(self, died: ProcessDied) -> None:
        with self._lock:
            self._died = died
            tickets = [ticket for worker in self._workers for ticket in worker.waiting]
        for ticket in tickets:
            ticket.complete(died)


def _serve(connection: Connection, progress: Any) -> None:
    """Do the jobs that arrive, until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    # A thread of its own, so that the parent never waits for this process to take a message.
    threading.Thread(target=_read, args=(connection, messages), daemon=True).start()
    while True:
        message = messages.get()
        results, error, text = [], None, ""
        try:
            work, jobs = pickle.loads(message)
            progress[1] = 0
            progress[0] += 1
            for index, job in enumerate(jobs):
                progress[1] = index
                results.append(work(job))
            answer = pickle.dumps((results, error, text))
        except Exception as raised:
            text = traceback.format_exc()
            try:
                answer = pickle.dumps(([], raised, text))
                pickle.loads(answer)
            except Exception:  # not every exception can be sent
                answer = pickle.dumps(([], RuntimeError(repr(raised)), text))
        try:
            connection.send_bytes(answer)
        except OSError:
            os._exit(1)


def _read(connection: Connection, messages: queue.SimpleQueue[bytes]) -> None:
    try:
        while True:
            messages.put(connection.recv_bytes())
    except (EOFError, OSError):  # the pool is closed, or its process is gone
        os._exit(1)
