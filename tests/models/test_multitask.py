from __future__ import annotations

import json

import pytest
import torch
from peak_memory import peak_memory

import arttl
from arttl.errors import ArttlError
from arttl.loading import Augment, Preprocess
from arttl.models import Backbone, MultiTaskModel, Provenance, load_model
from arttl.models.heads import Heads
from arttl.tasks import Task, TaskSet, Vocabulary


def tasks() -> TaskSet:
    # Names that torch would refuse as names of submodules, or that no identifier could be.
    return TaskSet(
        [
            Task("type", "single-label", Vocabulary(("a", "b"), (1, 2), (1,))),
            Task("train", "multi-label", Vocabulary(("c", "d", "é"), (1, 2, 3), (0, 2))),
            Task("half.of it", "single-label", Vocabulary(("e", "f"), (1, 1), (0,))),
        ]
    )


@pytest.fixture
def model() -> MultiTaskModel:
    torch.manual_seed(0)
    preprocess = Preprocess(size=64, mean=(0.5,) * 3, std=(0.5,) * 3, augment=Augment())
    return MultiTaskModel(Backbone("resnet10t"), tasks(), preprocess, Provenance("scratch", "random")).eval()


def test_one_forward_pass_gives_logits_for_every_task(model) -> None:
    logits = model(torch.zeros(3, 3, 64, 64))
    assert {name: tuple(found.shape) for name, found in logits.items()} == {
        "type": (3, 2),
        "train": (3, 3),
        "half.of it": (3, 2),
    }


def test_a_saved_model_needs_nothing_but_its_folder(model, tmp_path) -> None:
    model.save(tmp_path / "run" / "best")
    images = torch.randn(2, 3, 64, 64)
    for folder in (tmp_path / "run" / "best", tmp_path / "run"):
        again = arttl.load_model(folder)
        assert again.tasks == model.tasks and again.provenance == model.provenance
        assert again.preprocess == model.preprocess and again.preprocess.augment is None
        assert not again.training
        for name, found in model(images).items():
            assert torch.equal(found, again(images)[name])
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["best"]


def test_saving_again_replaces_the_folder(model, tmp_path) -> None:
    model.save(tmp_path / "best")
    with torch.no_grad():
        model.heads.layers[0].bias.fill_(7.0)
    model.save(tmp_path / "best")
    assert load_model(tmp_path / "best").heads.layers[0].bias.tolist() == [7.0, 7.0]


def test_heads_absorb_the_standardisation_of_their_features() -> None:
    torch.manual_seed(1)
    heads = Heads(5, tasks()).double()
    features, mean, std = torch.randn(4, 5).double(), torch.randn(5).double(), torch.rand(5).double() + 0.5
    expected = {name: found.clone() for name, found in heads((features - mean) / std).items()}
    heads.absorb_standardisation(mean, std)
    for name, found in heads(features).items():
        torch.testing.assert_close(found, expected[name])


def test_a_folder_without_a_model(tmp_path) -> None:
    with pytest.raises(ArttlError, match=r"holds no model: expected model.json and model.safetensors"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"backbone": "hf-hub:someone/something"}, "is not a network of timm"),
        (
            {"backbone": "resnet18"},
            r"cannot be read: \S+ has the shape .* in model.safetensors and .* by model.json",
        ),
        ({"format_version": 99}, "has model format 99; this version reads 1"),
        ({"preprocess": {"sizes": 3}}, "sizes"),
        ({"tasks": None}, "model.json: 'tasks' must be a list, not null"),
        ({"backbone": 5}, "cannot be read"),
    ],
)
def test_models_that_do_not_fit_their_description(model, tmp_path, change, reason) -> None:
    model.save(tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ArttlError, match=reason):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("giant", ["classes", "backbone"])
def test_a_description_cannot_ask_for_memory(model, tmp_path, giant) -> None:
    """Three million classes would take gigabytes, as the largest networks do; the header of the tensors is small."""
    model.save(tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    description = json.loads(path.read_text())
    if giant == "backbone":
        description["backbone"] = "vit_gigantic_patch14_clip_224"
    else:
        names = [str(index) for index in range(300_000)]
        description["tasks"][0] |= {"classes": names, "train_counts": [1] * len(names)}
    path.write_text(json.dumps(description))
    before = peak_memory()
    with pytest.raises(ArttlError, match=r"cannot be read: .* has the shape"):
        load_model(tmp_path / "m")
    grown = peak_memory() - before
    assert grown < 400_000, f"{grown} kB"


def test_damaged_files(model, tmp_path) -> None:
    model.save(tmp_path / "m")
    weights = tmp_path / "m" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ArttlError, match=r"the model in .* cannot be read"):
        load_model(tmp_path / "m")
    (tmp_path / "m" / "model.json").write_text("{")
    with pytest.raises(ArttlError, match=r"model\.json is not JSON"):
        load_model(tmp_path / "m")
