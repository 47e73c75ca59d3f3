"""Heads for unbalanced classes on frozen features: what each method gives rare classes, and costs the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from arttl.evaluation.logit_adjustment import adjust_logits, choose_adjustment
from arttl.evaluation.metrics import TaskMetrics, measure_task
from arttl.frozen.class_means import class_mean_head
from arttl.frozen.linear_probe import fit_probe
from arttl.frozen.tokens import Samples, standardise
from arttl.inference.calibration import fit_temperature
from arttl.models.losses import log_prior, summed_loss
from arttl.tasks import Task

PLAIN = "logistic regression"
AFTERWARDS = "adjusted afterwards"
IN_TRAINING = "adjusted in training"
BALANCED = "class-balanced weights"
CLASS_MEANS = "class means"
METHODS = (PLAIN, AFTERWARDS, IN_TRAINING, BALANCED, CLASS_MEANS)


@dataclass(frozen=True)
class RebalanceOutcome:
    """A head for one task on one split.

    Attributes:
        method: one of `METHODS`.
        detail: what was chosen on the validation split.
        rows: [N] rows of the manifest, of the test samples.
        logits: [N, Q] float64.
        targets: [N] int64.
        metrics: of them, by class size too, and calibrated by a temperature of this method's own.
    """

    method: str
    detail: str
    rows: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float64]
    targets: npt.NDArray[np.int64]
    metrics: TaskMetrics


def fit_methods(task: Task, samples: Mapping[str, Samples]) -> list[RebalanceOutcome]:
    """Fit a head by every method, solved to convergence, in the order of `METHODS`.

    * `logistic regression`: as `arttl train --mode off-the-shelf` fits it.
    * `adjusted afterwards`: its logits less a multiple of the log-prior, chosen on the validation split for balanced
      accuracy (Menon et al. 2021, equation 9).
    * `adjusted in training`: the log-prior added to the logits in the loss (Menon et al. 2021, equation 10).
    * `class-balanced weights`: each sample weighted by one over its class's size, which is the loss that
      class-balanced sampling has in expectation.
    * `class means`: the nearest class mean by cosine, which frequent and rare classes enter alike.

    Args:
        task: a single-label task.
        samples: split name to samples with one token, the features as the network gives them.
    """
    standardised, _, _ = standardise(samples)
    train, val = standardised["train"], standardised["val"]
    device = train.targets.device
    targets = {split: of_split.targets.cpu() for split, of_split in samples.items()}

    def linear(weight: torch.Tensor, bias: torch.Tensor) -> dict[str, torch.Tensor]:
        return {
            split: (standardised[split].tokens[0] @ weight.T + bias).cpu().double()
            for split in ("val", "test")
        }

    def outcome(method: str, detail: str, logits: Mapping[str, torch.Tensor]) -> RebalanceOutcome:
        temperature = fit_temperature(task, logits["val"], targets["val"])
        metrics = measure_task(task, logits["test"], targets["test"], temperature=temperature, replicates=0)
        rows = samples["test"].rows.numpy()
        return RebalanceOutcome(
            method, detail, rows, logits["test"].numpy(), targets["test"].numpy(), metrics
        )

    plain = fit_probe(task, train, val)
    logits = linear(plain.weight, plain.bias)
    strength = choose_adjustment(task, logits["val"], targets["val"]).strength
    adjusted = {split: adjust_logits(task, of_split, strength) for split, of_split in logits.items()}
    outcomes = [
        outcome(PLAIN, f"C = {plain.inverse_l2:g}", logits),
        outcome(AFTERWARDS, f"strength {strength:g}", adjusted),
    ]
    counts = torch.tensor(task.vocabulary.counts, dtype=torch.float32, device=device)
    weights = counts.sum() / (len(counts) * counts.clamp_min(1))
    for method, loss in (
        (IN_TRAINING, partial(summed_loss, task, log_prior=log_prior(task).to(device))),
        (BALANCED, partial(F.cross_entropy, weight=weights, reduction="sum")),
    ):
        probe = fit_probe(task, train, val, loss=loss)
        outcomes.append(outcome(method, f"C = {probe.inverse_l2:g}", linear(probe.weight, probe.bias)))
    return [*outcomes, outcome(CLASS_MEANS, "cosine", linear(*class_mean_head(task, train)))]
