"""The doubts of `arttl audit` as rows of the review app: each is a suggestion of one task of one object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from arttl.errors import ArttlError, one_line
from arttl.review.columns import AUDIT, NO_STATUS, Codes, Labels, Lists, TaskColumns, starts_of
from arttl.review.reading import Part, batches, check_table

FILE = "audit.parquet"
FLAG = "--audit"
_TEXTS = pa.list_(pa.string())
_COLUMNS = {
    "task": pa.string(),
    "rank": pa.int64(),
    "object_number": pa.string(),
    "institution": pa.string(),
    "key": pa.string(),
    "catalogued": _TEXTS,
    "label": pa.string(),
    "suggested": pa.string(),
    "suggested_probability": pa.float64(),
}


@dataclass(frozen=True)
class Audit:
    """The doubts of a folder.

    Attributes:
        part: their columns.
        ranks: [N] int32, of each within its task, from 1.
    """

    part: Part
    ranks: Codes


def audit_file(folder: Path) -> Path:
    """The file of a folder that `arttl audit` has written.

    Raises:
        ArttlError: if there is none.
    """
    if not (folder / FILE).is_file():
        raise ArttlError(f"{FLAG} {folder} has no {FILE}: give a folder that arttl audit has written")
    return folder / FILE


def read_audit(folder: Path, labels: dict[str, Labels]) -> Audit:
    """Read the doubts of a folder.

    What is suggested are the catalogued labels without the doubted one and with the suggested one.

    Args:
        folder: that `arttl audit` has written.
        labels: task name to the labels that are known, to which those of the file are added.

    Raises:
        ArttlError: if there is no such file, or it holds more than the limits allow.
    """
    path = audit_file(folder)
    rows: list[dict[str, Any]] = []
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            check_table(f"{FLAG} {path}", schema, file.metadata.num_rows)
            for name, kind in _COLUMNS.items():
                if name not in schema.names or not _is_of(schema.field(name).type, kind):
                    raise ArttlError(f"{FLAG} {path} has no column {name!r} as arttl audit writes it")
            for batch in batches(file, list(_COLUMNS), path):
                rows += batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArttlError(f"{FLAG} {path} cannot be read as Parquet: {one_line(error)}") from error
    for number, row in enumerate(rows, start=1):
        if not row["task"] or not (row["object_number"] or row["key"]) or row["rank"] is None:
            raise ArttlError(f"row {number:,} of {path} has no task, object or rank")
        if not all(row["catalogued"] or ()):
            raise ArttlError(f"row {number:,} of {path} has an empty label")
    texts = {
        name: pa.array([row[name] for row in rows], pa.string())
        for name in ("object_number", "institution", "key")
    }
    tasks = dict.fromkeys(row["task"] for row in rows)
    ranks = np.array([min(max(row["rank"], 0), 2**31 - 1) for row in rows], np.int32)
    columns = {task: _columns(task, rows, labels.setdefault(task, Labels())) for task in tasks}
    return Audit(Part(len(rows), texts, 0, columns), ranks)


def _is_of(given: pa.DataType, kind: pa.DataType) -> bool:
    return bool(given == kind) or (pa.types.is_integer(given) and pa.types.is_integer(kind))


def _columns(task: str, rows: list[dict[str, Any]], labels: Labels) -> TaskColumns:
    suggested, catalogued = list[list[int]](), list[list[int]]()
    for row in rows:
        own = list(row["catalogued"] or ()) if row["task"] == task else []
        instead = [label for label in own if label != row["label"]]
        if row["task"] == task and row["suggested"] and row["suggested"] not in instead:
            instead.append(row["suggested"])
        suggested.append([labels.code(label) for label in instead])
        catalogued.append([labels.code(label) for label in own])
    of_task = np.array([row["task"] == task for row in rows])
    probability = np.array(
        [np.nan if (value := row["suggested_probability"]) is None else value for row in rows], np.float32
    )
    return TaskColumns(
        name=task,
        labels=labels,
        suggested=_lists(suggested),
        catalogued=_lists(catalogued),
        probability=np.where(of_task, np.clip(probability, 0, 1), np.float32(np.nan)),
        status=np.where(of_task, AUDIT, NO_STATUS).astype(np.int8),
        is_multiple=max(map(len, [*suggested, *catalogued])) > 1,
    )


def _lists(of_rows: list[list[int]]) -> Lists:
    starts = starts_of(np.array([len(each) for each in of_rows], np.int32))
    return Lists(starts, np.array([code for each in of_rows for code in each], np.int32))
