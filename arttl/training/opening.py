"""The model that a run begins with: a network and new heads, or a fused model to train further."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from arttl.errors import ArttlError
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel, Provenance, TrainedModel, load_fused, load_weights
from arttl.models.fusion import is_fused
from arttl.tasks import TaskSet
from arttl.training.settings import TrainSettings


def open_model(settings: TrainSettings, tasks: TaskSet) -> tuple[TrainedModel, str]:
    """Build a run's model.

    Args:
        settings: resolved; `weights` may name a fused model, which brings its networks along.
        tasks: what to predict.

    Returns:
        The model; and a line on what of the weights is not in it or what is new, empty if there is nothing to say.

    Raises:
        ArttlError: if the weights cannot be had, or do not go with the mode.
    """
    if is_fused(Path(settings.weights)):
        return _fused(settings, tasks)
    backbone = Backbone(settings.backbone)
    loaded = load_weights(backbone, settings.weights, settings.input_size)
    model = MultiTaskModel(
        backbone, tasks, _preprocess(loaded.preprocess, settings), Provenance(settings.mode, loaded.origin)
    )
    if not loaded.left_out:
        return model, ""
    more = f" and {len(loaded.left_out) - 4} more" if len(loaded.left_out) > 4 else ""
    return model, f"left out: {', '.join(loaded.left_out[:4])}{more}"


def _fused(settings: TrainSettings, tasks: TaskSet) -> tuple[TrainedModel, str]:
    if settings.mode != "fine-tune":
        raise ArttlError(
            f"--weights {settings.weights} is a fused model, which --mode fine-tune trains further; the mode is"
            f" {settings.mode}"
        )
    first = load_fused(settings.weights)
    size = settings.input_size
    preprocesses = [
        _preprocess(one if size is None else replace(one, size=size), settings) for one in first.preprocesses
    ]
    provenance = Provenance(settings.mode, f"fused model of {settings.weights}")
    model, new = first.for_training(tasks, preprocesses, provenance)
    return model, f"new heads: {', '.join(new)}" if new else ""


def _preprocess(of_weights: Preprocess, settings: TrainSettings) -> Preprocess:
    """The evaluation transform of the run: that of its first weights, but for what the settings say."""
    found = of_weights
    if settings.fit is not None:
        # Squashed pictures lose nothing at their edges, so there is no middle to cut out.
        found = replace(found, fit=settings.fit, crop_pct=1.0 if settings.fit == "squash" else found.crop_pct)
    if settings.filter is not None:
        found = replace(found, filter=settings.filter)
    if settings.scaling == "unit":
        found = replace(found, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return found
