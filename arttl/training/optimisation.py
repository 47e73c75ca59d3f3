"""The optimizer of a run: which parameters learn how fast, and the schedule of the learning rate."""

from __future__ import annotations

import math
from typing import Any

import torch
from timm.optim import param_groups_layer_decay
from torch import nn

from arttl.models import TrainedModel
from arttl.training.settings import OptimisationSettings

WARM_UP = 0.1  # share of the steps
MOMENTUM = 0.9


def build_optimizer(
    model: TrainedModel, settings: OptimisationSettings, *, backbone_learns: bool
) -> torch.optim.Optimizer:
    """The optimizer over a model's parameters that learn.

    Args:
        model: parameters without `requires_grad` are left out.
        settings: resolved.
        backbone_learns: else only the heads do.
    """
    assert settings.head_learning_rate is not None
    groups = []
    if backbone_learns:
        assert settings.learning_rate is not None
        for backbone in model.networks:
            groups += _backbone_groups(backbone.network, settings, settings.learning_rate)
    groups += _groups(model.heads, settings.head_learning_rate, settings.weight_decay)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups)
    if settings.optimizer == "rmsprop":
        # The paper's; Keras's rho is torch's alpha.
        return torch.optim.RMSprop(groups, alpha=0.9, eps=1e-8)
    return torch.optim.SGD(groups, momentum=MOMENTUM, nesterov=settings.optimizer == "nesterov")


def _backbone_groups(network: nn.Module, settings: OptimisationSettings, rate: float) -> list[dict[str, Any]]:
    if settings.layer_decay == 1:
        return _groups(network, rate, settings.weight_decay)
    groups = param_groups_layer_decay(
        network, weight_decay=settings.weight_decay, layer_decay=settings.layer_decay
    )
    return [{**group, "lr": rate * group.pop("lr_scale")} for group in groups]


def _groups(module: nn.Module, rate: float, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters with weight decay (matrices) and without (biases, normalisation)."""
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [one for one in learning if one.ndim > 1], "lr": rate, "weight_decay": weight_decay},
        {"params": [one for one in learning if one.ndim <= 1], "lr": rate, "weight_decay": 0.0},
    ]


def warm_up_cosine(step: int, total: int) -> float:
    """Factor of the learning rate at a step: linear warm-up over the first tenth, then half a cosine to 0."""
    first = max(1, round(total * WARM_UP))
    if step < first:
        return (step + 1) / first
    return 0.5 * (1 + math.cos(math.pi * (step - first) / max(1, total - first)))


def rate_factor(schedule: str, step: int, total: int) -> float:
    """Factor of every learning rate at a step.

    Args:
        schedule: `warmup-cosine` or `constant`.
        step: optimizer steps done; not samples nor ranks, so that the schedule is the same for every number of ranks.
        total: optimizer steps of the whole training.
    """
    return warm_up_cosine(step, total) if schedule == "warmup-cosine" else 1.0
