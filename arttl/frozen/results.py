"""The run folder of training on cached features; it is written at the end, and appears whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from arttl.evaluation.classes import class_tables, write_classes
from arttl.evaluation.metrics import TaskMetrics, measure_predictions, metrics_to_json
from arttl.files import whole_folder
from arttl.inference.predictions import Predictions
from arttl.models import MultiTaskModel
from arttl.models.fusion import FusedModel
from arttl.runs import RunFolder, flat_settings
from arttl.shards.manifest import Manifest
from arttl.splits.redraw import SplitAssignment
from arttl.tasks import TaskSet, is_labelled


def write_run(
    out: Path,
    settings: object,
    model: MultiTaskModel | FusedModel,
    lines: Sequence[Mapping[str, object]],
    val: Predictions,
    test: Predictions,
    manifest: Manifest,
) -> dict[str, TaskMetrics]:
    """Write a run folder: the model with its temperatures, what it says of the test split, and what else was tried.

    Args:
        out: the folder; replaced where it exists.
        settings: the dataclass of the command, for `config.yaml`.
        model: for `best/`.
        lines: of `metrics.jsonl`, everything that was trained and how well it did.
        val: its answers on the validation split, for the temperatures.
        test: its answers on the test split.
        manifest: of the shards.

    Returns:
        Task name to metrics on the test split.

    Raises:
        ArttlError: if the folder cannot be written.
    """
    model.calibration = val.calibrate()
    metrics = measure_predictions(test, manifest, model.calibration)
    with whole_folder(out) as unfinished:
        run = RunFolder(unfinished)
        run.begin(flat_settings(settings), model.tasks)
        run.append(*lines)
        model.save(run.best)
        run.finish(
            metrics_to_json(metrics),
            predictions=lambda path: test.write(path, manifest, model.calibration),
            classes=lambda path: write_classes(path, class_tables(test)),
        )
    return metrics


def answers(
    draw: SplitAssignment, split: str, tasks: TaskSet, logits: Mapping[str, torch.Tensor]
) -> Predictions:
    """Predictions of one split from logits of every row of the manifest.

    Args:
        draw: tells the split.
        split: its name.
        tasks: what was predicted.
        logits: task name to [rows, Q].

    Returns:
        Those of the rows that carry a label of any of the tasks, as the loaders give them.
    """
    rows = draw.rows(split)
    targets = {task.name: task.targets(draw.labels(task.name))[rows] for task in tasks}
    known = np.any([is_labelled(found) for found in targets.values()], axis=0)
    kept = torch.from_numpy(rows[known])
    return Predictions(
        tasks,
        kept,
        {name: found.cpu()[kept] for name, found in logits.items()},
        {name: torch.from_numpy(found[known]) for name, found in targets.items()},
    )
