from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from arttl.errors import ArttlError
from arttl.training.settings import TrainSettings
from arttl.training.train import train

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def settings(settings: TrainSettings) -> TrainSettings:
    """Three epochs, and a checkpoint every three steps."""
    return settings.replace(
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
    argv = ["--shards", settings.data.shards, "--tasks", *settings.data.tasks, "--multi-label", "material"]
    argv += [
        "--backbone",
        settings.model.backbone,
        "--mode",
        "scratch",
        "--input-size",
        32,
        "--epochs",
        settings.optimisation.epochs,
    ]
    argv += [
        "--batch-size",
        settings.optimisation.batch_size,
        "--checkpoint-every",
        3,
        "--threads",
        1,
        "--maps",
        0,
    ]
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
        str(settings.run.out),
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
def test_a_killed_run_resumes_as_if_it_had_not_been_killed(settings, ranks: int) -> None:
    whole = settings.replace(out=settings.run.out.with_name("whole"))
    finish(command(whole, ranks))
    checkpoints = settings.run.out / "checkpoints"
    # In mid-epoch, and while a checkpoint is being written (before it has its name).
    for there in ("step-000000003", ".step-000000009.*.unfinished"):
        process = start(command(settings, ranks, "--resume"))
        kill_when(process, checkpoints, there)
        process.communicate()
        assert not (settings.run.out / "best").exists()
    finish(command(settings, ranks, "--resume"))
    assert epochs(settings.run.out) == epochs(whole.run.out)
    ours, theirs = weights(settings.run.out), weights(whole.run.out)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    assert (settings.run.out / "test.json").read_text() == (whole.run.out / "test.json").read_text()


@pytest.mark.slow
def test_sigterm_leaves_a_checkpoint_and_exits_well(settings) -> None:
    whole = settings.replace(out=settings.run.out.with_name("whole"))
    train(whole)
    process = start(command(settings, 1))
    kill_when(process, settings.run.out / "checkpoints", "step-000000003", signal.SIGTERM)
    shown = process.communicate(timeout=120)[0]
    assert process.returncode == 0 and "resume it with --resume" in shown
    train(settings.replace(resume=True))
    assert epochs(settings.run.out) == epochs(whole.run.out)


def test_checkpoints_are_few_and_whole(settings) -> None:
    """The two newest of those after every third step and each epoch of eight, and the best weights that they need."""
    train(settings)
    names = sorted(path.name for path in (settings.run.out / "checkpoints").iterdir())
    best = [epoch["epoch"] for epoch in epochs(settings.run.out) if epoch["best"]]
    needed = {
        max(number for number in best if number <= done) for done in (2, 3)
    }  # epochs done at steps 21 and 24
    weights = [f"best-epoch-{number:04d}.safetensors" for number in sorted(needed)]
    assert names == [*weights, "step-000000021", "step-000000024"]


def test_a_finished_run_resumed_is_the_same_run(settings, capsys) -> None:
    first = train(settings)
    before, config = epochs(settings.run.out), (settings.run.out / "config.yaml").read_bytes()
    capsys.readouterr()
    assert train(settings.replace(resume=True, checkpoint_every=5)) == first
    assert epochs(settings.run.out) == before
    assert (settings.run.out / "config.yaml").read_bytes() == config
    was = settings.run.checkpoint_every
    assert f"resumed    with --checkpoint-every 5 (begun with {was})" in " ".join(
        capsys.readouterr().out.split(" ")
    )


def test_resuming_what_is_not_there_begins_it(settings) -> None:
    train(settings.replace(epochs=1, resume=True))
    assert (settings.run.out / "best").is_dir()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"batch_size": 8}, "was begun with --batch-size 16, not 8"),
        ({"learning_rate": 1.0}, "was begun with --learning-rate 0.002, not 1.0"),
        ({"tasks": ("type",), "multi_label": ()}, "was begun with --tasks"),
    ],
)
def test_a_run_is_not_resumed_under_other_settings(settings, changes, reason) -> None:
    train(settings.replace(epochs=1))
    with pytest.raises(ArttlError, match=reason):
        train(settings.replace(epochs=1, resume=True, **changes))


def test_a_damaged_checkpoint_is_named(settings) -> None:
    train(settings.replace(epochs=1))
    newest = max((settings.run.out / "checkpoints").glob("step-*"))
    path = newest / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(
        ArttlError, match=rf"{newest.name} cannot be read: .*; delete it to use the one before"
    ):
        train(settings.replace(epochs=1, resume=True))


@pytest.mark.slow
def test_a_killed_rank_ends_the_others_in_one_sentence(settings) -> None:
    """The second rank reports it, which is silent otherwise, and not long after."""
    process = start(command(settings.replace(epochs=500), 2))
    checkpoints = settings.run.out / "checkpoints"
    while not any(checkpoints.glob("step-*")) and process.poll() is None:
        time.sleep(0.01)
    (first,) = (
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.environ().get("RANK") == "0" and "train_multitask" in " ".join(child.cmdline())
    )
    first.kill()
    killed = time.monotonic()
    shown = process.communicate(timeout=60)[0]
    assert process.returncode != 0 and time.monotonic() - killed < 30
    (sentence,) = (line for line in shown.splitlines() if line.startswith("error: "))
    assert sentence == (
        "error: rank 1 stops, because another process of the run has ended; mend what ended it, such as too little"
        " memory, and resume the run"
    )
    assert "[rank1]: Traceback" not in shown
