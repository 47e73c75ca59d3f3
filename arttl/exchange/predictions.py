"""The suggestions of `arttl predict` read back from `.parquet` and `.jsonl`, picture by picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.compute as pc

from arttl.documents import parse_json, structured
from arttl.errors import ArttlError, one_line
from arttl.exchange.values import Status
from arttl.shards.parquet_batches import BoundedFile

_ROWS = 500  # of a Parquet file that are read at once
_LONGEST_ROW = 2**20  # bytes; a million labels are no suggestion
_LONGEST_NUMBER = 1000  # characters, since all numbers of a file are kept in memory
_FLAG = "--predictions"


@dataclass(frozen=True)
class Ranked:
    """A label and its calibrated probability; None for a number."""

    label: str
    probability: float | None = None

    def __post_init__(self) -> None:
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError(f"a probability of {self.probability}")


@dataclass(frozen=True)
class TaskSuggestion:
    """What a model says of one task for one picture; see `docs/predict.md`.

    Attributes:
        labels: predicted, likeliest first.
        status: of the suggestion.
        ranked: the likeliest labels.
        catalogued: labels in the catalogue; empty where it has none, or the file does not say.
        set: candidates; None where the file has none.
        interval: of a number, likewise.
    """

    labels: tuple[str, ...]
    status: Status
    ranked: tuple[Ranked, ...] = ()
    catalogued: tuple[str, ...] | None = ()
    set: tuple[str, ...] | None = None
    interval: tuple[float, ...] | None = None

    def probability(self, label: str) -> float | None:
        """The probability of a label; None where it has none."""
        return next((each.probability for each in self.ranked if each.label == label), None)


@dataclass(frozen=True)
class PictureSuggestions:
    """One record of the file.

    Attributes:
        object_number: empty where the file has none.
        picture: the file's name, else the key of the sample.
        institution: empty where the file has none.
        tasks: task name to what is suggested; none for a picture that could not be read.
        problem: why it could not be read; empty for a picture that could.
    """

    object_number: str
    picture: str
    institution: str
    tasks: Mapping[str, TaskSuggestion]
    problem: str = ""


@dataclass(frozen=True)
class _Head:
    """The columns that are read beside those of the tasks."""

    object_number: str | None = None
    picture: str | None = None
    key: str | None = None
    institution: str | None = None
    problem: str | None = None


def read_predictions(path: Path) -> Iterator[PictureSuggestions]:
    """The records of a file, in its order. Columns that are not known are passed over.

    Args:
        path: ends in .parquet or .jsonl.

    Raises:
        ArttlError: if it cannot be read, is not such a file, or has a row of more than 1 MiB; naming the row.
    """
    is_one = False
    for where, record in _records(path):
        head = structured({key: record[key] for key in _HEAD if key in record}, _Head, where)
        tasks = {
            name: suggestion_of(value, f"{where}, {name!r}")
            for name, value in record.items()
            if is_task(value)
        }
        unreadable = head.problem is not None
        is_one = is_one or unreadable or bool(tasks)
        yield PictureSuggestions(
            object_number=head.object_number or "",
            picture=head.picture or head.key or "",
            institution=head.institution or "",
            tasks={} if unreadable else tasks,
            problem=head.problem or "",
        )
    if not is_one:
        raise ArttlError(
            f"{_FLAG} {path} has no column with labels and a status; give a file of arttl predict"
        )


def read_object_numbers(path: Path) -> Iterator[str]:
    """The object number of each record, as `read_objects`."""
    return (number for number, _ in read_objects(path))


def read_objects(path: Path) -> Iterator[tuple[str, str]]:
    """Object number and institution of each record, empty where it has none; what else it holds is not looked at.

    Raises:
        ArttlError: as `read_predictions`, and for a text of more than 1,000 characters.
    """
    names: dict[str, str] = {}  # of institutions, each once in memory
    for where, record in _records(path, only=("object_number", "institution")):
        number, name = (
            structured(record.get(each) or "", str, where) for each in ("object_number", "institution")
        )
        for text, what in ((number, "object number"), (name, "institution")):
            if len(text) > _LONGEST_NUMBER:
                raise ArttlError(f"{where} has an {what} of more than {_LONGEST_NUMBER:,} characters")
        yield number, names.setdefault(name, name)


_STATUSES = get_args(Status)
_HEAD = ("object_number", "picture", "key", "institution", "problem")


def is_task(value: Any) -> bool:
    """Whether a column of a record is what is suggested for a task."""
    return isinstance(value, dict) and "labels" in value and "status" in value and value["status"] is not None


def suggestion_of(value: dict[str, Any], where: str) -> TaskSuggestion:
    """A task's part of a record; the usual form is recognised in a tenth of the time that `structured` takes.

    Raises:
        ArttlError: if it is not as `arttl predict` writes it.
    """
    labels, status, ranked = value["labels"], value["status"], value.get("ranked")
    catalogued, candidates = value.get("catalogued") or [], value.get("set")
    if (
        _is_labels(labels)
        and type(ranked) is list
        and status in _STATUSES
        and all(map(_is_ranked, ranked))
        and _is_labels(catalogued)
        and (candidates is None or _is_labels(candidates))
        and value.get("interval") is None
    ):
        pairs = (Ranked(each["label"], each["probability"]) for each in ranked)
        of_set = None if candidates is None else tuple(candidates)
        return TaskSuggestion(tuple(labels), status, tuple(pairs), tuple(catalogued), of_set)
    return structured(value, TaskSuggestion, where, surplus=True)


def _is_labels(value: Any) -> bool:
    return type(value) is list and all(type(label) is str for label in value)


def _is_ranked(value: Any) -> bool:
    return (
        type(value) is dict
        and type(value.get("label")) is str
        and type(probability := value.get("probability")) is float
        and 0 <= probability <= 1
    )


def _records(path: Path, only: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    suffix = path.suffix.lower()
    if suffix not in (".parquet", ".jsonl"):
        raise ArttlError(f"{_FLAG} {path} must end in .parquet or .jsonl; arttl predict writes both")
    if not path.is_file():
        raise ArttlError(f"{_FLAG} {path} is not a file")
    records = _of_parquet(path, only) if suffix == ".parquet" else read_lines(path)
    empty = True
    for where, record in records:
        empty = False
        yield where, record
    if empty:
        raise ArttlError(f"{_FLAG} {path} holds no records")


def read_lines(path: Path, flag: str = _FLAG) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines of a `.jsonl` as objects of JSON, each with where it is, for messages.

    Raises:
        ArttlError: if it cannot be read, or a line has more than 1 MiB or is no object; naming the line.
    """
    number = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(_LONGEST_ROW + 1):
                number += 1
                where = f"line {number} of {path}"
                if len(line) > _LONGEST_ROW:
                    raise ArttlError(f"{where} has more than 1 MiB")
                if line.strip():
                    yield where, parse_json(line, dict[str, Any], where)
    except OSError as error:
        raise ArttlError(f"{flag} {path} cannot be read: {error.strerror}") from error


def _of_parquet(path: Path, only: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    try:
        with BoundedFile(path) as table:
            schema = table.file.schema_arrow
            names = [each.name for each in schema if each.name in only or (not only and _is_read(each))]
            if repeated := next((name for name in names if names.count(name) > 1), None):
                raise ArttlError(f"{_FLAG} {path} has two columns {repeated!r}")
            for batch in table.batches(names, _ROWS):
                batch.validate(full=True)  # texts that are no UTF-8 would be found where they are used
                if sum(map(_bytes, batch.columns)) > len(batch) * _LONGEST_ROW:
                    raise ArttlError(f"rows {number + 1:,} and later of {path} hold more than 1 MiB each")
                for record in batch.to_pylist():
                    number += 1
                    yield f"row {number} of {path}", record
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArttlError(f"{_FLAG} {path} cannot be read as Parquet: {one_line(error)}") from error


def _is_read(column: pa.Field) -> bool:
    """Whether a column is the head's or a task's: others may be large, and of types that Python lacks."""
    fields = {each.name for each in column.type} if pa.types.is_struct(column.type) else set()
    return column.name in _HEAD or {"labels", "status"} <= fields


def _bytes(column: pa.Array) -> int:
    """The bytes of a column; the most that its texts take, where each different one is stored once.

    Raises:
        ValueError: for such a column within another, which arttl predict does not write.
    """
    if not pa.types.is_dictionary(column.type):
        if "dictionary<" in str(column.type):
            raise ValueError("it has a dictionary within a column")
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary)
    return len(column) * (pc.max(lengths).as_py() or 0)
