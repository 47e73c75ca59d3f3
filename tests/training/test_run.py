from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

import arttl
from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.evaluation.command import EvaluateSettings, evaluate
from arttl.evaluation.metrics import metrics_to_json
from arttl.inference.promises import Promises
from arttl.models import load_model
from arttl.settings import read_recipe
from arttl.shards.manifest import Manifest
from arttl.training.settings import TrainSettings
from arttl.training.train import train

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def test_a_run_leaves_what_it_promises(settings, capsys) -> None:
    metrics = train(settings)
    shown = capsys.readouterr().out
    assert "Joint model: type, material" in shown and "majority" in shown
    out = settings.run.out
    assert json.loads((out / "test.json").read_text()) == metrics_to_json(metrics)
    assert read_recipe(out / "config.yaml", TrainSettings) == settings.resolved()
    assert arttl.TaskSet.load(out / "tasks.json").names == ("type", "material")
    epochs = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in epochs] == [1, 2]
    assert (
        json.loads((out / "environment.json").read_text())["packages"]["torch"]
        == torch.__version__.split("+")[0]
    )
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(out / "tensorboard"))
    board.Reload()
    assert [event.value for event in board.Scalars("loss/train")] == pytest.approx(
        [line["train_loss"] for line in epochs]
    )
    manifest = Manifest.read(settings.data.shards)
    table = pq.read_table(out / "predictions.parquet").to_pydict()
    assert set(table["row"]) <= set(manifest.rows("test").tolist())
    assert table["key"] == [manifest.keys[row] for row in table["row"]]
    hits = [
        found[0] == wanted[0]
        for found, wanted in zip(table["type.predicted"], table["type.catalogued"], strict=True)
        if wanted
    ]
    assert metrics["type"].n == len(hits) and metrics["type"].accuracy == pytest.approx(sum(hits) / len(hits))


def test_promises_are_of_all_catalogued_validation_objects(settings) -> None:
    train(settings.replace(tasks=("type",), multi_label=(), classes="min-count=20", epochs=1))
    manifest = Manifest.read(settings.data.shards)
    model = load_model(settings.run.out)
    promises = Promises.load(settings.run.out / "best", model.tasks)
    assert promises is not None
    labels = [manifest.labels("type")[row] for row in manifest.rows("val").tolist()]
    of_class = [each[0] in model.tasks["type"].vocabulary.classes for each in labels if each is not None]
    assert 0 < sum(of_class) < len(of_class)
    assert sorted(promises.tasks["type"].known.tolist()) == sorted(1 + inside for inside in of_class)


def test_evaluating_the_saved_model_finds_the_same_figures(settings, tmp_path) -> None:
    metrics = train(settings)
    assert (
        evaluate(EvaluateSettings.of(model=settings.run.out / "best", shards=settings.data.shards)) == metrics
    )
    argv = [
        "--model",
        str(settings.run.out),
        "--shards",
        str(settings.data.shards),
        "--json",
        str(tmp_path / "t.json"),
    ]
    assert run_command("evaluate", argv) == 0
    measured = json.loads((tmp_path / "t.json").read_text())
    assert all(of_task.pop("promises")["suggested"]["of"] for of_task in measured["tasks"].values())
    assert measured == metrics_to_json(metrics)


def test_the_same_seed_gives_the_same_run(settings) -> None:
    runs = [settings.replace(out=settings.run.out / name) for name in ("one", "two", "other")]
    runs[2] = runs[2].replace(seed=1)
    losses = []
    for run in runs:
        train(run)
        lines = (run.run.out / "metrics.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["train_loss"] for line in lines])
    assert losses[0] == losses[1] != losses[2]


def test_one_task_is_a_single_task_baseline_without_the_unlabelled(settings, capsys) -> None:
    metrics = train(settings.replace(tasks=("artist",), multi_label=()))
    assert "Single-task baseline: artist" in capsys.readouterr().out
    manifest = Manifest.read(settings.data.shards)
    labels = manifest.labels("artist")
    rows = set(pq.read_table(settings.run.out / "predictions.parquet")["row"].to_pylist())
    assert rows and all(labels[row] is not None for row in rows)
    assert metrics["artist"].n == len(rows) < len(manifest.rows("test"))


def test_off_the_shelf_leaves_the_backbone_as_it_was(settings) -> None:
    train(settings)
    metrics = train(
        settings.replace(
            mode="off-the-shelf",
            weights=str(settings.run.out),
            out=settings.run.out.with_name("frozen"),
            epochs=None,
        )
    )
    before, after = (arttl.load_model(settings.run.out.with_name(name)) for name in ("run", "frozen"))
    for name, tensor in before.backbone.state_dict().items():
        assert torch.equal(tensor, after.backbone.state_dict()[name])
    assert after.provenance.mode == "off-the-shelf"
    assert metrics["type"].accuracy > metrics["type"].majority


def test_heads_with_a_hidden_layer_are_trained_saved_and_measured(settings) -> None:
    metrics = train(settings.replace(head="mlp"))
    model = arttl.load_model(settings.run.out)
    assert [head.specification()["kind"] for head in model.heads.layers] == ["mlp", "mlp"]
    again = evaluate(EvaluateSettings.of(model=settings.run.out, shards=settings.data.shards, threads=1))
    assert metrics_to_json(again) == metrics_to_json(metrics)


def test_heads_that_a_solver_cannot_fit_or_nobody_knows(settings) -> None:
    with pytest.raises(
        ArttlError, match="--mode off-the-shelf solves for its heads, so --head does not apply"
    ):
        TrainSettings.of(mode="off-the-shelf", head="mlp")
    with pytest.raises(ArttlError, match=r"--head 'mpl' is not known \(did you mean 'mlp'\?\)"):
        train(settings.replace(head="mpl"))
    assert not settings.run.out.exists()


def test_a_finished_run_is_not_overwritten_unasked(settings) -> None:
    train(settings)
    (settings.run.out / "notes.txt").write_text("mine")
    before = (settings.run.out / "test.json").read_text()
    with pytest.raises(
        ArttlError, match="already holds a run; choose another --out, or pass --overwrite or --resume"
    ):
        train(settings)
    assert (settings.run.out / "test.json").read_text() == before
    train(settings.replace(overwrite=True))
    assert (settings.run.out / "notes.txt").read_text() == "mine"


def test_early_stopping_keeps_the_best_epoch(settings) -> None:
    train(settings.replace(epochs=8, patience=1, learning_rate=0.05, head_learning_rate=0.05))
    lines = [json.loads(line) for line in (settings.run.out / "metrics.jsonl").read_text().splitlines()]
    losses = [line["val_loss"] for line in lines]
    best = losses.index(min(losses))
    assert len(lines) == best + 2 < 8  # one epoch without a lower loss, and no more
    model = arttl.load_model(settings.run.out)
    val = arttl.open_loader(
        settings.data.shards, "val", model.tasks, preprocess=model.preprocess, batch_size=512
    )
    batch = next(iter(val))
    logits = model(batch.images)["type"]
    known = (batch.targets["type"] >= 0) & batch.valid
    accuracy = (logits.argmax(1) == batch.targets["type"])[known].float().mean().item()
    assert accuracy == pytest.approx(lines[best]["val_accuracy"]["type"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shards": None}, "name the shards to train on with --shards"),
        ({"shards": Path("/nowhere")}, "/nowhere is not a folder of shards"),
        ({"tasks": ("types",), "multi_label": ()}, r"have no task 'types' \(did you mean 'type'\?\)"),
        ({"backbone": "resnet5"}, "--backbone 'resnet5' is not a network of timm"),
        (
            {"multi_label": ("artist",)},
            "--multi-label names 'artist', which is not among --tasks type material",
        ),
        ({"classes": "min-count=1000"}, "0 class"),
        ({"mode": "fine-tune", "weights": "nofile.pth"}, "'nofile.pth' is none of imagenet, packaged, none"),
        ({"mode": "fine-tune", "weights": "packaged"}, "no package has the weights of test_resnet"),
    ],
)
def test_input_that_cannot_be_used_is_one_sentence_and_leaves_nothing(settings, changes, reason) -> None:
    with pytest.raises(ArttlError, match=reason):
        train(settings.replace(**changes))
    assert not settings.run.out.exists()


def test_fp16_without_a_gpu_is_one_sentence_and_leaves_nothing(settings) -> None:
    """In a process that is kept from a GPU, wherever the tests run."""
    argv = ["--shards", settings.data.shards, "--backbone", "test_resnet", "--mode", "scratch"]
    argv += ["--mixed-precision", "fp16", "--out", settings.run.out]
    done = subprocess.run(
        [sys.executable, SCRIPTS / "train_multitask.py", *map(str, argv)],
        env={**os.environ, "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert (
        done.stderr.splitlines()[-1] == "error: --mixed-precision fp16 needs a GPU; on the CPU use bf16 or no"
    )
    assert not settings.run.out.exists()


def test_maps_are_drawn_from_python_too(settings, capsys) -> None:
    train(settings.replace(epochs=1, maps=2))
    maps = settings.run.out / "maps"
    # Of two pictures, for each task.
    assert len(list(maps.glob("*.png"))) == 2 * len(settings.data.tasks or ("",)) + 1
    drawn = [path for path in maps.glob("*.png") if path.stem != "panel"]
    assert drawn and f"{len(drawn)} maps and a panel of them in {maps}" in capsys.readouterr().out


def test_the_launchers_precision_rules_where_none_is_given(settings, monkeypatch) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    train(settings.replace(epochs=1))
    assert json.loads((settings.run.out / "environment.json").read_text())["mixed_precision"] == "bf16"


def test_the_faster_precision_is_taken(settings, monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setenv("ARTTL_CACHE", str(tmp_path / "cache"))
    for out, rate in (("half", 2.0), ("full", 1.0)):
        monkeypatch.setattr(
            "arttl.inference.precision._measured", lambda *_, rate=rate: {"no": 1.0, "bf16": rate}
        )
        train(
            settings.replace(
                epochs=1, mixed_precision="auto", out=tmp_path / out, input_size=64 if rate == 2 else 48
            )
        )
        chosen = "bf16" if rate == 2 else "no"
        assert json.loads((tmp_path / out / "environment.json").read_text())["mixed_precision"] == chosen
        assert f"precision  {chosen}: training in bf16 is {rate:.2f} times as fast" in capsys.readouterr().out


def test_the_threads_a_launcher_took_away_are_taken_back(settings) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # as OMP_NUM_THREADS=1 of `accelerate launch` does
    try:
        train(settings.replace(epochs=1, threads=2))
        assert json.loads((settings.run.out / "environment.json").read_text())["threads"] == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_two_processes_measure_every_sample_once(settings) -> None:
    """Two gloo ranks: one run folder, each test sample once, and the figures of one process."""
    argv = ["--shards", settings.data.shards, "--tasks", "type", "material", "--multi-label", "material"]
    argv += ["--backbone", "test_resnet", "--mode", "scratch", "--input-size", "32", "--epochs", "2"]
    argv += ["--maps", "0", "--batch-size", "16", "--out", settings.run.out]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launcher, SCRIPTS / "train_multitask.py", *map(str, argv)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Joint model: type, material") == 1 and "2 processes of" in done.stdout
    rows = pq.read_table(settings.run.out / "predictions.parquet")["row"].to_pylist()
    assert len(rows) == len(set(rows))
    metrics = evaluate(EvaluateSettings.of(model=settings.run.out, shards=settings.data.shards))
    found = json.loads((settings.run.out / "test.json").read_text())["tasks"]
    for name, one in metrics.items():
        assert found[name]["n"] == one.n
        assert found[name]["accuracy"] == pytest.approx(one.accuracy, abs=0.02)
