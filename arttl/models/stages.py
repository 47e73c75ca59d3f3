"""Pooled stages: the average of a backbone's maps at each of its depths, from one forward pass."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from arttl.errors import ArttlError
from arttl.models.backbones import Backbone

LAST_LAYER = "pooled"
"""The name of a backbone's own pooled features, which end every list of stages."""


class PooledStages(nn.Module):
    """A backbone that returns the average of each of several stages over the picture, and its pooled features.

    Attributes:
        backbone: the network.
        widths: stage name to D, in order of depth.
    """

    def __init__(self, backbone: Backbone, widths: dict[str, int]) -> None:
        """Choose stages.

        Args:
            backbone: the network, with its weights.
            widths: stages and their widths, of those that `stage_widths` returns.

        Raises:
            ArttlError: for a stage that the network does not have.
        """
        super().__init__()
        known = (*(stage.name for stage in backbone.stages), LAST_LAYER)
        for name in widths:
            if name not in known:
                raise ArttlError(f"{backbone.name} has no stage {name!r}; it has: {', '.join(known)}")
        self.backbone = backbone
        self.widths = dict(widths)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The pooled stages.

        Args:
            images: [B, 3, H, W], normalised.

        Returns:
            A tensor [B, D] for each stage, in the order of `widths`.

        Raises:
            ArttlError: for a stage that gives several maps, or none.
        """
        pooled: dict[str, torch.Tensor] = {}

        def keep(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
            if not isinstance(output, torch.Tensor):
                raise self._unusable(name, "gives several maps")
            # Pooled at once: later layers work in place, and the activations themselves need not be kept.
            pooled[name] = _average(output, self.widths[name])

        hooks = [
            stage.module.register_forward_hook(partial(keep, stage.name))
            for stage in self.backbone.stages
            if stage.name in self.widths
        ]
        try:
            pooled[LAST_LAYER] = self.backbone(images)
        finally:
            for hook in hooks:
                hook.remove()
        for name in self.widths:
            if name not in pooled:
                raise self._unusable(name, "is not on the way of a picture")
        return [pooled[name] for name in self.widths]

    def _unusable(self, name: str, reason: str) -> ArttlError:
        return ArttlError(
            f"the stage {name!r} of {self.backbone.name} {reason}, so that its stages have no features: give --stages"
            " last"
        )


@torch.inference_mode()
def stage_widths(backbone: Backbone, size: int) -> dict[str, int]:
    """The stages of a backbone and their widths, in order of depth, measured on one picture of noise.

    A stage whose average is the pooled features themselves, such as the last of a ResNet, is left out.

    Args:
        backbone: the network; left in evaluation mode.
        size: side of its input in pixels.

    Raises:
        ArttlError: for a stage that gives several maps, or none.
    """
    backbone.eval()
    device = next(backbone.parameters()).device
    noise = torch.rand((1, 3, size, size), generator=torch.Generator().manual_seed(0)).to(device)
    described = {stage.name: stage.width for stage in backbone.stages}
    stages = PooledStages(backbone, {**described, LAST_LAYER: backbone.num_features})
    *averages, last = stages(noise)
    widths = {}
    for name, values in zip(described, averages, strict=True):
        if values.shape != last.shape or not torch.allclose(values, last, rtol=1e-4, atol=1e-6):
            widths[name] = values.shape[1]
    return {**widths, LAST_LAYER: last.shape[1]}


def _average(maps: torch.Tensor, channels: int) -> torch.Tensor:
    """Mean over the picture: of [B, D, H, W], of [B, H, W, D] as Swin has it, or of tokens [B, N, D]; [B, D]."""
    if maps.ndim == 4:
        return maps.mean((1, 2)) if maps.shape[3] == channels != maps.shape[1] else maps.mean((2, 3))
    return maps.mean(1) if maps.ndim == 3 else maps
