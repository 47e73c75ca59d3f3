"""`arttl explain score` from end to end, on a small network with random weights."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

import pytest
import torch

from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.explain.score import SHARES, ScoreSettings
from arttl.explain.score_maps import ATTENTION, METHODS, measured
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
        for curve in ("deletion", "insertion"):
            low, high = areas[f"{curve}_interval"]
            assert 0 < low <= areas[curve] <= high < 1
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


def test_one_picture_is_one_picture(model, small_shards, capsys):
    argv = f"score --model {model} --shards {small_shards} --steps 2 --methods noise"
    assert (
        run_command("explain", [*argv.split(), *["--count", "1", "--drawn", "1", "--randomised", "1"]]) == 0
    )
    shown = " ".join(capsys.readouterr().out.split())
    assert "maps of 1 drawn object " in shown
    assert (
        "1 picture of " in shown and "1 drawn object, somewhere in the picture, of which it covers" in shown
    )


def test_only_some_methods(model, small_shards, tmp_path, capsys):
    argv = f"score --model {model} --shards {small_shards} --count 2 --steps 2 --drawn 0"
    more = f"--json {tmp_path}/score.json --methods class-map noise"
    assert run_command("explain", [*argv.split(), *more.split()]) == 0
    found = json.loads((tmp_path / "score.json").read_text())
    assert set(found["curves"]) == {"class-map", "noise"}
    assert set(found["other_class"]) == set(found["randomised"]) == {"class-map"}
    assert -1 <= found["other_class"]["class-map"]["correlation"] <= 1


def test_one_task_of_a_transformer_and_several_random_weights(small_shards, tmp_path, capsys):
    torch.manual_seed(0)
    tasks = [
        Task(name, "single-label", Vocabulary(("print", "vase"), (1, 1), (0,))) for name in ("type", "use")
    ]
    model = MultiTaskModel(Backbone("test_vit", "patch-mean"), TaskSet(tasks), Preprocess(size=64))
    model.save(tmp_path / "vit")
    argv = [
        "score",
        "--model",
        str(tmp_path / "vit"),
        "--shards",
        str(small_shards),
        "--count",
        "2",
        "--steps",
    ]
    argv += ["2", "--drawn", "2", "--randomised", "1", "--seeds", "2", "--json", str(tmp_path / "score.json")]
    argv += ["--methods", "class-map", "grad-cam", "attention-rollout", "visual-backprop, bojarski"]
    assert run_command("explain", [*argv, "--tasks", "use"]) == 0
    found, shown = json.loads((tmp_path / "score.json").read_text()), capsys.readouterr().out
    assert found["tasks"] == ["use"]
    assert found["forms"] == {
        "class-map": "class-map of tokens",
        "grad-cam": "grad-cam of tokens",
        "visual-backprop, bojarski": "means of tokens, after VisualBackProp",
    }
    assert "visual-backprop, bojarski: means of tokens, after VisualBackProp" in shown
    assert set(found["randomised"]) == set(found["curves"])
    assert found["randomised_deviation"]["attention-rollout"][0] == 0  # whatever the heads
    assert found["randomised_deviation"]["attention-rollout"][-1] > 0
    # The same weights, the seeds one by one.
    argv[argv.index("--seeds") + 1], argv[argv.index("--drawn") + 1] = "1", "0"
    argv = [*argv[: argv.index("--methods")], "--methods", "attention-rollout"]
    last = []
    for seed in range(2):
        assert run_command("explain", [*argv, "--tasks", "use", "--seed", str(seed)]) == 0
        last.append(json.loads((tmp_path / "score.json").read_text())["randomised"]["attention-rollout"][-1])
    assert found["randomised"]["attention-rollout"][-1] == pytest.approx(sum(last) / 2)
    assert found["randomised_deviation"]["attention-rollout"][-1] == pytest.approx(statistics.stdev(last))
    assert run_command("explain", [*argv, "--tasks", "used"]) == 2
    assert (
        "--tasks used: the model (Untrained) has no head for it (did you mean 'use'?)"
        in capsys.readouterr().err
    )


def test_an_interval_resamples_pictures_and_not_values():
    of_two = measured("share", [0.0] * 8 + [1.0] * 8, [0] * 8 + [1] * 8)
    assert of_two == {"share": 0.5, "share_interval": [0, 1]}
    low, high = measured("share", [0.0] * 8 + [1.0] * 8, range(16))["share_interval"]
    assert 0.2 < low < 0.35 and 0.65 < high < 0.8  # the binomial's 0.25 and 0.75
    assert measured("share", [0.25, math.nan, 0.25], range(3)) == {
        "share": 0.25,
        "share_interval": [0.25, 0.25],
    }
    assert math.isnan(measured("share", [math.nan], [0])["share"])


def test_wrong_settings_are_one_sentence(model, small_shards, capsys):
    with pytest.raises(
        ArttlError,
        match=r"--methods 'gradcam' is none of .*'visual-backprop, bojarski', .*did you mean 'grad-cam'",
    ):
        ScoreSettings(model=model, shards=small_shards, methods=("gradcam",))
    with pytest.raises(ArttlError, match="--steps must be at least 1, not 0"):
        ScoreSettings(model=model, shards=small_shards, steps=0)
    with pytest.raises(ArttlError, match="--split 'tests'"):
        ScoreSettings(model=model, shards=small_shards, split="tests")
    assert run_command("explain", ["scores"]) == 2
    assert "did you mean 'score'?" in capsys.readouterr().err
    assert run_command("explain", []) == 0
    assert "score" in capsys.readouterr().out
