"""One part in a process of its own, which may hang, crash or run out of memory without harm to the others.

The processes are forks of a server that has imported torch and arttl once, and has not touched the card.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from arttl.errors import one_line
from arttl.files import append_lines, read_lines
from card.parts import Part
from card.run import Figure, Missing, Run

Status = Literal["done", "failed", "missing", "crashed", "out of time", "not run"]

IMPORTED = ("torch", "torchvision", "timm", "numpy", "arttl.explain", "arttl.loading", "card.devices")


@dataclass(frozen=True)
class Outcome:
    """What became of a part."""

    part: str
    title: str
    status: Status
    remark: str
    seconds: float
    limit: float
    figures: tuple[Figure, ...]

    def to_dict(self, emulated: bool) -> dict[str, Any]:
        """For the JSON; every figure says whether it is emulated."""
        figures = [{**asdict(figure), "emulated": emulated} for figure in self.figures]
        return {**asdict(self), "figures": figures}


class Processes:
    """Starts a process per part."""

    def __init__(self, log: Path) -> None:
        """Let all parts write to one log."""
        self._log = log
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(IMPORTED))

    def run(self, part: Part, run: Run, seconds: float) -> Outcome:
        """Run a part to its end, or for so many seconds at most."""
        begin = time.monotonic()
        process = self._context.Process(target=_perform, args=(part.function, run, self._log))
        process.start()
        try:
            process.join(seconds)
            ended = not process.is_alive()
        except BaseException:
            _kill_group(process.pid)
            raise
        if not ended:
            _kill_group(process.pid)
            process.join()
        lines = [json.loads(line) for line in read_lines(run.figures)]
        ends = [line for line in lines if "status" in line]
        figures = tuple(Figure(**line) for line in lines if "status" not in line)
        status: Status = ends[0]["status"] if ends else "crashed"
        remark = ends[0]["remark"] if ends else f"ended with {_exit(process.exitcode)}"
        if not ended and not ends:
            status, remark = "out of time", f"ended after {seconds:.0f} s"
        took = time.monotonic() - begin
        return Outcome(part.name, part.title, status, remark, round(took, 1), part.seconds, figures)


def _kill_group(process: int | None) -> None:
    """End a process of ours and those that it started; it leads a group of its own, unless it has only just begun."""
    assert process is not None
    with contextlib.suppress(ProcessLookupError):
        if os.getpgid(process) == process:
            os.killpg(process, signal.SIGKILL)
        else:
            os.kill(process, signal.SIGKILL)


def _exit(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"status {code}"


def _perform(function: str, run: Run, log: Path) -> None:
    """In the process: run the part, and write what became of it."""
    os.setsid()
    with log.open("ab", buffering=0) as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    sys.stdout = sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    print(f"\n=== {run.part}", flush=True)
    module, name = function.split(":")
    try:
        if run.kernels.is_file():
            importlib.import_module("card.devices").use_kernels(run)
        getattr(importlib.import_module(f"card.{module}"), name)(run)
        end = {"status": "done", "remark": ""}
    except Missing as error:
        end = {"status": "missing", "remark": one_line(error)}
    except ModuleNotFoundError as error:
        traceback.print_exc()
        ours = (error.name or "").split(".")[0] in ("arttl", "card")
        end = {"status": "failed" if ours else "missing", "remark": one_line(error)}
    except Exception as error:
        traceback.print_exc()
        end = {"status": "failed", "remark": f"{type(error).__name__}: {one_line(error)}"}
    append_lines(run.figures, [json.dumps(end)])
