"""What models say of single pictures, in words to set beside their maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from arttl.models import FusedModel, MultiTaskModel
from arttl.tasks import decide_labels


@dataclass(frozen=True)
class Answer:
    """What a model says of one task."""

    labels: tuple[str, ...]
    text: str
    """The labels, and for a single one its probability."""


@torch.inference_mode()
def answers(
    model: MultiTaskModel | FusedModel, views: Sequence[Sequence[torch.Tensor]]
) -> list[dict[str, Answer]]:
    """Per picture, what the model says of each task; nothing where it has no heads.

    Args:
        model: left on its device.
        views: for each of its `preprocesses`, the pictures [3, H, W].
    """
    device = next(model.parameters()).device
    return [
        _answers(model, [tensor[None].to(device) for tensor in of_picture])
        for of_picture in zip(*views, strict=True)
    ]


def _answers(model: MultiTaskModel | FusedModel, images: Sequence[torch.Tensor]) -> dict[str, Answer]:
    logits = model(*images)
    found = {}
    for task in model.tasks:
        scores = logits[task.name].double().cpu()
        if task.kind == "number":
            text = task.decode(scores.numpy())[0][0]
            found[task.name] = Answer((text,), text)
            continue
        classes = task.vocabulary.classes
        if task.kind == "single-label":
            probability, best = scores.softmax(1).max(1)
            label = classes[int(best)]
            found[task.name] = Answer((label,), f"{label} {100 * float(probability):.0f}%")
        else:
            chosen = tuple(classes[i] for i in decide_labels(scores)[0].nonzero()[:, 0].tolist())
            found[task.name] = Answer(chosen, ", ".join(chosen))
    return found


def lines(said: Mapping[str, Answer], task: str | None) -> str:
    """A line a task, or that of one task."""
    return "\n".join(f"{name}: {answer.text}" for name, answer in said.items() if task in (None, name))
