from __future__ import annotations

import pytest
import timm
import torch
from packaging.version import Version

from arttl.errors import ArttlError
from arttl.models import Backbone
from arttl.models.stages import LAST_LAYER, PooledStages, stage_widths


@pytest.mark.parametrize(
    "name",
    ["test_resnet", "test_efficientnet", "test_vit", "tf_efficientnet_lite0", "swin_tiny_patch4_window7_224"],
)
def test_stages_are_the_averages_of_timms_own_intermediate_features(name: str) -> None:
    size = 224 if "swin" in name else 160 if "vit" in name else 64
    backbone = Backbone(name).eval()
    widths = stage_widths(backbone, size)
    images = torch.rand(2, 3, size, size)
    with torch.inference_mode():
        found = dict(zip(widths, PooledStages(backbone, widths)(images), strict=True))
        maps = backbone.network.forward_intermediates(images, norm=False, intermediates_only=True)
        pooled = backbone(images)
    assert torch.equal(found[LAST_LAYER], pooled)
    assert {stage: values.shape[1] for stage, values in found.items()} == widths
    expected = [one.mean((2, 3)) for one in maps]
    hooked = [values for stage, values in found.items() if stage != LAST_LAYER]
    if "vit" in name:  # timm leaves the class token out of its maps; the average here has it
        assert len(hooked) == len(expected)
        return
    for values, wanted in zip(hooked, expected, strict=False):
        torch.testing.assert_close(values, wanted, rtol=1e-4, atol=1e-5)
    assert len(hooked) >= len(expected) - 1


def test_a_stage_that_is_the_pooled_features_is_left_out() -> None:
    # The last stage of a ResNet, averaged, is its pooled features; EfficientNet has a convolution in between.
    assert list(stage_widths(Backbone("resnet10t"), 64)) == ["act1", "layer1", "layer2", "layer3", LAST_LAYER]
    assert "blocks.6" in stage_widths(Backbone("tf_efficientnet_lite0"), 64)


def test_vgg_stages_are_taken_before_later_layers_work_in_place() -> None:
    backbone = Backbone("vgg11").eval()
    widths = stage_widths(backbone, 64)
    images = torch.rand(1, 3, 64, 64)
    network = timm.create_model("vgg11", pretrained=False, num_classes=0).eval()
    network.load_state_dict(backbone.network.state_dict(), strict=False)
    with torch.inference_mode():
        found = dict(zip(widths, PooledStages(backbone, widths)(images), strict=True))
        for stage in [name for name in widths if name != LAST_LAYER]:
            depth = int(stage.removeprefix("features."))
            expected = network.features[: depth + 1](images.clone()).mean((2, 3))
            torch.testing.assert_close(found[stage], expected)


def test_hooks_do_not_stay() -> None:
    backbone = Backbone("test_resnet").eval()
    stages = PooledStages(backbone, stage_widths(backbone, 32))
    stages(torch.rand(1, 3, 32, 32))
    assert not any(module._forward_hooks for module in backbone.modules())


def test_an_unknown_stage_is_named() -> None:
    with pytest.raises(ArttlError, match="test_resnet has no stage 'layer9'; it has: act1, layer1"):
        PooledStages(Backbone("test_resnet"), {"layer9": 3})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pit_ti_224", "the stage 'transformers.0' of pit_ti_224 gives several maps"),
        pytest.param(
            "coat_lite_tiny",
            "the stage 'serial_blocks1' of coat_lite_tiny is not on the way of a picture",
            marks=pytest.mark.skipif(
                Version(timm.__version__) < Version("1.0.31"), reason="older timm calls the stage itself"
            ),
        ),
    ],
)
def test_stages_without_features_are_named_and_the_last_layer_works(name: str, reason: str) -> None:
    backbone = Backbone(name).eval()
    with pytest.raises(ArttlError, match=f"{reason}.*: give --stages last$"):
        stage_widths(backbone, 224)
    assert not any(module._forward_hooks for module in backbone.modules())
    with torch.inference_mode():
        (pooled,) = PooledStages(backbone, {LAST_LAYER: backbone.num_features})(torch.zeros(1, 3, 224, 224))
    assert pooled.shape == (1, backbone.num_features)
