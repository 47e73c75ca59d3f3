"""The measurements of `arttl explain score` that tell one class from another: its map, and its half of two pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from arttl.explain import faithfulness
from arttl.explain.score_maps import (
    PER_TASK,
    correlation_with,
    likeliest,
    logits_of,
    mean_of,
    measured,
    network_maps,
    scored_tasks,
)
from arttl.models import MultiTaskModel


def other_class(model: MultiTaskModel, images: Tensor, maps: dict[str, Tensor]) -> dict[str, dict[str, Any]]:
    """How far the map of the predicted class is that of the second likeliest.

    Args:
        model: on its device.
        images: [B, 3, H, W].
        maps: of `all_maps`.

    Returns:
        Method that explains classes to `correlation`: the mean rank correlation of the two maps, 0 where the second
        is all zeros, with its interval (`score_maps.measured`); and `empty`: the share of second classes whose map is.
    """
    logits = logits_of(model, images)
    second = torch.stack(
        [logits[name].topk(min(2, logits[name].shape[1])).indices[:, -1] for name in scored_tasks(model)]
    )
    scores = {}
    for name, others in network_maps(model, images, second, _per_task(maps)).items():
        pairs = list(zip(others.flatten(0, 1), maps[name].flatten(0, 1), strict=True))
        units = list(range(len(images))) * len(others)
        scores[name] = {
            **measured("correlation", [correlation_with(*pair) for pair in pairs], units),
            "empty": mean_of([float(not other.any()) for other, _ in pairs]),
        }
    return scores


def side_by_side(model: MultiTaskModel, images: Tensor, maps: dict[str, Tensor]) -> dict[str, Any]:
    """Two pictures of different predicted classes in one: is the map of each class on its own half?

    Each picture is halved in size and stands in the middle of its half, on the mean colour. Pictures are paired in the
    order of the probability of their class, the surest first, and none is used twice for a task.

    Args:
        model: on its device.
        images: [B, 3, H, W].
        maps: of `all_maps`, which names the methods.

    Returns:
        `pairs`: how many, over all tasks; and method that explains classes to `own_half`: the mean share of a map
        on the half of its own class, with its interval (`score_maps.measured`), and `empty`: the share of maps that are
        all zeros, which have no such share.
    """
    shares: dict[str, list[float]] = {}
    empty: dict[str, list[float]] = {}
    units: list[int] = []
    logits, count = logits_of(model, images), 0
    for number, task in enumerate(scored_tasks(model)):
        classes = likeliest(model, images)[number]
        pairs = list(
            _pairs(classes.tolist(), logits[task].softmax(1).amax(1).argsort(descending=True).tolist())
        )
        if not pairs:
            continue
        units += [*range(count, count + len(pairs))] * 2
        count += len(pairs)
        together = torch.stack([_beside(images[left], images[right]) for left, right in pairs])
        on_left = torch.zeros(images.shape[2:], dtype=torch.bool)
        on_left[:, : images.shape[3] // 2] = True
        for half, inside in enumerate((on_left, ~on_left)):
            labels = classes[[pair[half] for pair in pairs]]
            for name, of_task in network_maps(model, together, labels[None], _per_task(maps), [task]).items():
                shares.setdefault(name, []).extend(
                    faithfulness.mass_inside(heat, inside) for heat in of_task[0]
                )
                empty.setdefault(name, []).extend(float(not heat.any()) for heat in of_task[0])
    return {
        "pairs": count,
        **{
            name: {**measured("own_half", shares[name], units), "empty": mean_of(empty[name])}
            for name in shares
        },
    }


def _per_task(maps: dict[str, Tensor]) -> list[str]:
    """The methods that explain classes, among those of maps."""
    return [method for method in PER_TASK if method in maps]


def _pairs(classes: Sequence[int], order: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs of pictures of different classes."""
    left = list(order)
    while left:
        first = left.pop(0)
        second = next((index for index in left if classes[index] != classes[first]), None)
        if second is not None:
            left.remove(second)
            yield first, second


def _beside(left: Tensor, right: Tensor) -> Tensor:
    """Two pictures [3, H, W] in one of that size."""
    _, height, width = left.shape
    canvas = torch.zeros_like(left)
    size = (height // 2, width // 2)
    halves = F.interpolate(torch.stack([left, right]), size, mode="bilinear", antialias=True)
    top = (height - size[0]) // 2
    canvas[:, top : top + size[0], : size[1]] = halves[0]
    canvas[:, top : top + size[0], width - size[1] :] = halves[1]
    return canvas
