"""From logits to what a person reads: labels, their calibrated probabilities and their ranks.

Every caption, table and file that shows a label or a probability takes them from here, so that all show the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from arttl.tasks import Task


@dataclass(frozen=True)
class LabelWithProbability:
    """A label of one picture.

    Attributes:
        label: the class, or a number's text, see `NumberStatistics.text`.
        probability: 0 to 1, calibrated where the model is; None for a number.
        rank: 1 for the likeliest class.
    """

    label: str
    probability: float | None
    rank: int = 1

    def __str__(self) -> str:
        """As captions show it: `oil 80.4%`, with as many decimals as the tables of metrics."""
        return self.label if self.probability is None else f"{self.label} {100 * self.probability:.1f}%"


@dataclass(frozen=True)
class Prediction:
    """What a model predicts of one task for one picture.

    Attributes:
        labels: the predicted ones, likeliest first: one, or for a multi-label task one or more.
        ranked: the likeliest classes, predicted or not, likeliest first; begins with `labels`.
    """

    labels: tuple[LabelWithProbability, ...]
    ranked: tuple[LabelWithProbability, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The predicted labels without their probabilities."""
        return tuple(label.label for label in self.labels)

    def __str__(self) -> str:
        return ", ".join(map(str, self.labels))


def predict_labels(
    task: Task, logits: npt.NDArray[Any], temperature: float = 1.0, top: int = 1
) -> list[Prediction]:
    """The labels that logits predict, sample by sample.

    Args:
        task: of any kind.
        logits: [N, Q].
        temperature: of the model's calibration of this task.
        top: how many classes `Prediction.ranked` has at least; of classes as likely the first of the vocabulary leads.

    Returns:
        N predictions.
    """
    if task.kind == "number":
        values = task.statistics.restore(np.asarray(logits[:, 0], dtype=np.float64))
        texts = [LabelWithProbability(task.statistics.text(value), None) for value in values.tolist()]
        return [Prediction((text,), (text,)) for text in texts]
    predicted = np.ones(len(logits), dtype=np.int64)  # how many labels
    if task.kind == "multi-label":
        predicted = decide_labels(logits).sum(1)
    count = min(task.outputs, max(top, predicted.max(initial=1)))
    order = logits.argmax(1)[:, None] if count == 1 else np.argsort(-logits, 1, kind="stable")[:, :count]
    probability = np.take_along_axis(probabilities(task, logits, temperature), order, 1)
    predictions = []
    for indices, chances, number in zip(
        order.tolist(), probability.tolist(), predicted.tolist(), strict=True
    ):
        ranked = tuple(
            LabelWithProbability(task.vocabulary.classes[index], chance, rank)
            for rank, (index, chance) in enumerate(zip(indices, chances, strict=True), start=1)
        )
        predictions.append(Prediction(ranked[:number], ranked[: max(top, number)]))
    return predictions


def probabilities(task: Task, logits: npt.NDArray[Any], temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Probabilities [N, Q] from logits [N, Q] of a single-label (softmax) or multi-label task (sigmoids)."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    if task.kind == "multi-label":
        return np.asarray(0.5 * (1 + np.tanh(scaled / 2)))  # no overflow
    odds = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(odds / odds.sum(1, keepdims=True))


def decide_labels(logits: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """The labels of a multi-label task: every class above one half, or else the likeliest one.

    Args:
        logits: [N, Q]; a temperature changes nothing.

    Returns:
        [N, Q] bool.
    """
    chosen = logits > 0
    chosen[np.arange(len(logits)), logits.argmax(1)] = True
    return chosen
