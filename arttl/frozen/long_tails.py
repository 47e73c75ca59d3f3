"""Heads for long tails on cached features: what each remedy gives the rare classes, and takes from the others."""

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
from arttl.frozen.tokens import Samples
from arttl.inference.calibration import fit_temperature
from arttl.models.losses import log_prior, summed_loss
from arttl.tasks import Task

PLAIN = "logistic regression"
AFTERWARDS = "adjusted afterwards"
IN_TRAINING = "adjusted in training"
EVENLY = "classes drawn evenly"
CLASS_MEANS = "class means"
REMEDIES = (PLAIN, AFTERWARDS, IN_TRAINING, EVENLY, CLASS_MEANS)


@dataclass(frozen=True)
class TailOutcome:
    """A head for one task on one split.

    Attributes:
        remedy: one of `REMEDIES`.
        detail: what was chosen on the validation split.
        rows: [N] rows of the manifest, of the test samples.
        logits: [N, Q] float64.
        targets: [N] int64.
        metrics: of them, by class size too, and calibrated by a temperature of this remedy's own.
    """

    remedy: str
    detail: str
    rows: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float64]
    targets: npt.NDArray[np.int64]
    metrics: TaskMetrics


def fit_remedies(task: Task, samples: Mapping[str, Samples]) -> list[TailOutcome]:
    """Fit a head for every remedy, solved to convergence, in the order of `REMEDIES`.

    * `logistic regression`: as `arttl train --mode off-the-shelf` fits it.
    * `adjusted afterwards`: its answers less a multiple of the log-prior, chosen on the validation split for balanced
      accuracy (Menon et al. 2021, equation 9).
    * `adjusted in training`: the log-prior added to the logits in the loss (Menon et al. 2021, equation 10).
    * `classes drawn evenly`: each sample weighed by one over its class's size, which is the loss that class-balanced
      sampling has in expectation.
    * `class means`: the nearest class mean by cosine, which frequent and rare classes enter alike.

    Args:
        task: a single-label task.
        samples: split name to samples with one token, the features as the network gives them.
    """
    (train,) = samples["train"].tokens
    mean, std = train.mean(0), train.std(0).clamp_min(1e-6)
    scaled = {split: one.standardised(mean, std) for split, one in samples.items()}
    train_features, val_features = (scaled[split].features(task) for split in ("train", "val"))
    targets = {split: one.targets.cpu() for split, one in samples.items()}

    def said(weight: torch.Tensor, bias: torch.Tensor) -> dict[str, torch.Tensor]:
        return {
            split: (scaled[split].tokens[0] @ weight.T + bias).cpu().double() for split in ("val", "test")
        }

    def outcome(remedy: str, detail: str, logits: Mapping[str, torch.Tensor]) -> TailOutcome:
        temperature = fit_temperature(task, logits["val"], targets["val"])
        metrics = measure_task(task, logits["test"], targets["test"], temperature=temperature, replicates=0)
        rows = samples["test"].rows.numpy()
        return TailOutcome(remedy, detail, rows, logits["test"].numpy(), targets["test"].numpy(), metrics)

    plain = fit_probe(task, train_features, val_features)
    logits = said(plain.weight, plain.bias)
    found = [outcome(PLAIN, f"C = {plain.inverse_l2:g}", logits)]
    strength = choose_adjustment(task, logits["val"], targets["val"]).strength
    adjusted = {split: adjust_logits(task, one, strength) for split, one in logits.items()}
    found.append(outcome(AFTERWARDS, f"strength {strength:g}", adjusted))
    prior = log_prior(task).to(train.device)
    counts = torch.tensor(task.vocabulary.counts, dtype=torch.float32, device=train.device)
    weights = counts.sum() / (len(counts) * counts.clamp_min(1))
    for remedy, loss in (
        (IN_TRAINING, partial(summed_loss, task, log_prior=prior)),
        (EVENLY, partial(_weighed_loss, weights)),
    ):
        probe = fit_probe(task, train_features, val_features, loss=loss)
        found.append(outcome(remedy, f"C = {probe.inverse_l2:g}", said(probe.weight, probe.bias)))
    found.append(outcome(CLASS_MEANS, "cosine", said(*class_mean_head(task, scaled["train"]))))
    return found


def _weighed_loss(weights: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits, targets, weight=weights, reduction="sum")
