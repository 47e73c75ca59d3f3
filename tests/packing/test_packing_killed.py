"""A run that is killed outright: nothing that looks finished, and the same bytes after all."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from folder_contents import contents
from PIL import Image

from arttl.errors import ArttlError
from arttl.shards.manifest import Manifest

pytestmark = [pytest.mark.slow, pytest.mark.alone]

_PICTURES = 120
_SCRIPT = """
import sys
from pathlib import Path

from arttl.artworks import Artwork
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings

if __name__ == "__main__":
    images, out = map(Path, sys.argv[1:])
    artworks = [Artwork(path.stem, path.stem, path, {"type": ("vase",)}) for path in sorted(images.iterdir())]
    pack(artworks, PackSettings(out=out, images=images, shard_size=10, max_side=64, workers=2, resume=True))
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, soft_picture: Callable[..., Image.Image]) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for index in range(_PICTURES):
        soft_picture(700, 500, seed=index).save(folder / f"{index:04d}.jpg", quality=85)
    return folder


def _start(tmp_path: Path, images: Path, out: Path) -> subprocess.Popen[bytes]:
    script = tmp_path / "packing_script.py"
    script.write_text(_SCRIPT)
    path = os.pathsep.join([str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(script), str(images), str(out)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE)


def test_killed_anywhere_and_resumed(tmp_path: Path, images: Path) -> None:
    whole = tmp_path / "whole"
    started = time.monotonic()
    assert _start(tmp_path, images, whole).wait(timeout=120) == 0
    duration = time.monotonic() - started
    expected = contents(whole)
    assert len(Manifest.read(whole)) == _PICTURES
    in_a_shard = 0
    # Five moments over the measured duration, and five while a shard is being written: by what is on the disk rather
    # than by the clock, so that a slow machine meets them too.
    moments: list[float | int] = [
        *random.Random(11).sample([duration * part / 10 for part in range(1, 10)], 5)
    ]
    moments += [0, 1, 4, 7, 10]
    for number, moment in enumerate(moments):
        out = tmp_path / f"killed-{number}"
        process = _start(tmp_path, images, out)
        if isinstance(moment, float):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=moment)
        else:
            while len(list(out.glob("*.tar"))) < moment or not list(out.glob(".unfinished/*.tar.part")):
                assert process.poll() is None, process.stderr and process.stderr.read().decode()
                time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
        in_a_shard += bool(list(out.glob(".unfinished/*.tar.part")))
        if not (out / "dataset.json").exists():
            with pytest.raises(ArttlError):
                Manifest.read(out)
        assert _start(tmp_path, images, out).wait(timeout=120) == 0
        assert contents(out) == expected
    assert in_a_shard >= 3


def test_a_worker_killed_at_any_moment(tmp_path: Path, images: Path) -> None:
    """One sentence within ten seconds, wherever the workers are; and the same bytes after the run is resumed."""
    whole_run = _start(tmp_path, images, tmp_path / "whole")
    _workers(whole_run, at_least=1)
    started = time.monotonic()
    assert whole_run.wait(timeout=120) == 0
    lifetime = time.monotonic() - started  # of the workers, on this machine
    expected = contents(tmp_path / "whole")
    draw = random.Random(5)
    died = 0
    for number in range(6):
        out = tmp_path / f"worker-{number}"
        process = _start(tmp_path, images, out)
        workers = _workers(process, at_least=1 + number % 2)
        time.sleep(draw.random() * 0.4 * lifetime)
        for worker in draw.sample(workers, draw.randint(1, len(workers))):  # with the last one included
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()
        killed = time.monotonic()
        status = process.wait(timeout=60)
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        if status:
            died += 1
            assert time.monotonic() - killed < 10
            assert re.search(
                r"ArttlError: a process died at (or soon after )?\d{4}\.jpg; .* --resume$", errors.strip()
            )
            assert not (out / "dataset.json").exists()
            assert _start(tmp_path, images, out).wait(timeout=120) == 0
        assert contents(out) == expected
    assert died >= 2


def _workers(process: subprocess.Popen[bytes], at_least: int) -> list[psutil.Process]:
    """The processes of the pool, as soon as there are that many."""
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            workers = [
                child
                for child in psutil.Process(process.pid).children()
                if "spawn_main" in " ".join(child.cmdline())
            ]
            if len(workers) >= at_least:
                return workers
        time.sleep(0.002)
    raise AssertionError("the run ended before its processes began")
