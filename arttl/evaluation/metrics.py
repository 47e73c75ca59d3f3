"""Metrics per task, always beside the majority baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torchmetrics.functional.classification import binary_average_precision

from arttl.tasks import Task


@dataclass(frozen=True)
class TaskMetrics:
    """How well one task was predicted on the samples that carry a label for it."""

    accuracy: float
    """Share of samples whose class was predicted; for a multi-label task, whose whole set of labels was."""
    balanced_accuracy: float
    """Mean over classes of the recall; for a multi-label task, of the mean of recall and specificity."""
    majority: float
    """Accuracy of always answering what is most frequent in the training split."""
    n: int
    """Samples measured."""
    classes: int
    """Classes of the vocabulary."""
    unknown_class: int
    """Labelled samples left out because none of their labels is in the vocabulary."""
    mean_average_precision: float | None = None
    """Multi-label only: mean over classes of the average precision."""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form; measures that a kind of task does not have are left out."""
        return {name: value for name, value in self.__dict__.items() if value is not None}


def measure_task(
    task: Task,
    logits: torch.Tensor,
    targets: torch.Tensor,
    unknown_class: int = 0,
) -> TaskMetrics:
    """Measure one task.

    Args:
        task: the task.
        logits: [N, Q], of labelled samples only.
        targets: [N] int64 or [N, Q] float of 0 and 1.
        unknown_class: count of labelled samples that are left out.

    A class without a sample does not enter the means over classes.
    """
    if not len(logits):
        nothing = float("nan")
        return TaskMetrics(nothing, nothing, nothing, 0, len(task.vocabulary), unknown_class)
    logits = logits.double()
    if task.kind == "single-label":
        predicted = logits.argmax(1)
        hits = (predicted == targets).double()
        support = torch.bincount(targets, minlength=logits.shape[1])
        recall = (
            torch.bincount(targets, weights=hits, minlength=logits.shape[1])[support > 0]
            / support[support > 0]
        )
        return TaskMetrics(
            accuracy=hits.mean().item(),
            balanced_accuracy=recall.mean().item(),
            majority=(targets == task.vocabulary.majority[0]).double().mean().item(),
            n=len(targets),
            classes=len(task.vocabulary),
            unknown_class=unknown_class,
        )
    chosen, wanted = decide_labels(logits), targets > 0.5
    usual = torch.zeros(wanted.shape[1], dtype=torch.bool)
    usual[list(task.vocabulary.majority)] = True
    both_ways = []
    for truth in (wanted, ~wanted):
        support = truth.sum(0)
        both_ways.append(((chosen == wanted) & truth).sum(0).double() / support)
    of_class = torch.stack(both_ways).nanmean(0)
    present = wanted.any(0)
    precision = [
        binary_average_precision(logits[:, index], wanted[:, index].long())
        for index in present.nonzero()[:, 0]
    ]
    return TaskMetrics(
        accuracy=(chosen == wanted).all(1).double().mean().item(),
        balanced_accuracy=of_class[present].mean().item(),
        majority=(wanted == usual).all(1).double().mean().item(),
        n=len(targets),
        classes=len(task.vocabulary),
        unknown_class=unknown_class,
        mean_average_precision=torch.stack(precision).mean().item(),
    )


def decide_labels(logits: torch.Tensor) -> torch.Tensor:
    """The labels of a multi-label task: every class above one half, or else the likeliest one; [N, Q] bool."""
    chosen = logits > 0
    chosen[torch.arange(len(logits)), logits.argmax(1)] = True
    return chosen


def metrics_to_json(metrics: Mapping[str, TaskMetrics]) -> dict[str, Any]:
    """`{"tasks": {name: {...}}}`, the form of every JSON file of results."""
    return {"tasks": {name: found.to_dict() for name, found in metrics.items()}}
