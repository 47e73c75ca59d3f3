"""Work on pictures in several processes: results in order, a bounded number at a time, and no process left behind."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from arttl.catalogue.jobs import Job
from arttl.cpu import usable_cores
from arttl.errors import ArttlError
from arttl.packing.samples import Limits, make_sample
from arttl.processes import ProcessDied, ProcessPool
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
_SECONDS_WITHOUT_WORKERS = 8.0  # after which a Dask cluster is given up
_SECONDS_BETWEEN_LOOKS = 1.0
_RESUME = "if memory ran out, give fewer --workers or a lower --max-pixels, and continue with --resume"
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
    remedy: str = _RESUME,
) -> Generator[T, None, None]:
    """The result of every job, in the jobs' order.

    At most `workers` times three chunks, and one more, are held at a time. With one worker the work is done here.

    Args:
        work: a function of a module.
        jobs: read one at a time.
        workers: processes.
        scheduler: address of a Dask scheduler, whose workers are used instead.
        chunk_size: jobs sent to a process at once.
        remedy: end of the message if a process dies.

    Raises:
        ArttlError: if a process dies, of lack of memory for instance, or the scheduler cannot be used.
    """
    if workers == 1 and scheduler is None:
        yield from map(work, jobs)
        return
    with _dask(scheduler) if scheduler else _processes(workers) as (submit, width):
        waiting: deque[tuple[list[J], _Future]] = deque()
        jobs = iter(jobs)
        while chunk := list(itertools.islice(jobs, chunk_size)):
            waiting.append((chunk, submit(work, chunk)))
            if len(waiting) > width * _CHUNKS_AHEAD:
                yield from _result(*waiting.popleft(), remedy)
        while waiting:
            yield from _result(*waiting.popleft(), remedy)


@contextmanager
def _processes(workers: int) -> Iterator[tuple[Callable[..., _Future], int]]:
    pool = ProcessPool(workers)
    try:
        yield pool.submit, workers
    finally:
        pool.close()


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

        def submit(work: Callable[[J], T], chunk: list[J]) -> _Future:
            # Not pure: the same chunk submitted again is read again.
            return _DaskFuture(client, client.submit(_all, work, chunk, pure=False))

        yield submit, width
    finally:
        client.close()


@dataclass(frozen=True)
class _DaskFuture:
    """A future that fails when no worker is left, where Dask's own would wait for a new one."""

    client: Any
    future: Any

    def result(self) -> Any:
        import asyncio  # Dask has loaded it; packing without a cluster need not

        without_workers = 0.0
        while True:
            try:
                return self.future.result(timeout=_SECONDS_BETWEEN_LOOKS)
            except (TimeoutError, asyncio.TimeoutError):  # two classes until Python 3.11
                if self.future.status == "error":  # the work's own
                    raise
            except OSError as error:
                raise ProcessDied("the Dask scheduler is gone") from error
            if self.future.done() or self.client.nthreads():
                without_workers = 0.0
                continue
            without_workers += _SECONDS_BETWEEN_LOOKS
            if without_workers >= _SECONDS_WITHOUT_WORKERS:
                raise ProcessDied("all Dask workers are gone")


def _result(chunk: Sequence[_Job], future: _Future, remedy: str) -> list[Any]:
    try:
        results: list[Any] = future.result()
    except ProcessDied as error:
        picture = f"at {error.job.file}" if error.job else f"at or soon after {chunk[0].file}"
        raise ArttlError(f"{error.event} {picture}; {remedy}") from error
    except ModuleNotFoundError as error:
        raise ArttlError(f"the workers of --scheduler lack {error.name!r}; install arttl there") from error
    except Exception as error:
        if type(error).__module__.split(".")[0] != "distributed":
            raise
        event = f"a Dask worker failed ({type(error).__name__}) at or soon after {chunk[0].file}"
        raise ArttlError(f"{event}; {remedy}") from error
    return results


def _all(work: Callable[[J], T], jobs: list[J]) -> list[T]:
    return [work(job) for job in jobs]
