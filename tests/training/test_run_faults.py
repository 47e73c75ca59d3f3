"""A full disk or a kill at any write of a training run: no "done" or a whole run, and the same command mends it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import digest, full_disk, states_of_kills

import arttl
from arttl.evaluation.metrics import measure_predictions
from arttl.inference.predictions import Predictions
from arttl.runs import RunFolder
from arttl.training.settings import TrainSettings
from arttl.training.train import train


@pytest.fixture
def settings(settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainSettings:
    """One epoch of one task, in a folder of its own, with few replicates of the bootstrap."""
    monkeypatch.setitem(measure_predictions.__kwdefaults__, "replicates", 5)
    (tmp_path / "root").mkdir()
    return settings.replace(
        out=tmp_path / "root" / "run", epochs=1, tasks=("type",), multi_label=(), resume=True
    )


def check(run: RunFolder, whole: dict) -> None:
    """A run that says it is done is whole."""
    if run.is_done:
        assert run.test() == whole
        assert arttl.load_model(run.path).tasks.names == ("type",)
        assert len(Predictions.read(run.path).rows) == whole["tasks"]["type"]["n"]
        assert (run.path / "classes.csv").read_text().startswith("task,")
        assert len(run.metrics()) == 1 and run.settings()["mode"] == "scratch"


def mended(run: RunFolder, command: Callable[[], object], whole: dict) -> None:
    """The same command leaves the run that an uninterrupted one leaves, and nothing unfinished."""
    command()
    assert run.is_done
    check(run, whole)
    assert not list(run.path.parent.rglob(".*"))


@pytest.mark.slow
def test_a_full_disk_at_every_operation(settings) -> None:
    run, root = RunFolder(settings.run.out), settings.run.out.parent
    train(settings)
    whole, number, seen = run.test(), 0, set()
    while True:
        shutil.rmtree(run.path)
        number += 1
        sentence = full_disk(root, number, lambda: train(settings))
        if sentence is None:
            break
        assert "cannot be written: No space left on device" in sentence or "os error 28" in sentence
        assert "\n" not in sentence and str(root) in sentence
        check(run, whole)
        if (state := digest(root)) not in seen:
            seen.add(state)
            mended(run, lambda: train(settings), whole)
    assert number > 50


@pytest.mark.slow
def test_a_kill_at_every_operation(settings, tmp_path) -> None:
    run, root = RunFolder(settings.run.out), settings.run.out.parent
    states = states_of_kills(root, tmp_path / "states", lambda: train(settings))
    # The same again over a finished run.
    again = settings.replace(resume=False, overwrite=True)
    whole, seen = run.test(), set()
    states += states_of_kills(root, tmp_path / "states-again", lambda: train(again))
    assert len(states) > 110
    for state in states:
        shutil.rmtree(root)
        shutil.copytree(state, root)
        check(run, whole)
        if (found := digest(root)) not in seen:
            seen.add(found)
            mended(run, lambda: train(settings), whole)
