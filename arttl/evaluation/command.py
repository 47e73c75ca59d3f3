"""`arttl evaluate`: measure a saved model on any shards."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from arttl.console import Console, Reporter
from arttl.cpu import prepare_cpu_for_inference
from arttl.errors import ArttlError
from arttl.evaluation.bootstrap import group_column, groups_of
from arttl.evaluation.classes import class_tables, write_classes
from arttl.evaluation.metrics import TaskMetrics, measure_predictions, metrics_to_json
from arttl.evaluation.report import bands_table, metrics_table
from arttl.files import write_json
from arttl.inference.predict import predict
from arttl.label_use import describe_task
from arttl.loading import open_loader, read_manifest
from arttl.loading.settings import DecodingSettings
from arttl.loading.views import Views
from arttl.models import load_trained_model
from arttl.settings import AtLeastOne, OutputFile, Settings
from arttl.tasks import TaskSet


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(Settings):
    """Measure a saved model on a split of any shards."""

    model: Path
    """Folder of a model, or of the run that made it."""
    shards: Path
    """Folder of shards."""
    split: str = "test"
    """Split to measure on."""
    group_by: str | None = None
    """Resample whole groups for the intervals: object_number, or a task, whose samples of one label belong together."""
    json: OutputFile | None = None
    """File for the figures, as JSON."""
    classes_csv: OutputFile | None = None
    """File for the table of classes, as CSV: precision, recall, and what a class is most often mistaken for."""
    predictions: OutputFile | None = None
    """Parquet file for what was predicted of each sample; `arttl compare` reads it."""
    batch_size: AtLeastOne = 64
    """Samples per step."""
    decoding: DecodingSettings = field(default_factory=DecodingSettings)


def evaluate(settings: EvaluateSettings) -> dict[str, TaskMetrics]:
    """Measure a model on the tasks that it and the shards have in common, after printing what their labels are worth.

    Raises:
        ArttlError: if the model or shards cannot be read, or have no task in common.
    """
    model = load_trained_model(settings.model)
    manifest = read_manifest(settings.shards)
    groups = None
    if settings.group_by is not None:
        column = group_column(
            settings.group_by,
            manifest.object_numbers,
            {name: manifest.labels(name) for name in manifest.task_names},
            str(manifest.directory),
        )
        groups = groups_of(column)
    tasks = TaskSet([task for task in model.tasks if task.name in manifest.task_names])
    if not len(tasks):
        raise ArttlError(
            f"{settings.model} predicts {', '.join(model.tasks.names)}, and {settings.shards} has labels for none of"
            f" these but for {', '.join(manifest.task_names) or 'nothing'}"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        prepare_cpu_for_inference()
    views = Views.open(
        model.preprocesses,
        lambda preprocess: open_loader(
            manifest,
            settings.split,
            tasks,
            preprocess=preprocess,
            batch_size=settings.batch_size,
            **settings.decoding.flat(),
            shuffle=False,
            device=device,
        ),
    )
    rows = manifest.rows(settings.split).tolist()
    for task in tasks:
        labels = manifest.labels(task.name)
        Reporter(True).say(f"{settings.split} split, {describe_task(task, [labels[row] for row in rows])}")
    predictions = predict(model.to(device), tasks, views, manifest).calibrated(model.calibration)
    if settings.predictions is not None:
        predictions.write(settings.predictions)
    if settings.classes_csv is not None:
        write_classes(settings.classes_csv, class_tables(predictions))
    return measure_predictions(predictions, groups=groups)


def run(settings: EvaluateSettings) -> None:
    """Measure, print tables and write the JSON."""
    metrics = evaluate(settings)
    console = Console(highlight=False)
    console.print(
        metrics_table(metrics, f"{settings.model} on {settings.shards}, {settings.split} split, per cent")
    )
    if (bands := bands_table(metrics)) is not None:
        console.print(bands)
    if settings.json is not None:
        write_json(settings.json, metrics_to_json(metrics))
