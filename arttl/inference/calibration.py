"""How far a model's probabilities can be believed: calibration error, and the temperature that mends it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from arttl.errors import ArttlError
from arttl.files import write_json
from arttl.models.solver import Tolerances, minimise
from arttl.tasks import Task, TaskSet, is_labelled

BINS = 15
FILE = "calibration.json"
FORMAT_VERSION = 1

_LEAST_SAMPLES = 30  # a temperature of fewer is noise: the error on other samples rises as often as it falls


@dataclass(frozen=True)
class TaskCalibration:
    """One task's temperature and what it did on the samples that it was fitted on.

    Attributes:
        temperature: what logits are divided by before the softmax or sigmoid; above 1 where a model is too sure.
        error_before, error_after: expected calibration error, 0 to 1.
        n: samples.
    """

    temperature: float
    error_before: float
    error_after: float
    n: int


@dataclass(frozen=True)
class Calibration:
    """The temperatures of a model's tasks, kept beside it in `calibration.json`.

    Attributes:
        split: what they were fitted on.
        tasks: task name to calibration; a number has none, nor has a task with too few samples.
    """

    split: str
    tasks: Mapping[str, TaskCalibration]

    @property
    def temperatures(self) -> dict[str, float]:
        """Task name to temperature."""
        return {name: found.temperature for name, found in self.tasks.items()}

    def save(self, folder: Path) -> None:
        """Write `calibration.json` into a model's folder; it appears whole."""
        described = {
            "format_version": FORMAT_VERSION,
            "split": self.split,
            "tasks": {name: asdict(found) for name, found in self.tasks.items()},
        }
        write_json(folder / FILE, described)

    @classmethod
    def load(cls, folder: Path) -> Calibration | None:
        """Read a model folder's calibration; None where it has none.

        Raises:
            ArttlError: if the file is no calibration.
        """
        path = folder / FILE
        if not path.is_file():
            return None
        try:
            described = json.loads(path.read_text(encoding="utf-8"))
            if described["format_version"] != FORMAT_VERSION:
                raise ValueError(
                    f"format {described['format_version']!r}, this version reads {FORMAT_VERSION}"
                )
            tasks = {str(name): _task_calibration(found) for name, found in described["tasks"].items()}
            return cls(str(described["split"]), tasks)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArttlError(
                f"{path} is not a calibration ({error}); without the file the model is used uncalibrated"
            ) from error


def _task_calibration(described: Mapping[str, Any]) -> TaskCalibration:
    found = TaskCalibration(
        float(described["temperature"]),
        float(described["error_before"]),
        float(described["error_after"]),
        int(described["n"]),
    )
    if not 0 < found.temperature < math.inf:
        raise ValueError(f"a temperature of {found.temperature}")
    return found


def calibrate(
    tasks: TaskSet,
    logits: Mapping[str, torch.Tensor],
    targets: Mapping[str, torch.Tensor],
    split: str = "val",
) -> Calibration:
    """Fit a temperature a task (Guo et al. 2017, section 4.2).

    Args:
        tasks: what was predicted.
        logits: task name to [N, Q], of samples that no weight was trained on.
        targets: task name to [N] or [N, Q], unknown ones included.
        split: their name.
    """
    found = {}
    for task in tasks:
        if task.kind == "number":
            continue
        labelled = torch.from_numpy(is_labelled(targets[task.name].numpy()))
        if int(labelled.sum()) < _LEAST_SAMPLES:
            continue
        some_logits, some_targets = logits[task.name][labelled], targets[task.name][labelled]
        temperature = fit_temperature(task, some_logits, some_targets)
        errors = [
            calibration_error(task, (some_logits.double() / by).numpy(), some_targets.numpy())
            for by in (1.0, temperature)
        ]
        found[task.name] = TaskCalibration(temperature, errors[0], errors[1], len(some_logits))
    return Calibration(split, found)


def fit_temperature(task: Task, logits: torch.Tensor, targets: torch.Tensor) -> float:
    """The temperature with the lowest loss, by L-BFGS on its logarithm.

    Args:
        task: a single-label or multi-label task; a multi-label one has one temperature for all its sigmoids.
        logits: [N, Q], of labelled samples only.
        targets: [N] int64 or [N, Q] float.
    """
    logits = logits.detach().double()
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)

    def loss() -> torch.Tensor:
        scaled = logits * torch.exp(-log_temperature)
        if task.kind == "single-label":
            loss = F.cross_entropy(scaled, targets)
        else:
            loss = F.binary_cross_entropy_with_logits(scaled, targets.double())
        # Where every prediction is right the loss falls for ever with the temperature; the term keeps it finite.
        return loss + 1e-3 / len(logits) * log_temperature.square()

    minimise([log_temperature], loss, Tolerances(gradient=1e-9, change=1e-12))
    return float(log_temperature.detach().exp())


def calibration_error(task: Task, logits: npt.NDArray[Any], targets: npt.NDArray[Any]) -> float:
    """Expected calibration error (Naeini et al. 2015) over 15 bins of equal width, 0 to 1.

    The mean, weighted by the bins' sizes, of how far the mean probability in a bin is from the share that is right:
    of the likeliest class for a single-label task, of every class of every sample for a multi-label one.

    Args:
        task: a single-label or multi-label task.
        logits: [N, Q], of labelled samples only.
        targets: [N] integers or [N, Q] of 0 and 1.
    """
    if task.kind == "single-label":
        probability, right = confidence(task, logits), logits.argmax(1) == targets
    else:
        probability, right = _sigmoid(logits).reshape(-1), (targets > 0.5).reshape(-1)
    # Bins (a, b], as Guo et al. 2017 have them; 0 goes into the first.
    bins = np.clip(np.ceil(probability * BINS).astype(np.int64) - 1, 0, BINS - 1)
    gap = np.bincount(bins, weights=probability - right, minlength=BINS)
    return float(np.abs(gap).sum() / max(1, len(probability)))


def confidence(task: Task, logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The probability of the likeliest class, [N], from logits [N, Q] of a single-label or multi-label task."""
    logits = np.asarray(logits, dtype=np.float64)
    if task.kind == "multi-label":
        return _sigmoid(logits.max(1))
    return np.asarray(1 / np.exp(logits - logits.max(1, keepdims=True)).sum(1))


def _sigmoid(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.tanh(np.asarray(logits, dtype=np.float64) / 2)))  # no overflow
