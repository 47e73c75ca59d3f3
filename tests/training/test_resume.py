from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from arttl.errors import ArttlError
from arttl.training.run import train
from arttl.training.settings import TrainSettings

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def settings(settings: TrainSettings) -> TrainSettings:
    """Three epochs, and a checkpoint every three steps."""
    return replace(
        settings,
        epochs=3,
        batch_size=16,
        checkpoint_every=3,
        ema=0.9,
        balancing="uncertainty",
        mixup=0.2,
    )


def epochs(out: Path) -> list[dict]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "best" / "model.safetensors")


def command(settings: TrainSettings, ranks: int, *more: str) -> list[str]:
    argv = ["--shards", settings.shards, "--tasks", *settings.tasks, "--multi-label", "material"]
    argv += [
        "--backbone",
        settings.backbone,
        "--mode",
        "scratch",
        "--input-size",
        32,
        "--epochs",
        settings.epochs,
    ]
    argv += ["--batch-size", settings.batch_size, "--checkpoint-every", 3, "--threads", 1, "--maps", 0]
    # All that a checkpoint must hold: averages, what the balancing has learnt, random numbers of the mixing.
    argv += ["--ema", 0.9, "--balancing", "uncertainty", "--mixup", 0.2]
    launcher = [sys.executable]
    if ranks > 1:
        launcher += ["-m", "torch.distributed.run", "--nproc_per_node", str(ranks), "--standalone"]
    return [
        *launcher,
        str(SCRIPTS / "train_multitask.py"),
        *map(str, argv),
        "--out",
        str(settings.out),
        *more,
    ]


def start(argv: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    return subprocess.Popen(
        argv,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill_when(process: subprocess.Popen[str], folder: Path, name: str, number: int = signal.SIGKILL) -> None:
    """Kill the process and all its descendants (a launcher's ranks) as soon as a folder holds a name."""
    deadline = time.monotonic() + 120
    while not any(folder.glob(name)) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    assert process.poll() is None, process.communicate()[0]
    if number == signal.SIGKILL:
        launcher = psutil.Process(process.pid)
        for one in (*launcher.children(recursive=True), launcher):
            one.kill()
    else:
        process.send_signal(number)


def finish(argv: list[str]) -> str:
    process = start(argv)
    shown = process.communicate(timeout=300)[0]
    assert process.returncode == 0, shown
    return shown


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_killed_run_goes_on_as_if_it_had_not_been_killed(settings, ranks: int) -> None:
    whole = replace(settings, out=settings.out.with_name("whole"))
    finish(command(whole, ranks))
    checkpoints = settings.out / "checkpoints"
    # In mid-epoch, and while a checkpoint is being written (before it has its name).
    for there in ("step-000000003", ".step-000000009.*.unfinished"):
        process = start(command(settings, ranks, "--resume"))
        kill_when(process, checkpoints, there)
        process.communicate()
        assert not (settings.out / "best").exists()
    finish(command(settings, ranks, "--resume"))
    assert epochs(settings.out) == epochs(whole.out)
    ours, theirs = weights(settings.out), weights(whole.out)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    assert (settings.out / "test.json").read_text() == (whole.out / "test.json").read_text()


@pytest.mark.slow
def test_sigterm_leaves_a_checkpoint_and_exits_well(settings) -> None:
    whole = replace(settings, out=settings.out.with_name("whole"))
    train(whole)
    process = start(command(settings, 1))
    kill_when(process, settings.out / "checkpoints", "step-000000003", signal.SIGTERM)
    shown = process.communicate(timeout=120)[0]
    assert process.returncode == 0 and "go on with --resume" in shown
    train(replace(settings, resume=True))
    assert epochs(settings.out) == epochs(whole.out)


def test_checkpoints_are_few_and_whole(settings) -> None:
    train(settings)
    names = sorted(path.name for path in (settings.out / "checkpoints").iterdir())
    best = max(epoch["epoch"] for epoch in epochs(settings.out) if epoch["best"])
    assert names[0] == f"best-epoch-{best:04d}.safetensors" or len(names) == 4
    assert [name for name in names if name.startswith("step-")] == names[-2:]


def test_a_finished_run_resumed_is_the_same_run(settings) -> None:
    first = train(settings)
    before = epochs(settings.out)
    assert train(replace(settings, resume=True)) == first
    assert epochs(settings.out) == before


def test_resuming_what_is_not_there_begins_it(settings) -> None:
    train(replace(settings, epochs=1, resume=True))
    assert (settings.out / "best").is_dir()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"batch_size": 8}, "was begun with --batch-size 16, not 8"),
        ({"learning_rate": 1.0}, "was begun with --learning-rate 0.002, not 1.0"),
        ({"tasks": ("type",), "multi_label": ()}, "was begun with --tasks"),
    ],
)
def test_a_run_is_not_gone_on_with_under_other_settings(settings, changes, reason) -> None:
    train(replace(settings, epochs=1))
    with pytest.raises(ArttlError, match=reason):
        train(replace(settings, epochs=1, resume=True, **changes))


def test_a_damaged_checkpoint_is_named(settings) -> None:
    train(replace(settings, epochs=1))
    newest = max((settings.out / "checkpoints").glob("step-*"))
    path = newest / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(
        ArttlError, match=rf"{newest.name} cannot be read: .*; delete it to use the one before"
    ):
        train(replace(settings, epochs=1, resume=True))
