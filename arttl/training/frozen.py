"""Off-the-shelf: one pass of the frozen backbone, then heads solved for on its features."""

from __future__ import annotations

import time

import torch
from accelerate import Accelerator

from arttl.frozen.linear_probe import fit_probe
from arttl.frozen.split_features import extract_features
from arttl.models import MultiTaskModel
from arttl.models.solver import INVERSE_L2_GRID
from arttl.training.loaders import Loaders
from arttl.training.report import EpochReporter
from arttl.training.settings import TrainSettings


def solve_heads(
    model: MultiTaskModel,
    settings: TrainSettings,
    loaders: Loaders,
    reporter: EpochReporter,
    accelerator: Accelerator,
) -> None:
    """Fit the heads, and nothing else, on standardised features; the standardisation ends up in the heads."""
    layers = model.heads.linear_layers()
    model.to(accelerator.device)
    features = {}
    started = time.perf_counter()
    for split in ("train", "val"):
        loader = loaders.open(split).first
        if split == "train":
            reporter.say(f"engine     {loader.engine_reason}")
        with reporter.progress(f"features of {split}", len(loader)) as bar:
            features[split] = extract_features(model.backbone, loader, accelerator.gather, bar.advance)
    count = sum(len(found.rows) for found in features.values())
    reporter.say(f"features of {count} samples in {time.perf_counter() - started:.1f} s")
    mean, std = features["train"].values.mean(0), features["train"].values.std(0).clamp_min(1e-6)
    mean, std = mean.to(accelerator.device), std.to(accelerator.device)
    for task, layer in zip(model.tasks, layers, strict=True):
        train, val = (
            features[split].samples(task, accelerator.device).standardised(mean, std)
            for split in ("train", "val")
        )
        with reporter.progress(f"heads of {task.name}", len(INVERSE_L2_GRID)) as bar:
            probe = fit_probe(task, train, val, settings.inverse_l2, lambda point: bar.advance())
        accuracy = "" if probe.val_accuracy is None else f", accuracy {100 * probe.val_accuracy:.1f}%"
        reporter.say(
            f"head       {task.name}: C = {probe.inverse_l2:g}, validation loss {probe.val_loss:.3f}{accuracy}"
        )
        reporter.write(
            {
                "task": task.name,
                "inverse_l2": probe.inverse_l2,
                "val_loss": probe.val_loss,
                "val_accuracy": probe.val_accuracy,
            }
        )
        with torch.no_grad():
            layer.weight.copy_(probe.weight)
            layer.bias.copy_(probe.bias)
    model.heads.absorb_standardisation(mean, std)
