"""Which modules are tapped: the table, the stages of other networks, and taps of the user's own."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn

from arttl.errors import ArttlError
from arttl.saliency.taps import TAPS, Tap, layers_through, print_taps, taps_along, taps_of


def small(name: str) -> nn.Module:
    return timm.create_model(name, pretrained=False, num_classes=0)


def names(model: nn.Module) -> list[str]:
    return [tap.module for tap in taps_of(model)[1]]


def test_vgg_taps_the_relu_of_every_convolution():
    network = small("vgg11")
    taps = taps_of(network)[1]
    assert len(taps) == 8
    assert all(isinstance(network.get_submodule(tap.module), nn.ReLU) for tap in taps)
    assert taps[1].through == ("features.2", "features.3")  # the pool and the convolution
    assert len(names(small("vgg11_bn"))) == 8


def test_resnet_taps_the_stem_and_every_block():
    assert names(small("resnet18")) == ["act1"] + [f"layer{i}.{j}" for i in range(1, 5) for j in range(2)]
    assert names(torchvision.models.resnet18())[0] == "relu"
    assert taps_of(small("resnet26d"))[1][0].through == ("conv1",)


def test_a_residual_block_is_walked_along_its_trunk():
    network = small("resnet18")
    tap = next(tap for tap in taps_of(network)[1] if tap.module == "layer2.0")
    assert tap.through is not None
    windows = [
        (layer.kernel[0], layer.stride[0])
        for layer in layers_through(dict(network.named_modules()), tap.through)
    ]
    assert windows == [(3, 2), (3, 1)]  # and not the 1x1 stride 2 of the shortcut


def test_blocks_with_parallel_convolutions_go_by_size():
    taps = taps_of(small("res2net50_26w_4s"))[1]
    assert taps[1].through is None and taps[0].through == ("conv1",)


def test_inception_taps_the_stem_and_every_mixed_block():
    found = names(small("inception_v3"))
    assert len(found) == 16
    assert found[:2] == ["Conv2d_1a_3x3", "Conv2d_2a_3x3"] and found[-1] == "Mixed_7c"


def test_xception_taps_the_stem_every_block_and_the_exit():
    network = small("legacy_xception")
    found = names(network)
    assert found == ["act1", "act2", *(f"block{i}" for i in range(1, 13)), "act3", "act4"]
    assert [layer.stride for layer in layers_through(dict(network.named_modules()), ("block1",))] == [
        (1, 1),
        (1, 1),
        (2, 2),
    ]


def test_densenet_taps_after_the_normalisation():
    found = names(small("densenet121"))
    assert len(found) == 8
    assert found[0] == "features.norm0" and found[-1] == "features.norm5"
    assert found[1:3] == ["features.transition1.norm", "features.denseblock2.denselayer1.norm1"]


def test_other_timm_networks_are_tapped_at_their_stages():
    found = taps_of(small("tf_efficientnet_lite0"))[1]
    assert [tap.module for tap in found] == ["blocks.0", "blocks.1", "blocks.2", "blocks.4", "blocks.6"]
    assert all(tap.through is None and tap.rectify for tap in found)


def test_the_network_is_found_inside_a_model():
    network = small("resnet18")
    backbone = nn.Module()
    backbone.network = network
    model = nn.Module()
    model.backbone = backbone
    wrapped = nn.Module()
    wrapped.module = model
    assert taps_of(wrapped)[0] is network
    assert taps_of(torch.compile(network))[0] is network


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        self.second = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(4, 4, 5, padding=2), nn.ReLU())


def test_names_are_walked_through_all_that_lies_between():
    assert taps_along(Own(), ["first", "second"]) == [
        Tap("first", ("first.0",)),
        Tap("second", ("second.0", "second.1")),
    ]
    assert taps_along(Own(), ["second.2"]) == [Tap("second.2", ("first.0", "second.0", "second.1"))]


def test_own_taps_keep_their_way():
    network, taps = taps_of(Own(), [Tap("first"), "second"])
    assert isinstance(network, Own)
    assert taps == (Tap("first"), Tap("second", ("second.0", "second.1")))


def test_the_table_can_be_extended(monkeypatch):
    monkeypatch.setitem(TAPS, "Own", lambda network: [Tap("first", ("first",))])
    assert names(Own()) == ["first"]


@pytest.mark.parametrize(
    ("taps", "sentence"),
    [
        (None, r"no taps are known for Own: .*taps=\["),
        ([], r"no taps are known for Own"),
        (["frist"], r"Own has no module 'frist' \(did you mean 'first'\?\)"),
        (["second", "first"], r"tap 'first' does not come after 'second'"),
        (["first", "first"], r"tap 'first' does not come after 'first'"),
        ([Tap("first", ("second.9",))], r"Own has no module 'second.9'"),
    ],
)
def test_wrong_taps_are_one_sentence(taps, sentence):
    with pytest.raises(ArttlError, match=sentence):
        taps_of(Own(), taps)


def test_print_taps(capsys):
    print_taps(small("resnet18"))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[0].split() == ["tap", "module", "step", "back", "through"]
    assert lines[1].split(maxsplit=2) == ["1", "act1", "7x7 stride 2 pad 3"]
    assert lines[2].endswith("3x3 stride 2 pad 1, 3x3 pad 1, 3x3 pad 1")
    print_taps(small("tf_efficientnet_lite0"))
    assert "by the sizes of the maps" in capsys.readouterr().out
    print_taps(nn.Sequential(nn.Conv2d(3, 4, (1, 7), padding=(0, 3)), nn.Conv2d(4, 4, 1)), ["0", "1"])
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  1  0       1x7 pad 0x3",
        "  2  1       nothing (same position)",
    ]
