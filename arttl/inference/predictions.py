"""A model's predictions of a split, in memory and as a Parquet table that people can open.

The table has one row per sample: `row` (of the manifest), `key`, `object_number`, `institution` where any is known, and
for each task `TASK.catalogued` (the labels of the catalogue; null where unknown), `TASK.predicted` (labels, likeliest
first), `TASK.probability` (of the first; calibrated where the model is; null for a number) and `TASK.logits` (float32,
as the network gave them, in the order of the classes). The schema's metadata holds the tasks and their temperatures as
JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from arttl.documents import parse_json
from arttl.errors import ArttlError, one_line
from arttl.files import whole_file
from arttl.inference.calibration import calibrate
from arttl.inference.labels import predict_labels
from arttl.inference.objects import Objects, object_names
from arttl.models.calibration import Calibration, check_temperatures
from arttl.runs import PREDICTIONS
from arttl.shards.manifest import Manifest
from arttl.shards.parquet import BYTES_PER_ROW, read_bounded_table
from arttl.tasks import Task, TaskSet, is_labelled

TASKS, TEMPERATURES = b"arttl.tasks", b"arttl.temperatures"  # keys of the metadata
_INSTITUTION = "institution"


@dataclass(frozen=True)
class Predictions:
    """What a model predicted of a split, with all that is needed to measure it.

    Attributes:
        tasks: what was predicted.
        rows: [N] int64, rows of the manifest.
        keys, object_numbers: of each sample.
        catalogued: task name to each sample's labels; None where unknown.
        logits: task name to [N, Q] float32.
        temperatures: task name to the temperature of the model's calibration, for tasks that have one.
        institutions: of each sample, None where it is unknown; empty: of none is it known.
    """

    tasks: TaskSet
    rows: npt.NDArray[np.int64]
    keys: list[str]
    object_numbers: list[str]
    catalogued: Mapping[str, Sequence[tuple[str, ...] | None]]
    logits: Mapping[str, npt.NDArray[np.float32]]
    temperatures: Mapping[str, float] = field(default_factory=dict)
    institutions: Sequence[str | None] = ()

    @classmethod
    def of_rows(
        cls,
        tasks: TaskSet,
        manifest: Manifest,
        rows: npt.NDArray[np.int64],
        logits: Mapping[str, npt.NDArray[np.float32]],
    ) -> Predictions:
        """Predictions of some rows of a manifest, with its keys and labels.

        Args:
            tasks: what was predicted.
            manifest: of the shards.
            rows: [N], ascending.
            logits: task name to [N, Q], in the order of the rows.

        Raises:
            ArttlError: for logits that are not finite, whose largest is of no class.
        """

        def chosen(column: Sequence[Any]) -> list[Any]:
            return [column[row] for row in rows.tolist()]

        catalogued = {name: chosen(manifest.labels(name)) for name in tasks.names}
        keys = chosen(manifest.keys)
        if broken := _not_finite(keys, {name: logits[name] for name in tasks.names}):
            raise ArttlError(f"{broken}: the network overflows, train it again or use another model")
        return cls(
            tasks,
            rows,
            keys,
            chosen(manifest.object_numbers),
            catalogued,
            logits,
            institutions=chosen(manifest.institutions),
        )

    @cached_property
    def objects(self) -> Objects:
        """The objects of the samples."""
        return Objects.of(object_names(self.object_numbers, self.institutions), self.keys)

    @cached_property
    def targets(self) -> dict[str, npt.NDArray[Any]]:
        """Task name to [N] or [N, Q], see `Task.targets`."""
        return {task.name: task.targets(self.catalogued[task.name]) for task in self.tasks}

    def labelled(self, task: Task) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """The samples that carry a label: their rows [M], logits [M, Q] and targets [M] or [M, Q]."""
        known = is_labelled(self.targets[task.name])
        return self.rows[known], self.logits[task.name][known], self.targets[task.name][known]

    def of_classes(self) -> Predictions:
        """The samples that carry a label of a task, which is a class of it or a number."""
        known = np.any([is_labelled(self.targets[name]) for name in self.tasks.names], axis=0)
        chosen = np.flatnonzero(known).tolist()
        return Predictions(
            self.tasks,
            self.rows[known],
            [self.keys[index] for index in chosen],
            [self.object_numbers[index] for index in chosen],
            {name: [labels[index] for index in chosen] for name, labels in self.catalogued.items()},
            {name: logits[known] for name, logits in self.logits.items()},
            self.temperatures,
            [self.institutions[index] for index in chosen] if self.institutions else (),
        )

    def calibrate(self, split: str = "val") -> Calibration:
        """The temperatures that suit these logits, which are of the split of that name."""
        return calibrate(self.tasks, self.logits, self.targets, split)

    def calibrated(self, calibration: Calibration | None) -> Predictions:
        """The same predictions with a model's temperatures; logits stay as they are."""
        return replace(self, temperatures=calibration.temperatures if calibration else {})

    def write(self, path: Path) -> None:
        """Write the table; it appears whole."""
        columns: dict[str, Any] = {
            "row": self.rows,
            "key": pa.array(self.keys, pa.string()),
            "object_number": pa.array(self.object_numbers, pa.string()),
        }
        if any(self.institutions):
            columns[_INSTITUTION] = pa.array(self.institutions, pa.string())
        names = pa.list_(pa.string())
        for task in self.tasks:
            logits = np.ascontiguousarray(self.logits[task.name], dtype=np.float32)
            labels = predict_labels(task, logits, self.temperatures.get(task.name, 1.0))
            probabilities = [row.labels[0].probability for row in labels]
            columns |= {
                f"{task.name}.catalogued": pa.array(self.catalogued[task.name], names),
                f"{task.name}.predicted": pa.array([row.names for row in labels], names),
                f"{task.name}.probability": pa.array(probabilities, pa.float64()),
                f"{task.name}.logits": pa.FixedSizeListArray.from_arrays(
                    pa.array(logits.reshape(-1)), task.outputs
                ),
            }
        metadata = {TASKS: self.tasks.to_dict(), TEMPERATURES: dict(self.temperatures)}
        table = pa.table(columns).replace_schema_metadata(
            {key: json.dumps(value, ensure_ascii=False).encode() for key, value in metadata.items()}
        )
        with whole_file(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    @classmethod
    def read(cls, path: Path) -> Predictions:
        """Read what `write` has written.

        Args:
            path: the file, or the folder of a run that holds it as `predictions.parquet`.

        Raises:
            ArttlError: if there is none, or it holds no logits or some that are not finite.
        """
        file = path / PREDICTIONS if path.is_dir() else path
        if not file.is_file():
            raise ArttlError(
                f"{path} holds no predictions.parquet; name a run's folder, or a file that arttl evaluate"
                " --predictions has written"
            )
        try:
            return cls._read(file)
        except (ArttlError, OSError, ValueError, pa.ArrowException) as error:
            raise ArttlError(
                f"the predictions in {file} cannot be read: {one_line(error)}; write them again with arttl evaluate"
                " --predictions"
            ) from error

    @classmethod
    def _read(cls, file: Path) -> Predictions:
        metadata = pq.read_schema(file).metadata or {}
        if TASKS not in metadata:
            raise ValueError("it holds labels and no logits, as earlier versions wrote it")
        described = parse_json(metadata[TASKS], dict[str, Any], "its metadata")
        tasks = TaskSet.from_dict(described, "its metadata")
        temperatures = parse_json(metadata.get(TEMPERATURES, b"{}"), dict[str, float], "its metadata")
        check_temperatures(temperatures.values())
        types = {"row": pa.int64(), "key": pa.string(), "object_number": pa.string()}
        for task in tasks:
            types[f"{task.name}.catalogued"] = pa.list_(pa.string())
            types[f"{task.name}.logits"] = pa.list_(pa.float32(), task.outputs)
        logits = sum(4 * task.outputs for task in tasks)
        read = {**types, _INSTITUTION: pa.string()}
        table = read_bounded_table(file, read.get, BYTES_PER_ROW + 2 * logits)
        if lacking := [name for name in types if name not in table.column_names]:
            raise ValueError(f"it lacks the column {lacking[0]!r}")
        if any(table[name].null_count for name in types if not name.endswith(".catalogued")):
            raise ValueError("values are missing")
        of_tasks = {task.name: _logits(table, task) for task in tasks}
        keys = table["key"].to_pylist()
        if broken := _not_finite(keys, of_tasks):
            raise ValueError(broken)
        return cls(
            tasks=tasks,
            rows=table["row"].to_numpy(),
            keys=keys,
            object_numbers=table["object_number"].to_pylist(),
            catalogued={
                name: [
                    tuple(labels) if labels else None for labels in table[f"{name}.catalogued"].to_pylist()
                ]
                for name in tasks.names
            },
            logits=of_tasks,
            temperatures=temperatures,
            institutions=table[_INSTITUTION].to_pylist() if _INSTITUTION in table.column_names else (),
        )


def _logits(table: pa.Table, task: Task) -> npt.NDArray[np.float32]:
    flat = table[f"{task.name}.logits"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat.astype(np.float32, copy=False).reshape(len(table), task.outputs))


def _not_finite(keys: Sequence[str], logits: Mapping[str, npt.NDArray[np.float32]]) -> str:
    """What is wrong with logits [N, Q] that hold NaN or infinity, for a message; empty where nothing is.

    Args:
        keys: of the samples.
        logits: by task name.
    """
    for name, of_task in logits.items():
        broken = np.flatnonzero(~np.isfinite(of_task).all(axis=1))
        if len(broken):
            return (
                f"the logits of {name} are not finite for {len(broken)} of {len(keys)} samples, of"
                f" {keys[broken[0]]} first"
            )
    return ""
