"""Each way of training, through a whole short run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import arttl
from arttl.errors import ArttlError
from arttl.settings import read_recipe
from arttl.training.settings import TrainSettings
from arttl.training.train import train

ROOT = Path(__file__).resolve().parents[2]


def losses(settings: TrainSettings, of: str = "train_loss") -> list[float]:
    lines = [json.loads(line) for line in (settings.run.out / "metrics.jsonl").read_text().splitlines()]
    return [line[of] for line in lines]


@pytest.mark.parametrize(
    "changes",
    [
        {"accumulate": 3},
        {"ema": 0.9},
        {"mixup": 0.2, "label_smoothing": 0.1},
        {"optimizer": "nesterov", "schedule": "constant", "augment": "none", "clip_norm": 1.0},
        {"balancing": "uncertainty"},
        {"task_weights": ("type=2",)},
        {"logit_adjustment": 1.0},
        {"sampling": "balanced:type"},
        {"layer_decay": 0.7, "batchnorm": "frozen"},
        {"fit": "squash", "scaling": "unit", "color_jitter": 0.4},
    ],
    ids=lambda changes: " ".join(changes),
)
def test_every_way_of_training_learns(settings, changes) -> None:
    run = settings.replace(**changes)
    train(run)
    found = losses(run, "val_loss")  # which no weighing touches
    assert found[1] < found[0]
    assert read_recipe(run.run.out / "config.yaml", TrainSettings) == run.resolved()


def test_the_average_is_what_is_kept(settings) -> None:
    """With a decay of nearly 1 after few steps the average stays near the beginning, and so does the saved model."""
    plain, averaged = (
        settings.replace(out=settings.run.out / name, ema=ema) for name, ema in (("a", None), ("b", 0.5))
    )
    train(plain)
    train(averaged)
    one, two = (load_file(run.run.out / "best" / "model.safetensors") for run in (plain, averaged))
    assert losses(plain) == losses(averaged)  # it looks on and does not interfere
    assert one.keys() == two.keys()
    assert not all(torch.equal(one[name], two[name]) for name in one)


def test_squashed_pictures_scaled_to_one_are_saved_with_the_model(settings) -> None:
    train(settings.replace(epochs=1, fit="squash", scaling="unit", filter="bilinear"))
    found = arttl.load_model(settings.run.out).preprocess
    assert (found.fit, found.crop_pct, found.mean, found.std) == ("squash", 1.0, (0, 0, 0), (1, 1, 1))
    assert found.filter == "bilinear"


def test_frozen_batch_statistics_change_the_heads_alone(settings) -> None:
    """The 2018 behaviour, from random weights in a file; ImageNet's statistics must survive it."""
    backbone = arttl.models.Backbone("test_resnet")
    path = settings.run.out.with_name("weights.safetensors")
    save_file(backbone.network.state_dict(), path)
    run = settings.replace(
        mode="off-the-shelf", weights=str(path), frozen_batchnorm="batch-statistics", epochs=3
    )
    train(run)
    after = arttl.load_model(run.run.out).backbone.network.state_dict()
    for name, value in load_file(path).items():
        assert name.endswith("num_batches_tracked") or torch.equal(after[name], value)
    assert losses(run)[-1] < losses(run)[0]


def test_a_student_learns_from_its_teachers(settings, capsys) -> None:
    teachers = []
    for task in ("type", "material"):
        one = settings.replace(
            tasks=(task,),
            multi_label=tuple({"material"} & {task}),
            out=settings.run.out.with_name(task),
        )
        train(one)
        teachers.append(one.run.out)
    student = settings.replace(teachers=tuple(teachers), teacher_share=1.0)
    train(student)
    shown = capsys.readouterr().out
    assert f"teacher    {teachers[0]}: type" in shown and f"teacher    {teachers[1]}: material" in shown
    assert losses(student)[1] < losses(student)[0]
    other = student.replace(tasks=("artist",), multi_label=(), out=settings.run.out.with_name("other"))
    with pytest.raises(ArttlError, match="knows type, and none of artist"):
        train(other)


def test_a_loss_that_is_no_number_names_its_samples(settings) -> None:
    run = settings.replace(learning_rate=1e30, head_learning_rate=1e30, optimizer="sgd", schedule="constant")
    with pytest.raises(ArttlError, match=r"the loss is (nan|inf) on the samples \S+, .* and 24 more; lower"):
        train(run)


@pytest.mark.slow
def test_a_compiled_network_trains_and_saves_as_any_other(settings) -> None:
    plain, compiled = (settings.replace(out=settings.run.out / name, compile=name == "c") for name in "pc")
    train(plain)
    train(compiled)
    assert losses(compiled) == pytest.approx(losses(plain), rel=1e-3)
    one, two = (load_file(run.run.out / "best" / "model.safetensors") for run in (plain, compiled))
    assert one.keys() == two.keys()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "more"),
    [("test_vit", ["--input-size", "160"]), ("test_resnet", ["--batchnorm", "frozen", "--input-size", "32"])],
)
def test_two_ranks_have_the_loss_curve_of_one(settings, backbone: str, more: list[str]) -> None:
    """The same global batches, so the same training: every logged loss within 1e-5."""
    curves = []
    for ranks in (1, 2):
        out = settings.run.out / str(ranks)
        argv = ["--shards", settings.data.shards, "--tasks", "type", "material", "--multi-label", "material"]
        argv += [
            "--backbone",
            backbone,
            *more,
            "--mode",
            "scratch",
            "--epochs",
            3,
            "--maps",
            0,
            "--threads",
            1,
        ]
        argv += ["--batch-size", 32 // ranks, "--learning-rate", 1e-3, "--out", out]
        launcher = [sys.executable]
        if ranks > 1:
            launcher += ["-m", "torch.distributed.run", "--nproc_per_node", str(ranks), "--standalone"]
        done = subprocess.run(
            [*launcher, ROOT / "scripts" / "train_multitask.py", *map(str, argv)],
            env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        curves.append([loss for line in lines for loss in (line["train_loss"], line["val_loss"])])
    assert curves[0] == pytest.approx(curves[1], abs=1e-5)
    assert curves[0][0] > curves[0][-2]
