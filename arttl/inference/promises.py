"""What a model can promise of its suggestions, measured on validation objects and kept in the model's folder.

Kept is not a threshold but the evidence for one, so that any precision or coverage can be asked for later, without
labels: per task the probabilities and whether they were right, and features of training pictures, which a picture
from elsewhere is far from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from arttl.errors import ArttlError, one_line
from arttl.files import whole_file
from arttl.inference.candidate_sets import CandidateSets, conformal_limit, fit_sets, true_scores
from arttl.inference.labels import probabilities
from arttl.inference.neighbours import nearest, unit_length
from arttl.inference.predictions import Predictions
from arttl.inference.thresholds import Threshold, fit_threshold, objects_needed
from arttl.tasks import Task, TaskSet, is_labelled

FILE = "promises.safetensors"
FORMAT_VERSION = 1
MOST_REFERENCES = 8192
"""Training pictures that others are compared with; a hundredth of ImageNet is enough (Sun et al. 2022, section 4.2)."""
NEIGHBOURS = 10
"""The distance of a picture is that to its tenth neighbour, or the last of fewer."""
KEPT = 0.95
"""Share of validation objects that are not called outside."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of one task, with one entry per validation object.

    Attributes:
        likeliest, likeliest_wrong: [N] see `fit_threshold`, of labelled objects.
        scores: [M] of the true label, see `CandidateSets`; of objects whose label is a class of the task.
        true_class: [M] int64; -1 for a task whose limits are not class by class.
        largest_logit: [A] of all validation objects; empty for a task that is not single-label.
    """

    likeliest: npt.NDArray[np.float32]
    likeliest_wrong: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    true_class: npt.NDArray[np.int64]
    largest_logit: npt.NDArray[np.float32]

    def threshold(self, precision: float) -> Threshold:
        """The promise of a precision, 0 to 1."""
        return fit_threshold(self.likeliest, self.likeliest_wrong, precision)

    def objects_needed(self, precision: float) -> int | None:
        """About how many labelled validation objects that promise needs; None if no number is enough."""
        return (
            objects_needed(self.likeliest, self.likeliest_wrong, precision) if len(self.likeliest) else None
        )

    def sets(self, task: Task, coverage: float) -> CandidateSets:
        """The sets that hold the true label with a probability of `coverage`."""
        return fit_sets(task, self.scores, self.true_class, coverage)


@dataclass(frozen=True, eq=False)
class Promises:
    """The evidence for all promises of a model.

    Attributes:
        tasks: task name to its evidence.
        references: [M, D] float16, features of training pictures, of length one.
        distances: [A] float32, of validation objects to these.
    """

    tasks: Mapping[str, Evidence]
    references: torch.Tensor
    distances: npt.NDArray[np.float32]

    def is_outside(
        self, task: Task, logits: npt.NDArray[np.floating], distances: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.bool_]:
        """Whether pictures are unlike the training collection, or of none of a task's classes.

        A picture is outside whose distance or, for a single-label task, whose largest logit is beyond what 97.5% of
        validation objects keep to, so that at least 95% of them are kept.

        Args:
            task: one of the model's.
            logits: [N, Q].
            distances: [N], see `distance`.
        """
        share = (1 + KEPT) / 2
        outside = np.asarray(distances > conformal_limit(self.distances, share))
        if task.kind == "single-label":
            largest = self.tasks[task.name].largest_logit
            outside |= -logits.max(1) > conformal_limit(-largest, share)
        return outside

    def distance(self, features: torch.Tensor) -> npt.NDArray[np.float32]:
        """How far pictures are from the training collection (Sun et al. 2022), from their features [N, D]."""
        return _distance(unit_length(features), self._unit_references)

    @cached_property
    def _unit_references(self) -> torch.Tensor:
        return unit_length(self.references)  # float16 has rounded them

    def save(self, folder: Path) -> None:
        """Write `promises.safetensors` into the folder of a saved model; it appears whole."""
        tensors = {"references": self.references, "distances": torch.from_numpy(self.distances)}
        for index, evidence in enumerate(self.tasks.values()):
            for name in _FIELDS:
                tensors[f"{index}.{name}"] = torch.from_numpy(np.ascontiguousarray(getattr(evidence, name)))
        metadata = {"format_version": str(FORMAT_VERSION), "tasks": json.dumps(list(self.tasks))}
        with whole_file(folder / FILE) as temporary:
            save_file(tensors, temporary, metadata)

    @classmethod
    def load(cls, folder: Path, tasks: TaskSet) -> Promises | None:
        """Read a model folder's promises; None where it has none.

        Args:
            folder: of a model.
            tasks: of that model.

        Raises:
            ArttlError: if the file is not of this model.
        """
        path = folder / FILE
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("format_version") != str(FORMAT_VERSION):
                    raise ValueError("it is of another version")
                if metadata.get("tasks") != json.dumps(list(tasks.names)):
                    raise ValueError("it is of other tasks")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return cls._of_tensors(tensors, tasks)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ArttlError(
                f"the promises in {path} cannot be read: {one_line(error)}; without the file the model suggests nothing"
            ) from error

    @classmethod
    def _of_tensors(cls, tensors: Mapping[str, torch.Tensor], tasks: TaskSet) -> Promises:
        references, distances = tensors["references"], tensors["distances"]
        if references.dtype != torch.float16 or references.ndim != 2 or not len(references):
            raise ValueError("its references are not features")
        _check(distances, torch.float32)
        evidence = {}
        for index, task in enumerate(tasks):
            columns = {name: tensors[f"{index}.{name}"] for name in _FIELDS}
            for name, column in columns.items():
                _check(column, torch.int64 if name == "true_class" else torch.float32)
            classes = columns["true_class"]
            if len(classes) != len(columns["scores"]) or bool(
                ((classes < -1) | (classes >= task.outputs)).any()
            ):
                raise ValueError(f"its classes of {task.name} are not those of the model")
            if len(columns["likeliest"]) != len(columns["likeliest_wrong"]):
                raise ValueError(f"its probabilities of {task.name} do not belong together")
            evidence[task.name] = Evidence(**{name: column.numpy() for name, column in columns.items()})
        if not bool(references.isfinite().all()):
            raise ValueError("its references are not finite")
        return cls(evidence, references, distances.numpy())


_FIELDS = tuple(field.name for field in fields(Evidence))


def _check(column: torch.Tensor, dtype: torch.dtype) -> None:
    if column.dtype != dtype or column.ndim != 1 or not bool(column.isfinite().all()):
        raise ValueError("its columns are not lists of finite numbers")


def fit_promises(predictions: Predictions, features: torch.Tensor, references: torch.Tensor) -> Promises:
    """The evidence of a model.

    Args:
        predictions: of a split that no weight was trained on, with the model's temperatures.
        features: [N, D], of the same samples.
        references: [M, D], of at most `MOST_REFERENCES` training samples.
    """
    chosen = one_per_object(predictions.object_numbers, predictions.keys)
    unit = unit_length(references).half()
    distances = _distance(unit_length(features[chosen]), unit_length(unit))
    tasks = {task.name: _evidence(task, predictions, chosen) for task in predictions.tasks}
    return Promises(tasks, unit, distances)


def reference_rows(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """At most `MOST_REFERENCES` of the rows of a training split, in their order; always the same ones."""
    if len(rows) <= MOST_REFERENCES:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST_REFERENCES, replace=False))


def one_per_object(object_numbers: Sequence[str], keys: Sequence[str]) -> npt.NDArray[np.int64]:
    """The index of one sample of each object, ascending: any, but always the same one.

    Photographs of one object are not independent, and a promise is about objects.
    """
    order = sorted(range(len(keys)), key=lambda index: hashlib.sha256(keys[index].encode()).digest())
    first: dict[str, int] = {}
    for index in order:
        first.setdefault(object_numbers[index], index)
    return np.sort(np.fromiter(first.values(), dtype=np.int64, count=len(first)))


def _evidence(task: Task, predictions: Predictions, chosen: npt.NDArray[np.int64]) -> Evidence:
    logits = predictions.logits[task.name][chosen]
    targets = predictions.targets[task.name][chosen]
    in_vocabulary = is_labelled(targets)
    if task.kind == "number":
        none = np.zeros(0, dtype=np.float32)
        numbers = task.statistics.restore(logits.astype(np.float64))
        scores, true_class = true_scores(task, numbers[in_vocabulary], targets[in_vocabulary])
        return Evidence(none, none, scores.astype(np.float32), true_class, none)
    probability = probabilities(task, logits, predictions.temperatures.get(task.name, 1.0))
    scores, true_class = true_scores(task, probability[in_vocabulary], targets[in_vocabulary])
    if task.kind == "multi-label":
        is_wrong, largest = ~(targets > 0.5), np.zeros(0)  # NaN, no known label, is not above
    else:
        is_wrong, largest = targets[:, None] != np.arange(task.outputs), logits.max(1)
        is_wrong &= probability >= probability.max(1, keepdims=True)  # only the likeliest is suggested
    # An object whose label is none of the classes is a mistake of any suggestion.
    labelled = np.array(
        [predictions.catalogued[task.name][index] is not None for index in chosen], dtype=bool
    )
    wrong = np.where(is_wrong, probability, 0.0).max(1)
    return Evidence(
        likeliest=probability.max(1)[labelled].astype(np.float32),
        likeliest_wrong=wrong[labelled].astype(np.float32),
        scores=scores.astype(np.float32),
        true_class=true_class,
        largest_logit=largest.astype(np.float32),
    )


def _distance(features: torch.Tensor, references: torch.Tensor) -> npt.NDArray[np.float32]:
    similarity, _ = nearest(features, references.to(features.device), min(NEIGHBOURS, len(references)))
    # The distance between vectors of length one.
    distance = (2 - 2 * similarity[:, -1]).clamp_min(0).sqrt()
    return np.asarray(distance.cpu().numpy())
