from __future__ import annotations

import math

import pytest
import timm
import torch
from torch import nn

from arttl.errors import ArttlError
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.tasks import Task, TaskSet, Vocabulary
from arttl.training.batchnorm import he_uniform, synchronise, training_mode

TASKS = TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))])


def statistics(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items() if "running" in name}


@pytest.fixture
def model() -> MultiTaskModel:
    torch.manual_seed(0)
    model = MultiTaskModel(Backbone("test_resnet"), TASKS, Preprocess(size=32))
    with torch.no_grad():  # such as ImageNet might have left
        for name, value in model.state_dict().items():
            if "running" in name:
                value.add_(0.3)
    return model


@pytest.mark.parametrize(
    ("backbone_learns", "batchnorm", "follow_the_batch", "are_updated"),
    [
        (True, "batch", True, True),
        (True, "frozen", False, False),
        (False, "batch", True, False),  # Keras in 2018
    ],
)
def test_which_statistics_are_used_and_which_are_kept(
    model, backbone_learns, batchnorm, follow_the_batch, are_updated
) -> None:
    images = torch.randn(8, 3, 32, 32)
    at_test = model.eval()(images)["type"]
    before = statistics(model)
    training_mode(model, backbone_learns=backbone_learns, batchnorm=batchnorm)
    assert model.heads.training
    in_training = model(images)["type"]
    assert torch.allclose(in_training, at_test, atol=1e-5) != follow_the_batch
    after = statistics(model)
    assert all(torch.equal(after[name], value) for name, value in before.items()) != are_updated
    if not are_updated:
        assert torch.equal(model.eval()(images)["type"], at_test)


@pytest.mark.parametrize("name", ["resnet18", "inception_v3", "efficientnet_lite0"])
def test_he_uniform_is_keras_distribution(name: str) -> None:
    """Every convolution within sqrt(6 / fan-in), and filling it evenly."""
    network = timm.create_model(name, num_classes=0)
    he_uniform(network)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.in_channels // module.groups * math.prod(module.kernel_size)
            limit = math.sqrt(6 / fan_in)
            weight = module.weight.detach()
            assert weight.abs().max() <= limit
            if weight.numel() > 5000:
                assert weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.05)
                assert weight.abs().max() > 0.99 * limit
            assert module.bias is None or not module.bias.any()


def test_synchronised_statistics_need_a_gpu(model) -> None:
    with pytest.raises(ArttlError, match="--batchnorm synchronised needs a GPU; use frozen or batch"):
        synchronise(model, torch.device("cpu"))
