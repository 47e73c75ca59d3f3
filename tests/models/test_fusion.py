from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from arttl.errors import ArttlError
from arttl.loading import Preprocess
from arttl.models import Backbone
from arttl.models.fusion import FusedModel, TokenHead, load_fused
from arttl.models.stages import PooledStages, stage_widths
from arttl.tasks import Task, TaskSet, Vocabulary

TASKS = TaskSet(
    [
        Task("type", "single-label", Vocabulary(("a", "b", "c"), (3, 2, 1), (0,))),
        Task("material", "multi-label", Vocabulary(("x", "y"), (2, 2), (0,))),
    ]
)


def randomised(head: TokenHead, seed: int = 0) -> TokenHead:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_(generator=generator)
    return head


def model(mixing: str = "gates", material: str | None = None) -> FusedModel:
    torch.manual_seed(0)
    networks = [Backbone("test_resnet"), Backbone("test_efficientnet")]
    stages = [
        PooledStages(one, stage_widths(one, size)) for one, size in zip(networks, (32, 48), strict=True)
    ]
    each = {"type": mixing, "material": material or mixing}
    made = FusedModel(stages, [Preprocess(size=32), Preprocess(size=48)], TASKS, each)  # type: ignore[arg-type]
    for place, head in enumerate(made.heads):
        assert isinstance(head, TokenHead)
        randomised(head, place)
    made.mean.uniform_()
    made.scale.uniform_(0.5, 2)
    return made.eval()


@pytest.mark.parametrize("mixing", ["uniform", "gates", "attention"])
def test_a_head_is_the_sum_it_says_in_double_precision(mixing: str) -> None:
    random = np.random.default_rng(0)
    tokens = [random.normal(size=(7, width)) for width in (3, 5, 2)]
    head = randomised(TokenHead((3, 5, 2), 4, mixing))  # type: ignore[arg-type]
    weight, bias = head.weight.detach().double().numpy(), head.bias.detach().double().numpy()
    gates = head.gates.detach().double().numpy()
    edges = [slice(0, 3), slice(3, 8), slice(8, 10)]
    scores = np.tile(gates, (7, 1))
    if mixing == "attention":
        assert head.attention is not None
        directions = head.attention.detach().double().numpy()[0]
        scores = scores + np.stack([t @ directions[e] for t, e in zip(tokens, edges, strict=True)], axis=1)
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    expected = bias + sum(
        np.sqrt(shares[:, [place]]) * (token @ weight[:, edge].T)
        for place, (token, edge) in enumerate(zip(tokens, edges, strict=True))
    )
    found = head([torch.tensor(token, dtype=torch.float32) for token in tokens])
    assert np.abs(found.detach().numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("mixing", ["uniform", "gates", "attention"])
def test_a_head_extended_to_more_tokens_has_the_same_logits(mixing: str) -> None:
    random = torch.Generator().manual_seed(0)
    tokens = [torch.randn(7, width, generator=random) for width in (3, 4, 5, 2)]
    head = randomised(TokenHead((4, 2), 6, mixing))  # type: ignore[arg-type]
    wider = head.extended_to((3, 4, 5, 2), (1, 3))
    assert torch.allclose(wider(tokens), head([tokens[1], tokens[3]]), atol=1e-6)
    shares = wider.log_shares(tokens).exp()
    assert not shares[:, [0, 2]].any() and torch.allclose(shares.sum(1), torch.ones(len(shares)))
    wider(tokens).sum().backward()
    assert all(one.grad is None or one.grad.isfinite().all() for one in wider.parameters())


def test_uniform_shares_do_not_learn_and_start_as_a_linear_layer() -> None:
    head = TokenHead((3, 5), 4, "uniform")
    assert [name for name, one in head.named_parameters() if one.requires_grad] == ["weight", "bias"]
    assert torch.allclose(head.log_shares([]).exp(), torch.tensor([[0.5, 0.5]]))


def test_a_saved_model_says_the_same_and_needs_nothing_else(tmp_path: Path) -> None:
    made = model("attention", "uniform")
    images = [torch.rand(3, 3, size, size) for size in (32, 48)]
    made.save(tmp_path / "best")
    for folder in (tmp_path, tmp_path / "best"):
        loaded = load_fused(folder)
        assert not loaded.training and loaded.tasks == TASKS and loaded.tokens == made.tokens
        assert [one.size for one in loaded.preprocesses] == [32, 48]
        with torch.inference_mode():
            for name, logits in made(*images).items():
                assert torch.equal(loaded(*images)[name], logits)
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_the_whole_model_can_be_fine_tuned() -> None:
    made = model("gates").train()
    logits = made(*[torch.rand(4, 3, size, size) for size in (32, 48)])
    (logits["type"].sum() + logits["material"].sum()).backward()
    assert all(parameter.grad is not None for parameter in made.parameters() if parameter.requires_grad)


def test_shares_add_up_to_one() -> None:
    for shares in model().shares().values():
        assert sum(shares.values()) == pytest.approx(1) and min(shares.values()) > 0


def test_a_folder_that_is_no_fused_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=r"holds no fused model: expected fused\.json"):
        load_fused(tmp_path)
    model().save(tmp_path / "m")
    text = (tmp_path / "m" / "fused.json").read_text()
    for change, reason in (
        ({"format_version": 9}, "has fused model format 9; this version reads 1"),
        ({"mixing": {"type": "magic", "material": "gates"}}, "cannot be read"),
        ({"mixing": "gates"}, "cannot be read"),
        (
            {"backbones": [{"name": "/etc/passwd", "stages": {}, "preprocess": {}}]},
            "is not a network of timm",
        ),
        ({"tasks": 3}, "fused.json: 'tasks' must be a list, not 3"),
    ):
        (tmp_path / "m" / "fused.json").write_text(json.dumps({**json.loads(text), **change}))
        with pytest.raises(ArttlError, match=reason):
            load_fused(tmp_path / "m")
    (tmp_path / "m" / "fused.json").write_text(text)
    (tmp_path / "m" / "fused.safetensors").write_bytes(b"not tensors")
    with pytest.raises(ArttlError, match="cannot be read"):
        load_fused(tmp_path / "m")


def test_a_folder_of_the_first_form_is_loaded(tmp_path: Path) -> None:
    """The files as they were first written, by hand: the logits are the formula on the backbone's own features."""
    torch.manual_seed(5)
    backbone = Backbone("test_resnet").eval()
    state = {f"backbones.0.backbone.{name}": value for name, value in backbone.state_dict().items()}
    width = backbone.num_features
    mean, scale = torch.randn(width), torch.rand(width) + 0.5
    weight, bias = torch.randn(3, width), torch.randn(3)
    state |= {"mean": mean, "scale": scale, "heads.0.weight": weight, "heads.0.bias": bias}
    state["heads.0.gates"] = torch.zeros(1)
    save_file(state, tmp_path / "fused.safetensors")
    preprocess = {"size": 32, "crop_pct": 0.875, "filter": "bicubic", "fit": "crop"}
    task = {"name": "type", "kind": "single-label", "classes": ["a", "b", "c"]}
    description = {
        "format_version": 1,
        "mixing": {"type": "gates"},
        "backbones": [{"name": "test_resnet", "stages": {"pooled": width}, "preprocess": preprocess}],
        "provenance": {"mode": "off-the-shelf", "weights": "test_resnet: none"},
        "tasks": [{**task, "train_counts": [3, 2, 1], "train_majority": [0]}],
    }
    (tmp_path / "fused.json").write_text(json.dumps(description), encoding="utf-8")
    loaded, images = load_fused(tmp_path), torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        expected = torch.nn.functional.linear((backbone(images) - mean) * scale, weight, bias)
        assert torch.allclose(loaded(images)["type"], expected, atol=1e-5)
