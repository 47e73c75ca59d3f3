"""Which settings of a training run go together; said before any work is done, with both flags named."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from arttl.class_rules import ClassRule
from arttl.errors import ArttlError

if TYPE_CHECKING:
    from arttl.training.settings import TrainSettings

_AT_LEAST_ONE = (
    "epochs",
    "patience",
    "batch_size",
    "accumulate",
    "input_size",
    "threads",
    "checkpoint_every",
    "keep_checkpoints",
)
_ABOVE_ZERO = (
    "learning_rate",
    "head_learning_rate",
    "inverse_l2",
    "clip_norm",
    "balancing_rate",
    "teacher_temperature",
)
_NOT_NEGATIVE = ("weight_decay", "logit_adjustment", "mixup", "color_jitter")
_SHARES = ("crop_scale", "layer_decay", "teacher_share")
# What only means something where the network's own weights learn, or heads do by epochs.
_BY_EPOCHS = (
    "epochs",
    "accumulate",
    "optimizer",
    "head_learning_rate",
    "clip_norm",
    "ema",
    "label_smoothing",
    "logit_adjustment",
    "mixup",
    "sampling",
    "task_weights",
    "balancing",
    "teachers",
    "compile",
)
_WHERE_BACKBONE_LEARNS = ("learning_rate", "layer_decay", "batchnorm", "color_jitter")


def check(settings: TrainSettings) -> None:
    """Check ranges and combinations.

    Raises:
        ArttlError: naming the flag, or both, and what to do.
    """
    ClassRule.parse(settings.classes)
    _check_ranges(settings)
    _check_mode(settings)
    if settings.overwrite and settings.resume:
        raise ArttlError("--overwrite begins anew and --resume goes on: give one of the two")
    if both := set(settings.multi_label) & set(settings.number):
        raise ArttlError(f"--multi-label and --number both name {min(both)!r}: a task is of one kind")
    for method in ("famo", "upgrad"):
        if settings.balancing == method and settings.accumulate > 1:
            raise ArttlError(
                f"--balancing {method} and --accumulate {settings.accumulate} do not go together; give a larger"
                " --batch-size"
            )
    if settings.balancing == "upgrad" and settings.compile:
        raise ArttlError("--balancing upgrad and --compile do not go together; leave --compile out")
    for name in ("mixup", "color_jitter"):
        if getattr(settings, name) and settings.augment == "none":
            raise ArttlError(f"{_flag(name)} and --augment none do not go together; leave one out")


def _check_ranges(settings: TrainSettings) -> None:
    for name in _AT_LEAST_ONE:
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise ArttlError(f"{_flag(name)} must be at least 1, not {value}")
    for name in _ABOVE_ZERO:
        value = getattr(settings, name)
        if value is not None and not 0 < value < math.inf:
            raise ArttlError(f"{_flag(name)} must be above 0, not {value}")
    for name in _NOT_NEGATIVE:
        value = getattr(settings, name)
        if not 0 <= value < math.inf:
            raise ArttlError(f"{_flag(name)} must be 0 or more, not {value}")
    for name in _SHARES:
        value = getattr(settings, name)
        if not 0 < value <= 1:
            raise ArttlError(f"{_flag(name)} must be above 0 and at most 1, not {value}")
    if not 0 <= settings.label_smoothing < 1:
        raise ArttlError(f"--label-smoothing must be 0 or more and below 1, not {settings.label_smoothing}")
    if settings.ema is not None and not 0 < settings.ema < 1:
        raise ArttlError(f"--ema must be between 0 and 1, not {settings.ema}")


def _check_mode(settings: TrainSettings) -> None:
    frozen = settings.mode == "off-the-shelf"
    if settings.mode == "scratch" and settings.weights not in ("none", "imagenet"):
        raise ArttlError(f"--mode scratch starts from random weights, but --weights is {settings.weights}")
    if frozen and settings.weights == "none":
        raise ArttlError(
            "--mode off-the-shelf with --weights none would freeze random weights; give --weights"
        )
    if not settings.by_epochs:
        for name in (*_BY_EPOCHS, *_WHERE_BACKBONE_LEARNS):
            if getattr(settings, name) != type(settings).__dataclass_fields__[name].default:
                raise ArttlError(
                    f"--mode off-the-shelf solves for its heads, so {_flag(name)} does not apply"
                )
    elif settings.inverse_l2 is not None and not frozen:
        raise ArttlError(f"--inverse-l2 is for --mode off-the-shelf, and --mode is {settings.mode}")
    elif settings.inverse_l2 is not None:
        raise ArttlError(
            "--inverse-l2 and --frozen-batchnorm batch-statistics do not go together: there the heads learn by epochs"
        )
    elif frozen:
        for name in _WHERE_BACKBONE_LEARNS:
            if getattr(settings, name) != type(settings).__dataclass_fields__[name].default:
                raise ArttlError(
                    f"--mode off-the-shelf leaves the network as it is, so {_flag(name)} does not apply"
                )
    elif settings.frozen_batchnorm != "running-statistics":
        raise ArttlError(
            f"--frozen-batchnorm {settings.frozen_batchnorm} is for --mode off-the-shelf, and --mode is"
            f" {settings.mode}"
        )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
