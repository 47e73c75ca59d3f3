"""The experiment of Tonkes and Sabatelli 2022 on a small collection and tiny networks."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import save_file

from arttl.errors import ArttlError
from arttl.models import Backbone
from arttl.reproduction import sampling
from arttl.reproduction.command import run
from arttl.reproduction.settings import ReproduceSettings
from arttl.reproduction.tonkes2022 import plan_tonkes2022
from arttl.settings import read_recipe
from arttl.shards.manifest import Manifest
from arttl.training.settings import TrainSettings

NETWORKS = ("test_vit", "test_resnet")


@pytest.fixture
def second(small_shards: Path, tmp_path: Path) -> ReproduceSettings:
    for network in NETWORKS:
        save_file(Backbone(network).network.state_dict(), tmp_path / f"{network}.safetensors")
    return ReproduceSettings(
        protocol="tonkes2022",
        source=small_shards,
        out=tmp_path / "out",
        source_tasks=("type", "artist"),
        backbones=NETWORKS,
        weights=tuple(f"{network}={tmp_path / network}.safetensors" for network in NETWORKS),
        input_size=64,
        epochs=1,
        seeds=2,
        panels="",
    )


def test_what_the_publication_takes_is_the_default() -> None:
    settings = ReproduceSettings(protocol="tonkes2022")
    assert len(settings.networks) == 8 and settings.trainings == 5
    assert ReproduceSettings().trainings == 1 and ReproduceSettings().networks[-1] == "densenet121"
    recipe = read_recipe(settings.chosen_recipe, TrainSettings)
    assert (recipe.optimisation.learning_rate, recipe.optimisation.weight_decay) == (1e-4, 0)
    assert (recipe.optimisation.patience, recipe.optimisation.label_smoothing) == (10, 0.1)


def test_a_plan_samples_each_task_and_writes_nothing(second: ReproduceSettings) -> None:
    plan = plan_tonkes2022(replace(second, dry_run=True, input_size=None, source_tasks=("type", "colour")))
    assert not second.out.exists() and plan.experiment.fine_tuning.model.input_size == 224
    assert list(plan.labelled) == ["type"] and plan.collections["colour"].tasks == {"colour": "no labels"}
    assert {run.collection for run in plan.matrix.runs} == {"type"} and len(plan.matrix.runs) == 2 * (1 + 2)


def test_samples_are_shards_of_their_own(second: ReproduceSettings, monkeypatch) -> None:
    monkeypatch.setattr(sampling.sample_task, "__kwdefaults__", {"classes": 3, "per_class": 20})
    plan = plan_tonkes2022(second)
    whole = Manifest.read(second.source)
    for task, sample in plan.labelled.items():
        written = Manifest.read(plan.experiment.shards[task])
        for split in ("train", "val", "test"):
            keys = [whole.keys[row] for row in sample.chosen[split]]
            assert [written.keys[row] for row in written.rows(split)] == keys
        assert plan.collections[task].tasks == {task: 3}
        labels = written.labels(task)
        assert len(set(labels)) == 3 and max(map(labels.count, labels)) <= 20


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": None}, "name the collection: --source DIR"),
        (
            {"backbones": (*NETWORKS, "vit_tiny_patch16_224"), "input_size": 100},
            "cannot take pictures of 100 px",
        ),
        ({"backbones": (*NETWORKS, "vit_tinny")}, "'vit_tinny' is not a network of timm"),
    ],
)
def test_what_cannot_be_is_said_before_work(second: ReproduceSettings, changes, reason: str) -> None:
    with pytest.raises(ArttlError, match=reason):
        run(replace(second, **changes))
    assert not second.out.exists()


@pytest.mark.slow
def test_the_whole_of_it(second: ReproduceSettings, capsys) -> None:
    run(replace(second, dry_run=True))
    shown = capsys.readouterr().out
    assert "9,607 / 30" in shown and "12 cells from 12 runs, 12 to do" in shown and not second.out.exists()
    run(second)
    tables = {path.stem: list(csv.DictReader(path.open())) for path in (second.out / "tables").glob("*.csv")}
    assert set(tables) == {
        *("datasets", "networks", "accuracy", "balanced-accuracy", "later-results"),
        *("summary", "claims", "settings"),
    }
    for name in ("accuracy", "balanced-accuracy"):
        assert [(row["task"], row["network"]) for row in tables[name]] == [
            (task, network) for task in ("type", "artist") for network in NETWORKS
        ]
        assert all(
            "[" in row["fine-tuned: ours"] and "[" not in row["off-the-shelf: ours"] for row in tables[name]
        )
    assert {row["source"] for row in tables["later-results"]}.isdisjoint({"V. Tonkes"})
    page = (second.out / "report.html").read_text()
    assert "Convolutional networks and transformers" in page and "12 of 12 runs done, 0 failed" in page
    assert f"samples of {second.source.name} (type, artist)." in page
    assert "learning rate" not in page and "divided by ten after two epochs" in page
    assert page.count('<svg class="plot"') == 2 and "A star is" not in page
    before = {path: path.stat().st_mtime_ns for path in second.out.rglob("test.json")}
    run(second)
    assert {path: path.stat().st_mtime_ns for path in second.out.rglob("test.json")} == before


@pytest.mark.slow
def test_published_figures_stand_beside_ours(second: ReproduceSettings) -> None:
    """A network of the publication, from random weights under its name: theirs, ours and the difference."""
    file = second.out.with_name("resnet50.safetensors")
    save_file(Backbone("resnet50").network.state_dict(), file)
    run(replace(second, backbones=("resnet50",), weights=(f"resnet50={file}",), seeds=1, quick=True))
    with (second.out / "tables" / "balanced-accuracy.csv").open() as table:
        (row,) = [row for row in csv.DictReader(table) if row["task"] == "artist"]
    assert (row["off-the-shelf: theirs"], row["fine-tuned: theirs"]) == ("85.12", "93.41")
    ours = float(row["fine-tuned: ours"].partition(" ")[0])
    assert float(row["fine-tuned: difference"]) == pytest.approx(ours - 93.41, abs=0.11)
