"""Work on pictures in several processes: results in order, a bounded number at a time, and no process left behind."""

from __future__ import annotations

import itertools
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

from arttl.cpu import usable_cores
from arttl.errors import ArttlError
from arttl.packing.samples import Job, Limits, make_sample
from arttl.shards.rejects import Reject
from arttl.shards.sample import Sample

T = TypeVar("T")


class _Job(Protocol):
    @property
    def file(self) -> str: ...


J = TypeVar("J", bound=_Job)

_FEW = 1000
_CHUNK = 4  # jobs sent to a process at once
_LARGE_CHUNK = 16  # the same where results are small, so that they are not outweighed by the sending
_SMALL_SIDE = 1024  # pixels
_SCHEDULER_TIMEOUT = 10.0  # seconds
_CHUNKS_AHEAD = 3  # for each process: one at work, two waiting


class _Future(Protocol):
    def result(self) -> Any: ...


def default_workers(pictures: int) -> int:
    """One per core that this process may use; a small collection is done before processes have started."""
    return 1 if pictures <= _FEW else usable_cores()


def samples_in_order(
    jobs: Iterable[Job], limits: Limits, workers: int, scheduler: str | None = None
) -> Generator[Sample | Reject, None, None]:
    """`make_sample` of every job, in the jobs' order; see `in_order`."""
    chunk_size = _LARGE_CHUNK if 0 < limits.max_side <= _SMALL_SIDE else _CHUNK
    return in_order(partial(make_sample, limits=limits), jobs, workers, scheduler, chunk_size=chunk_size)


def in_order(
    work: Callable[[J], T],
    jobs: Iterable[J],
    workers: int,
    scheduler: str | None = None,
    *,
    chunk_size: int = _CHUNK,
) -> Generator[T, None, None]:
    """The result of every job, in the jobs' order.

    At most `workers` times three chunks, and one more, are held at a time. With one worker the work is done here.

    Args:
        work: a function of a module.
        jobs: read one at a time.
        workers: processes.
        scheduler: address of a Dask scheduler, whose workers are used instead.
        chunk_size: jobs sent to a process at once.

    Raises:
        ArttlError: if a process dies, of lack of memory for instance, or the scheduler cannot be used.
    """
    if workers == 1 and scheduler is None:
        yield from map(work, jobs)
        return
    with _dask(scheduler) if scheduler else _processes(workers) as (submit, width):
        whole = partial(_all, work)
        waiting: deque[tuple[list[J], _Future]] = deque()
        jobs = iter(jobs)
        while chunk := list(itertools.islice(jobs, chunk_size)):
            waiting.append((chunk, submit(whole, chunk)))
            if len(waiting) > width * _CHUNKS_AHEAD:
                yield from _result(*waiting.popleft())
        while waiting:
            yield from _result(*waiting.popleft())


@contextmanager
def _processes(workers: int) -> Iterator[tuple[Callable[..., _Future], int]]:
    # Fresh processes rather than forks: the caller may have threads or a card open.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        yield pool.submit, workers
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _dask(scheduler: str) -> Iterator[tuple[Callable[..., _Future], int]]:
    try:
        from distributed import Client
    except ImportError as error:
        raise ArttlError(
            f"--scheduler {scheduler} needs the extra 'dask': pip install 'arttl[dask]'"
        ) from error
    try:
        client = Client(scheduler, timeout=_SCHEDULER_TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ArttlError(f"--scheduler {scheduler}: there is no Dask scheduler at this address") from error
    try:
        width = sum(client.nthreads().values())
        if not width:
            raise ArttlError(
                f"--scheduler {scheduler} has no workers; start some with dask worker {scheduler}"
            )
        # Not pure: the same chunk submitted again is read again.
        yield partial(client.submit, pure=False), width
    finally:
        client.close()


def _result(chunk: Sequence[_Job], future: _Future) -> list[Any]:
    try:
        results: list[Any] = future.result()
    except BrokenProcessPool as error:
        raise _died(chunk, "a packing process died") from error
    except ModuleNotFoundError as error:
        raise ArttlError(f"the workers of --scheduler lack {error.name!r}; install arttl there") from error
    except Exception as error:
        if type(error).__module__.split(".")[0] != "distributed":
            raise
        raise _died(chunk, f"a Dask worker failed ({type(error).__name__})") from error
    return results


def _died(chunk: Sequence[_Job], event: str) -> ArttlError:
    return ArttlError(
        f"{event}, at or soon after {chunk[0].file}; if memory ran out, give fewer --workers or a lower --max-pixels,"
        " and continue with --resume"
    )


def _all(work: Callable[[J], T], jobs: list[J]) -> list[T]:
    return [work(job) for job in jobs]


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it ends, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
