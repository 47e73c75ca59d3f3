from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from legacy_files import vgg19_layers, write_empty

from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.models import Backbone, load_model
from arttl.models.keras import command as command_module
from arttl.models.keras.command import ImportKerasSettings, import_keras
from arttl.saliency.visual_backprop import visual_backprop


@pytest.fixture
def classes(tmp_path) -> Path:
    (tmp_path / "classes.txt").write_text("Dürer\nRembrandt\nVermeer\n", encoding="utf-8")
    return tmp_path / "classes.txt"


@pytest.fixture(scope="module")
def vgg19() -> Backbone:
    return Backbone("vgg19")


@pytest.fixture(autouse=True)
def quick_to_make(monkeypatch, vgg19) -> None:
    """Copies of one VGG19: most of the time of making one goes into layers that are left out."""
    monkeypatch.setattr(
        command_module, "Backbone", lambda name: deepcopy(vgg19) if name == "vgg19" else Backbone(name)
    )


def imported(tmp_path: Path, layers=None, **others) -> ImportKerasSettings:
    file = write_empty(tmp_path / "w.h5", vgg19_layers() if layers is None else layers)
    return ImportKerasSettings(**{"file": file, "backbone": "vgg19", "out": tmp_path / "model", **others})


def test_the_command(tmp_path, classes, capsys) -> None:
    file = write_empty(tmp_path / "w.h5", vgg19_layers())
    argv = [str(file), "--backbone", "vgg19", "--out", str(tmp_path / "m"), "--classes", str(classes)]
    assert run_command("import-keras", [*argv, "--task", "artist"]) == 0
    said = capsys.readouterr().out
    assert "task artist: 3 classes" in said and "arttl train --backbone vgg19 --weights" in said
    model = load_model(tmp_path / "m")
    assert model.tasks["artist"].vocabulary.classes == ("Dürer", "Rembrandt", "Vermeer")
    assert model.provenance.weights == "Keras weights w.h5"
    preprocess = model.preprocess
    assert (preprocess.size, preprocess.fit, preprocess.filter, preprocess.crop_pct) == (
        224,
        "squash",
        "nearest",
        1.0,
    )
    # Keras: 255 times the pixel, minus 123.68, 116.779 and 103.939 of red, green and blue.
    scaled = [(0.5 - m) / s for m, s in zip(preprocess.mean, preprocess.std, strict=True)]
    assert scaled == pytest.approx([127.5 - 123.68, 127.5 - 116.779, 127.5 - 103.939])
    assert run_command("import-keras", argv) == 2
    assert "exists already: name a folder to be made" in capsys.readouterr().err


def test_a_size_that_the_network_cannot_take(tmp_path) -> None:
    with pytest.raises(ArttlError, match=r"vgg19 cannot take pictures of 16 px .*give --size 32"):
        import_keras(imported(tmp_path, size=16))
    assert not (tmp_path / "model").exists()
    assert import_keras(imported(tmp_path, size=32)).preprocess.size == 32


def test_a_tensor_of_another_shape_is_named(tmp_path) -> None:
    layers = vgg19_layers()
    layers["block3_conv2"][0] = ("kernel:0", (3, 3, 256, 255))
    with pytest.raises(
        ArttlError,
        match=r"'block3_conv2/kernel:0' of layer 'block3_conv2' is \(3, 3, 256, 255\) and should be \(3, 3, 256, 256\)",
    ):
        import_keras(imported(tmp_path, layers))
    assert not (tmp_path / "model").exists()


def test_a_layer_that_is_missing_or_too_many_is_named(tmp_path) -> None:
    layers = vgg19_layers()
    del layers["block5_conv4"]
    with pytest.raises(ArttlError, match="is not of vgg19: it has no tensors of a layer 'block5_conv4'"):
        import_keras(imported(tmp_path, layers))
    layers = {**vgg19_layers(), "block6_conv1": [("kernel:0", (3, 3, 512, 512))]}
    with pytest.raises(ArttlError, match="is not of vgg19: it has no place for the layer 'block6_conv1'"):
        import_keras(imported(tmp_path, layers))
    layers = vgg19_layers()
    layers["block1_conv1"].append(("third:0", (64,)))
    with pytest.raises(ArttlError, match="layer 'block1_conv1' has 3 tensors and should have 2"):
        import_keras(imported(tmp_path, layers))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("resnet50", "has neither a layer 'res2a_branch2a' .* nor 'conv2_block1_1_conv'"),
        ("inception_v3", "has 0 layers 'conv2d' with a number and should have 94"),
        ("xception", "has 0 layers 'conv2d' with a number and should have 4"),
    ],
)
def test_the_file_of_another_network(tmp_path, network: str, message: str) -> None:
    with pytest.raises(ArttlError, match=message):
        import_keras(imported(tmp_path, backbone=network))


def test_the_years_between_have_to_be_chosen(tmp_path) -> None:
    layers = {"pool1_pad": [], "res2a_branch2a": [("kernel:0", (1, 1, 64, 64))]}
    with pytest.raises(
        ArttlError, match=r"early 2018's names and a later Keras's padded max-pool.*--keras-era"
    ):
        import_keras(imported(tmp_path, layers, backbone="resnet50"))
    with pytest.raises(ArttlError, match="no tensors of a layer 'conv1'"):
        import_keras(imported(tmp_path, layers, backbone="resnet50", keras_era="3"))


def test_class_lists_that_do_not_fit(tmp_path, classes) -> None:
    with pytest.raises(ArttlError, match=r"names 3 classes, and layer 'dense_1' of .* has 5 outputs"):
        import_keras(imported(tmp_path, vgg19_layers(5), classes=classes))
    with pytest.raises(ArttlError, match=r"no single softmax layer .*: leave out --classes"):
        import_keras(imported(tmp_path, vgg19_layers(None), classes=classes))
    for text, message in (("a\nb\na\n", "names 'a' twice"), ("", "is empty")):
        classes.write_text(text)
        with pytest.raises(ArttlError, match=message):
            import_keras(imported(tmp_path, classes=classes))
    classes.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ArttlError, match="it is not UTF-8 text"):
        import_keras(imported(tmp_path, classes=classes))
    with pytest.raises(ArttlError, match=r"no-such.txt cannot be read: No such file"):
        import_keras(imported(tmp_path, classes=tmp_path / "no-such.txt"))


def test_imagenets_fully_connected_layers_are_left_out(tmp_path) -> None:
    assert len(import_keras(imported(tmp_path, vgg19_layers(1000, top=True))).tasks) == 0


@pytest.mark.parametrize(
    "name", ["keras_resnet50", "keras2018_resnet50", "keras_inception_v3", "keras_xception"]
)
def test_a_form_is_a_backbone_by_its_name(name: str) -> None:
    backbone = Backbone(name).eval()
    with torch.inference_mode():
        assert backbone(torch.rand(1, 3, 96, 96)).shape == (1, 2048)
    assert backbone.num_features == 2048
    maps = visual_backprop(backbone, torch.rand(2, 3, 96, 96))
    assert maps.shape == (2, 96, 96) and maps.std() > 0
    assert not backbone.pretrained_config.get("url") and not backbone.pretrained_config.get("hf_hub_id")
