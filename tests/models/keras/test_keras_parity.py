"""Imported networks against Keras itself, on its torch backend: the same pictures, the same logits."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from keras_cases import CLASSES, keras, keras_model, logits_of, resnet50_of_2018, write_legacy

from arttl.models import Backbone, MultiTaskModel, load_model, load_weights
from arttl.models.keras.command import ImportKerasSettings, import_keras
from arttl.tasks import TaskSet

# Sizes at which Keras's paddings differ from torch's; Inception V3 needs 75.
CASES = [("vgg19", 64), ("resnet50", 96), ("inception_v3", 107), ("xception", 96)]


def pixels(size: int) -> np.ndarray:
    """Two pictures [2, H, W, 3], 0 to 255, smooth enough to be unlike each other on average too."""
    random = np.random.default_rng(1)
    coarse = random.uniform(0, 255, (2, 4, 4, 3)).repeat(-(-size // 4), 1).repeat(-(-size // 4), 2)
    noisy = coarse[:, :size, :size] + random.normal(0, 20, (2, size, size, 3))
    return np.clip(noisy, 0, 255).round().astype(np.float32)


def keras_scaling(images: np.ndarray, network: str) -> np.ndarray:
    module = {"resnet50": "resnet", "vgg19": "vgg19", "inception_v3": "inception_v3", "xception": "xception"}
    return getattr(keras.applications, module[network]).preprocess_input(images.copy())


def our_logits(model: MultiTaskModel, images: np.ndarray) -> np.ndarray:
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (model.preprocess.mean, model.preprocess.std))
    with torch.inference_mode():
        scaled = (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - mean) / std
        return model(scaled)["type"].numpy()


def settings(tmp_path: Path, network: str, **others: object) -> ImportKerasSettings:
    classes = tmp_path / "classes.txt"
    classes.write_text("".join(f"class {i}\n" for i in range(CLASSES)), encoding="utf-8")
    common = {"file": tmp_path / "w.h5", "out": tmp_path / "model", "classes": classes, "task": "type"}
    return ImportKerasSettings(**{**common, "backbone": network, **others})  # type: ignore[arg-type]


def difference(model: MultiTaskModel, images: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference of logits, on the scale of the largest logit where that is above 1."""
    return float(np.abs(our_logits(model, images) - expected).max() / max(1.0, np.abs(expected).max()))


def check(model: MultiTaskModel, images: np.ndarray, expected: np.ndarray) -> None:
    scale = max(1.0, np.abs(expected).max())
    assert np.ptp(expected, axis=0).min() > 1e-2 * scale, (
        "the pictures should differ by more than the tolerance"
    )
    assert difference(model, images, expected) < 1e-4


def with_backbone(model: MultiTaskModel, name: str) -> MultiTaskModel:
    """The same tensors in another form of the network."""
    other = MultiTaskModel(Backbone(name), model.tasks, model.preprocess).eval()
    other.load_state_dict(model.state_dict())
    return other


@pytest.mark.slow
@pytest.mark.parametrize(("network", "size"), CASES)
def test_logits_are_those_of_keras_3(tmp_path, network: str, size: int) -> None:
    theirs = keras_model(network, size)
    if network == "resnet50":
        theirs.save(tmp_path / "w.h5")  # as Keras 3 itself writes the layout, the whole model in one file
    else:
        write_legacy(theirs, tmp_path / "w.h5")
    import_keras(settings(tmp_path, network))
    ours = load_model(tmp_path / "model")
    images = pixels(size)
    expected = logits_of(theirs, keras_scaling(images, network))
    check(ours, images, expected)
    if network != "vgg19":
        plain = {"resnet50": "resnet50", "inception_v3": "inception_v3", "xception": "legacy_xception"}[
            network
        ]
        assert difference(with_backbone(ours, plain), images, expected) > 1e-3, "timm's form should not pass"


@pytest.mark.slow
@pytest.mark.parametrize(("network", "size"), [("resnet50", 96), ("xception", 96)])
def test_logits_are_those_of_a_keras_archive(tmp_path, network: str, size: int) -> None:
    """The network as a model inside the model, as `base(inputs)` makes it."""
    flat = keras_model(network, size)
    inputs = keras.Input((size, size, 3))
    base = keras.Model(flat.input, flat.layers[-2].output)
    theirs = keras.Model(inputs, keras.layers.Dense(CLASSES)(base(inputs)))
    theirs.layers[-1].set_weights(flat.layers[-1].get_weights())
    theirs.save(tmp_path / "w.keras")
    import_keras(settings(tmp_path, network, file=tmp_path / "w.keras"))
    images = pixels(size)
    expected = logits_of(theirs, keras_scaling(images, network))
    check(load_model(tmp_path / "model"), images, expected)
    assert np.abs(expected - logits_of(flat, keras_scaling(images, network))).max() < 1e-4


@pytest.mark.slow
def test_logits_are_those_of_early_2018(tmp_path) -> None:
    theirs = resnet50_of_2018(96)
    write_legacy(theirs, tmp_path / "w.h5")
    import_keras(settings(tmp_path, "resnet50"))
    ours = load_model(tmp_path / "model")
    assert ours.backbone.name == "keras2018_resnet50"
    images = pixels(96)
    expected = logits_of(theirs, keras_scaling(images, "resnet50"))
    check(ours, images, expected)
    import_keras(settings(tmp_path, "resnet50", keras_era="3", out=tmp_path / "era 3"))
    other = load_model(tmp_path / "era 3")
    assert other.backbone.name == "keras_resnet50"
    assert difference(other, images, expected) > 1e-3, "Keras 3's form should not pass"


@pytest.mark.slow
def test_layers_numbered_on_and_first_weights(tmp_path) -> None:
    theirs = keras_model("xception", 107)  # an odd size
    images = pixels(107)
    expected = logits_of(theirs, keras_scaling(images, "xception"))
    for layer in theirs.layers:  # as if other networks had been built in the same process before
        kind, number = re.fullmatch(r"(.*?)(?:_(\d+))?", layer.name).groups()
        if kind in ("conv2d", "batch_normalization"):
            layer.name = f"{kind}_{int(number or 0) + 98}"
    write_legacy(theirs, tmp_path / "w.h5")
    made = import_keras(settings(tmp_path, "xception"))
    check(load_model(tmp_path / "model"), images, expected)
    import_keras(settings(tmp_path, "xception", classes=None, out=tmp_path / "weights"))
    assert load_model(tmp_path / "weights").tasks == TaskSet([])
    for folder in ("weights", "model"):
        backbone = Backbone("keras_xception")
        found = load_weights(backbone, str(tmp_path / folder), size=96)
        own = made.backbone.state_dict()
        assert all(torch.equal(tensor, own[name]) for name, tensor in backbone.state_dict().items())
        assert found.preprocess.size == 96 and found.preprocess.mean == (0.5, 0.5, 0.5)
