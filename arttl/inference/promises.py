"""What a model can promise of its suggestions, measured on validation objects and kept in the model's folder.

Kept is not a threshold but the evidence for one, so that any precision or coverage can be asked for later, without
labels: per task the probabilities and whether they were right, and features of training pictures, which a picture
from elsewhere is far from. All of it twice: for single photographs, and for the mean over all photographs of an object,
of which a threshold of single photographs promises nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from arttl.errors import ArttlError, one_line
from arttl.files import write_bytes
from arttl.inference.candidate_sets import CandidateSets, fit_sets, true_scores
from arttl.inference.labels import probabilities
from arttl.inference.neighbours import nearest, unit_length
from arttl.inference.outside import surprise, surprise_at_evidence, surprise_limit
from arttl.inference.predictions import Predictions
from arttl.inference.thresholds import Threshold, fit_threshold, objects_needed
from arttl.tasks import Task, TaskSet, is_labelled

FILE = "promises.safetensors"
FORMAT_VERSION = 2
MOST_REFERENCES = 8192
"""Training pictures that others are compared with; a hundredth of ImageNet is enough (Sun et al. 2022, section 4.2)."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of one task; each array has one entry per validation object.

    Attributes:
        likeliest, likeliest_wrong: [A] see `fit_threshold`; zeros for a number.
        scores: [A] of the true label, see `true_scores`; 0 where no class is known.
        true_class: [A] int64; -1 where no class is known, and for a task whose limits are not class by class.
        known: [A] int64, 0 for an object without a label, 1 with a label that is no class, 2 with a class or number.
        largest_logit: [A]; zeros for a task that is not single-label.
    """

    likeliest: npt.NDArray[np.float32]
    likeliest_wrong: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    true_class: npt.NDArray[np.int64]
    known: npt.NDArray[np.int64]
    largest_logit: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Promises:
    """The evidence for all promises of a model.

    Attributes:
        tasks: task name to its evidence.
        references: [M, D] float16, features of training pictures, of length one.
        distances: [A] float32, of validation objects to these.
        photographs: [A] int64, how many photographs each validation object has, one of which the evidence is of.
        of_means: the evidence for the mean over all photographs of an object; itself without one.
    """

    tasks: Mapping[str, Evidence]
    references: torch.Tensor
    distances: npt.NDArray[np.float32]
    photographs: npt.NDArray[np.int64]
    of_means: Promises | None = None

    def threshold(self, task: Task, precision: float) -> Threshold:
        """The promise that suggestions are right with a precision of 0 to 1."""
        return fit_threshold(*self._suggestions(task), precision)

    def objects_needed(self, task: Task, precision: float) -> int | None:
        """About how many labelled validation objects that promise needs; None if no number is enough."""
        suggestions = self._suggestions(task)
        return objects_needed(*suggestions, precision) if len(suggestions[0]) else None

    def sets(self, task: Task, coverage: float) -> CandidateSets:
        """The sets that hold the true label with a probability of `coverage`, if it is a class."""
        evidence = self.tasks[task.name]
        of_class = evidence.known == 2
        return fit_sets(task, evidence.scores[of_class], evidence.true_class[of_class], coverage)

    def _suggestions(self, task: Task) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Of labelled objects that are not outside, since nothing is suggested for those."""
        evidence = self.tasks[task.name]
        outside = surprise_at_evidence(self._outside_evidence(task.name)) > self._limits[task.name]
        chosen = (evidence.known > 0) & ~outside
        return evidence.likeliest[chosen], evidence.likeliest_wrong[chosen]

    def is_outside(
        self, task: Task, logits: npt.NDArray[np.floating], distances: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.bool_]:
        """Whether pictures are unlike the training collection, or of none of a task's classes.

        Args:
            task: one of the model's.
            logits: [N, Q].
            distances: [N], see `distance`.
        """
        largest = logits.max(1) if task.kind == "single-label" else np.zeros(len(logits))
        scores = surprise((distances, -largest), self._outside_evidence(task.name))
        return np.asarray(scores > self._limits[task.name])

    @cached_property
    def _limits(self) -> dict[str, float]:
        return {name: surprise_limit(self._outside_evidence(name)) for name in self.tasks}

    def _outside_evidence(self, name: str) -> tuple[npt.NDArray[np.float32], ...]:
        return self.distances, -self.tasks[name].largest_logit

    def distance(self, features: torch.Tensor) -> npt.NDArray[np.float32]:
        """How far pictures are from the training collection (Sun et al. 2022), from their features [N, D]."""
        return _distance(unit_length(features), self._unit_references)

    @cached_property
    def _unit_references(self) -> torch.Tensor:
        return unit_length(self.references)  # float16 has rounded them

    def save(self, folder: Path) -> None:
        """Write `promises.safetensors` into the folder of a saved model; it appears whole."""
        assert self.of_means is not None
        tensors = {"references": self.references, "photographs": torch.from_numpy(self.photographs)}
        for unit, promises in zip(_UNITS, (self, self.of_means), strict=True):
            tensors[f"{unit}.distances"] = torch.from_numpy(promises.distances)
            for index, evidence in enumerate(promises.tasks.values()):
                for name in _FIELDS:
                    column = np.ascontiguousarray(getattr(evidence, name))
                    tensors[f"{unit}.{index}.{name}"] = torch.from_numpy(column)
        # One entry, since safetensors writes several in a random order, and the same run gives the same bytes.
        write_bytes(folder / FILE, save(tensors, {_TASKS: json.dumps(list(self.tasks))}))

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
                if _TASKS not in metadata:
                    raise ValueError("it is of another version of arttl, train the model again")
                if metadata[_TASKS] != json.dumps(list(tasks.names)):
                    raise ValueError("it is of other tasks")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return cls._of_tensors(tensors, tasks)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ArttlError(
                f"the promises in {path} cannot be read: {one_line(error)}; without the file the model suggests nothing"
            ) from error

    @classmethod
    def _of_tensors(cls, tensors: Mapping[str, torch.Tensor], tasks: TaskSet) -> Promises:
        references, photographs = tensors["references"], tensors["photographs"]
        if references.dtype != torch.float16 or references.ndim != 2 or not len(references):
            raise ValueError("its references are not features")
        if not bool(references.isfinite().all()):
            raise ValueError("its references are not finite")
        _check(photographs, torch.int64, len(photographs))
        of_single, of_means = (
            cls(
                {
                    task.name: _read_evidence(tensors, f"{unit}.{index}", task, len(photographs))
                    for index, task in enumerate(tasks)
                },
                references,
                _check(tensors[f"{unit}.distances"], torch.float32, len(photographs)).numpy(),
                photographs.numpy(),
            )
            for unit in _UNITS
        )
        return replace(of_single, of_means=of_means)


_TASKS = f"tasks of format {FORMAT_VERSION}"
_FIELDS = tuple(field.name for field in fields(Evidence))


_UNITS = ("photograph", "mean")  # what the columns of the file are of


def _read_evidence(tensors: Mapping[str, torch.Tensor], prefix: str, task: Task, count: int) -> Evidence:
    columns = {
        name: _check(
            tensors[f"{prefix}.{name}"],
            torch.int64 if name in ("true_class", "known") else torch.float32,
            count,
        )
        for name in _FIELDS
    }
    classes = columns["true_class"]
    if bool(((classes < -1) | (classes >= task.outputs)).any()):
        raise ValueError(f"its classes of {task.name} are not those of the model")
    return Evidence(**{name: column.numpy() for name, column in columns.items()})


def _check(column: torch.Tensor, dtype: torch.dtype, count: int) -> torch.Tensor:
    if column.dtype != dtype or column.ndim != 1 or not bool(column.isfinite().all()):
        raise ValueError("its columns are not lists of finite numbers")
    if len(column) != count:
        raise ValueError("its columns are not of the same objects")
    return column


def fit_promises(predictions: Predictions, features: torch.Tensor, references: torch.Tensor) -> Promises:
    """The evidence of a model.

    Args:
        predictions: of a split that no weight was trained on, with the model's temperatures; of all its samples with a
            catalogued label, see `catalogued_rows`, since those whose label is no class of the model count as mistakes.
        features: [N, D], of the same samples.
        references: [M, D], of at most `MOST_REFERENCES` training samples.
    """
    objects = predictions.objects
    unit = unit_length(references).half()

    def promises(logits: Mapping[str, npt.NDArray[np.float32]], features: torch.Tensor) -> Promises:
        tasks = {
            task.name: _evidence(task, logits[task.name], predictions, objects.chosen)
            for task in predictions.tasks
        }
        return Promises(tasks, unit, _distance(unit_length(features), unit_length(unit)), objects.photographs)

    of_single = promises(
        {name: of_task[objects.chosen] for name, of_task in predictions.logits.items()},
        features[objects.chosen],
    )
    means = {
        name: objects.mean(torch.from_numpy(of_task)).numpy() for name, of_task in predictions.logits.items()
    }
    return replace(of_single, of_means=promises(means, objects.mean(unit_length(features))))


def catalogued_rows(
    labels: Callable[[str], Sequence[tuple[str, ...] | None]], tasks: TaskSet, rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The rows with a catalogued label of any of the tasks, whether or not it is a class of theirs.

    Args:
        labels: gives the labels of all rows of a collection for a task's name.
        tasks: of the model.
        rows: of a split.
    """
    known = np.zeros(len(rows), dtype=bool)
    for name in tasks.names:
        of_task = labels(name)
        known |= np.fromiter((of_task[row] is not None for row in rows.tolist()), dtype=bool, count=len(rows))
    return rows[known]


def reference_rows(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """At most `MOST_REFERENCES` of the rows of a training split, in their order; always the same ones."""
    if len(rows) <= MOST_REFERENCES:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST_REFERENCES, replace=False))


def _evidence(
    task: Task, logits: npt.NDArray[np.float32], predictions: Predictions, chosen: npt.NDArray[np.int64]
) -> Evidence:
    """The evidence of logits [A, Q]; the labels of each object are those of its chosen photograph."""
    targets = predictions.targets[task.name][chosen]
    catalogued = predictions.catalogued[task.name]
    of_class = is_labelled(targets)
    known = np.array([catalogued[index] is not None for index in chosen.tolist()], dtype=np.int64) + of_class
    zeros = np.zeros(len(chosen), dtype=np.float32)
    if task.kind == "number":
        predicted = task.statistics.restore(logits.astype(np.float64))
        likeliest, wrong, largest = zeros, zeros, zeros
    else:
        predicted = probabilities(task, logits, predictions.temperatures.get(task.name, 1.0))
        if task.kind == "multi-label":
            is_wrong, largest = ~(targets > 0.5), zeros  # NaN, no known class, is not above
        else:
            is_wrong, largest = targets[:, None] != np.arange(task.outputs), logits.max(1)
            is_wrong &= predicted >= predicted.max(1, keepdims=True)  # only the likeliest is suggested
        # An object whose label is none of the classes is a mistake of any suggestion.
        likeliest, wrong = predicted.max(1), np.where(is_wrong, predicted, 0.0).max(1)
    scores, true_class = zeros.copy(), np.full(len(chosen), -1, dtype=np.int64)
    scores[of_class], true_class[of_class] = true_scores(task, predicted[of_class], targets[of_class])
    return Evidence(
        likeliest=likeliest.astype(np.float32),
        likeliest_wrong=wrong.astype(np.float32),
        scores=scores,
        true_class=true_class,
        known=known,
        largest_logit=largest.astype(np.float32),
    )


def _distance(features: torch.Tensor, references: torch.Tensor) -> npt.NDArray[np.float32]:
    similarity, _ = nearest(features, references.to(features.device), 1)
    # The distance between vectors of length one.
    distance = (2 - 2 * similarity[:, 0]).clamp_min(0).sqrt()
    return np.asarray(distance.cpu().numpy())
