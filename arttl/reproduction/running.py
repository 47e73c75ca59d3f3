"""Running the matrix: one folder per run, any number of processes side by side; a run that fails stops no other."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from filelock import FileLock, Timeout

from arttl.errors import ArttlError
from arttl.files import make_folder, remove
from arttl.reproduction.cells import Matrix, Run
from arttl.runs import RunFolder, beside_other_ranks
from arttl.training.settings import TrainSettings
from arttl.training.train import train

_PAUSE = 5.0  # seconds between two checks of runs that other processes train
State = Literal["done", "failed", "open"]


@dataclass(frozen=True)
class Experiment:
    """Where the runs are, and their settings.

    Attributes:
        out: folder of all runs.
        shards: collection to its folder of shards.
        first_weights: network to where its ImageNet weights come from.
        fine_tuning: settings of every fine-tuning, whatever the collection and network.
        common_classes: task to a file of the classes that both collections have.
    """

    out: Path
    shards: Mapping[str, Path]
    first_weights: Mapping[str, str]
    fine_tuning: TrainSettings
    common_classes: Mapping[str, Path]

    def folder(self, run: Run | str) -> Path:
        """The folder of a run, given itself or its name."""
        return self.out / "runs" / (run if isinstance(run, str) else run.name)

    def settings(self, run: Run) -> TrainSettings:
        """The settings of a run."""
        weights = self.first_weights[run.backbone] if run.donor is None else str(self.folder(run.donor))
        common = f"listed={self.common_classes[run.tasks[0]]}" if run.common else None
        changes: dict[str, Any] = {
            "shards": self.shards[run.collection],
            "tasks": run.tasks,
            "classes": common or self.fine_tuning.data.classes,
            "backbone": run.backbone,
            "weights": "none" if run.mode == "scratch" else weights,
            "out": self.folder(run),
            "resume": True,
            "maps": 0,
            "seed": run.seed,
        }
        if run.mode == "off-the-shelf":
            return self.fine_tuning.off_the_shelf(**changes)
        return self.fine_tuning.replace(mode="fine-tune" if run.mode == "joint" else run.mode, **changes)

    def state(self, run: Run | str) -> State:
        """Whether a run is done, has failed, or is still to be done."""
        folder = RunFolder(self.folder(run))
        return "done" if folder.is_done else "failed" if folder.failure is not None else "open"

    def failure(self, run: Run | str) -> str:
        """The sentence that a failed run ended with."""
        return RunFolder(self.folder(run)).failure or ""


@beside_other_ranks()
def run_matrix(
    experiment: Experiment,
    matrix: Matrix,
    *,
    again: Collection[str] | None = None,
    on_begin: Callable[[Run, int, int], None] = lambda run, done, of: None,
    on_end: Callable[[Run, float, str | None], None] = lambda run, seconds, error: None,
) -> None:
    """Train what is not done yet.

    The ranks of one launch do each run together. Several processes or launches on the same folder share the runs
    between them: each run is held by a file lock while it is trained, which a killed process releases. A run that
    failed before is tried again, once by each call.

    Args:
        experiment: settings of the runs.
        matrix: the runs.
        again: names of the runs that are tried again if they failed before; None: all.
        on_begin: called with a run, how many are done and how many there are.
        on_end: called with a run, the seconds it took, and the sentence it failed with, if it failed.
    """
    state = PartialState()
    tried: set[str] = set()
    while True:
        lock: FileLock | None = None
        choice: list[Any] = [None, False]
        if state.is_main_process:
            choice[0], lock, choice[1] = _next(experiment, matrix, tried, again)
        broadcast_object_list(choice)
        run, others_are_busy = choice
        if run is None:
            if not others_are_busy:
                return
            time.sleep(_PAUSE)
            continue
        tried.add(run.name)
        on_begin(run, sum(experiment.state(each) == "done" for each in matrix.runs), len(matrix.runs))
        started = time.perf_counter()
        error = trace = None
        try:
            train(experiment.settings(run))
        except ArttlError as problem:
            error = str(problem)
        except Exception as bug:
            # One cell must not end the whole experiment; the traceback is kept for whoever fixes the bug.
            error = f"a bug, {type(bug).__name__}: {bug}"
            trace = traceback.format_exc()
        if state.is_main_process:
            folder = RunFolder(experiment.folder(run))
            assert lock is not None
            if not Path(
                lock.lock_file
            ).is_file():  # a folder made anew in its place would look like an experiment
                raise ArttlError(
                    f"{experiment.out} is gone since the run was begun: bring the folder back and repeat the command"
                )
            if error is None:
                with suppress(ArttlError):  # a finished run needs none, and they are large
                    remove(folder.checkpoints)
            else:
                folder.fail(error, trace)
            lock.release()
        on_end(run, time.perf_counter() - started, error)
        state.wait_for_everyone()


def _next(
    experiment: Experiment, matrix: Matrix, tried: set[str], again: Collection[str] | None
) -> tuple[Run | None, FileLock | None, bool]:
    """A run that can begin now, and its lock, held; else whether another process is busy with one."""
    others_are_busy = False
    for run in matrix.runs:
        state = experiment.state(run)
        if run.name in tried or state == "done":
            continue
        if state == "failed" and again is not None and run.name not in again:
            continue
        if run.donor is not None and experiment.state(run.donor) != "done":
            continue  # its donor has failed, or another process trains it
        folder = experiment.folder(run)
        make_folder(folder.parent)
        lock = FileLock(folder.with_name(folder.name + ".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            others_are_busy = True
            continue
        if experiment.state(run) == "done":  # by another process, since the check above
            lock.release()
            continue
        return run, lock, False
    return None, None, others_are_busy
