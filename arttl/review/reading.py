"""The columns of suggestions, read within limits, a few hundred rows at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from arttl.decisions.decision import MOST_LABELS
from arttl.errors import ArttlError, one_line
from arttl.exchange.parquet_rows import batches, check_names
from arttl.review.columns import (
    AUDIT,
    HEAD,
    NO_STATUS,
    STATUSES,
    Codes,
    Labels,
    Lists,
    TaskColumns,
    starts_of,
)
from arttl.shards.parquet_batches import BoundedFile, Source

MOST_ROWS = 5_000_000

_TEXTS = pa.list_(pa.string())


@dataclass
class Part:
    """The rows of one file, as they are read.

    Attributes:
        count: rows.
        texts: column of `HEAD` to its values; no entry: the file has none.
        problems: rows whose picture could not be read.
        tasks: name to columns.
    """

    count: int
    texts: dict[str, pa.Array]
    problems: int
    tasks: dict[str, TaskColumns] = field(default_factory=dict)


def read_suggestions(
    source: Source, path: Path, labels: dict[str, Labels], flag: str = "--predictions"
) -> Part:
    """Read the columns of suggestions.

    Args:
        source: of `parquet_of`.
        path: the file of `arttl predict`.
        labels: task name to the labels that are known, to which those of the file are added.
        flag: the one that named it.

    Raises:
        ArttlError: if it is no such file, or holds more than the limits allow.
    """
    try:
        with BoundedFile(path, source) as table:
            schema, rows = table.file.schema_arrow, table.rows
            tasks = task_names(schema)
            check_names(f"{flag} {path}", schema)
            if not 0 < rows <= MOST_ROWS:
                raise ArttlError(
                    f"{flag} {path} has {rows:,} rows; the review app takes from 1 to {MOST_ROWS:,}"
                )
            if not tasks:
                raise ArttlError(
                    f"{flag} {path} has no column with labels and a status; give a file of arttl predict"
                )
            texts: dict[str, list[pa.Array]] = {
                name: [] for name in (*HEAD, "problem") if _is_text(schema, name)
            }
            building = {
                name: _Building(labels.setdefault(name, Labels()), schema.field(name).type) for name in tasks
            }
            columns = [*texts, *(f"{name}.{child}" for name in tasks for child in building[name].children)]
            for batch in batches(table, columns, path):
                for name, arrays in texts.items():
                    arrays.append(batch.column(name))
                for name in tasks:
                    building[name].add(batch.column(name))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArttlError(f"{flag} {path} cannot be read as Parquet: {one_line(error)}") from error
    joined = {name: pa.concat_arrays(arrays) for name, arrays in texts.items()}
    problem = joined.pop("problem", None)
    problems = 0 if problem is None else rows - problem.null_count
    return Part(rows, joined, problems, {name: building[name].built(name) for name in tasks})


def task_names(schema: pa.Schema) -> list[str]:
    """The columns of suggestions that are tasks."""
    return [
        each.name
        for each in schema
        if pa.types.is_struct(each.type)
        and {"labels", "status", "ranked"} <= {child.name for child in each.type}
    ]


def _is_text(schema: pa.Schema, name: str) -> bool:
    return name in schema.names and bool(pa.types.is_string(schema.field(name).type))


class _Building:
    """The columns of one task, batch by batch."""

    def __init__(self, labels: Labels, kind: pa.StructType) -> None:
        types = {child.name: child.type for child in kind}
        ranked = types["ranked"].value_type if pa.types.is_list(types["ranked"]) else None
        of_ranked = (
            {}
            if ranked is None or not pa.types.is_struct(ranked)
            else {each.name: each.type for each in ranked}
        )
        if (
            types["labels"] != _TEXTS
            or types["status"] != pa.string()
            or types.get("catalogued", _TEXTS) != _TEXTS
            or of_ranked != {"label": pa.string(), "probability": pa.float64()}
        ):
            raise ValueError("its tasks are not as arttl predict writes them")
        self.children = [name for name in ("catalogued", "labels", "status", "ranked") if name in types]
        self._labels = labels
        self._lists: dict[str, list[tuple[Codes, Codes]]] = {"catalogued": [], "labels": []}
        self._status: list[npt.NDArray[np.int8]] = []
        self._probability: list[npt.NDArray[np.float32]] = []

    def add(self, column: pa.StructArray) -> None:
        children = dict(zip((each.name for each in column.type), column.flatten(), strict=True))
        suggested = self._add("labels", children["labels"])
        self._add("catalogued", children.get("catalogued", pa.nulls(len(column), _TEXTS)))
        codes = pc.index_in(children["status"], value_set=pa.array(STATUSES[:AUDIT])).fill_null(NO_STATUS)
        if pc.sum(pc.and_(children["status"].is_valid(), pc.equal(codes, NO_STATUS))).as_py():
            raise ValueError(f"it has a status that is none of {', '.join(STATUSES[:AUDIT])}")
        self._status.append(codes.to_numpy().astype(np.int8))
        self._probability.append(self._lowest(suggested, children["ranked"]))

    def _add(self, name: str, lists: pa.ListArray) -> Lists:
        values = lists.flatten()
        if values.null_count:
            raise ValueError("it has a label that is null")
        lengths = pc.list_value_length(lists).fill_null(0).to_numpy().astype(np.int32)
        if len(lengths) and lengths.max() > MOST_LABELS:
            raise ValueError(f"a row has more than {MOST_LABELS} labels of one task")
        codes = self._labels.encode(values)
        self._lists[name].append((lengths, codes))
        return Lists(starts_of(lengths), codes)

    def _lowest(self, suggested: Lists, ranked: pa.ListArray) -> npt.NDArray[np.float32]:
        """The lowest probability of the suggested labels of each row."""
        names, probabilities = ranked.flatten().flatten()
        lengths = pc.list_value_length(ranked).fill_null(0).to_numpy().astype(np.int32)
        ranks = Lists(starts_of(lengths), self._labels.encode(names.fill_null("")))
        values = probabilities.to_numpy(zero_copy_only=False).astype(np.float32)  # null is NaN
        if np.any((values < 0) | (values > 1)):
            raise ValueError("it has a probability that is not from 0 to 1")
        many = len(self._labels.names)
        keys = ranks.owners().astype(np.int64) * many + ranks.codes
        needed = suggested.owners().astype(np.int64) * many + suggested.codes
        lowest = np.full(len(lengths), np.nan, dtype=np.float32)
        if not len(keys):
            return lowest
        order = np.argsort(keys, kind="stable")
        found = np.minimum(np.searchsorted(keys, needed, sorter=order), len(keys) - 1)
        matched = keys[order[found]] == needed
        np.fmin.at(lowest, suggested.owners()[matched], values[order[found[matched]]])
        return lowest

    def built(self, name: str) -> TaskColumns:
        suggested, catalogued = (self._joined(each) for each in ("labels", "catalogued"))
        return TaskColumns(
            name=name,
            labels=self._labels,
            suggested=suggested,
            catalogued=catalogued,
            probability=np.concatenate(self._probability),
            status=np.concatenate(self._status),
            is_multiple=bool(max(suggested.lengths.max(), catalogued.lengths.max()) > 1),
        )

    def _joined(self, name: str) -> Lists:
        lengths, codes = zip(*self._lists[name], strict=True)
        return Lists(starts_of(np.concatenate(lengths)), np.concatenate(codes))
