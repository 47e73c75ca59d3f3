"""`arttl evaluate`: measure a saved model on any shards."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console

from arttl.errors import ArttlError
from arttl.evaluation.metrics import TaskMetrics, metrics_to_json
from arttl.evaluation.predictions import predict
from arttl.evaluation.report import metrics_table
from arttl.loading import open_loader
from arttl.models import load_model
from arttl.packing.manifest import Manifest
from arttl.tasks import TaskSet


@dataclass(frozen=True)
class EvaluateSettings:
    """Measure a saved model on a split of any shards."""

    model: Path
    """Folder of a model, or of the run that made it."""
    shards: Path
    """Folder of shards."""
    split: str = "test"
    """Split to measure on."""
    json: Path | None = None
    """File for the figures, as JSON."""
    predictions: Path | None = None
    """Parquet file for what was predicted of each sample."""
    batch_size: int = 64
    """Samples per step."""
    engine: Literal["auto", "dali-gpu", "dali-cpu", "cpu"] = "auto"
    """What decodes the pictures."""
    threads: int | None = None
    """Decoding threads; by default one a core."""


def evaluate(settings: EvaluateSettings) -> dict[str, TaskMetrics]:
    """Measure a model on the tasks that it and the shards have in common.

    Raises:
        ArttlError: if the model or shards cannot be read, or have no task in common.
    """
    model = load_model(settings.model)
    manifest = Manifest.read(settings.shards)
    tasks = TaskSet([task for task in model.tasks if task.name in manifest.task_names])
    if not len(tasks):
        raise ArttlError(
            f"{settings.model} predicts {', '.join(model.tasks.names)}, and {settings.shards} has labels for none of"
            f" these but for {', '.join(manifest.task_names) or 'nothing'}"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    loader = open_loader(
        manifest,
        settings.split,
        tasks,
        preprocess=model.preprocess,
        batch_size=settings.batch_size,
        engine=settings.engine,
        threads=settings.threads,
        shuffle=False,
        device=device,
    )
    found = predict(model.to(device), tasks, loader)
    if settings.predictions is not None:
        found.write(settings.predictions, manifest)
    return found.measure(manifest)


def run(settings: EvaluateSettings) -> None:
    """Measure, print a table and write the JSON."""
    metrics = evaluate(settings)
    console = Console(highlight=False)
    console.print(
        metrics_table(metrics, f"{settings.model} on {settings.shards}, {settings.split} split, per cent")
    )
    left_out = {name: found.unknown_class for name, found in metrics.items() if found.unknown_class}
    for name, count in left_out.items():
        console.print(f"{name}: {count} labelled sample(s) left out, whose class the model does not know")
    if settings.json is not None:
        try:
            settings.json.write_text(json.dumps(metrics_to_json(metrics), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise ArttlError(f"--json {settings.json} cannot be written: {error.strerror}") from error
