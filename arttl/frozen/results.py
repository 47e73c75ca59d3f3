"""The run folder of training on cached features; it is written at the end, and appears whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cattrs
import numpy as np
import torch
import yaml

from arttl.errors import ArttlError
from arttl.evaluation.metrics import TaskMetrics, measure_predictions, metrics_to_json
from arttl.files import settle
from arttl.inference.predictions import Predictions
from arttl.models import MultiTaskModel
from arttl.models.fusion import FusedModel
from arttl.runs import write_environment
from arttl.shards.manifest import Manifest
from arttl.splits.redraw import Draw
from arttl.tasks import TaskSet, is_labelled


def check_out(out: Path, overwrite: bool) -> None:
    """Find out early that results cannot be written.

    Raises:
        ArttlError: if `out` holds a run and may not be replaced, or holds something else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / "config.yaml").is_file():
        raise ArttlError(f"{out} is no run folder; choose another --out")
    if not overwrite:
        raise ArttlError(f"{out} already holds a run; choose another --out, or pass --overwrite")


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
    unfinished = out.with_name(f".{out.name}.{os.getpid()}.unfinished")
    model.calibration = val.calibrate()
    metrics = measure_predictions(test, manifest, model.calibration)
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        (unfinished / "config.yaml").write_text(settings_to_yaml(settings), encoding="utf-8")
        model.tasks.save(unfinished / "tasks.json")
        write_environment(unfinished, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (unfinished / "metrics.jsonl").write_text(text, encoding="utf-8")
        model.save(unfinished / "best")
        test.write(unfinished / "predictions.parquet", manifest, model.calibration)
        found = json.dumps(metrics_to_json(metrics), indent=1) + "\n"
        (unfinished / "test.json").write_text(found, encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        settle(unfinished, out)
    except OSError as error:
        raise ArttlError(f"the run folder {out} cannot be written: {error.strerror}") from error
    return metrics


def settings_to_yaml(settings: object) -> str:
    """A settings dataclass as YAML."""
    converter = cattrs.Converter()
    converter.register_unstructure_hook(Path, str)
    told: Any = converter.unstructure(settings)
    return str(yaml.safe_dump(told, sort_keys=False, allow_unicode=True))


def answers(draw: Draw, split: str, tasks: TaskSet, logits: Mapping[str, torch.Tensor]) -> Predictions:
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
