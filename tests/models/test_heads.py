"""The kinds of heads: their formula, their standardisation, their way to disk and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.special import erf

from arttl.errors import ArttlError
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel, load_model
from arttl.models.heads import HEADS, HIDDEN_WIDTH, Heads, LinearHead, MlpHead, build_head
from arttl.tasks import Task, TaskSet, Vocabulary

TASKS = TaskSet(
    [
        Task("type", "single-label", Vocabulary(("a", "b", "c"), (1, 2, 3), (2,))),
        Task("material", "multi-label", Vocabulary(("d", "e"), (1, 1), (0,))),
    ]
)
WIDE = {"kind": "mlp", "width": 7, "dropout": 0.25}


def model(head: str | dict = "linear") -> MultiTaskModel:
    torch.manual_seed(0)
    return MultiTaskModel(Backbone("test_resnet"), TASKS, Preprocess(size=32), head=head).eval()


def test_an_mlp_head_is_the_formula() -> None:
    torch.manual_seed(0)
    head = MlpHead(5, 3, width=4).double()
    weights = {name: value.detach().numpy() for name, value in head.state_dict().items()}
    features = np.random.default_rng(0).normal(size=(6, 5))
    hidden = features @ weights["hidden.weight"].T + weights["hidden.bias"]
    hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2  # GELU (Hendrycks and Gimpel 2016)
    expected = hidden @ weights["output.weight"].T + weights["output.bias"]
    assert np.abs(head(torch.tensor(features)).detach().numpy() - expected).max() < 1e-12


def test_dropout_works_in_training_alone() -> None:
    torch.manual_seed(0)
    head, features = MlpHead(5, 3, width=64, dropout=0.5), torch.randn(2, 5)
    assert not torch.equal(head(features), head(features))
    assert torch.equal(head.eval()(features), head(features))


@pytest.mark.parametrize("kind", sorted(HEADS))
def test_every_kind_absorbs_the_standardisation_of_its_features(kind: str) -> None:
    torch.manual_seed(1)
    head = build_head({"kind": kind}, 5, 3).double().eval()
    features, mean, std = torch.randn(4, 5).double(), torch.randn(5).double(), torch.rand(5).double() + 0.5
    expected = head((features - mean) / std).detach()
    head.absorb_standardisation(mean, std)
    torch.testing.assert_close(head(features).detach(), expected)


@pytest.mark.parametrize("kind", sorted(HEADS))
def test_a_specification_builds_the_same_head(kind: str) -> None:
    head = build_head({"kind": kind}, 5, 3)
    again = build_head(json.loads(json.dumps(head.specification())), 5, 3)
    assert type(again) is type(head) and again.specification() == head.specification()
    again.load_state_dict(head.state_dict())
    features = torch.randn(2, 5)
    assert torch.equal(again.eval()(features), head.eval()(features))


def test_the_default_is_linear_and_the_width_of_an_mlp_is_the_documented_one() -> None:
    assert all(type(head) is LinearHead for head in model().heads.layers)
    mlp = model("mlp")
    assert mlp.heads.specification == {"kind": "mlp", "width": HIDDEN_WIDTH, "dropout": 0.0}
    assert all(head.hidden.out_features == HIDDEN_WIDTH for head in mlp.heads.layers)


@pytest.mark.parametrize("head", ["linear", "mlp", WIDE])
def test_a_model_is_loaded_with_the_heads_it_was_saved_with(head, tmp_path: Path) -> None:
    saved = model(head)
    saved.save(tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert loaded.heads.specification == saved.heads.specification
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        for name, logits in saved(images).items():
            assert torch.equal(loaded(images)[name], logits)


def test_a_model_without_tasks_keeps_the_kind_of_its_heads(tmp_path: Path) -> None:
    MultiTaskModel(Backbone("test_resnet"), TaskSet([]), Preprocess(size=32), head=WIDE).save(tmp_path / "m")
    assert load_model(tmp_path / "m").heads.specification == WIDE


def test_a_folder_from_before_there_were_kinds_of_heads_is_linear(tmp_path: Path) -> None:
    """The files as they were written then, by hand."""
    torch.manual_seed(3)
    backbone = Backbone("test_resnet").eval()
    weights = {name: torch.randn(outputs, backbone.num_features) for name, outputs in (("a", 3), ("b", 2))}
    biases = {"a": torch.randn(3), "b": torch.randn(2)}
    state = {f"backbone.{name}": value for name, value in backbone.state_dict().items()}
    for index, name in enumerate(weights):
        state |= {
            f"heads.layers.{index}.weight": weights[name],
            f"heads.layers.{index}.bias": biases[name],
        }
    save_file(state, tmp_path / "model.safetensors")
    classes = {"a": ["x", "y", "z"], "b": ["p", "q"]}
    description = {
        "format_version": 1,
        "backbone": "test_resnet",
        "preprocess": {
            "size": 32,
            "crop_pct": 0.875,
            "filter": "bicubic",
            "fit": "crop",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        },
        "provenance": {"mode": "fine-tune", "weights": "ImageNet weights from timm (r160_in1k)"},
        "tasks": [
            {
                "name": name,
                "kind": "single-label",
                "classes": names,
                "train_counts": [1] * len(names),
                "train_majority": [0],
            }
            for name, names in classes.items()
        ],
    }
    (tmp_path / "model.json").write_text(json.dumps(description), encoding="utf-8")
    loaded = load_model(tmp_path)
    images = torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        features, logits = backbone(images), loaded(images)
    for name, weight in weights.items():
        assert torch.equal(logits[name], torch.nn.functional.linear(features, weight, biases[name]))


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("liner", r"--head 'liner' is not known \(did you mean 'linear'\?\); there are: linear, mlp"),
        ({"kind": "mlp", "width": 0}, "width is between 1 and 16384, not 0"),
        ({"kind": "mlp", "width": 10**9}, "width is between 1 and 16384"),
        ({"kind": "mlp", "dropout": 2}, "dropout probability"),
        ({"kind": "linear", "width": 4}, "a head of kind 'linear' cannot be built from .'width': 4."),
    ],
)
def test_heads_that_cannot_be_built_are_one_sentence(head, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match=reason):
        Heads(4, TASKS, head)
    model().save(tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "head": head}))
    with pytest.raises(ArttlError, match=reason):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("head", [5, None, {"kind": []}, {}])
def test_a_description_that_names_no_head(head, tmp_path: Path) -> None:
    model().save(tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "head": head}))
    with pytest.raises(ArttlError, match=r"the model in .* cannot be read|is not known"):
        load_model(tmp_path / "m")


def test_heads_that_are_not_linear_are_not_solved_for() -> None:
    assert len(model().heads.linear_layers()) == 2
    with pytest.raises(ArttlError, match="--head mlp and --mode off-the-shelf do not go together"):
        model("mlp").heads.linear_layers()
