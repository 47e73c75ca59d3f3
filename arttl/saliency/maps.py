"""Maps of many pictures by any method, batch by batch, on the device that there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Literal

import torch
from torch import Tensor

from arttl.cpu import prepare_cpu_for_inference
from arttl.models import Backbone, FusedModel, MultiTaskModel
from arttl.saliency.attention import AttentionMethod, attention_map, attention_methods_of
from arttl.saliency.attribution import Method, attribute
from arttl.saliency.class_maps import Question, class_maps_of, why_no_class_maps
from arttl.saliency.plan import DEFAULT_MODE, Mode
from arttl.saliency.visual_backprop import visual_backprop

AnyMethod = Literal["class-map", "visual-backprop", AttentionMethod, Method]
TRUNK_METHODS: tuple[AnyMethod, ...] = ("visual-backprop", "attention-rollout", "attention-pool")
"""Their maps are the same for every task."""

_OF_TOKENS: dict[AnyMethod, str] = {
    "class-map": "class-map of tokens",
    "grad-cam": "grad-cam of tokens",
    "visual-backprop": "means of tokens, after VisualBackProp",
}

BATCH = 8
"""Pictures per batch, to bound the memory."""


def form_of(backbone: Backbone, method: AnyMethod) -> str:
    """What the maps of a network are, by a method: its name, but for a vision transformer's, which has only tokens.

    What `visual-backprop` gives of a transformer is no VisualBackProp: there are no maps to backproject through layers.
    """
    return _OF_TOKENS.get(method, method) if backbone.has_tokens else method


def usual_method(model: MultiTaskModel | FusedModel, inputs: Sequence[Tensor]) -> tuple[AnyMethod, str]:
    """The method that says best why a model predicts a class, by the figures of `docs/explanations.md`.

    Args:
        model: on its device.
        inputs: [B, 3, H, W] per network, of which the first picture is tried.

    Returns:
        `attention-gradients` for a vision transformer, `class-map` for other networks that have it, and else
        `visual-backprop`, which is the same for all classes, with the reason why there are no class maps.
    """
    has_classes = any(task.kind != "number" for task in model.tasks)
    if has_classes and isinstance(model, MultiTaskModel) and model.backbone.has_tokens:
        methods = attention_methods_of(model, inputs[0])
        if "attention-gradients" in methods:
            return "attention-gradients", ""
    reason = why_no_class_maps(model, inputs)
    return ("visual-backprop", reason) if reason else ("class-map", "")


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
    mode: Mode = DEFAULT_MODE,
    task: str = "",
    classes: Tensor | None = None,
    against: Tensor | None = None,
) -> Tensor:
    """The maps of one model by one method.

    Args:
        model: on its device.
        images: [N, 3, H, W], normalised.
        method: `class-map`, `visual-backprop`, or one of `attention_map` or `attribute`.
        mode: of `visual_backprop`.
        task: that is explained, by all but `TRUNK_METHODS`.
        classes: [N], likewise; None for those with the highest logits.
        against: [N], of `class-map`: the classes that these are compared with.

    Returns:
        [N, H, W] float32 in [0, 1], on the CPU.

    Raises:
        ArttlError: as `class_maps`, `visual_backprop`, `attention_map` and `attribute`.
    """
    if method == "class-map":
        return class_maps_per_network(model, [images], task, classes, against)[0]
    maps = []
    class_batches: Iterable[Tensor | None] = repeat(None) if classes is None else classes.split(BATCH)
    for batch, batch_classes in zip(images.split(BATCH), class_batches, strict=False):
        if method == "visual-backprop":
            heat = visual_backprop(model, batch, mode)
        elif method == "attention-rollout" or method == "attention-pool" or method == "attention-gradients":
            heat = attention_map(model, batch, method, task, batch_classes)
        else:
            heat = attribute(model, batch, method, task, batch_classes)
        maps.append(heat.cpu())
    return torch.cat(maps)


def class_maps_per_network(
    model: MultiTaskModel | FusedModel,
    inputs: Sequence[Tensor],
    task: str,
    classes: Tensor | None = None,
    against: Tensor | None = None,
) -> list[Tensor]:
    """The class maps of many pictures, [N, H, W] on the CPU per network.

    Args:
        model: on its device.
        inputs: [N, 3, H, W] per network.
        task: that is explained.
        classes: [N]; None for those with the highest logits.
        against: [N]; None for all other classes.

    Raises:
        ArttlError: as `class_maps`.
    """
    parts = []
    for first in range(0, len(inputs[0]), BATCH):
        part = slice(first, first + BATCH)
        labels = [None if given is None else given[part] for given in (classes, against)]
        maps = class_maps_of(model, [images[part] for images in inputs], [Question(task, *labels)])[0]
        parts.append([heat.cpu() for heat in maps])
    return [torch.cat(of_network) for of_network in zip(*parts, strict=True)]
