"""The project's own tests of a card, and compute-sanitizer over the kernels."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import torch

from card.devices import find_tool, use_kernels
from card.run import ROOT, Missing, Run

KERNELS = ("test_gpu_kernels.py", "test_gpu_maps.py", "test_gpu_training.py")
LOADING = ("test_gpu_loading.py",)


class Counted:
    """A plugin of pytest that keeps what became of each test."""

    def __init__(self) -> None:
        self.outcomes: dict[str, list[str]] = {"passed": [], "failed": [], "skipped": []}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep a test's outcome: that of its call, or of its set-up where it got no further."""
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome].append(report.nodeid.removeprefix("tests/gpu/"))

    def pytest_collectreport(self, report: Any) -> None:
        """A file that cannot be collected is a failure."""
        if report.failed:
            self.outcomes["failed"].append(report.nodeid)


def kernels_without_tf32(run: Run) -> None:
    """Kernels, maps and training with TF32 off."""
    _test(run, KERNELS, tf32=False)


def kernels_with_tf32(run: Run) -> None:
    """Kernels, maps and training with TF32 on: results that are to be float32 stay so."""
    _test(run, KERNELS, tf32=True)


def loading(run: Run) -> None:
    """The GPU engine against the CPU engine."""
    needs_dali()
    _test(run, LOADING, tf32=False)


def needs_dali() -> None:
    """Raise `Missing` where DALI is not installed."""
    try:
        import nvidia.dali  # noqa: F401
    except ImportError as error:
        raise Missing(
            'DALI: pip install "arttl[dali]" for CUDA 13, "arttl[dali-cuda12]" for CUDA 12'
        ) from error


def _test(run: Run, files: tuple[str, ...], tf32: bool) -> None:
    import pytest

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    chosen = ["-m", "gpu"]
    if not run.emulated:
        use_kernels(run)
    elif files is KERNELS:  # a few tests that the emulation runs stand for those of a card
        chosen = ["-k", "emulated and captures"]
    counted = Counted()
    paths = [str(ROOT / "tests" / "gpu" / name) for name in files]
    options = [
        "-q",
        "--durations=10",
        "-p",
        "no:cacheprovider",
        f"--rootdir={ROOT}",
        f"--basetemp={run.scratch / 'pytest'}",
    ]
    code = pytest.main([*options, *chosen, *paths], plugins=[counted])
    for outcome, names in counted.outcomes.items():
        run.report(f"tests {outcome}", len(names))
    failed = counted.outcomes["failed"]
    if failed or code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise AssertionError(
            f"{', '.join(failed[:5])}{' and others' if len(failed) > 5 else ''} failed ({code!r})"
        )
    if not counted.outcomes["passed"] and not run.emulated:
        raise AssertionError("no test ran")


def sanitised(run: Run) -> None:
    """compute-sanitizer over `card.calls`: first a planted fault, which it must find, then memcheck and racecheck."""
    fault = "invalid resource handle" if run.emulated else "Invalid __global__ read"
    code, text = _calls(run, "memcheck", "--planted")
    if code == 0 or fault not in text:
        raise AssertionError(f"the planted fault was not found, so nothing would be: {_last_line(text)}")
    run.report("memcheck: planted fault", "found")
    for checker in ("memcheck",) if run.emulated else ("memcheck", "racecheck"):
        code, text = _calls(run, checker)
        summary = re.search(r"(?:ERROR|RACECHECK) SUMMARY: .*", text)
        last = summary[0] if summary else _last_line(text)
        run.report(f"{checker}: all calls", last)
        if code:
            raise AssertionError(f"{checker}: {last}")


def _calls(run: Run, checker: str, *arguments: str) -> tuple[int, str]:
    """The exit status and the output of `card.calls`, on a card under a tool of compute-sanitizer."""
    command = [sys.executable, "-m", "card.calls", str(run.scratch), *arguments]
    if run.emulated:
        command += ["--emulate"]
    else:
        command = [find_tool("compute-sanitizer"), "--error-exitcode", "9", "--tool", checker, *command]
    # torch would take memory in larger blocks, in which nothing that lies beside an array is out of bounds.
    settings = {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(f"$ {' '.join(command)}\n{done.stdout}\nended with {done.returncode}", flush=True)
    return done.returncode, done.stdout


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "no output"
