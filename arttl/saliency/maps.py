"""Maps of many pictures by any method, batch by batch, on the device that there is."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Literal

import torch
from torch import Tensor

from arttl.cpu import prepare_cpu_for_inference
from arttl.models import MultiTaskModel
from arttl.saliency.attribution import Method, attribute
from arttl.saliency.plan import Mode
from arttl.saliency.visual_backprop import visual_backprop

AnyMethod = Literal["visual-backprop", Method]

BATCH = 8
"""Pictures per batch, to bound the memory."""


def to_device(model: MultiTaskModel) -> MultiTaskModel:
    """The model on the GPU where there is one, else on the CPU, which is prepared for it."""
    if torch.cuda.is_available():
        return model.to("cuda")
    prepare_cpu_for_inference()
    return model.to("cpu")


def maps_of(
    model: MultiTaskModel,
    images: Tensor,
    method: AnyMethod,
    *,
    mode: Mode = "bojarski",
    task: str = "",
    classes: Tensor | None = None,
) -> Tensor:
    """The maps of one model by one method.

    Args:
        model: on its device.
        images: [N, 3, H, W], normalised.
        method: `visual-backprop`, or one of `attribute`.
        mode: of `visual_backprop`.
        task: of `attribute`.
        classes: [N], of `attribute`.

    Returns:
        [N, H, W] float32 in [0, 1], on the CPU.

    Raises:
        ArttlError: as `visual_backprop` and `attribute`.
    """
    maps = []
    class_batches: Iterable[Tensor | None] = repeat(None) if classes is None else classes.split(BATCH)
    for batch, batch_classes in zip(images.split(BATCH), class_batches, strict=False):
        if method == "visual-backprop":
            heat = visual_backprop(model, batch, mode)
        else:
            heat = attribute(model, batch, method, task, batch_classes)
        maps.append(heat.cpu())
    return torch.cat(maps)
