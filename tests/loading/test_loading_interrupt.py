"""What Ctrl-C leaves of a process that reads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from arttl.shards.manifest import Manifest

_READ_FOR_EVER = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background hands it on as ignored
from arttl.loading import Preprocess, open_loader
loader = open_loader(
    sys.argv[1], preprocess=Preprocess(size=24), batch_size=4, engine=sys.argv[2], threads=2, device="cpu"
)
try:
    while True:
        for batch in loader:
            print("reading", flush=True)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["cpu", "dali-cpu"])
def test_an_interrupted_process_ends_at_once_and_leaves_nothing(
    painted_collection: Manifest, engine: str, tmp_path: Path
) -> None:
    if engine == "dali-cpu":
        pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    reading = subprocess.Popen(
        [sys.executable, "-c", _READ_FOR_EVER, str(painted_collection.directory), engine],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    try:
        assert reading.stdout is not None
        assert reading.stdout.readline() == "reading\n"
        reading.send_signal(signal.SIGINT)
        _, message = reading.communicate(timeout=30)
    finally:
        reading.kill()
    assert reading.returncode == 130 and "Traceback" not in message
    with pytest.raises(ProcessLookupError):  # no other process of its group is left
        os.killpg(reading.pid, 0)
    assert not list(tmp_path.iterdir())
