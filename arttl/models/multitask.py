"""The multi-task model: one backbone, one head per task; and its folder on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from arttl.documents import structured
from arttl.errors import ArttlError
from arttl.loading.preprocess import Preprocess
from arttl.models.backbones import Backbone
from arttl.models.folders import Provenance, TrainedModel, find_model_folder
from arttl.models.heads import Heads
from arttl.models.hub import local_folder
from arttl.models.settings import Pooling
from arttl.tasks import TaskSet


class MultiTaskModel(TrainedModel):
    """A backbone shared by one head per task: material, type and artist from one forward pass."""

    file_name = noun = "model"
    heads: Heads

    def __init__(
        self,
        backbone: Backbone,
        tasks: TaskSet,
        preprocess: Preprocess,
        provenance: Provenance | None = None,
        head: str | Mapping[str, Any] = "linear",
    ) -> None:
        """Join a backbone and new heads.

        Args:
            backbone: the network, with its weights.
            tasks: what to predict.
            preprocess: the transform that makes the network's input; its augmentation is dropped.
            provenance: how the model came to be.
            head: the kind of the heads, or their specification, see `Heads`.
        """
        super().__init__(tasks, [preprocess], provenance)
        self.backbone = backbone
        self.heads = Heads(backbone.num_features, tasks, head)

    @property
    def preprocess(self) -> Preprocess:
        """The evaluation transform."""
        return self.preprocesses[0]

    @property
    def networks(self) -> tuple[Backbone, ...]:
        """See `TrainedModel`."""
        return (self.backbone,)

    def features(self, *images: torch.Tensor) -> list[torch.Tensor]:
        """The pooled features [B, D] of images [B, 3, H, W], normalised as `preprocess` says."""
        return [self.backbone(*images)]

    def logits(self, features: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        """See `TrainedModel`."""
        by_task: dict[str, torch.Tensor] = self.heads(features[0])
        return by_task

    def head_of(self, task: str) -> nn.Module:
        """See `TrainedModel`."""
        return self.heads.layers[self.tasks.names.index(task)]

    def description(self) -> dict[str, Any]:
        """See `TrainedModel`."""
        return {
            "backbone": self.backbone.name,
            "pooling": self.backbone.pooling,
            "head": self.heads.specification,
            "preprocess": self.preprocess.to_dict(),
        }

    @classmethod
    def build(cls, description: Mapping[str, Any]) -> MultiTaskModel:
        """See `TrainedModel`."""
        record = structured(dict(description), _Record, "model.json", surplus=True)
        return cls(
            Backbone(record.backbone, record.pooling),
            TaskSet.from_dict(description, "model.json"),
            Preprocess.from_dict(record.preprocess),
            record.provenance,
            record.head,
        )


@dataclass(frozen=True)
class _Record:
    backbone: str
    preprocess: dict[str, Any]
    provenance: Provenance
    head: str | dict[str, Any] = "linear"
    pooling: Pooling | None = None


def model_folder(path: Path) -> Path:
    """The folder that holds the model: `path` itself, or its `best/` where `path` is a run folder.

    Raises:
        ArttlError: if there is no model.
    """
    if (folder := find_model_folder(path, "model")) is not None:
        return folder
    if find_model_folder(path, "fused") is not None:
        raise ArttlError(
            f"{path} holds a fused model, with heads over several stages, where one network is needed; in"
            " Python, arttl.models.load_trained_model reads it"
        )
    raise ArttlError(
        f"{path} holds no model: expected model.json and model.safetensors, or a run folder with best/ inside"
    )


def load_model(folder: str | Path) -> MultiTaskModel:
    """Load a saved model; it needs nothing of the run that made it.

    Args:
        folder: a model's folder, a run folder, or the address of a model at the Hugging Face Hub, `hf://OWNER/NAME` or
            `hf://OWNER/NAME@REVISION`.

    Returns:
        The model in evaluation mode, on the CPU.

    Raises:
        ArttlError: if there is no model, or one that does not fit its own description, or it cannot be fetched.
    """
    return MultiTaskModel.read(model_folder(local_folder(folder)))
