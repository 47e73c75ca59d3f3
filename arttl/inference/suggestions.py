"""Suggestions: predicted labels with what is promised of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from arttl.inference.candidate_sets import CandidateSets
from arttl.inference.labels import LabelWithProbability, Prediction, predict_labels, probabilities
from arttl.inference.promises import Promises
from arttl.inference.thresholds import CONFIDENCE, Threshold
from arttl.tasks import Task, TaskSet

Status = Literal["suggested", "unsure", "outside"]


@dataclass(frozen=True)
class Suggestion:
    """What a model says of one task for one picture.

    Attributes:
        prediction: the labels and their calibrated probabilities.
        status: `suggested`: the promise of precision holds for it; `outside`: the picture is unlike the training
            collection, or of none of the classes; else `unsure`.
        candidates: labels one of which is right as often as promised (for several labels per object, all right ones
            are among them); None where no such promise was asked for, or for a number.
        interval: the lowest and highest number, likewise.
    """

    prediction: Prediction
    status: Status
    candidates: tuple[str, ...] | None = None
    interval: tuple[float, float] | None = None


class Suggester:
    """Turns logits and features into suggestions.

    Attributes:
        thresholds: task name to the promise of precision; none for a number, and none without promises.
        per_object: whether what it gets are means over the photographs of objects.
    """

    def __init__(
        self,
        tasks: TaskSet,
        temperatures: Mapping[str, float],
        promises: Promises | None,
        *,
        precision: float,
        coverage: float | None = None,
        top: int = 1,
        per_object: bool = False,
    ) -> None:
        """Fit the thresholds.

        Args:
            tasks: of the model.
            temperatures: of its calibration, by task name.
            promises: of the model; None: nothing is suggested, and nothing is outside.
            precision: to promise, 0 to 1.
            coverage: of candidate sets, 0 to 1; None: there are none.
            top: how many labels are ranked.
            per_object: whether `suggest` gets the means over all photographs of each object, see `Objects.mean`, of
                logits and of features of length one, instead of single photographs.
        """
        if per_object and promises is not None:
            promises = promises.of_means
        self._tasks, self._temperatures, self._promises, self._top = tasks, temperatures, promises, top
        self.per_object = per_object
        self._precision = precision
        self.thresholds: dict[str, Threshold] = {}
        self._sets: dict[str, CandidateSets] = {}
        for task in tasks:
            if promises is None:
                break
            if task.kind != "number":
                self.thresholds[task.name] = promises.threshold(task, precision)
            if coverage is not None:
                self._sets[task.name] = promises.sets(task, coverage)

    def suggest(
        self, logits: Mapping[str, npt.NDArray[Any]], features: torch.Tensor
    ) -> list[dict[str, Suggestion]]:
        """The suggestions for N pictures, or objects.

        Args:
            logits: task name to [N, Q].
            features: [N, D].

        Returns:
            Per picture, task name to suggestion.
        """
        distances = None if self._promises is None else self._promises.distance(features)
        suggestions: list[dict[str, Suggestion]] = [{} for _ in range(len(features))]
        for task in self._tasks:
            for picture, suggestion in zip(
                suggestions, self._of_task(task, logits[task.name], distances), strict=True
            ):
                picture[task.name] = suggestion
        return suggestions

    def _of_task(
        self, task: Task, logits: npt.NDArray[Any], distances: npt.NDArray[np.float32] | None
    ) -> Iterator[Suggestion]:
        outside = np.zeros(len(logits), dtype=bool)
        if self._promises is not None and distances is not None:
            outside = self._promises.is_outside(task, logits, distances)
        temperature = self._temperatures.get(task.name, 1.0)
        predictions = predict_labels(task, logits, temperature, self._top)
        sets = self._sets.get(task.name)
        if task.kind == "number":
            values = task.statistics.restore(np.asarray(logits[:, 0], dtype=np.float64)).tolist()
            half = None if sets is None else float(sets.limits[0])
            for prediction, value, is_outside in zip(predictions, values, outside.tolist(), strict=True):
                interval = None if half is None else (value - half, value + half)
                yield Suggestion(prediction, "outside" if is_outside else "unsure", interval=interval)
            return
        probability = probabilities(task, logits, temperature)
        threshold = self.thresholds.get(task.name)
        above = None if threshold is None else threshold.above
        members = None if sets is None else sets.members(task, probability)
        for row, prediction in enumerate(predictions):
            chosen = np.flatnonzero(probability[row].astype(np.float32) > (2 if above is None else above))
            status: Status = "outside" if outside[row] else "suggested" if len(chosen) else "unsure"
            if status == "suggested" and task.kind == "multi-label":
                prediction = _of_classes(task, chosen, probability[row], prediction)
            candidates = None
            if members is not None:
                inside = np.flatnonzero(members[row])
                likeliest_first = inside[np.argsort(-probability[row][inside], kind="stable")]
                candidates = tuple(task.vocabulary.classes[index] for index in likeliest_first.tolist())
            yield Suggestion(prediction, status, candidates)

    def sentences(self) -> Iterator[str]:
        """What is promised of each task, for the person who reads the suggestions."""
        if self._promises is None:
            yield "the model has no promises, so that nothing is suggested: train it again with this version"
            return
        if self.per_object and (self._promises.photographs == 1).all():
            yield (
                "no validation object has more than one photograph, so that what is promised of objects with several"
                " has not been tried"
            )
        asked = f"{100 * self._precision:g}%"
        for task in self._tasks:
            if (threshold := self.thresholds.get(task.name)) is None:
                continue
            if threshold.above is not None:
                yield (
                    f"{task.name}: suggestions above {100 * threshold.above:.1f}% are right at least {asked} of the"
                    f" time, with {100 * CONFIDENCE:g}% confidence; {100 * threshold.suggested:.0f}% of"
                    f" {threshold.objects:,} validation objects get one"
                )
                continue
            needed = self._promises.objects_needed(task, self._precision)
            remedy = (
                "no number of objects like them would be enough"
                if needed is None
                else f"about {needed:,} like them would be enough"
            )
            yield (
                f"{task.name}: nothing is suggested, since {threshold.objects:,} labelled validation objects cannot"
                f" show that suggestions are right {asked} of the time; {remedy}"
            )


def _of_classes(
    task: Task, chosen: npt.NDArray[np.int64], probability: npt.NDArray[np.float64], prediction: Prediction
) -> Prediction:
    """The labels above the threshold, in place of those above one half."""
    order = chosen[np.argsort(-probability[chosen], kind="stable")].tolist()
    labels = tuple(
        LabelWithProbability(task.vocabulary.classes[index], float(probability[index]), rank)
        for rank, index in enumerate(order, start=1)
    )
    return Prediction(labels, (*labels, *prediction.ranked[len(labels) :]))
