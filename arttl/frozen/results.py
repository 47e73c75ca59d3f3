"""What studies on cached features and training leave at their end: the test split's figures, written last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from arttl.evaluation.classes import class_tables, write_classes
from arttl.evaluation.metrics import TaskMetrics, measure_predictions, metrics_to_json
from arttl.files import make_folder, whole_folder, write_json
from arttl.inference.predictions import Predictions
from arttl.inference.promises import catalogued_rows, fit_promises, reference_rows
from arttl.models import MultiTaskModel
from arttl.models.fusion import FusedModel
from arttl.runs import RunFolder, flat_settings, write_config
from arttl.settings import Settings
from arttl.splits.redraw import SplitAssignment
from arttl.tasks import TaskSet, is_labelled


def finish_run(run: RunFolder, predictions: Predictions) -> dict[str, TaskMetrics]:
    """Write what a run folder ends with.

    Args:
        run: the folder, with its model.
        predictions: on the test split, with the model's temperatures.

    Returns:
        Task name to metrics on the test split.

    Raises:
        ArttlError: if something cannot be written.
    """
    metrics = measure_predictions(predictions)
    run.finish(
        metrics_to_json(metrics),
        predictions=predictions.write,
        classes=lambda path: write_classes(path, class_tables(predictions)),
    )
    return metrics


def write_run(
    out: Path,
    settings: Settings,
    model: MultiTaskModel | FusedModel,
    split: SplitAssignment,
    logits: Mapping[str, torch.Tensor],
    features: Callable[[npt.NDArray[np.int64]], torch.Tensor],
    lines: Sequence[Mapping[str, object]],
) -> None:
    """Write the run folder of a model on cached features; the folder appears whole.

    Args:
        out: the folder; replaced where it exists.
        settings: of the command, for `config.yaml`.
        model: for `best/`; gets its calibration.
        split: that it was fitted on.
        logits: task name to its logits [rows, Q] of every row of the manifest.
        features: gives what the model's heads see of rows of the manifest, [N, D].
        lines: of `metrics.jsonl`, every head that was fitted and its measures.

    Raises:
        ArttlError: if the folder cannot be written.
    """
    validation = predictions_of_split(split, "val", model.tasks, logits, of_classes=False)
    model.calibration = validation.calibrate()
    promises = fit_promises(
        validation.calibrated(model.calibration),
        features(validation.rows),
        features(reference_rows(split.rows("train"))),
    )
    predictions = predictions_of_split(split, "test", model.tasks, logits).calibrated(model.calibration)
    with whole_folder(out) as unfinished:
        run = RunFolder(unfinished)
        run.begin(flat_settings(settings), model.tasks)
        run.append(*lines)
        model.save(run.best)
        promises.save(run.best)
        finish_run(run, predictions)


def write_figures(out: Path, settings: Settings, name: str, figures: object) -> None:
    """Write the folder of a study that leaves no model: its `config.yaml`, and last its figures as JSON.

    Raises:
        ArttlError: if the folder cannot be written.
    """
    make_folder(out)
    write_config(out, flat_settings(settings))
    write_json(out / name, figures)


def predictions_of_split(
    split: SplitAssignment,
    part: str,
    tasks: TaskSet,
    logits: Mapping[str, torch.Tensor],
    *,
    of_classes: bool = True,
) -> Predictions:
    """Predictions from logits of every row of the manifest.

    Args:
        split: which row is in which part.
        part: train, val or test.
        tasks: what was predicted.
        logits: task name to [rows, Q].
        of_classes: leave out rows whose labels are no classes of the tasks.

    Returns:
        Those of the part's rows that carry a label of any of the tasks, as the loaders give them.
    """
    labelled = catalogued_rows(split.labels, tasks, split.rows(part))
    if of_classes:
        targets = [task.targets(split.labels(task.name))[labelled] for task in tasks]
        labelled = labelled[np.any([is_labelled(of_task) for of_task in targets], axis=0)]
    return Predictions.of_rows(
        tasks,
        split.manifest,
        labelled,
        {name: of_task.cpu().numpy()[labelled] for name, of_task in logits.items()},
    )
