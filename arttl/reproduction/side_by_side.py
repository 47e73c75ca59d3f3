"""Several runs at a time, each in a process of its own with its own GPU: no GPU waits while a run only reads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from arttl.cpu import usable_cores
from arttl.errors import ArttlError, counted
from arttl.files import make_folder
from arttl.processes import ProcessDied, ProcessPool
from arttl.reproduction.cells import Matrix
from arttl.reproduction.experiment import Plan
from arttl.reproduction.running import Experiment, run_matrix

_PAUSE = 1.0  # seconds between two looks at the run folders


@dataclass(frozen=True)
class _Worker:
    """What one of the processes is given.

    Attributes:
        experiment, matrix: all of it; every process takes the runs that no other is at.
        gpu: its entry of CUDA_VISIBLE_DEVICES; None without one.
        threads: of its share of the cores.
        again: those of the runs that failed before which it tries again.
        log: where its output goes.
    """

    experiment: Experiment
    matrix: Matrix
    gpu: str | None
    threads: int
    again: frozenset[str]
    log: Path


def workers_by_default(asked: int | None, processes: int) -> int:
    """How many runs are trained at a time.

    Args:
        asked: the user's number; None: one per GPU, or one.
        processes: of this launch.

    Raises:
        ArttlError: if a launcher's processes, which do each run together, are asked for several runs at a time.
    """
    if processes > 1:
        if asked is not None and asked > 1:
            raise ArttlError(
                f"--side-by-side {asked} is for a command that was not launched, and this launch has {processes}"
                " processes, which do each run together: leave out the flag, or accelerate launch"
            )
        return 1
    return asked or max(1, torch.cuda.device_count())


def visible_gpus(count: int, workers: int, visible: str | None) -> list[str | None]:
    """The GPU of each worker, in turn, as CUDA_VISIBLE_DEVICES names it; None where there is none.

    Args:
        count: of the GPUs that this process may use.
        workers: of the experiment.
        visible: CUDA_VISIBLE_DEVICES of this process, if it is set.
    """
    if not count:
        return [None] * workers
    names = visible.split(",")[:count] if visible else [str(index) for index in range(count)]
    return [names[worker % len(names)] for worker in range(workers)]


def run_side_by_side(plan: Plan, workers: int, say: Callable[[str], None]) -> None:
    """Train what is not done yet, several runs at a time; each run is trained as it would be alone.

    A run that failed before is tried again, once. What the processes print is in `logs/` of the experiment's folder.

    Args:
        plan: of the experiment.
        workers: processes, each with one run at a time.
        say: told of every run that ends.

    Raises:
        ArttlError: if a process was killed.
    """
    experiment = plan.experiment
    todo = [run for run in plan.matrix.runs if experiment.state(run) != "done"]
    workers = min(workers, len(todo))
    if not workers:
        return
    failed = [run.name for run in todo if experiment.state(run) == "failed"]
    logs = experiment.out / "logs"
    make_folder(logs)
    say(
        f"{counted(len(todo), 'run')}, {workers} at a time, each in its own process; their output is in {logs}"
    )
    threads = max(1, usable_cores() // workers)
    gpus = visible_gpus(torch.cuda.device_count(), workers, os.environ.get("CUDA_VISIBLE_DEVICES"))
    pool = ProcessPool(workers)
    try:
        tickets = [
            pool.submit(
                _work,
                [
                    _Worker(
                        experiment,
                        plan.matrix,
                        gpu,
                        threads,
                        frozenset(failed[index::workers]),
                        logs / f"{index + 1}.txt",
                    )
                ],
            )
            for index, gpu in enumerate(gpus)
        ]
        ended: set[str] = set()
        running = True
        while running:
            running = not all(ticket.is_complete for ticket in tickets)
            for run in todo:
                state = experiment.state(run)
                is_news = state == "done" or (state == "failed" and (run.name not in failed or not running))
                if is_news and run.name not in ended:
                    ended.add(run.name)
                    why = "" if state == "done" else f": {experiment.failure(run)}"
                    say(f"{state:6} {len(ended)} of {len(todo)}  {run.name}{why}")
            if running:
                time.sleep(_PAUSE)
        for ticket in tickets:
            ticket.result()
    except ProcessDied as death:
        raise ArttlError(
            f"{death} that trained runs, see {logs}; the same command resumes them, with a smaller --side-by-side where"
            " the memory did not suffice"
        ) from death
    finally:
        pool.close()


def _work(worker: _Worker) -> None:
    """Train runs until none is left that can begin; in a process that has not opened a GPU yet."""
    if worker.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = worker.gpu
    experiment = worker.experiment
    if experiment.fine_tuning.data.threads is None:
        experiment = replace(experiment, fine_tuning=experiment.fine_tuning.replace(threads=worker.threads))
    with (
        worker.log.open("w", encoding="utf-8", buffering=1) as log,
        redirect_stdout(log),
        redirect_stderr(log),
    ):
        run_matrix(
            experiment,
            worker.matrix,
            again=worker.again,
            on_begin=lambda run, done, total: print(f"run {done + 1} of {total}: {run.name}"),
        )
