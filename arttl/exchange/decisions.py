"""Decisions of persons as a table: read from `accepted.csv`, and written as CSV, a row per decision or per object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from arttl.characters import plain_text
from arttl.documents import LARGEST
from arttl.errors import ArttlError, counted, did_you_mean
from arttl.exchange.values import Objects, Value, Verdict, read_when
from arttl.records.delimited import read_columns, read_rows
from arttl.shards.csv_files import csv_chunks, plain_cell
from arttl.vocabularies.concepts import Concept, is_address, scheme_of
from arttl.vocabularies.table import Vocabularies

_FLAG = "--accepted"
_REQUIRED = ("object_number", "task", "label")
_OPTIONAL = ("uri", "verdict", "who", "when")
_BETWEEN_ADDRESSES = "; "
_BETWEEN_LABELS = "|"
_VERDICTS: tuple[str, ...] = get_args(Verdict)

_COLUMNS = (
    *("object_number", "picture", "task", "label", "uri", "probability", "status"),
    *("verdict", "who", "when", "model"),
)


@dataclass
class Decisions:
    """The decisions of a table.

    Attributes:
        by_object: object number to its decisions in their order; `verdict` is None where the table does not say it.
        undecided: rows whose verdict is empty.
        repeated: rows that say what an earlier one says.
    """

    by_object: dict[str, list[Value]] = field(default_factory=dict)
    undecided: int = 0
    repeated: int = 0

    @classmethod
    def read(cls, path: Path, vocabularies: Vocabularies) -> Decisions:
        """Read a table with the columns object_number, task and label, and optionally uri, verdict, who and when.

        A table without the column `verdict` holds accepted values alone; in one with it, a row whose verdict is empty
        is not decided. A table that `decision_chunks` has written is one.

        Args:
            path: CSV or TSV of at most 64 MiB.
            vocabularies: give the concepts of labels.

        Raises:
            ArttlError: if it cannot be read, or naming the row that cannot be used.
        """
        if path.is_file() and path.stat().st_size > LARGEST:
            raise ArttlError(f"{_FLAG} {path} has more than {LARGEST / 2**20:g} MiB")
        decisions = cls()
        rows: dict[tuple[str, str, str], tuple[str, Value]] = {}
        for where, cells in _rows(path):
            if "verdict" in cells and not cells["verdict"]:
                decisions.undecided += 1
                continue
            value = _value(where, cells, vocabularies)
            key = value.object_number, value.task, value.label
            first = rows.setdefault(key, (where, value))
            if first[1] is value:
                decisions.by_object.setdefault(value.object_number, []).append(value)
            elif first[1].verdict == value.verdict:
                decisions.repeated += 1
            else:
                raise ArttlError(
                    f"{where} says that the {value.task} {value.label!r} of object {value.object_number!r} is"
                    f" {value.verdict}, and {first[0]} that it is {first[1].verdict}; delete one of the rows"
                )
        return decisions

    def sentences(self) -> Iterator[str]:
        """What was read, and what was not."""
        total = sum(map(len, self.by_object.values()))
        yield f"decisions: {counted(total, 'label')} of {counted(len(self.by_object), 'object')}"
        if self.undecided:
            yield f"decisions: {counted(self.undecided, 'row has', 'rows have')} no verdict"
        if self.repeated:
            yield f"decisions: {counted(self.repeated, 'row repeats another', 'rows repeat others')}"


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each row is, and its cells of the columns that the table has."""
    own = read_columns(path, flag=_FLAG)
    columns = [*_REQUIRED, *(column for column in _OPTIONAL if column in own)]
    for row in read_rows(path, [(_FLAG, column) for column in columns], flag=_FLAG):
        where = f"{row.location} of {path}"
        if row.problem:
            raise ArttlError(f"{where}: {row.problem}")
        cells = {column: plain_cell(row.cells.get(column, "")) for column in columns}
        cells = {
            column: text.strip() if column == "object_number" else plain_text(text)
            for column, text in cells.items()
        }
        undecided = cells.get("verdict") == ""  # of such a row nothing is needed
        for column in _REQUIRED:
            if not cells[column] and not undecided:
                raise ArttlError(f"{where} has no {column}")
        yield where, cells


def _value(where: str, cells: dict[str, str], vocabularies: Vocabularies) -> Value:
    verdict: Verdict | None = None
    if "verdict" in cells:
        given = cells["verdict"].casefold()
        if given not in _VERDICTS:
            raise ArttlError(
                f"{where} has the verdict {given[:50]!r}{did_you_mean(given[:50], _VERDICTS)}; it may be"
                f" {', '.join(_VERDICTS)} or empty"
            )
        verdict = given  # type: ignore[assignment]
    try:
        when = read_when(cells["when"]) if cells.get("when") else ""
    except ValueError as error:
        raise ArttlError(f"{where}, column 'when': {error}") from error
    concepts = list(vocabularies.identifiers(cells["task"], cells["label"]))
    for uri in filter(None, map(str.strip, cells.get("uri", "").split(_BETWEEN_ADDRESSES.strip()))):
        concept = _concept(where, uri)
        other = next((each for each in concepts if each.key[0] == concept.key[0]), None)
        if other is None:
            concepts.append(concept)
        elif other.key != concept.key:
            raise ArttlError(
                f"{where} gives {cells['label']!r} the uri {uri}, and there is another of {concept.scheme},"
                f" {other.uri}; correct one of them"
            )
    return Value(
        object_number=cells["object_number"],
        task=cells["task"],
        label=cells["label"],
        concepts=tuple(concepts),
        verdict=verdict,
        who=cells.get("who", ""),
        when=when,
    )


def _concept(where: str, uri: str) -> Concept:
    if not is_address(uri):
        raise ArttlError(f"{where} has {uri[:100]!r} as uri, which is no address; write it in full")
    return Concept(uri, scheme_of(uri))


def decision_chunks(objects: Objects) -> Iterator[bytes]:
    """A CSV table, a row per value: suggestions that nobody has decided have an empty verdict.

    With its verdicts filled in it is a table for `Decisions.read`.
    """
    rows = (
        (
            *(value.object_number, value.picture, value.task, value.label),
            _BETWEEN_ADDRESSES.join(concept.uri for concept in value.concepts),
            "" if value.probability is None else f"{value.probability:.4f}",
            value.status or "",
            *(value.verdict or "", value.who, value.when, value.model.digest if value.model else ""),
        )
        for values in objects
        for value in values
    )
    return csv_chunks(_COLUMNS, rows)


def accepted_chunks(objects: Objects, tasks: Sequence[str]) -> Iterator[bytes]:
    """A CSV table of accepted values, a row per object that has any.

    The columns are the object number, and for each task its labels, with `|` between several, and their addresses.

    Args:
        objects: the values.
        tasks: whose labels are written.

    Raises:
        ArttlError: for a label that holds a `|`, which nobody could tell from two labels.
    """
    columns = ["object_number", *(column for task in tasks for column in (task, f"{task}_uri"))]
    return csv_chunks(columns, _accepted_rows(objects, tasks))


def _accepted_rows(objects: Objects, tasks: Iterable[str]) -> Iterator[list[str]]:
    for values in objects:
        accepted = [value for value in values if value.is_accepted]
        cells = []
        for task in tasks:
            labels = {value.label: value for value in accepted if value.task == task}
            for label in labels:
                if _BETWEEN_LABELS in label:
                    raise ArttlError(
                        f"the {task} {label!r} of object {values[0].object_number!r} holds a {_BETWEEN_LABELS!r}, which"
                        " stands between labels in a table of objects; use --to csv, which has a row per label"
                    )
            cells.append(_BETWEEN_LABELS.join(labels))
            addresses = [concept.uri for value in labels.values() for concept in value.concepts]
            cells.append(_BETWEEN_ADDRESSES.join(dict.fromkeys(addresses)))
        if any(cells):
            yield [values[0].object_number, *cells]
