"""The logits of positions of networks with norms, tokens or several windows: they add up, and equal the formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from timm.models import register_model
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

import arttl
from arttl.errors import ArttlError
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.models.settings import Pooling
from arttl.saliency.class_maps import why_no_class_maps
from arttl.saliency.maps import form_of
from arttl.saliency.position_logits import read_network
from arttl.saliency.positions import position_features
from arttl.tasks import Task, TaskSet, Vocabulary

SIZE = 64
TASKS = TaskSet(
    [
        Task("type", "single-label", Vocabulary(("a", "b", "c"), (1, 1, 1), (0,))),
        Task("material", "multi-label", Vocabulary(("d", "e"), (1, 1), (0,))),
    ]
)
CASES: list[tuple[str, Pooling | None]] = [
    ("test_vit", "patch-mean"),
    ("test_vit", "both"),
    ("test_vit2", None),  # a register, the mean of the patches, and a layer norm behind it
    ("test_vit3", "patch-mean"),  # instead of its pooling head
    ("test_positions_rms", None),
    ("test_positions_rms", "both"),
    ("test_positions_swin", None),
    ("test_convnext", None),
]


@register_model
def test_positions_swin(pretrained: bool = False, **settings: Any) -> Any:
    """A Swin of four small stages; its last maps are 2 x 2."""
    return SwinTransformer(
        img_size=SIZE, window_size=2, embed_dim=16, depths=(1, 2, 1, 1), num_heads=(1, 2, 2, 4), num_classes=0
    )


@register_model
def test_positions_rms(pretrained: bool = False, **settings: Any) -> Any:
    """A transformer with a class token that pools patches and normalises their mean by its root mean square."""
    return VisionTransformer(
        img_size=SIZE,
        patch_size=16,
        embed_dim=32,
        depth=2,
        num_heads=2,
        num_classes=0,
        global_pool="avg",
        norm_layer="rmsnorm",
    )


# Networks with this prefix are timm's, and pytest would collect their builders.
test_positions_swin.__test__ = test_positions_rms.__test__ = False  # type: ignore[attr-defined]


def model_of(name: str, pooling: Pooling | None) -> MultiTaskModel:
    """In double precision, with norms whose weights and biases are not one and zero."""
    torch.manual_seed(0)
    model = MultiTaskModel(Backbone(name, pooling), TASKS, Preprocess(size=SIZE)).eval().double()
    with torch.no_grad():
        for each, parameter in model.named_parameters():
            if each.endswith("gamma"):
                parameter.uniform_(0.5, 1)
            elif parameter.ndim > 1:
                parameter.normal_(std=1 / parameter[0].numel() ** 0.5)
            else:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, 3, SIZE, SIZE, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("name", "pooling"), CASES)
@torch.no_grad()
def test_the_mean_over_positions_is_the_logit(name: str, pooling: Pooling | None, images: Tensor) -> None:
    model = model_of(name, pooling)
    expected, network = model(images), read_network(model, images, TASKS.names)
    for task in TASKS.names:
        local = network.logits[task]
        assert local.dtype == torch.float64 and local.std((2, 3)).min() > 0.01
        torch.testing.assert_close(local.mean((2, 3)), expected[task], rtol=0, atol=1e-9)
        torch.testing.assert_close(network.predicted[task], expected[task], rtol=0, atol=1e-9)


def local_logits(model: MultiTaskModel, images: Tensor) -> np.ndarray:
    """The logits of the first task at every position [B, Q, P], by the formulas of each family."""
    network, head = model.backbone.network, model.heads.layers[0]
    with torch.no_grad():
        last = network.forward_features(images).numpy()
    weight, bias = head.weight.detach().numpy(), head.bias.detach().numpy()
    if model.backbone.name == "test_convnext":
        flat = last.reshape(*last.shape[:2], -1)  # [B, C, P]
        pooled = flat.mean(2)
        mean, deviation = pooled.mean(1), np.sqrt(pooled.var(1) + network.head.norm.eps)
        gamma, beta = (each.detach().numpy() for each in (network.head.norm.weight, network.head.norm.bias))
        normalised = (flat - mean[:, None, None]) / deviation[:, None, None]
        features = normalised * gamma[:, None] + beta[:, None]
    elif model.backbone.name == "test_positions_swin":
        features = last.reshape(len(last), -1, last.shape[3]).transpose(0, 2, 1)
    else:  # test_vit with both
        patches = last[:, 1:].transpose(0, 2, 1)
        features = np.concatenate([np.broadcast_to(last[:, 0, :, None], patches.shape), patches], 1)
    return np.einsum("qc,bcp->bqp", weight, features) + bias[:, None]


@pytest.mark.parametrize(
    ("name", "pooling"), [("test_convnext", None), ("test_positions_swin", None), ("test_vit", "both")]
)
def test_each_position_has_the_logits_of_the_formula(
    name: str, pooling: Pooling | None, images: Tensor
) -> None:
    model = model_of(name, pooling)
    expected = local_logits(model, images)
    with torch.no_grad():
        found = read_network(model, images, ["type"]).logits["type"].flatten(2)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-9)


def test_a_transformers_map_is_that_of_its_patches_enlarged(images: Tensor) -> None:
    model = model_of("test_vit", "both")
    margin = torch.from_numpy(local_logits(model, images)).unflatten(2, (4, 4))
    rectified = (margin[:, 2] - margin[:, 0]).clamp_min(0)[:, None]
    expected = F.interpolate(rectified, (SIZE, SIZE), mode="bilinear")[:, 0]
    low, high = expected.amin((1, 2), keepdim=True), expected.amax((1, 2), keepdim=True)
    assert (high > low).all()
    found = arttl.class_maps(model, images, "type", "c", against="a")
    torch.testing.assert_close(found.double(), (expected - low) / (high - low), rtol=0, atol=1e-5)
    assert form_of(model.backbone, "class-map") == "class-map of tokens"


@pytest.mark.parametrize(("name", "pooling"), [("test_convnext", None), ("test_positions_swin", None)])
def test_networks_of_several_resolutions_are_backprojected(
    name: str, pooling: Pooling | None, images: Tensor
) -> None:
    model = model_of(name, pooling)
    with torch.no_grad():
        network = read_network(model, images, ["type"])
    assert [mean.shape[1] for mean in network.shallower] == [16, 8, 4] and len(network.steps) == 4 * 9
    # Every position speaks for one of the two.
    found = torch.maximum(*(arttl.class_maps(model, images, "type", i, against=1 - i) for i in (0, 1)))
    assert found.shape == (3, SIZE, SIZE) and (found.amax((1, 2)) == 1).all()
    # Finer than the 2 x 2 positions of the last maps.
    assert found.unfold(1, 16, 16).unfold(2, 16, 16).std((3, 4)).amax() > 0.02
    assert form_of(model.backbone, "class-map") == "class-map"


@pytest.mark.parametrize(
    ("name", "pooling", "reason"),
    [
        ("test_vit", None, "test_vit predicts from its class token: use .* or train it with --pooling both"),
        ("test_vit", "class-token", "test_vit predicts from its class token"),
        ("test_vit3", None, "test_vit3 pools its tokens by attention: use attention-pool"),
        ("mobilenetv3_small_050", None, "has layers behind the average that are not linear: use grad-cam"),
    ],
)
def test_what_is_no_mean_over_positions_is_refused(
    name: str, pooling: Pooling | None, reason: str, images: Tensor
) -> None:
    model = model_of(name, pooling)
    with pytest.raises(ArttlError, match=f"a network that ends in global average pooling, .*{reason}"):
        arttl.class_maps(model, images, "type")
    assert "global average pooling" in why_no_class_maps(model, [images])


def test_an_activation_behind_the_mean_is_refused(images: Tensor) -> None:
    model = model_of("test_convnext", None)
    assert why_no_class_maps(model, [images]) == ""
    model.backbone.network.head.pre_logits = nn.GELU()
    assert "layers behind the average that are not linear" in why_no_class_maps(model, [images])


@torch.no_grad()
def test_a_layer_behind_the_average_that_changes_one_picture_alone_is_seen(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = model_of("test_resnet", None).backbone
    last = backbone.feature_maps(images)
    assert torch.equal(position_features(backbone, last, (SIZE, SIZE)), last)
    means = last.mean((2, 3))
    limit = means.amax(1).sort().values[-2:].mean()  # below the largest mean of one picture

    def clamped(maps: Tensor, pre_logits: bool) -> Tensor:
        return maps.mean((2, 3)).clamp(max=limit)

    monkeypatch.setattr(backbone.network, "forward_head", clamped)
    assert int((backbone.pooled(last) != means).any(1).sum()) == 1
    with pytest.raises(ArttlError, match="not linear"):
        position_features(backbone, last, (SIZE, SIZE))
