"""The optimizer of a run: which parameters learn how fast, and the schedule of the learning rate."""

from __future__ import annotations

import math

import torch

from arttl.models import TrainedModel
from arttl.models.backbones import parameter_groups
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
    decay = settings.weight_decay
    groups = []
    if backbone_learns:
        assert settings.learning_rate is not None
        for backbone in model.networks:
            groups += backbone.parameter_groups(settings.learning_rate, decay, settings.layer_decay)
    groups += parameter_groups(model.heads, settings.head_learning_rate, decay)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups)
    if settings.optimizer == "rmsprop":
        # The paper's; Keras's rho is torch's alpha.
        return torch.optim.RMSprop(groups, alpha=0.9, eps=1e-8)
    return torch.optim.SGD(groups, momentum=MOMENTUM, nesterov=settings.optimizer == "nesterov")


def warm_up_cosine(step: int, total: int) -> float:
    """Factor of the learning rate at a step: linear warm-up over the first tenth, then half a cosine to 0."""
    warm_up = max(1, round(total * WARM_UP))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, total - warm_up)))


def rate_factor(schedule: str, step: int, total: int) -> float:
    """Factor of every learning rate at a step.

    Args:
        schedule: `warmup-cosine` or `constant`.
        step: optimizer steps done; not samples nor ranks, so that the schedule is the same for every number of ranks.
        total: optimizer steps of the whole training.
    """
    return warm_up_cosine(step, total) if schedule == "warmup-cosine" else 1.0
