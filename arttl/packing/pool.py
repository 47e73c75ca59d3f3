"""Pictures through processes: in order, a bounded number at a time, and none left behind."""

from __future__ import annotations

import itertools
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial

from arttl.errors import ArttlError
from arttl.packing.samples import Job, Limits, Sample, make_sample
from arttl.sources.rejects import Reject

_FEW = 1000
_CHUNK = 4  # jobs sent to a process at once, so that small pictures are not outweighed by the sending
_CHUNKS_AHEAD = 3  # for each process: one at work, two waiting


def default_workers(pictures: int) -> int:
    """One for each core that this process may use; a small collection is done before processes have started."""
    if pictures <= _FEW:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def samples_in_order(
    jobs: Iterable[Job], limits: Limits, workers: int
) -> Generator[Sample | Reject, None, None]:
    """`make_sample` of every job, in the jobs' order.

    At most `workers` times a dozen pictures are held at a time. With one worker the work is done here.

    Raises:
        ArttlError: if a process dies, of lack of memory for instance.
    """
    if workers == 1:
        yield from (make_sample(job, limits) for job in jobs)
        return
    # Fresh processes rather than forks: the caller may have threads or a card open.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
    work = partial(_make_samples, limits=limits)
    waiting: deque[tuple[list[Job], Future[list[Sample | Reject]]]] = deque()
    try:
        jobs = iter(jobs)
        while chunk := list(itertools.islice(jobs, _CHUNK)):
            waiting.append((chunk, pool.submit(work, chunk)))
            if len(waiting) > workers * _CHUNKS_AHEAD:
                yield from _result(*waiting.popleft())
        while waiting:
            yield from _result(*waiting.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _result(chunk: list[Job], future: Future[list[Sample | Reject]]) -> list[Sample | Reject]:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise ArttlError(
            f"a packing process died, at or soon after {chunk[0].file}; if memory ran out,"
            " give fewer --workers or a lower --max-pixels, and go on with --resume"
        ) from error


def _make_samples(jobs: list[Job], limits: Limits) -> list[Sample | Reject]:
    return [make_sample(job, limits) for job in jobs]


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it ends, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
