"""Attention maps and Grad-CAM of tokens, against a small vision transformer written out here in double precision."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from arttl.errors import ArttlError
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.models.networks import Pooling
from arttl.saliency.attention import AttentionMethod, attention_map, attention_methods_of
from arttl.saliency.attribution import attribute
from arttl.saliency.maps import maps_of
from arttl.tasks import Task, TaskSet, Vocabulary

SIZE, PATCH = 64, 16
CASES = [
    ("test_vit", None),  # a class token
    ("test_vit", "patch-mean"),
    ("test_vit", "both"),
    ("test_vit2", None),  # a register, the mean of the patches, and a normalisation behind it
    ("test_vit3", None),  # a register, and a pooling head
]


def model_of(name: str, pooling: Pooling | None = None, size: int = SIZE) -> MultiTaskModel:
    """With weights large enough that attention is far from even."""
    torch.manual_seed(0)
    tasks = TaskSet(
        [
            Task("type", "single-label", Vocabulary(("a", "b", "c"), (1, 1, 1), (0,))),
            Task("material", "multi-label", Vocabulary(("d", "e"), (1, 1), (0,))),
        ]
    )
    model = MultiTaskModel(Backbone(name, pooling), tasks, Preprocess(size=size)).eval()
    with torch.no_grad():
        for each, parameter in model.backbone.named_parameters():
            if each.endswith("gamma"):
                parameter.uniform_(0.5, 1)
            elif parameter.ndim == 2:
                parameter.normal_(std=1.5 / parameter.shape[1] ** 0.5)
            elif "pos_embed" in each or "token" in each or "latent" in each:
                parameter.normal_()
    return model


@dataclass
class OwnTransformer:
    """The forward pass from a state dict alone, keeping every attention [B, heads, N, N] and the last block's input."""

    state: dict[str, Tensor]
    heads: int
    attention: list[Tensor] = field(default_factory=list)
    last_input: Tensor | None = None

    def linear(self, x: Tensor, name: str) -> Tensor:
        return x @ self.state[f"{name}.weight"].T + self.state[f"{name}.bias"]

    def norm(self, x: Tensor, name: str) -> Tensor:
        if f"{name}.weight" not in self.state:
            return x
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return scaled * self.state[f"{name}.weight"] + self.state[f"{name}.bias"]

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Of [B, N, D] each, all heads."""
        q, k, v = (x.unflatten(2, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
        scores = torch.einsum("bhid,bhjd->bhij", q, k) / q.shape[-1] ** 0.5
        weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
        self.attention.append(weights)
        return torch.einsum("bhij,bhjd->bhid", weights, v).transpose(1, 2).flatten(2)

    def mlp(self, x: Tensor, name: str) -> Tensor:
        return self.linear(F.gelu(self.linear(x, f"{name}.fc1")), f"{name}.fc2")

    def tokens(self, images: Tensor, grid: int) -> Tensor:
        state = self.state
        squares = images.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)  # [B, 3, h, w, 16, 16]
        flat = squares.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
        x = flat @ state["patch_embed.proj.weight"].flatten(1).T + state["patch_embed.proj.bias"]
        first = [state[name].expand(len(x), -1, -1) for name in ("cls_token", "reg_token") if name in state]
        assert state["pos_embed"].shape[1] == sum(each.shape[1] for each in first) + grid**2
        x = torch.cat([*first, x], 1) + state["pos_embed"]
        blocks = {name.split(".")[1] for name in state if name.startswith("blocks.")}
        for index in sorted(blocks, key=int):
            block = f"blocks.{index}"
            gamma = [state.get(f"{block}.ls{number}.gamma", torch.ones(1)) for number in (1, 2)]
            normed = self.last_input = self.norm(x, f"{block}.norm1")
            mixed = self.attend(*self.linear(normed, f"{block}.attn.qkv").chunk(3, dim=-1))
            x = x + gamma[0] * self.linear(mixed, f"{block}.attn.proj")
            x = x + gamma[1] * self.mlp(self.norm(x, f"{block}.norm2"), f"{block}.mlp")
        return self.norm(x, "norm")

    def pool_head(self, x: Tensor) -> Tensor:
        query = self.linear(self.state["attn_pool.latent"].expand(len(x), -1, -1), "attn_pool.q")
        mixed = self.attend(query, *self.linear(x, "attn_pool.kv").chunk(2, dim=-1))
        x = self.linear(mixed, "attn_pool.proj")
        return (x + self.mlp(self.norm(x, "attn_pool.norm"), "attn_pool.mlp"))[:, 0]


@dataclass
class Own:
    """What the tests compare with, for one model and pictures."""

    network: OwnTransformer
    logits: Tensor
    read: Tensor | None
    prefix: int


def own(model: MultiTaskModel, images: Tensor) -> Own:
    """The forward pass; `read` [N] is what is read of the last tokens, None where a head pools them."""
    network = model.backbone.network
    state = {name: tensor.detach().double() for name, tensor in network.state_dict().items()}
    grid = SIZE // PATCH
    if network.patch_embed.grid_size != (
        grid,
        grid,
    ):  # positions as timm resamples them: others are tested elsewhere
        copied = Backbone(model.backbone.name).network
        copied.load_state_dict(network.state_dict())
        copied.set_input_size(img_size=(SIZE, SIZE))
        state["pos_embed"] = copied.pos_embed.detach().double()
    transformer = OwnTransformer(state, network.blocks[0].attn.num_heads)
    tokens = transformer.tokens(images.double().requires_grad_(), grid)
    count, prefix = tokens.shape[1], tokens.shape[1] - grid**2
    patches = torch.cat([torch.zeros(prefix), torch.full((count - prefix,), 1 / (count - prefix))]).double()
    token = torch.eye(count, dtype=torch.float64)[0]
    read: Tensor | None
    if "attn_pool.latent" in state:
        features, read = transformer.pool_head(tokens), None
    else:
        has_class = "cls_token" in state
        pooling = model.backbone.pooling or ("class-token" if has_class else "patch-mean")
        read = {"class-token": token, "patch-mean": patches, "both": (token + patches) / 2}[pooling]
        mean = transformer.norm(tokens[:, prefix:].mean(1), "fc_norm")
        parts = {"class-token": [tokens[:, 0]], "patch-mean": [mean], "both": [tokens[:, 0], mean]}
        features = torch.cat(parts[pooling], 1)
    head = model.heads.layers[0]
    return Own(transformer, features @ head.weight.double().T + head.bias.double(), read, prefix)


def to_map(relevance: Tensor, prefix: int) -> Tensor:
    """[B, N] to [B, SIZE, SIZE] in [0, 1]."""
    grid = SIZE // PATCH
    maps = F.interpolate(
        relevance[:, prefix:].unflatten(1, (grid, grid))[:, None], (SIZE, SIZE), mode="bilinear"
    )
    maps = maps[:, 0].detach()
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return ((maps - low) / (high - low)).float()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "pooling"), CASES)
def test_the_own_transformer_is_timms(name: str, pooling: Pooling | None, images: Tensor) -> None:
    model = model_of(name, pooling)
    expected = own(model, images).logits
    torch.testing.assert_close(model(images)["type"].double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "pooling"), CASES)
def test_rollout(name: str, pooling: Pooling | None, images: Tensor) -> None:
    model = model_of(name, pooling)
    reference = own(model, images)
    attention = [matrix.mean(1) for matrix in reference.network.attention]
    pool = attention.pop()[:, 0] if reference.read is None else None
    eye = torch.eye(attention[0].shape[1], dtype=torch.float64)
    rolled = eye
    for matrix in attention:
        rows = matrix + eye
        rolled = (rows / rows.sum(-1, keepdim=True)) @ rolled
    read = reference.read.expand(len(images), -1) if pool is None else pool  # type: ignore[union-attr]
    expected = to_map(torch.einsum("bi,bij->bj", read, rolled), reference.prefix)
    found = attention_map(model, images, "attention-rollout")
    assert found.shape == (3, SIZE, SIZE) and expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("name", "pooling"), CASES)
def test_gradient_weighted_attention(name: str, pooling: Pooling | None, images: Tensor) -> None:
    model = model_of(name, pooling)
    classes = torch.tensor([2, 0, 1])
    reference = own(model, images)
    score = reference.logits.gather(1, classes[:, None]).sum()
    gradients = torch.autograd.grad(score, reference.network.attention)
    cams = [
        (gradient * matrix).relu().mean(1)
        for gradient, matrix in zip(gradients, reference.network.attention, strict=True)
    ]
    pool = cams.pop()[:, 0] if reference.read is None else None
    relevance = torch.eye(cams[0].shape[1], dtype=torch.float64)
    for cam in cams:
        relevance = relevance + cam @ relevance
    read = reference.read.expand(len(images), -1) if pool is None else pool  # type: ignore[union-attr]
    expected = to_map(torch.einsum("bi,bij->bj", read, relevance), reference.prefix)
    found = attention_map(model, images, "attention-gradients", "type", classes)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_the_pooling_heads_own_attention(images: Tensor) -> None:
    model = model_of("test_vit3")
    reference = own(model, images)
    expected = to_map(reference.network.attention[-1].mean(1)[:, 0], reference.prefix)
    found = attention_map(model, images, "attention-pool")
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("name", "pooling"), CASES)
def test_grad_cam_of_the_tokens_that_the_last_block_attends_over(
    name: str, pooling: Pooling | None, images: Tensor
) -> None:
    pytest.importorskip("captum", reason="captum is not installed")
    model = model_of(name, pooling)
    classes = torch.tensor([2, 0, 1])
    reference = own(model, images)
    tokens = reference.network.last_input
    assert tokens is not None
    (gradient,) = torch.autograd.grad(reference.logits.gather(1, classes[:, None]).sum(), tokens)
    weights = gradient[:, reference.prefix :].mean(1, keepdim=True)
    # A map that nothing speaks for is all zeros.
    expected = to_map((tokens * weights).sum(2).relu(), reference.prefix).nan_to_num(0)
    found = attribute(model, images, "grad-cam", "type", classes)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    assert expected.std() > 0.1


def test_each_class_has_its_own_map_and_the_likeliest_is_the_default(images: Tensor) -> None:
    model = model_of("test_vit")
    maps = [
        attention_map(model, images, "attention-gradients", "type", torch.full((3,), label))
        for label in (0, 1)
    ]
    assert float((maps[0] - maps[1]).abs().mean()) > 0.02
    likeliest = model(images)["type"].argmax(1)
    asked = attention_map(model, images, "attention-gradients", "type", likeliest)
    assert torch.equal(asked, maps_of(model, images, "attention-gradients", task="type"))


def test_gradients_are_there_in_inference_mode(images: Tensor) -> None:
    model = model_of("test_vit")
    expected = attention_map(model, images, "attention-gradients", "type")
    with torch.inference_mode():
        classes = model(images)["type"].argmax(1)
        assert torch.equal(attention_map(model, images + 0, "attention-gradients", "type", classes), expected)
        assert torch.equal(attention_map(model, images, "attention-gradients", "type"), expected)


def test_pictures_are_explained_one_by_one_where_attention_is_large(images: Tensor, monkeypatch) -> None:
    model = model_of("test_vit")
    together = attention_map(model, images, "attention-gradients", "type")
    monkeypatch.setattr("arttl.saliency.attention._LARGEST", 1)
    torch.testing.assert_close(attention_map(model, images, "attention-gradients", "type"), together)


@pytest.mark.parametrize("method", ["attention-rollout", "attention-gradients"])
def test_the_model_is_left_as_it_was(method: AttentionMethod, images: Tensor) -> None:
    model = model_of("test_vit").train()
    model.backbone.network.blocks[2].attn.fused_attn = False  # by its user
    fused = [block.attn.fused_attn for block in model.backbone.network.blocks]
    attention_map(model, images, method, "type")
    assert [block.attn.fused_attn for block in model.backbone.network.blocks] == fused
    assert model.training and all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(RuntimeError):
        attention_map(model, images[:, :2], method, "type")
    assert [block.attn.fused_attn for block in model.backbone.network.blocks] == fused and model.training


@pytest.mark.parametrize("name", ["vit_tiny_patch16_dinov3_qkvb", "beit_base_patch16_224"])
def test_other_transformers(name: str) -> None:
    """Rotary and relative positions; registers, whose part is left out."""
    torch.manual_seed(0)
    size = 224 if name.startswith("beit") else SIZE
    model = model_of(name, size=size)
    images = torch.randn(1, 3, size, size)
    assert attention_methods_of(model, images) == ("attention-rollout", "attention-gradients")
    for method in attention_methods_of(model, images):
        heat = attention_map(model, images, method, "type")
        assert heat.shape == (1, size, size) and 0 == heat.min() < heat.max() == 1


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [
        ("test_resnet", 64, "needs a vision transformer whose blocks attend to all patches, and test_resnet"),
        (
            "swin_tiny_patch4_window7_224",
            224,
            "needs a vision transformer .* use grad-cam or visual-backprop",
        ),
        ("coat_lite_tiny", 224, "needs a vision transformer"),
    ],
)
def test_networks_without_such_attention(name: str, size: int, reason: str) -> None:
    torch.manual_seed(0)
    model = MultiTaskModel(Backbone(name), model_of("test_vit").tasks, Preprocess(size=size)).eval()
    images = torch.randn(1, 3, size, size)
    assert attention_methods_of(model, images) == ()
    with pytest.raises(ArttlError, match=reason):
        attention_map(model, images, "attention-rollout")
    if name == "test_resnet":
        with pytest.raises(ArttlError, match="does not: use grad-cam or visual-backprop"):
            attention_map(model, images, "attention-pool")


def test_grad_cam_of_swin_is_the_formula() -> None:
    """Its maps come with the channels last."""
    pytest.importorskip("captum", reason="captum is not installed")
    torch.manual_seed(0)
    name = "swin_tiny_patch4_window7_224"
    model = MultiTaskModel(Backbone(name), model_of("test_vit").tasks, Preprocess(size=224)).eval()
    images = torch.randn(1, 3, 224, 224)
    features = model.backbone.network.forward_features(images).detach().requires_grad_()  # [1, 7, 7, 768]
    (gradient,) = torch.autograd.grad(model.heads(features.mean((1, 2)))["type"][0, 1], features)
    cam = torch.einsum("yxc,c->yx", features[0], gradient[0].mean((0, 1))).relu()
    expected = F.interpolate(cam[None, None], (224, 224), mode="bilinear")[0].detach()
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    found = attribute(model, images, "grad-cam", "type", torch.tensor([1]))
    assert expected.std() > 0.05
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_what_cannot_be_explained_is_one_sentence(images: Tensor) -> None:
    model = model_of("test_vit")
    with pytest.raises(ArttlError, match=r"no task 'typ' \(did you mean 'type'\?\)"):
        attention_map(model, images, "attention-gradients", "typ")
    with pytest.raises(ArttlError, match="attention-pool needs a network that pools by attention, as SigLIP"):
        attention_map(model, images, "attention-pool")
