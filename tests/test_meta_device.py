"""What is built without memory has the names and shapes of what is built with it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from arttl.meta_device import without_memory
from arttl.models import Backbone


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_vit", "test_convnext", "test_efficientnet", "test_nfnet", "test_byobnet"]
)
def test_a_network_has_the_same_tensors(name: str) -> None:
    with without_memory():
        built = Backbone(name)
    expected = {key: (of.shape, of.dtype) for key, of in Backbone(name).state_dict().items()}
    assert {key: (of.shape, of.dtype) for key, of in built.state_dict().items()} == expected
    assert all(of.is_meta for of in built.state_dict().values())


def test_tensors_with_memory_are_initialised_within_it() -> None:
    with without_memory():
        layer = nn.Linear(3, 4, device="cpu")
        nn.init.constant_(layer.bias, 5)
        nn.init.normal_(tensor=layer.weight, mean=7, std=0.1)
    assert layer.bias.eq(5).all() and (layer.weight - 7).abs().lt(1).all()
    assert torch.zeros(2).normal_().ne(0).all()
