"""A folder for the Hugging Face Hub: arttl reads the model from it, and timm its backbone."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from export_cases import TASKS, drawn, small_model
from safetensors.torch import load_file

import arttl
from arttl.errors import ArttlError
from arttl.export.hub_folder import export_huggingface
from arttl.export.network import ExportedNetwork
from arttl.export.run_record import run_of
from arttl.inference.promises import Promises
from arttl.loading import Preprocess
from arttl.models import Backbone, FusedModel, MultiTaskModel, load_model, load_trained_model


def export(model: MultiTaskModel | FusedModel, folder: Path) -> Path:
    assert export_huggingface(model, folder, drawn(ExportedNetwork(model)), run_of(model)) == 0
    return folder


@pytest.mark.parametrize("kind", ["model", "fused"])
def test_arttl_reads_the_model_from_it(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    model = request.getfixturevalue(kind)
    again = load_trained_model(export(model, tmp_path / "hub"))
    images = [torch.rand(2, 3, each.size, each.size) for each in model.preprocesses]
    with torch.inference_mode():
        expected, found = model(*images), again(*images)
    assert all(torch.equal(found[name], of) for name, of in expected.items())
    assert again.tasks == model.tasks and again.preprocesses == model.preprocesses
    assert again.calibration == model.calibration


@pytest.mark.skipif(
    timm.__version__ == "1.0.21", reason="it fails at local folders with several safetensors files"
)
@torch.inference_mode()
def test_timm_reads_the_backbone_from_it(model: MultiTaskModel, tmp_path: Path) -> None:
    folder = export(model, tmp_path / "hub")
    backbone = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    images = torch.rand(2, 3, 32, 32)
    features = model.features(images)[0]
    assert features.std() > 0 and torch.equal(backbone(images), features)
    config = timm.data.resolve_data_config({}, model=backbone)
    assert config["mean"] == [0.4, 0.5, 0.6] and config["std"] == [0.2, 0.25, 0.3]
    assert (config["input_size"], config["interpolation"]) == ([3, 32, 32], "bilinear")


@pytest.mark.parametrize(("size", "fit"), [(32, "crop"), (64, "crop"), (96, "squash")])
def test_timms_transform_is_that_of_the_model(size: int, fit: str, tmp_path: Path, soft_picture) -> None:
    model = small_model(size)
    preprocess = dataclasses.replace(model.preprocess, fit=fit)
    model = MultiTaskModel(model.backbone, model.tasks, preprocess).eval()
    folder = export(model, tmp_path / "hub")
    backbone = timm.create_model(f"local-dir:{folder}", pretrained=False)
    config = timm.data.resolve_data_config({}, model=backbone)
    transform = timm.data.create_transform(**config)
    side = preprocess.resize_to
    assert transform.transforms[0].size == (side if fit == "crop" else (side, side))
    picture = soft_picture(300, 200)
    difference = (transform(picture) - preprocess.apply(np.array(picture))).abs().mean()
    assert difference < 0.02  # timm's is rounded to whole levels after the resize


@pytest.mark.slow
@torch.inference_mode()
def test_a_network_that_is_cut(tmp_path: Path) -> None:
    """timm's VGG has layers that ours has not: it reads the others."""
    folder = export(small_model(backbone="vgg11"), tmp_path / "hub")
    model = load_model(folder)
    backbone = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    images = torch.rand(2, 3, 32, 32)
    features = model.features(images)[0]
    assert features.std() > 0
    torch.testing.assert_close(backbone.forward_features(images).mean((2, 3)), features, rtol=0, atol=1e-5)
    assert "stay random" in (folder / "README.md").read_text()


def test_what_is_in_it(run: Path, tmp_path: Path) -> None:
    model = load_model(run)
    folder = export(model, tmp_path / "hub")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "calibration.json",
        "classes.csv",
        "config.json",
        "heads.safetensors",
        "model.json",
        "model.safetensors",
        "promises.safetensors",
    ]
    assert not any(name.startswith("backbone") for name in load_file(folder / "model.safetensors"))
    promises = Promises.load(folder, model.tasks)
    assert (
        promises is not None
        and (run / "best" / "promises.safetensors").read_bytes()
        == (folder / "promises.safetensors").read_bytes()
    )
    for path in folder.iterdir():
        assert b"/home/" not in path.read_bytes(), path
    assert (
        json.loads((folder / "model.json").read_text())["provenance"]["weights"] == "backbone of first/best"
    )
    assert (
        model.provenance.weights == "backbone of /home/someone/runs/first/best"
    )  # the model stays as it was


def test_tensors_that_do_not_fit_are_refused(model: MultiTaskModel, tmp_path: Path) -> None:
    folder = export(model, tmp_path / "hub")
    whole = (tmp_path / "model" / "model.safetensors").read_bytes()
    (folder / "heads.safetensors").write_bytes(whole)
    with pytest.raises(
        ArttlError, match=r"cannot be read: backbone.network.backbone.*heads.safetensors"
    ) as caught:
        (folder / "model.safetensors").write_bytes(whole)
        arttl.load_model(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_that_exists_is_refused(model: MultiTaskModel, tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    with pytest.raises(ArttlError, match="exists already: name a folder to be made"):
        export(model, tmp_path / "hub")


def test_the_form_of_a_network_that_timm_does_not_have(tmp_path: Path) -> None:
    model = MultiTaskModel(Backbone("keras_resnet50"), TASKS, Preprocess(size=32)).eval()
    folder = export(model, tmp_path / "hub")
    assert "timm alone does not load it" in (folder / "README.md").read_text()
    assert load_model(folder).backbone.name == "keras_resnet50"
