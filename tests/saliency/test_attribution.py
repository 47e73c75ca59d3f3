"""Grad-CAM and gradients against their formulas, written out here with autograd alone."""

from __future__ import annotations

import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from arttl.errors import ArttlError
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.saliency.attribution import attribute
from arttl.tasks import Task, TaskSet, Vocabulary

pytest.importorskip("captum", reason="captum is not installed")


def model_of(backbone: str = "test_resnet", size: int = 64) -> MultiTaskModel:
    torch.manual_seed(0)
    tasks = TaskSet(
        [
            Task("type", "single-label", Vocabulary(("a", "b", "c"), (1, 1, 1), (0,))),
            Task("material", "multi-label", Vocabulary(("d", "e"), (1, 1), (0,))),
        ]
    )
    return MultiTaskModel(Backbone(backbone), tasks, Preprocess(size=size)).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def stretched(maps: Tensor) -> Tensor:
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / (high - low)


def test_grad_cam_is_the_formula(images):
    model = model_of()
    classes = torch.tensor([2, 0])
    features = model.backbone.network.forward_features(images).detach().requires_grad_()
    pooled = model.backbone.network.forward_head(features, pre_logits=True)
    score = model.heads(pooled)["type"].gather(1, classes[:, None]).sum()
    (gradient,) = torch.autograd.grad(score, features)
    cam = (gradient.mean((2, 3), keepdim=True) * features).sum(1, keepdim=True).relu()
    expected = stretched(F.interpolate(cam, (64, 64), mode="bilinear")[:, 0].detach()).nan_to_num(0)
    found = attribute(model, images, "grad-cam", "type", classes)
    assert found.shape == (2, 64, 64) and expected.std() > 0.05
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_gradients_are_the_formula(images):
    model = model_of()
    x = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(x)["material"][:, 1].sum(), x)
    found = attribute(model, images, "gradients", "material", torch.tensor([1, 1]))
    torch.testing.assert_close(found, stretched(gradient.abs().amax(1)), rtol=1e-4, atol=1e-4)


def test_integrated_gradients_are_the_formula(images):
    model = model_of()
    points = 400  # a plain midpoint sum, in place of Gauss and Legendre's points
    total = torch.zeros_like(images)
    for k in range(points):
        x = ((k + 0.5) / points * images).requires_grad_()
        total += torch.autograd.grad(model(x)["type"][:, 1].sum(), x)[0] / points
    expected = stretched((total * images).sum(1).abs())
    found = attribute(model, images, "integrated-gradients", "type", torch.tensor([1, 1]))
    assert (found - expected).abs().mean() < 0.02
    assert torch.corrcoef(torch.stack([found.flatten(), expected.flatten()]))[0, 1] > 0.95


def test_each_head_has_its_own_map_and_the_answer_is_the_default(images):
    model = model_of()
    maps = {task: attribute(model, images, "grad-cam", task) for task in ("type", "material")}
    assert not torch.allclose(maps["type"], maps["material"], atol=0.05)
    answer = model(images)["type"].argmax(1)
    assert torch.equal(attribute(model, images, "grad-cam", "type", answer), maps["type"])


def test_the_model_is_left_as_it_was(images):
    model = model_of().train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    attribute(model, images, "integrated-gradients", "type")
    assert model.training and "forward_features" not in vars(model.backbone.network)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("method", ["grad-cam", "integrated-gradients", "gradients"])
def test_gradients_are_there_in_inference_mode(method, images):
    model = model_of()
    expected = attribute(model, images, method, "type")
    with torch.inference_mode():
        classes = model(images)["type"].argmax(1)
        assert torch.equal(attribute(model, images + 0, method, "type", classes), expected)


def test_what_cannot_be_explained_is_one_sentence(images, monkeypatch):
    model = model_of()
    with pytest.raises(ArttlError, match=r"unknown method 'gradcam' \(did you mean 'grad-cam'\?\)"):
        attribute(model, images, "gradcam", "type")
    with pytest.raises(ArttlError, match=r"no task 'typ' \(did you mean 'type'\?\).*type, material"):
        attribute(model, images, "grad-cam", "typ")
    branches = model_of("crossvit_tiny_240", 240)
    with pytest.raises(
        ArttlError, match="crossvit_tiny_240 ends in several tensors: use integrated-gradients"
    ):
        attribute(branches, torch.randn(1, 3, 240, 240), "grad-cam", "type")
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(ArttlError, match=r"pip install 'arttl\[explain\]'"):
        attribute(model, images, "grad-cam", "type")
