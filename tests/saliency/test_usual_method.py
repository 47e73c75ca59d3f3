"""Which maps are shown where nobody asks for others."""

from __future__ import annotations

import pytest
import torch

from arttl.loading import Preprocess
from arttl.models import Backbone, FusedModel, MultiTaskModel
from arttl.models.stages import PooledStages, stage_widths
from arttl.numbers import NumberStatistics
from arttl.saliency.maps import usual_method
from arttl.tasks import Task, TaskSet, Vocabulary

TYPE = Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))


def model_of(name: str, pooling: str | None = None, head: str = "linear") -> MultiTaskModel:
    return MultiTaskModel(Backbone(name, pooling), TaskSet([TYPE]), Preprocess(size=64), head=head).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "method"),
    [
        (("test_resnet",), "class-map"),
        (("test_vit", "class-token"), "attention-gradients"),
        (("test_vit", "patch-mean"), "attention-gradients"),
        (("test_vit", "both", "mlp"), "attention-gradients"),
        (("test_resnet", None, "mlp"), "visual-backprop"),
    ],
)
def test_of_one_network(model: tuple[str, ...], method: str) -> None:
    chosen, reason = usual_method(model_of(*model), [torch.zeros(2, 3, 64, 64)])
    assert chosen == method
    assert ("class maps need linear heads" in reason) == (method == "visual-backprop")


def test_of_a_task_without_classes_and_of_a_fused_model() -> None:
    number = Task("year", "number", NumberStatistics(count=9, mean=1650.0, std=30.0, median=1650.0))
    of_years = MultiTaskModel(Backbone("test_vit"), TaskSet([number]), Preprocess(size=64)).eval()
    assert usual_method(of_years, [torch.zeros(1, 3, 64, 64)]) == (
        "visual-backprop",
        "the model has no task with classes",
    )
    backbone = Backbone("test_vit", "patch-mean")
    stages = PooledStages(backbone, stage_widths(backbone, 64))
    fused = FusedModel([stages], [Preprocess(size=64)], TaskSet([TYPE]), {"type": "gates"}).eval()
    assert usual_method(fused, [torch.zeros(1, 3, 64, 64)])[0] != "attention-gradients"
