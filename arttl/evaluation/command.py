"""`arttl evaluate`: measure a saved model on any shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from arttl.console import Console, Reporter
from arttl.cpu import prepare_cpu_for_inference
from arttl.errors import ArttlError
from arttl.evaluation.bootstrap import group_column, groups_of
from arttl.evaluation.classes import class_tables, write_classes
from arttl.evaluation.kept_promises import KeptPromises, institutions_table, measure_promises, promises_table
from arttl.evaluation.metrics import TaskMetrics, measure_predictions, metrics_to_json
from arttl.evaluation.report import bands_table, metrics_table
from arttl.evaluation.settings import EvaluateSettings
from arttl.files import write_json
from arttl.inference.objects import object_names
from arttl.inference.predict import FEATURES, WithFeatures, gather_logits
from arttl.inference.predictions import Predictions
from arttl.inference.promises import Promises, catalogued_rows
from arttl.inference.suggestions import Suggester
from arttl.label_use import describe_task
from arttl.loading import open_loader, read_manifest
from arttl.loading.views import Views
from arttl.models import load_trained_model
from arttl.tasks import TaskSet


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        metrics: by name of the task.
        promises: what became of the model's promises, likewise; empty where it has none.
        sentences: what was promised.
    """

    metrics: dict[str, TaskMetrics]
    promises: dict[str, KeptPromises]
    sentences: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form: that of `metrics_to_json`, with `promises` in each task that has some."""
        described = metrics_to_json(self.metrics)
        for name, kept in self.promises.items():
            described["tasks"][name]["promises"] = kept.to_dict()
        return described


def evaluate(settings: EvaluateSettings) -> dict[str, TaskMetrics]:
    """The metrics of `measure`, which describes the errors."""
    return measure(settings).metrics


def measure(settings: EvaluateSettings) -> Evaluation:
    """Measure a model on the tasks that it and the shards have in common, after printing what their labels are worth.

    Raises:
        ArttlError: if the model or shards cannot be read, or have no task in common.
    """
    model = load_trained_model(settings.model)
    assert model.folder is not None
    promises = Promises.load(model.folder, model.tasks)
    manifest = read_manifest(settings.shards)
    groups = None
    if settings.group_by is not None:
        column = group_column(
            settings.group_by,
            object_names(manifest.object_numbers, manifest.institutions),
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
    rows = manifest.rows(settings.split)
    catalogued = catalogued_rows(manifest.labels, tasks, rows)
    if not len(catalogued):
        raise ArttlError(
            f"no sample of the split {settings.split!r} in {settings.shards} has a label for"
            f" {' or '.join(tasks.names)}"
        )
    views = Views.open(
        model.preprocesses,
        lambda preprocess: open_loader(
            manifest,
            settings.split,
            labelled=False,
            rows=catalogued,
            preprocess=preprocess,
            batch_size=settings.batch_size,
            **settings.decoding.flat(),
            shuffle=False,
            device=device,
        ),
    )
    for task in tasks:
        labels = manifest.labels(task.name)
        Reporter(True).say(
            f"{settings.split} split, {describe_task(task, [labels[row] for row in rows.tolist()])}"
        )
    numbers, outputs = gather_logits(
        WithFeatures(model.to(device)), views, gather=lambda tensor: tensor, on_batch=lambda: None
    )
    features = outputs.pop(FEATURES)
    logits = {name: outputs[name].numpy() for name in tasks.names}
    all_predictions = Predictions.of_rows(tasks, manifest, numbers.numpy(), logits).calibrated(
        model.calibration
    )
    suggester = Suggester(
        tasks,
        all_predictions.temperatures,
        promises,
        precision=settings.precision,
        coverage=settings.sets,
        per_object=settings.per_object,
    )
    kept = {}
    if promises is not None:
        institutions = [manifest.institutions[row] for row in numbers.tolist()]
        kept = measure_promises(all_predictions, features, suggester, institutions)
    predictions = all_predictions.of_classes()
    if settings.predictions is not None:
        predictions.write(settings.predictions)
    if settings.classes_csv is not None:
        write_classes(settings.classes_csv, class_tables(predictions))
    return Evaluation(measure_predictions(predictions, groups=groups), kept, tuple(suggester.sentences()))


def run(settings: EvaluateSettings) -> None:
    """Measure, print tables and write the JSON."""
    evaluation = measure(settings)
    console = Console(highlight=False)
    title = f"{settings.model} on {settings.shards}, {settings.split} split, per cent"
    console.print(metrics_table(evaluation.metrics, title))
    if (bands := bands_table(evaluation.metrics)) is not None:
        console.print(bands)
    for sentence in evaluation.sentences:
        Reporter(True).say(sentence)
    if evaluation.promises:
        console.print(promises_table(evaluation.promises, settings.precision, settings.sets))
        if (by_institution := institutions_table(evaluation.promises)) is not None:
            console.print(by_institution)
    if settings.json is not None:
        write_json(settings.json, evaluation.to_dict())
