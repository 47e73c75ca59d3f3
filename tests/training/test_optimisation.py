from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
import torch

from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.tasks import Task, TaskSet, Vocabulary
from arttl.training.optimisation import build_optimizer, rate_factor
from arttl.training.settings import OptimisationSettings, TrainSettings

TASKS = TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))])


@pytest.fixture(scope="module")
def model() -> MultiTaskModel:
    return MultiTaskModel(Backbone("test_resnet"), TASKS, Preprocess(size=32))


def settings(**changes) -> OptimisationSettings:
    return TrainSettings.of(shards=Path("s"), weights="none", **changes).resolved().optimisation


@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
def test_every_parameter_learns_once_and_vectors_do_not_decay(model, layer_decay: float) -> None:
    groups = build_optimizer(model, settings(layer_decay=layer_decay), backbone_learns=True).param_groups
    seen = Counter(id(parameter) for group in groups for parameter in group["params"])
    assert seen == Counter(id(parameter) for parameter in model.parameters())
    for group in groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.05 if parameter.ndim > 1 else 0.0)


def test_lower_layers_learn_slower_by_layer_decay(model) -> None:
    groups = build_optimizer(model, settings(layer_decay=0.5), backbone_learns=True).param_groups
    rate = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    network = model.backbone.network
    stem, last = rate[id(network.conv1[0].weight)], rate[id(network.layer4[-1].conv1.weight)]
    assert stem < last <= 3e-4
    assert all(
        (3e-4 / value) == pytest.approx(2.0 ** round(torch.tensor(3e-4 / value).log2().item()))
        for value in {rate[id(parameter)] for parameter in network.parameters()}
    )
    assert {rate[id(parameter)] for parameter in model.heads.parameters()} == {3e-3}


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("adamw", torch.optim.AdamW, {}),
        ("sgd", torch.optim.SGD, {"momentum": 0.9, "nesterov": False}),
        ("nesterov", torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        ("rmsprop", torch.optim.RMSprop, {"alpha": 0.9, "eps": 1e-8, "momentum": 0}),
    ],
)
def test_the_optimizers_of_the_recipes(model, name, kind, expected) -> None:
    optimizer = build_optimizer(model, settings(optimizer=name), backbone_learns=True)
    assert type(optimizer) is kind
    assert expected.items() <= optimizer.param_groups[0].items()


def test_off_the_shelf_by_epochs_learns_the_heads_alone(model) -> None:
    frozen = TrainSettings.of(
        shards=Path("s"), weights="w", mode="off-the-shelf", frozen_batchnorm="batch-statistics"
    ).resolved()
    optimizer = build_optimizer(model, frozen.optimisation, backbone_learns=False)
    learning = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert learning == {id(parameter) for parameter in model.heads.parameters()}
    assert type(optimizer) is torch.optim.RMSprop and optimizer.param_groups[0]["lr"] == 1e-3


def test_the_schedules() -> None:
    rates = [rate_factor("warmup-cosine", step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == 1 and rates[55] == pytest.approx(0.5) and 0 < rates[99] < 1e-3
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[10:]))
    assert {rate_factor("constant", step, 100) for step in range(100)} == {1.0}
    assert 0 < rate_factor("warmup-cosine", 0, 1) <= 1
