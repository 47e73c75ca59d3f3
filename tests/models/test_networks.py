"""What the backbone answers for its network, against timm; and that nobody else asks timm."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

import arttl
from arttl.models import Backbone
from arttl.models.networks import has_stages, is_channels_last, prefix_tokens, stages_of, trunk_of

PACKAGE = Path(arttl.__file__).parent
# What training takes from timm: the moving average of a model's weights.
ALLOWED_IMPORTS = {("timm.utils", "ModelEmaV3")}
TIMM_ATTRIBUTES = {
    "default_cfg",
    "feature_info",
    "forward_features",
    "forward_head",
    "group_matcher",
    "head_hidden_size",
    "no_weight_decay",
    "num_prefix_tokens",
    "output_fmt",
    "pretrained_cfg",
}


def uses_of_timm(source: str) -> set[str]:
    """Imports of timm that are not allowed, and reads of its networks' attributes, by name or by `getattr`."""
    uses = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            uses |= {alias.name for alias in node.names if alias.name.partition(".")[0] == "timm"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "timm":
            names = {(node.module, alias.name) for alias in node.names} - ALLOWED_IMPORTS
            uses |= {f"{module}.{name}" for module, name in names}
        elif isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if node.attr in TIMM_ATTRIBUTES or (node.attr == "network" and "backbone" in name):
                uses.add(node.attr)
        elif isinstance(node, ast.Constant) and node.value in TIMM_ATTRIBUTES:
            uses.add(str(node.value))
    return uses


def test_no_other_package_reads_timm() -> None:
    modules = [path for path in PACKAGE.rglob("*.py") if PACKAGE / "models" not in path.parents]
    assert len(modules) > 100
    uses = {path.relative_to(PACKAGE).as_posix(): uses_of_timm(path.read_text("utf-8")) for path in modules}
    assert {name: found for name, found in uses.items() if found} == {}


@pytest.mark.parametrize(
    ("source", "use"),
    [
        ("import timm", "timm"),
        ("from timm.utils import AverageMeter", "timm.utils.AverageMeter"),
        ("x = net.feature_info", "feature_info"),
        ("x = getattr(net, 'output_fmt', '')", "output_fmt"),
        ("x = model.backbone.network", "network"),
    ],
)
def test_a_use_of_timm_is_noticed(source: str, use: str) -> None:
    assert uses_of_timm(source) == {use}


@pytest.mark.parametrize("name", ["resnet10t", "tf_efficientnet_lite0", "swin_tiny_patch4_window7_224"])
def test_stages_are_those_that_timm_extracts(name: str) -> None:
    backbone = Backbone(name)
    reference = timm.create_model(name, pretrained=False, features_only=True)
    modules = dict(backbone.network.named_modules())
    assert [stage.width for stage in backbone.stages] == reference.feature_info.channels()
    assert all(modules[stage.name] is stage.module for stage in backbone.stages)


@pytest.mark.parametrize(
    ("name", "size", "shape"),
    [
        ("resnet10t", 64, (512, 2, 2)),
        ("vgg19", 64, (512, 2, 2)),
        ("mobilenetv3_small_100", 64, (576, 2, 2)),
        ("swin_tiny_patch4_window7_224", 224, (768, 7, 7)),
        ("test_vit", 160, (101, 64)),
    ],
)
def test_feature_maps_come_channels_first_and_pool_to_the_features(
    name: str, size: int, shape: tuple
) -> None:
    torch.manual_seed(0)
    backbone = Backbone(name).eval()
    images = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        maps, features = backbone.feature_maps(images), backbone(images)
        assert tuple(maps.shape) == (2, *shape)
        assert features.shape == (2, backbone.num_features)
        assert torch.equal(backbone.pooled(maps), features)
        reference = backbone.network(images)  # timm's own path, with no classes
        torch.testing.assert_close(features, reference.reshape(features.shape))


def test_a_module_that_says_nothing_is_all_trunk() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3))
    assert not has_stages(network) and stages_of(network) == () and trunk_of(network) is network
    assert not is_channels_last(network) and prefix_tokens(network) == 0


def test_stages_that_no_module_has_are_left_out() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3))
    network.feature_info = [{"module": "1.conv", "num_chs": 3}, {"module": "0", "num_chs": 4}]
    assert [(stage.name, stage.width) for stage in stages_of(network)] == [("0", 4)]


def test_parameter_groups_hold_every_parameter_once() -> None:
    backbone = Backbone("test_vit")
    everything = sorted(id(parameter) for parameter in backbone.parameters())
    for layer_decay in (1.0, 0.5):
        groups = backbone.parameter_groups(0.1, 0.05, layer_decay)
        assert sorted(id(parameter) for group in groups for parameter in group["params"]) == everything
        for group in groups:
            if any(parameter.ndim <= 1 for parameter in group["params"]):
                assert group["weight_decay"] == 0
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    first, last = (rates[id(backbone.network.blocks[i].attn.qkv.weight)] for i in (0, -1))
    assert len(backbone.network.blocks) == 6
    assert first == pytest.approx(0.1 * 0.5**5) and last == pytest.approx(0.1)


def test_a_stage_without_a_name_is_not_the_network_itself() -> None:
    with torch.device("meta"):
        names = [stage.name for stage in Backbone("tresnet_m").stages]
    assert names == ["body.layer1", "body.layer2", "body.layer3", "body.layer4"]
