from __future__ import annotations

import pytest
import timm
import torch

from arttl.errors import ArttlError
from arttl.models import Backbone, default_preprocess
from arttl.models.backbones import _bytes_of_weights, timm_name

PAPER = {"vgg19": 512, "inception_v3": 2048, "resnet50": 2048, "xception": 2048, "densenet121": 1024}


@pytest.mark.parametrize(("name", "width"), PAPER.items())
def test_the_papers_networks_end_in_global_average_pooling(name: str, width: int) -> None:
    backbone = Backbone(name).eval()
    images = torch.randn(2, 3, 75, 75)
    with torch.inference_mode():
        features = backbone(images)
        expected = backbone.network.forward_features(images).mean((2, 3))
    assert backbone.num_features == width and features.shape == (2, width)
    torch.testing.assert_close(features, expected)


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "convnext_atto", "test_vit", "resnet10t"])
def test_other_networks_give_as_many_features_as_they_say(name: str) -> None:
    backbone = Backbone(name).eval()
    size = 160 if name == "test_vit" else 64
    with torch.inference_mode():
        assert backbone(torch.zeros(1, 3, size, size)).shape == (1, backbone.num_features)


def test_the_papers_vgg_has_no_fully_connected_layers() -> None:
    # Keras's VGG19 without its top has 20.02 million parameters; timm's keeps 119 million more.
    assert sum(p.numel() for p in Backbone("vgg19").parameters()) == pytest.approx(20.02e6, abs=0.01e6)


def test_input_size_and_scaling_are_the_weights_own() -> None:
    lite = default_preprocess(Backbone("tf_efficientnet_lite0"))
    assert (lite.size, lite.mean, lite.std, lite.filter) == (224, (0.5,) * 3, (0.5,) * 3, "bicubic")
    vgg = default_preprocess(Backbone("vgg19.tv_in1k"), size=128)
    assert (vgg.size, vgg.mean, vgg.filter) == (128, timm.data.IMAGENET_DEFAULT_MEAN, "bilinear")
    assert default_preprocess(Backbone("inception_v3")).size == 299
    backbone = Backbone("test_resnet")
    backbone.network.pretrained_cfg = {**backbone.network.pretrained_cfg, "crop_pct": 1.15}  # volo_d4_448's
    assert default_preprocess(backbone).crop_pct == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("resnt50", r"is not a network of timm .*did you mean 'resnet50'"),
        ("resnet50.nonesuch", "timm has no such weights of resnet50; it has: .*resnet50.tv_in1k"),
        ("hf-hub:someone/something", "is not a network"),
        ("local-dir:/etc", "is not a network"),
        ("../resnet50", "is not a network"),
    ],
)
def test_unknown_names(name: str, reason: str) -> None:
    with pytest.raises(ArttlError, match=reason):
        timm_name(name)


def test_a_network_that_memory_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arttl.models.backbones.available_memory", lambda: 40 << 20)
    with pytest.raises(
        ArttlError, match=r"resnet18 has weights of 0\.0 GiB, and 0\.0 GiB of memory are free"
    ):
        Backbone("resnet18")  # 44.7 MB
    with torch.device("meta"):
        assert next(Backbone("resnet18").parameters()).is_meta
    monkeypatch.setattr("arttl.models.backbones.available_memory", lambda: 45 << 20)
    torch.manual_seed(1)
    first = next(Backbone("resnet18").parameters())
    torch.manual_seed(1)
    assert torch.equal(first, next(timm.create_model("resnet18", num_classes=0).parameters()))


def test_the_size_of_weights_is_that_of_the_network() -> None:
    for name in ("resnet10t", "test_vit", "vgg11"):
        network = timm.create_model(name, num_classes=0)
        assert _bytes_of_weights(name) == sum(tensor.nbytes for tensor in network.state_dict().values())
