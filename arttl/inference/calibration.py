"""How well a model's probabilities are calibrated: the calibration error, and the temperature that corrects it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from arttl.inference.labels import probabilities
from arttl.models.calibration import Calibration, TaskCalibration
from arttl.models.solver import Tolerances, minimise
from arttl.tasks import Task, TaskSet, is_labelled

BINS = 15

_LEAST_SAMPLES = 30  # a temperature of fewer is noise: the error on other samples rises as often as it falls


def calibrate(
    tasks: TaskSet,
    logits: Mapping[str, npt.NDArray[Any]],
    targets: Mapping[str, npt.NDArray[Any]],
    split: str = "val",
) -> Calibration:
    """Fit one temperature per task (Guo et al. 2017, section 4.2).

    Args:
        tasks: what was predicted.
        logits: task name to [N, Q], of samples that no weight was trained on.
        targets: task name to [N] or [N, Q], unknown ones included.
        split: their name.
    """
    fitted = {}
    for task in tasks:
        labelled = is_labelled(targets[task.name])
        if task.kind == "number" or labelled.sum() < _LEAST_SAMPLES:
            continue
        known_logits, known_targets = logits[task.name][labelled], targets[task.name][labelled]
        temperature = fit_temperature(task, torch.from_numpy(known_logits), torch.from_numpy(known_targets))
        before, after = (
            calibration_error(task, known_logits, known_targets, divisor) for divisor in (1.0, temperature)
        )
        fitted[task.name] = TaskCalibration(temperature, before, after, len(known_logits))
    return Calibration(split, fitted)


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
        # Where every prediction is right the loss falls forever with the temperature; the term keeps it finite.
        return loss + 1e-3 / len(logits) * log_temperature.square()

    minimise([log_temperature], loss, Tolerances(gradient=1e-9, change=1e-12))
    return float(log_temperature.detach().exp())


def calibration_error(
    task: Task, logits: npt.NDArray[Any], targets: npt.NDArray[Any], temperature: float = 1.0
) -> float:
    """Expected calibration error (Naeini et al. 2015) over 15 bins of equal width, 0 to 1.

    The mean, weighted by the bins' sizes, of how far the mean probability in a bin is from the share that is right:
    of the likeliest class for a single-label task, of every class of every sample for a multi-label one.

    Args:
        task: a single-label or multi-label task.
        logits: [N, Q], of labelled samples only.
        targets: [N] integers or [N, Q] of 0 and 1.
        temperature: what the logits are divided by.
    """
    probability, right = probabilities(task, logits, temperature), targets > 0.5
    if task.kind == "single-label":
        probability, right = probability.max(1), logits.argmax(1) == targets
    probability, right = probability.reshape(-1), right.reshape(-1)
    # Bins (a, b], as Guo et al. 2017 have them; 0 goes into the first.
    bins = np.clip(np.ceil(probability * BINS).astype(np.int64) - 1, 0, BINS - 1)
    gap = np.bincount(bins, weights=probability - right, minlength=BINS)
    return float(np.abs(gap).sum() / max(1, len(probability)))
