from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from arttl.processes import ProcessDied, limit_memory, output_of

_ENDLESS = """
import os, sys
from pathlib import Path

def main():
    Path(sys.argv[1]).write_text(str(os.getpid()))
    while True:
        pass
"""


@pytest.fixture
def endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module `endless`, whose `main` writes its number into a file and never ends; gives that file."""
    (tmp_path / "endless.py").write_text(_ENDLESS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "number"


def test_a_process_that_takes_too_long(endless: Path) -> None:
    with pytest.raises(ProcessDied, match="a process took more than 1 s"):
        output_of("endless", [str(endless)], 1)
    assert not psutil.pid_exists(int(endless.read_text()))


def test_a_process_that_waits_for_ever(
    endless: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endless.py").write_text(_ENDLESS.replace("pass", "import time; time.sleep(1)"))
    monkeypatch.setattr("arttl.processes._BY_THE_CLOCK", 2)
    with pytest.raises(ProcessDied, match="a process took more than 4 s"):
        output_of("endless", [str(endless)], 2)
    assert not psutil.pid_exists(int(endless.read_text()))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not limit the time of a process")
def test_a_process_whose_parent_was_killed_ends_too(endless: Path) -> None:
    code = "import sys; from arttl.processes import output_of; output_of('endless', [sys.argv[1]], 1)"
    parent = subprocess.Popen([sys.executable, "-c", code, str(endless)])
    deadline = time.monotonic() + 60
    while not (endless.exists() and endless.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    child = int(endless.read_text())
    while psutil.pid_exists(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(child)


def test_macos_refuses_a_limit_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python says there, which must neither end the process nor let it leave its memory on the disk."""
    resource = pytest.importorskip("resource")
    limited = []

    def setrlimit(kind: int, limits: tuple[int, int]) -> None:
        if kind == resource.RLIMIT_AS:
            raise ValueError("current limit exceeds maximum limit")
        limited.append((kind, limits))

    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    limit_memory(512 << 20)
    assert limited == [(resource.RLIMIT_CORE, (0, 0))]
