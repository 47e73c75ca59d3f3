"""A fused model trained further, end to end."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from arttl.errors import ArttlError
from arttl.evaluation.command import EvaluateSettings, evaluate
from arttl.loading import Preprocess
from arttl.models import Backbone, FusedModel, load_fused
from arttl.models.stages import PooledStages, stage_widths
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet
from arttl.training.settings import TrainSettings
from arttl.training.train import train

TWO_SIZES = (Preprocess(size=32), Preprocess(size=48, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)))


@pytest.fixture
def settings(settings: TrainSettings) -> TrainSettings:
    """Two networks that want pictures of other sizes and scalings, in the place of one."""
    manifest = Manifest.read(settings.data.shards)
    tasks = TaskSet.from_manifest(manifest, settings.data.tasks, multi_label=settings.data.multi_label)
    torch.manual_seed(0)
    networks = [Backbone("test_resnet"), Backbone("test_efficientnet")]
    stages = [
        PooledStages(network, stage_widths(network, one.size))
        for network, one in zip(networks, TWO_SIZES, strict=True)
    ]
    model = FusedModel(stages, TWO_SIZES, tasks, {"type": "gates", "material": "attention"})
    for number, head in enumerate(model.heads):
        torch.nn.init.normal_(head.weight, std=0.1, generator=torch.Generator().manual_seed(number))
    folder = settings.run.out.with_name("fused")
    model.save(folder)
    return settings.replace(weights=str(folder), mode="fine-tune", input_size=None, backbone="resnet50")


def losses(settings: TrainSettings) -> list[tuple[float, float]]:
    lines = [json.loads(line) for line in (settings.run.out / "metrics.jsonl").read_text().splitlines()]
    return [(line["train_loss"], line["val_loss"]) for line in lines]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ema": 0.5, "mixup": 0.2, "accumulate": 2},
        {"balancing": "uncertainty"},
        {"layer_decay": 0.7, "batchnorm": "frozen", "input_size": 32},
    ],
    ids=lambda changes: " ".join(changes) or "as it is",
)
def test_it_learns_and_is_saved_as_it_was_measured(settings, changes, capsys) -> None:
    run = settings.replace(**changes)
    metrics = train(run)
    shown = capsys.readouterr().out
    assert "network    test_resnet + test_efficientnet, " in shown and "new heads" not in shown
    found = [loss for _, loss in losses(run)]
    assert found[1] < found[0]
    model = load_fused(run.run.out)
    assert [one.size for one in model.preprocesses] == ([32, 32] if "input_size" in changes else [32, 48])
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert evaluate(EvaluateSettings.of(model=run.run.out, shards=run.data.shards, threads=1)) == metrics


def test_it_begins_where_the_fused_model_stood(settings, capsys) -> None:
    """At a rate of next to nothing it says what it said; a task it does not know gets a head of its own."""
    first = load_fused(settings.model.weights)
    run = settings.replace(
        tasks=("artist", "type"),
        multi_label=(),
        learning_rate=1e-12,
        head_learning_rate=1e-12,
        batchnorm="frozen",
        epochs=1,
    )
    train(run)
    assert "new heads: artist" in capsys.readouterr().out
    found = load_fused(run.run.out)
    assert found.mixing == {"artist": "gates", "type": "gates"}
    images = [torch.rand(4, 3, one.size, one.size) for one in TWO_SIZES]
    with torch.inference_mode():
        torch.testing.assert_close(found(*images)["type"], first(*images)["type"], rtol=1e-4, atol=1e-5)
        assert found(*images)["artist"].abs().max() < 1e-6


def test_it_resumes_from_a_checkpoint_in_mid_epoch(settings) -> None:
    run = settings.replace(checkpoint_every=3, keep_checkpoints=100, batch_size=16, ema=0.9)
    train(run)
    expected, weights = losses(run), (run.run.out / "best" / "fused.safetensors").read_bytes()
    shutil.rmtree(run.run.out / "best")
    for path in (run.run.out / "checkpoints").iterdir():
        if path.name.startswith("step-") and path.name != "step-000000003":
            shutil.rmtree(path)
    train(run.replace(resume=True))
    assert losses(run) == expected and (run.run.out / "best" / "fused.safetensors").read_bytes() == weights


def test_it_is_trained_and_not_taken_off_the_shelf(settings) -> None:
    with pytest.raises(ArttlError, match="is a fused model, which --mode fine-tune trains further"):
        train(settings.replace(mode="off-the-shelf", epochs=None))
    assert not settings.run.out.exists()


def test_a_size_that_one_of_the_networks_cannot_take(settings, tmp_path) -> None:
    tasks = load_fused(settings.model.weights).tasks
    networks = [Backbone("test_resnet"), Backbone("test_convnext")]
    stages = [PooledStages(network, stage_widths(network, 32)) for network in networks]
    model = FusedModel(stages, [Preprocess(size=32)] * 2, tasks, dict.fromkeys(tasks.names, "gates"))
    model.save(tmp_path / "two")
    with pytest.raises(
        ArttlError, match=r"test_convnext cannot take pictures of 10 px .*give --input-size 32"
    ):
        train(settings.replace(weights=str(tmp_path / "two"), input_size=10))
    assert not settings.run.out.exists()
