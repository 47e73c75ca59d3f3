"""`arttl predict` killed, resumed, and on several ranks: the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 pictures, three of them broken."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(150):
        picture = Image.radial_gradient("L").resize((64 + number, 90)).convert("RGB")
        picture.paste((number, 200 - number, 90), (number // 4, 5, 40 + number // 4, 50))
        picture.save(folder / f"{number:03}.jpg")
    for number in (7, 70, 149):
        (folder / f"{number:03}.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    return folder


def start(model: Path, photos: Path, out: Path, *, ranks: int = 1) -> subprocess.Popen[str]:
    launcher = [sys.executable]
    if ranks > 1:
        launcher += ["-m", "torch.distributed.run", "--nproc_per_node", str(ranks), "--standalone"]
    flags = ["--model", model, "--images", photos, "--batch-size", "1", "--threads", "1", "--out", out]
    return subprocess.Popen(
        [*launcher, Path(sys.executable).with_name("arttl"), "predict", *map(str, flags)],
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def output_of(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return " ".join(output.split())


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_killed_and_resumed_by_any_number_of_ranks(
    suffix: str, model: Path, photos: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / f"whole{suffix}", tmp_path / f"killed{suffix}"
    printed = output_of(start(model, photos, whole))
    assert "150 rows; 150 in" in printed and "interrupted run" not in printed
    unfinished = killed.with_name(f".{killed.name}.unfinished")
    process = start(model, photos, killed)
    wait_for(lambda: (unfinished / "part-00001").exists() or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not killed.exists() and unfinished.is_dir()
    printed = output_of(start(model, photos, killed, ranks=2))
    assert "were there from an interrupted run" in printed
    assert killed.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((whole.name, killed.name))


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)
