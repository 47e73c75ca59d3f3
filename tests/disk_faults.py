"""Runs `arttl` commands whose n-th operation on the disk meets a fault, see `disk_faults.c`.

A process with all libraries loaded is forked for every command, so that a command costs little more than its work. The
operations are intercepted between the libraries and the system: what Arrow, safetensors and Pillow write counts too.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

FAULTS = ("denied", "full", "killed", "gone")  # in the order of their numbers in disk_faults.c
_SECONDS = 60.0  # that a command may take


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: exit status.
        out, err: what it printed.
        operations: a line for each operation below the folder.
    """

    status: int
    out: str
    err: str
    operations: tuple[str, ...]


class Commands:
    """The process that is forked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self,
        argv: Sequence[str],
        root: Path,
        fault: str = "",
        number: int = 0,
        aside: Path | None = None,
        environment: Mapping[str, str] = {},
        killed_at: int = 0,
    ) -> Ended:
        """Run `arttl` with these arguments.

        Args:
            argv: of the command line, after the program's name.
            root: the folder whose operations are counted.
            fault: one of `FAULTS`, or empty.
            number: of the operation that meets it, from 1.
            aside: what `root` is renamed to by the fault "gone".
            environment: added to that of this process.
            killed_at: an operation at which the command is killed besides, or 0.
        """
        kind = FAULTS.index(fault) + 1 if fault else 0
        assert self._process.stdin is not None and self._process.stdout is not None
        request = [list(argv), str(root), str(aside or root), number, kind, dict(environment), killed_at]
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        status, out, err, operations = json.loads(self._process.stdout.readline())
        return Ended(status, out, err, tuple(operations))


@contextmanager
def commands(folder: Path, *modules: str) -> Iterator[Commands]:
    """Compile the library, and start the process.

    Args:
        folder: for the library.
        modules: that the commands import.
    """
    library = folder / "disk_faults.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), "SOURCE_DATE_EPOCH": "0", "COLUMNS": "200"}
    with subprocess.Popen(
        [sys.executable, __file__, *modules],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield Commands(process)
        finally:
            process.kill()


def _serve() -> None:
    from arttl import cli
    from arttl.cpu import share_cores

    del os.environ["LD_PRELOAD"]
    share_cores()
    for module in sys.argv[1:]:
        importlib.import_module(module)
    if "torch" in sys.modules:
        _shorten()
    begin = ctypes.CDLL(None).disk_faults_begin
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        argv, root, aside, number, kind, environment, end = json.loads(line)
        with ExitStack() as stack:
            out, err, log, modules = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(4))
            child = os.fork()
            if child == 0:
                null = os.open(os.devnull, os.O_RDONLY)
                for descriptor, stream in enumerate((null, out.fileno(), err.fileno())):
                    os.dup2(stream, descriptor)
                begin(os.fsencode(root), os.fsencode(aside), number, kind, log.fileno(), end)
                os.environ.update(environment)
                sys.argv = ["arttl", *argv]
                status = _ended(cli.main)
                os.write(modules.fileno(), "\n".join(sys.modules).encode())
                os._exit(status)
            status = _wait(child)
            texts = []
            for stream in (out, err, log, modules):
                stream.seek(0)
                texts.append(stream.read().decode(errors="replace"))
        json.dump([status, *texts[:2], texts[2].splitlines()], answers)
        answers.write("\n")
        answers.flush()
        for name in texts[3].splitlines():  # so that the next command need not load them
            if name not in sys.modules:
                with suppress(Exception):
                    importlib.import_module(name)


def _shorten() -> None:
    """Make commands that fit heads and draw intervals short."""
    import torch

    from arttl.evaluation.metrics import measure_predictions
    from arttl.frozen import mixing
    from arttl.models.solver import Tolerances

    torch.set_num_threads(1)
    measure_predictions.__kwdefaults__["replicates"] = 5  # type: ignore[index]
    mixing.TOKEN_GRID = (100.0,)
    mixing._TOLERANCES = Tolerances(5, 1e-4, 1e-6)


def _ended(main: object) -> int:
    """The exit status, with what Python does before it ends a process."""
    import atexit

    status = 0
    try:
        main()  # type: ignore[operator]
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return int(status)


def _wait(child: int) -> int:
    deadline = time.monotonic() + _SECONDS
    while True:
        process, status = os.waitpid(child, os.WNOHANG)
        if process:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -signal.SIGALRM
        time.sleep(0.002)


if __name__ == "__main__":
    _serve()
