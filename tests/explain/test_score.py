"""`arttl explain score` from end to end, on a small network with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.explain.score import SHARES, ScoreSettings
from arttl.explain.score_maps import ATTENTION, METHODS
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.tasks import Task, TaskSet, Vocabulary

pytest.importorskip("captum", reason="captum is not installed")


@pytest.fixture
def model(tmp_path) -> Path:
    torch.manual_seed(0)
    tasks = TaskSet([Task("type", "single-label", Vocabulary(("print", "vase"), (1, 1), (0,)))])
    MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=64)).save(tmp_path / "model")
    return tmp_path / "model"


def test_every_method_is_scored(model, small_shards, tmp_path, capsys):
    argv = ["score", "--model", str(model), "--shards", str(small_shards), "--count", "3", "--steps", "3"]
    assert run_command("explain", [*argv, "--drawn", "3", "--json", str(tmp_path / "score.json")]) == 0
    shown = capsys.readouterr().out
    found = json.loads((tmp_path / "score.json").read_text())
    methods = [method for method in METHODS if method not in ATTENTION]  # no transformer
    assert set(found["curves"]) == set(methods) and all(method in shown for method in methods)
    for areas in found["curves"].values():
        assert 0 < areas["deletion"] < 1 and 0 < areas["insertion"] < 1
    pointing = found["pointing"]
    # Noise is even, so its share inside is that of the boxes; objects stand anywhere.
    assert pointing["noise"]["mass_inside"] == pytest.approx(pointing["area"], abs=0.03)
    assert 0.02 < pointing["area"] < 0.35
    assert pointing["centre prior"]["peak_inside"] < 1
    for mode in ("visual-backprop", "visual-backprop, bojarski", "visual-backprop, sabatelli"):
        # The trunk's map does not know the heads.
        assert found["randomised"][mode][0] == pytest.approx(1)
        assert found["randomised"][mode][-1] < 0.99 and len(found["randomised"][mode]) == len(SHARES)
    assert found["randomised"]["grad-cam"][0] < 0.99


def test_only_some_methods(model, small_shards, tmp_path, capsys):
    argv = [
        "score",
        "--model",
        str(model),
        "--shards",
        str(small_shards),
        "--count",
        "2",
        "--steps",
        "2",
        "--drawn",
    ]
    argv += ["0", "--json", str(tmp_path / "score.json"), "--methods", "class-map", "noise"]
    assert run_command("explain", argv) == 0
    found = json.loads((tmp_path / "score.json").read_text())
    assert set(found["curves"]) == {"class-map", "noise"}
    assert set(found["other_class"]) == set(found["randomised"]) == {"class-map"}
    assert -1 <= found["other_class"]["class-map"]["correlation"] <= 1


def test_wrong_settings_are_one_sentence(model, small_shards, capsys):
    with pytest.raises(ArttlError, match=r"--methods 'gradcam' is none of .*did you mean 'grad-cam'"):
        ScoreSettings(model=model, shards=small_shards, methods=("gradcam",))
    with pytest.raises(ArttlError, match="--steps must be at least 1, not 0"):
        ScoreSettings(model=model, shards=small_shards, steps=0)
    with pytest.raises(ArttlError, match="--split 'tests'"):
        ScoreSettings(model=model, shards=small_shards, split="tests")
    assert run_command("explain", ["scores"]) == 2
    assert "did you mean 'score'?" in capsys.readouterr().err
    assert run_command("explain", []) == 0
    assert "score" in capsys.readouterr().out
