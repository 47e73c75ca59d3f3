"""What is given for a model on another device is brought to it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.saliency import attribution
from arttl.tasks import Task, TaskSet, Vocabulary


def test_classes_are_brought_to_the_device_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU refuses to gather by indices that are on the CPU, where `maps_of` and the settings have them."""
    tasks = TaskSet([Task("type", "single-label", Vocabulary(("print", "vase"), (1, 1), (0,)))])
    model = MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=64)).to("meta")
    targets = []

    class Saliency:
        def __init__(self, scores: torch.nn.Module) -> None:
            pass

        def attribute(self, images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            targets.append(target)
            return torch.zeros_like(images)

    monkeypatch.setattr(attribution, "_captum", lambda: SimpleNamespace(Saliency=Saliency))
    classes = torch.tensor([0, 1, 1])
    attribution.attribute(model, torch.zeros(3, 3, 64, 64), "gradients", "type", classes)
    assert [target.device.type for target in targets] == ["meta"]
