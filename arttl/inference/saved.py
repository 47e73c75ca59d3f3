"""Predictions on disk: a Parquet table that people can open and that tests between models can be computed from.

One row per sample: `row` (of the manifest), `key`, `object_number`, and for each task `TASK.catalogued` (the labels of
the catalogue; null where unknown), `TASK.predicted` (labels, likeliest first), `TASK.probability` (of the first;
calibrated where the model is; null for a number) and `TASK.logits` (float32, as the network gave them, in the order of
the classes). The schema's metadata holds the tasks and their temperatures as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from arttl.errors import ArttlError
from arttl.files import whole_file
from arttl.inference.labels import predict_labels
from arttl.runs import PREDICTIONS
from arttl.tasks import Task, TaskSet

TASKS, TEMPERATURES = b"arttl.tasks", b"arttl.temperatures"  # keys of the metadata


@dataclass(frozen=True)
class SavedPredictions:
    """What a model predicted of a split, with what is needed to measure it again.

    Attributes:
        tasks: what was predicted.
        rows: [N] int64, rows of the manifest.
        keys, object_numbers: of each sample.
        catalogued: task name to each sample's labels; None where unknown.
        logits: task name to [N, Q] float32.
        temperatures: task name to the temperature of the model's calibration, for tasks that have one.
    """

    tasks: TaskSet
    rows: npt.NDArray[np.int64]
    keys: list[str]
    object_numbers: list[str]
    catalogued: Mapping[str, list[tuple[str, ...] | None]]
    logits: Mapping[str, npt.NDArray[np.float32]]
    temperatures: Mapping[str, float]

    @cached_property
    def targets(self) -> dict[str, npt.NDArray[Any]]:
        """Task name to [N] or [N, Q], see `Task.targets`."""
        return {task.name: task.targets(self.catalogued[task.name]) for task in self.tasks}


def write_predictions(path: Path, predictions: SavedPredictions) -> None:
    """Write the table; it appears whole."""
    columns: dict[str, Any] = {
        "row": predictions.rows,
        "key": pa.array(predictions.keys, pa.string()),
        "object_number": pa.array(predictions.object_numbers, pa.string()),
    }
    for task in predictions.tasks:
        logits = np.ascontiguousarray(predictions.logits[task.name], dtype=np.float32)
        labels = predict_labels(task, logits, predictions.temperatures.get(task.name, 1.0))
        catalogued = pa.array(predictions.catalogued[task.name], pa.list_(pa.string()))
        columns[f"{task.name}.catalogued"] = catalogued
        columns[f"{task.name}.predicted"] = pa.array([row.names for row in labels], pa.list_(pa.string()))
        columns[f"{task.name}.probability"] = pa.array(
            [row.labels[0].probability for row in labels], pa.float64()
        )
        columns[f"{task.name}.logits"] = pa.FixedSizeListArray.from_arrays(
            pa.array(logits.reshape(-1)), task.outputs
        )
    metadata = {
        TASKS: json.dumps(predictions.tasks.to_dict(), ensure_ascii=False).encode(),
        TEMPERATURES: json.dumps(dict(predictions.temperatures), ensure_ascii=False).encode(),
    }
    table = pa.table(columns).replace_schema_metadata(metadata)
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_predictions(path: Path) -> SavedPredictions:
    """Read what `write_predictions` has written.

    Args:
        path: the file, or the folder of a run that holds it as `predictions.parquet`.

    Raises:
        ArttlError: if there is none, or it holds no logits.
    """
    file = path / PREDICTIONS if path.is_dir() else path
    if not file.is_file():
        raise ArttlError(
            f"{path} holds no predictions.parquet; name a run's folder, or a file that arttl evaluate --predictions"
            " has written"
        )
    try:
        table = pq.read_table(file)
        metadata = table.schema.metadata or {}
        if TASKS not in metadata:
            raise ValueError("it holds labels and no logits, as earlier versions wrote it")
        tasks = TaskSet.from_dict(json.loads(metadata[TASKS]))
        return SavedPredictions(
            tasks=tasks,
            rows=table.column("row").to_numpy(),
            keys=table.column("key").to_pylist(),
            object_numbers=table.column("object_number").to_pylist(),
            catalogued={
                task.name: [
                    tuple(labels) if labels else None
                    for labels in table.column(f"{task.name}.catalogued").to_pylist()
                ]
                for task in tasks
            },
            logits={task.name: _logits(table, task) for task in tasks},
            temperatures={
                str(name): float(value)
                for name, value in json.loads(metadata.get(TEMPERATURES, b"{}")).items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException, ArttlError) as error:
        raise ArttlError(
            f"the predictions in {file} cannot be read: {str(error).splitlines()[0]}; write them again with arttl"
            " evaluate --predictions"
        ) from error


def _logits(table: pa.Table, task: Task) -> npt.NDArray[np.float32]:
    column = table.column(f"{task.name}.logits").combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return np.asarray(flat.reshape(len(table), task.outputs))
