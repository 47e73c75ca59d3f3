from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml

from arttl.errors import ArttlError
from arttl.models import Backbone, default_preprocess
from arttl.models.backbones import timm_name
from arttl.runs import flat_settings
from arttl.settings import RECIPES, read_recipe
from arttl.training.settings import TrainSettings


def test_a_recipe_is_what_a_run_writes(tmp_path) -> None:
    settings = TrainSettings.of(
        shards=Path("shards/rijks"), tasks=("material", "type"), learning_rate=1e-4, mixed_precision="bf16"
    )
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(flat_settings(settings)))
    assert read_recipe(tmp_path / "config.yaml", TrainSettings) == settings


def test_numbers_as_people_write_them(tmp_path) -> None:
    (tmp_path / "r.yaml").write_text("learning_rate: 1e-4\nepochs: 3\ntasks: [type]\nout: runs/x\n")
    found = read_recipe(tmp_path / "r.yaml", TrainSettings)
    assert (found.optimisation.learning_rate, found.optimisation.epochs) == (1e-4, 3)
    assert (found.data.tasks, found.run.out) == (("type",), Path("runs/x"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lerning_rate: 1", r"unknown setting 'lerning_rate' \(did you mean 'learning_rate'\?\)"),
        ("mode: finetune", "finetune .* in the setting mode"),
        ("epochs: many", "in the setting epochs"),
        ("epochs: 0", "--epochs must be at least 1, not 0"),
        ("classes: most", "--classes 'most' is not a class rule"),
        ("[1, 2", "the recipe .* is not YAML"),
        ("- 1", "is not a list of settings"),
    ],
)
def test_recipes_that_cannot_be_used(tmp_path, text: str, reason: str) -> None:
    (tmp_path / "r.yaml").write_text(text + "\n")
    with pytest.raises(ArttlError, match=reason):
        read_recipe(tmp_path / "r.yaml", TrainSettings)


def test_a_missing_recipe(tmp_path) -> None:
    with pytest.raises(ArttlError, match=r"the recipe .* cannot be read"):
        read_recipe(tmp_path / "none.yaml", TrainSettings)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mode": "scratch", "weights": "packaged"}, "--mode scratch .* --weights is packaged"),
        ({"mode": "off-the-shelf", "weights": "none"}, "--mode off-the-shelf with --weights none"),
        ({"mode": "off-the-shelf", "epochs": 3}, "--epochs does not apply"),
        ({"mode": "off-the-shelf", "learning_rate": 1e-3}, "--learning-rate does not apply"),
        ({"inverse_l2": 0.1}, "--inverse-l2 is for --mode off-the-shelf, and --mode is fine-tune"),
        ({"learning_rate": 0.0}, "--learning-rate must be above 0"),
        ({"learning_rate": float("nan")}, "--learning-rate must be above 0"),
        ({"batch_size": 0}, "--batch-size must be at least 1"),
        ({"crop_scale": 1.5}, "--crop-scale must be above 0 and at most 1"),
        ({"color_jitter": -0.1}, "--color-jitter must be 0 or more"),
        ({"color_jitter": 0.4, "augment": "none"}, "--color-jitter and --augment none do not go together"),
        ({"color_jitter": 0.4, "mode": "off-the-shelf"}, "--color-jitter does not apply"),
    ],
)
def test_flags_that_contradict_each_other(changes, reason) -> None:
    with pytest.raises(ArttlError, match=reason):
        TrainSettings.of(**changes)


def test_defaults_depend_on_the_mode() -> None:
    assert TrainSettings.of(mode="scratch").resolved().model.weights == "none"
    assert TrainSettings.of(mode="fine-tune").resolved().optimisation.learning_rate == 3e-4
    given = TrainSettings.of(mode="fine-tune", learning_rate=1e-2)
    assert given.resolved().optimisation.learning_rate == 1e-2
    assert TrainSettings.of(mode="off-the-shelf").resolved().optimisation.epochs is None


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_recipe_can_be_read(path: Path) -> None:
    settings = read_recipe(path, TrainSettings).resolved()
    # A recipe for any collection leaves both open.
    assert (settings.data.shards is None) == (settings.run.out == TrainSettings().run.out)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_network_that_a_recipe_names_is_one_of_timms(path: Path) -> None:
    """In its settings and in the commands of its header; with its weights, its pooling and its input size."""
    settings = read_recipe(path, TrainSettings)
    for name in re.findall(r"--backbone ([\w.]+)(?= |$)", path.read_text(encoding="utf-8"), re.MULTILINE):
        timm_name(name)
    with torch.device("meta"):
        backbone = Backbone(settings.model.backbone, settings.model.pooling)
        side = settings.model.input_size or default_preprocess(backbone).size
        assert backbone.eval()(torch.zeros(1, 3, side, side)).shape == (1, backbone.num_features)
