"""The multi-task model: one backbone, one head per task; and its folder on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from arttl.errors import ArttlError
from arttl.loading.preprocess import Preprocess
from arttl.models.backbones import Backbone
from arttl.models.calibration import Calibration
from arttl.models.folders import find_model_folder, read_model_folder, write_model_folder
from arttl.models.heads import Heads
from arttl.tasks import TaskSet


@dataclass(frozen=True)
class Provenance:
    """How a model came to be; saved with it and printed by the commands that use it."""

    mode: str = "untrained"
    """off-the-shelf, fine-tune or scratch."""
    weights: str = "none"
    """Where the backbone's first weights came from."""


class MultiTaskModel(nn.Module):
    """A backbone shared by one head per task: material, type and artist from one forward pass.

    Attributes:
        calibration: the temperatures of its tasks, saved and loaded with it; None before they are fitted.
    """

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
        super().__init__()
        self.backbone = backbone
        self.heads = Heads(backbone.num_features, tasks, head)
        self.preprocess = preprocess.without_augmentation()
        self.provenance = provenance or Provenance()
        self.calibration: Calibration | None = None

    @property
    def tasks(self) -> TaskSet:
        """What the model predicts."""
        return self.heads.tasks

    @property
    def preprocesses(self) -> tuple[Preprocess, ...]:
        """The evaluation transform of each argument of a call, as `FusedModel` has it."""
        return (self.preprocess,)

    @property
    def networks(self) -> tuple[Backbone, ...]:
        """The backbone, as `FusedModel` has several."""
        return (self.backbone,)

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        """What all tasks share: the pooled features [B, D] of images [B, 3, H, W], normalised as `preprocess` says."""
        return [self.backbone(images)]

    def logits(self, features: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Task name to logits [B, Q], from `features`."""
        by_task: dict[str, torch.Tensor] = self.heads(features[0])
        return by_task

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits of every task.

        Args:
            images: [B, 3, H, W], normalised as `preprocess` says.

        Returns:
            Task name to logits [B, Q].
        """
        return self.logits(self.features(images))

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`, `model.json` and any `calibration.json`; a folder appears whole or not at all."""
        description = {
            "backbone": self.backbone.name,
            "head": self.heads.specification,
            "preprocess": self.preprocess.to_dict(),
            "provenance": asdict(self.provenance),
            **self.tasks.to_dict(),
        }
        write_model_folder(folder, "model", self.state_dict(), description, self.calibration)


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
        folder: a model's folder, or a run folder.

    Returns:
        The model in evaluation mode, on the CPU.

    Raises:
        ArttlError: if the folder holds no model, or one that does not fit its own description.
    """
    folder = model_folder(Path(folder))

    def build(description: Mapping[str, Any]) -> MultiTaskModel:
        return MultiTaskModel(
            Backbone(description["backbone"]),
            TaskSet.from_dict(description),
            Preprocess.from_dict(description["preprocess"]),
            Provenance(**description["provenance"]),
            description.get("head", "linear"),
        )

    model = read_model_folder(folder, "model", "model", build)
    model.calibration = Calibration.load(folder)
    return model
