"""The networks whose maps are shown side by side, with their titles and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from arttl.errors import ArttlError, did_you_mean
from arttl.inference.labels import Prediction
from arttl.inference.predict import predict_pictures
from arttl.loading import Preprocess
from arttl.models import (
    Backbone,
    FusedModel,
    MultiTaskModel,
    Provenance,
    TrainedModel,
    load_model,
    load_weights,
)
from arttl.models.stages import PooledStages
from arttl.tasks import TaskSet


def networks_side_by_side(model: MultiTaskModel | FusedModel, compare: str | None) -> list[MultiTaskModel]:
    """The networks of a fused model; otherwise the model, after the one to compare it with.

    Args:
        model: of `load_trained_model`.
        compare: the folder of a model, or other weights for the same network.
    """
    if isinstance(model, FusedModel):
        networks = [stages.backbone for stages in model.backbones if isinstance(stages, PooledStages)]
        return [
            _without_tasks(network, preprocess, network.name)
            for network, preprocess in zip(networks, model.preprocesses, strict=True)
        ]
    if compare is None:
        return [model]
    if Path(compare).is_dir():
        return [load_model(compare), model]
    backbone = Backbone(model.backbone.name, model.backbone.pooling)
    loaded = load_weights(backbone, compare, model.preprocess.size)
    preprocess = replace(loaded.preprocess, crop_pct=model.preprocess.crop_pct, fit=model.preprocess.fit)
    return [_without_tasks(backbone, preprocess, loaded.origin), model]


def _without_tasks(backbone: Backbone, preprocess: Preprocess, weights: str) -> MultiTaskModel:
    return MultiTaskModel(backbone, TaskSet([]), preprocess, Provenance("", weights)).eval()


def title_of(model: TrainedModel) -> str:
    """The title of a network's column: how it was trained, or its weights."""
    mode, weights = model.provenance.mode, model.provenance.weights
    short = "ImageNet weights" if weights.startswith("ImageNet") else weights
    return {"fine-tune": "Fine-tuned", "scratch": "From scratch"}.get(
        mode, "Untrained" if short == "none" else short
    )


def check_task(model: TrainedModel, name: str, flag: str) -> None:
    """Raise an `ArttlError` naming the flag for a task that the model does not predict."""
    if name not in model.tasks:
        raise ArttlError(
            f"{flag} {name}: the model ({title_of(model)}) has no head for it"
            f"{did_you_mean(name, model.tasks.names)}; it predicts {', '.join(model.tasks.names) or 'nothing'}"
        )


def predictions_side_by_side(
    model: TrainedModel, networks: Sequence[MultiTaskModel], inputs: Sequence[Sequence[torch.Tensor]]
) -> list[list[dict[str, Prediction]]]:
    """The predictions below each network's maps, [networks][pictures]; a fused model's are below its last network's."""
    predictions = [
        predict_pictures(network, [tensors]) for network, tensors in zip(networks, inputs, strict=True)
    ]
    if isinstance(model, FusedModel):
        predictions[-1] = predict_pictures(model.to(next(networks[-1].parameters()).device), inputs)
    return predictions
