"""The rows that are reviewed, of suggestions and of an audit: which object each shows, which rows an object has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from arttl.decisions.decision import Subject
from arttl.errors import ArttlError, counted
from arttl.review.audit_columns import read_audit
from arttl.review.columns import HEAD, Codes, Labels, Rows, TaskColumns, joined
from arttl.review.line_files import parquet_of
from arttl.review.reading import Part, read_suggestions
from arttl.vocabularies.table import Vocabularies

_BETWEEN = "\x1f"  # of ASCII, to separate units; no catalogue has it


class Collection:
    """The rows of the review app, numbered from 0: those of the suggestions, then those of the audit.

    Attributes:
        source: the suggestions as Parquet; None: there are none.
        tasks: name to columns of all rows.
        suggestions: how many rows are suggestions.
        ranks: of the audit's rows within their tasks, from 1.
        objects: [N] int32, number of the object that each row shows; of a picture without an object number its own.
        object_count: how many objects there are.
        agreed: task to whether all models suggest the same for a row, [N] bool; False where there is one model.
    """

    def __init__(self, predictions: Path | None, audit: Path | None, agreeing: Sequence[Path] = ()) -> None:
        """Read the files.

        Args:
            predictions: suggestions; None: there is an audit alone.
            audit: the folder of `arttl audit`; None: there are suggestions alone.
            agreeing: suggestions of other models for the same pictures.

        Raises:
            ArttlError: if one of them cannot be read, or there is not one row.
        """
        labels: dict[str, Labels] = {}
        nothing = Part(0, {}, 0)
        self.source = None if predictions is None else parquet_of(predictions, "--predictions")
        if predictions is None or self.source is None:
            first = nothing
        else:
            first = read_suggestions(self.source, predictions, labels)
        doubts = None if audit is None else read_audit(audit, labels)
        second = nothing if doubts is None else doubts.part
        if not first.count + second.count:
            raise ArttlError(f"--audit {audit} lists no doubtful label: there is nothing to review")
        self.suggestions, counts = first.count, (first.count, second.count)
        self.problems, self._has_audit = first.problems, audit is not None
        self.ranks: Codes = np.zeros(0, np.int32) if doubts is None else doubts.ranks
        self.tasks: dict[str, TaskColumns] = {
            name: joined(first.tasks.get(name), second.tasks.get(name), counts)
            if second.count
            else first.tasks[name]
            for name in {**first.tasks, **second.tasks}
        }
        self.texts = {
            name: _texts(name, first, second) for name in HEAD if name in {*first.texts, *second.texts}
        }
        self.objects, self.object_count = self._numbered()
        self.agreed = {task: np.full(len(self), bool(agreeing)) for task in self.tasks}
        for path in agreeing:
            self._compare(path, labels)

    def __len__(self) -> int:
        return self.suggestions + len(self.ranks)

    def text(self, column: str, row: int) -> str:
        """What a row has in a column of `HEAD`; empty where it has nothing."""
        return str(self.texts[column][row].as_py()) if column in self.texts else ""

    def picture(self, row: int) -> str:
        """What names a row's photograph: the file, else the key of the sample."""
        return self.text("picture", row) or self.text("key", row)

    def subject(self, row: int, task: str) -> Subject:
        """What is decided about at a row."""
        return Subject.of(
            task, self.text("object_number", row), self.text("institution", row), self.picture(row)
        )

    def rows_of(self, row: int) -> list[int]:
        """The rows of suggestions that show the same object, one per photograph, in their order."""
        number = self.objects[row]
        begin, end = np.searchsorted(self._sorted_objects, [number, number + 1])
        rows: list[int] = np.sort(self._by_object[begin:end]).tolist()
        return [each for each in rows if each < self.suggestions]

    def find_number(self, object_number: str) -> int | None:
        """The first row of suggestions with an object number; None where no object has it, or several do."""
        if "object_number" not in self.texts or not object_number:
            return None
        known = pc.equal(self.texts["object_number"], pa.scalar(object_number, pa.string()))
        rows: list[int] = pc.indices_nonzero(known.slice(0, self.suggestions)).to_pylist()
        return rows[0] if len({int(self.objects[row]) for row in rows}) == 1 else None

    def find_objects(self, subjects: list[Subject]) -> Codes:
        """The number of the object of each subject, -1 where no row shows it."""
        known = pc.index_in(pa.array(map(_name_of_subject, subjects), pa.string()), value_set=self._names)
        return known.fill_null(-1).to_numpy().astype(np.int32)

    def surest(self, task: str) -> npt.NDArray[np.bool_] | None:
        """Of each object's photographs the one with the highest probability, [N] bool; None where each has one."""
        if task not in self._surest:
            self._surest[task] = self._computed_surest(task)
        return self._surest[task]

    def _computed_surest(self, task: str) -> npt.NDArray[np.bool_] | None:
        rows: Rows = np.arange(self.suggestions)
        objects = self.objects[: self.suggestions]
        if len(np.unique(objects)) == self.suggestions:
            return None
        columns = self.tasks[task]
        # Photographs that could not be read come last.
        readable = columns.status[: self.suggestions] >= 0
        probability = np.nan_to_num(columns.probability[: self.suggestions], nan=-1)
        order = np.lexsort((rows, -probability, ~readable, objects))
        first = np.append(True, np.diff(objects[order]) != 0)
        surest = np.ones(len(self), dtype=bool)  # each doubt is a row of its own
        surest[: self.suggestions] = False
        surest[order[first]] = True
        return surest

    @cached_property
    def _surest(self) -> dict[str, npt.NDArray[np.bool_] | None]:
        return {}

    def _compare(self, path: Path, labels: dict[str, Labels]) -> None:
        """Take note of the rows for which another model suggests something else, or nothing."""
        other = read_suggestions(parquet_of(path, "--agreeing"), path, labels, "--agreeing")
        photographs = [
            _photographs(texts, count)
            for texts, count in ((self.texts, len(self)), (other.texts, other.count))
        ]
        found = pc.index_in(photographs[0], value_set=photographs[1])
        if found.null_count == len(self):
            raise ArttlError(f"--agreeing {path} has none of the pictures of --predictions")
        matched, rows = found.is_valid().to_numpy(zero_copy_only=False), found.fill_null(0).to_numpy()
        for task, agreed in self.agreed.items():
            if task in other.tasks:
                suggested = other.tasks[task].suggested.take(rows)
                agreed &= matched & ~self.tasks[task].suggested.differs_from(suggested)
            else:
                agreed[:] = False

    def _numbered(self) -> tuple[Codes, int]:
        """Equal numbers for rows with equal object number and institution, and how many there are."""
        blank = pa.nulls(len(self), pa.string()).fill_null("")
        number, institution, picture, key = (
            self.texts.get(name, blank) for name in ("object_number", "institution", "picture", "key")
        )
        own = pc.if_else(pc.equal(picture, ""), key, picture)
        if nameless := pc.sum(pc.and_(pc.equal(number, ""), pc.equal(own, ""))).as_py():
            raise ArttlError(
                f"{counted(nameless, 'row has', 'rows have')} neither an object number nor the name of a picture;"
                " give a file that arttl predict or arttl audit has written"
            )
        names = pc.binary_join_element_wise(
            number, institution, pc.if_else(pc.equal(number, ""), own, ""), _BETWEEN
        )
        encoded = names.dictionary_encode()
        self._names = encoded.dictionary
        return encoded.indices.to_numpy().astype(np.int32), len(encoded.dictionary)

    @cached_property
    def _by_object(self) -> Codes:
        return np.argsort(self.objects, kind="stable").astype(np.int32)

    @cached_property
    def _sorted_objects(self) -> Codes:
        return self.objects[self._by_object]

    def add_labels(self, vocabularies: Vocabularies) -> None:
        """Make the labels of a table of identifiers known."""
        for task, concepts in vocabularies.concepts.items():
            if task in self.tasks:
                for label in concepts:
                    self.tasks[task].labels.code(label)

    def sentences(self) -> Iterator[str]:
        """What was read."""
        if self.suggestions:
            yield f"suggestions {counted(self.suggestions, 'row')}, tasks {', '.join(self.tasks)}"
        if self.problems:
            unreadable = counted(self.problems, "picture")
            yield f"suggestions {unreadable} could not be read by arttl predict, and are in no queue"
        if self._has_audit:
            yield f"audit       {counted(len(self.ranks), 'doubt')}"


def _texts(name: str, first: Part, second: Part) -> pa.StringArray:
    """A column over the rows of both files, empty where there is nothing."""
    parts: list[Any] = [part.texts.get(name, pa.nulls(part.count, pa.string())) for part in (first, second)]
    return pa.concat_arrays(parts).fill_null("")


def _photographs(texts: Mapping[str, pa.StringArray], count: int) -> pa.StringArray:
    """What tells the photographs of a file apart."""
    blank = pa.nulls(count, pa.string()).fill_null("")
    names = (
        texts.get(name, blank).fill_null("") for name in ("object_number", "institution", "picture", "key")
    )
    return pc.binary_join_element_wise(*names, _BETWEEN)


def _name_of_subject(subject: Subject) -> str:
    return _BETWEEN.join((subject.object_number, subject.institution, subject.picture))
