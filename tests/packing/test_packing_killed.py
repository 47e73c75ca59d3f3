"""A run that is killed outright: nothing that looks finished, and the same bytes after all."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from arttl.errors import ArttlError
from arttl.shards.manifest import Manifest

pytestmark = pytest.mark.slow

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


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_killed_anywhere_and_resumed(tmp_path: Path, images: Path) -> None:
    whole = tmp_path / "whole"
    started = time.monotonic()
    assert _start(tmp_path, images, whole).wait(timeout=120) == 0
    duration = time.monotonic() - started
    expected = _contents(whole)
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
        assert _contents(out) == expected
    assert in_a_shard >= 3
