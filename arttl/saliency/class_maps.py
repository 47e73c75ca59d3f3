"""Maps of what speaks for one class of one task, from one forward pass and no backward pass.

Where a network ends in global average pooling and a linear head, the logits of a picture are the mean over positions of
the logits of each position of its last maps, `W A(x) + b`: all classes at all positions in closed form (Zhou et al.
2016, "Learning deep features for discriminative localization", arXiv 1512.04150). From them `arttl::class_evidence`
makes the log-odds of the class at each position, which are positive where the position by itself gives the class more
than half of the probability, and zero elsewhere. This map takes the place of the deepest channel mean in the
overlap-normalised backprojection of `visual_backprop`, which brings it to the picture's resolution.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from arttl.errors import ArttlError, did_you_mean
from arttl.models import FusedModel, MultiTaskModel
from arttl.saliency import ops
from arttl.saliency.position_logits import NetworkLogits, read_fused, read_network
from arttl.tasks import Task

Labels = str | int | Sequence[str | int] | Tensor
"""One label for all pictures, or one for each: names of classes or their indices."""


@dataclass(frozen=True)
class Question:
    """What maps are to explain: a task, and for each picture a class and perhaps the one it is compared with."""

    task: str
    label: Labels | None = None
    """None: the class that the model predicts."""
    against: Labels | None = None
    """None: all other classes together."""


def class_maps(
    model: MultiTaskModel | FusedModel,
    images: Tensor | Sequence[Tensor],
    task: str,
    label: Labels | None = None,
    against: Labels | None = None,
) -> Tensor | list[Tensor]:
    """What speaks for a class, pixel by pixel.

    A map of zeros says that no part of the picture speaks for the class more than for all others together (with
    `against`, than for that one).

    Args:
        model: with global average pooling and linear heads, or a fused model of such networks, whose heads read each
            stage at the stage's own maps. It is run in evaluation mode without gradients, and left as it was.
        images: [B, 3, H, W], normalised; they are moved to the model's device. Of a fused model one such tensor per
            network, or one tensor if it has one network.
        task: one of the model's tasks with classes.
        label: the class, by its name or index, one for all pictures or one for each; None: that which the model
            predicts.
        against: another class: what speaks for `label` rather than for this one; None: rather than for all others
            together. Where it is the predicted class, and `label` is None, the map is zero.

    Returns:
        [B, H, W] float32 in [0, 1], on the model's device; of a fused model, when its images are given as a sequence,
        one such map per network.

    Raises:
        ArttlError: for a task or a label that the model does not have, a task that is a number, a network that does not
            end in global average pooling, or heads that are not linear.
    """
    inputs = [images] if isinstance(images, Tensor) else list(images)
    maps = class_maps_of(model, inputs, [Question(task, label, against)])[0]
    return maps[0] if isinstance(images, Tensor) else maps


@torch.no_grad()
def class_maps_of(
    model: MultiTaskModel | FusedModel, inputs: Sequence[Tensor], questions: Sequence[Question]
) -> list[list[Tensor]]:
    """The maps of several questions from one forward pass of each network.

    Args:
        model: as for `class_maps`.
        inputs: [B, 3, H, W] per network.
        questions: what to explain.

    Returns:
        Per question and network [B, H, W], as `class_maps` returns them.

    Raises:
        ArttlError: as `class_maps`.
    """
    if len(inputs) != len(model.networks):
        raise ArttlError(
            f"the model has {len(model.networks)} networks, each with its own preprocessing: give one tensor of images"
            f" for each, not {len(inputs)}"
        )
    for images in inputs:
        if images.dim() != 4 or images.shape[1] != 3:
            raise ArttlError(f"images must be [B, 3, H, W], not {list(images.shape)}")
    for question in questions:
        _check(model, question)
    tasks = list(dict.fromkeys(question.task for question in questions))
    networks = (
        read_fused(model, inputs, tasks)
        if isinstance(model, FusedModel)
        else [read_network(model, inputs[0], tasks)]
    )
    classes = [_classes(model, question, networks) for question in questions]
    return [
        [
            _map_of(network, network.logits[question.task], model.tasks[question.task], *pair)
            for network in networks
        ]
        for question, pair in zip(questions, classes, strict=True)
    ]


def why_no_class_maps(model: MultiTaskModel | FusedModel, inputs: Sequence[Tensor]) -> str:
    """Why a model has no class maps; empty where it has.

    Args:
        model: as for `class_maps`.
        inputs: [B, 3, H, W] per network, of which the first picture is tried.
    """
    task = next((task.name for task in model.tasks if task.kind != "number"), None)
    if task is None:
        return "the model has no task with classes"
    try:
        class_maps_of(model, [images[:1] for images in inputs], [Question(task)])
    except ArttlError as error:
        return str(error)
    return ""


def class_index(model: MultiTaskModel | FusedModel, task: str, label: str) -> int:
    """The index of a class by its name.

    Raises:
        ArttlError: for a task without classes, or a label that is none of them.
    """
    _check(model, Question(task))
    return int(_indices(model.tasks[task], label, torch.empty(1, model.tasks[task].outputs))[0])


def _check(model: MultiTaskModel | FusedModel, question: Question) -> None:
    if question.task not in model.tasks:
        known = model.tasks.names
        raise ArttlError(
            f"the model has no task {question.task!r}{did_you_mean(question.task, known)}: it predicts "
            f"{', '.join(known) or 'nothing'}"
        )
    if model.tasks[question.task].kind == "number":
        raise ArttlError(
            f"the task {question.task!r} is a number, which has no classes: choose one of "
            f"{', '.join(task.name for task in model.tasks if task.kind != 'number') or 'another model'}"
        )


def _classes(
    model: MultiTaskModel | FusedModel, question: Question, networks: Sequence[NetworkLogits]
) -> tuple[Tensor, Tensor | None]:
    """The classes [B] int64 of a question, and those that they are compared with, on the model's device."""
    task, logits = model.tasks[question.task], networks[0].predicted[question.task]  # [B, Q]
    label = logits.argmax(1) if question.label is None else _indices(task, question.label, logits)
    if question.against is None:
        return label, None
    against = _indices(task, question.against, logits)
    if (same := (label == against).nonzero().flatten().tolist()) and question.label is not None:
        name = task.vocabulary.classes[int(label[same[0]])]
        raise ArttlError(f"{name!r} is to be compared with itself: give another class as `against`")
    return label, against


def _indices(task: Task, labels: Labels, logits: Tensor) -> Tensor:
    """The indices [B] of classes that are named or given by their indices."""
    count, outputs = logits.shape
    # A number of NumPy is no int, and is listed as a tensor is.
    listed = labels.tolist() if hasattr(labels, "tolist") else labels
    given = [listed] * count if isinstance(listed, str | int | float) else list(listed)
    if len(given) != count:
        raise ArttlError(
            f"there are {len(given)} labels for {count} pictures: give one for all, or one for each"
        )
    classes = task.vocabulary.classes
    positions: Mapping[str, int] = {name: index for index, name in enumerate(classes)}
    indices = []
    for name in given:
        index = positions.get(name, -1) if isinstance(name, str) else _as_index(name)
        if not 0 <= index < outputs:
            hint = did_you_mean(name, classes) if isinstance(name, str) else ""
            raise ArttlError(f"{task.name} has no class {name!r}{hint}; it has {outputs}: {_some(classes)}")
        indices.append(index)
    return torch.tensor(indices, dtype=torch.int64, device=logits.device)


def _as_index(number: Any) -> int:
    if not isinstance(number, bool):
        with contextlib.suppress(TypeError):
            return operator.index(number)
    raise ArttlError(f"a label is the name of a class or its index, not {number!r}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def _map_of(
    network: NetworkLogits, logits: Tensor, task: Task, label: Tensor, against: Tensor | None
) -> Tensor:
    """[B, H, W] of the logits [B, Q, h, w] of a task at the positions of one network."""
    count, _, height, width = logits.shape
    flat = logits.float().flatten(2)
    if task.kind == "multi-label" and against is None:
        # Each label is a yes or no of its own.
        flat = flat.gather(1, label[:, None, None].expand(-1, 1, flat.shape[2]))
        label = torch.zeros_like(label)
    evidence = ops.run_class_evidence(flat, label, against).view(count, height, width)
    return network.at_pixels(evidence)
