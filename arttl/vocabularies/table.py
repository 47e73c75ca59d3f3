"""The reviewed table of identifiers: `vocabulary.csv`, a row per label and concept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from arttl.characters import plain_text
from arttl.documents import LARGEST
from arttl.errors import ArttlError, counted
from arttl.records.delimited import read_columns, read_rows
from arttl.shards.csv_files import plain_cell
from arttl.vocabularies.concepts import Concept, is_address, is_known_scheme, is_language, scheme_of

COLUMNS = ("task", "label", "uri", "scheme", "broader", "alternative_labels", "language")
"""Of the table; the first three must be there, and others than these are not read."""
BETWEEN = " | "
"""Alternative labels in a cell, in which commas and semicolons are common."""

_REQUIRED = COLUMNS[:3]


@dataclass(frozen=True)
class Vocabularies:
    """The concepts of labels.

    Attributes:
        concepts: task name to label to its concepts, at most one of each scheme, in the order of the table.
        without_uri: rows that name a label and no concept.
        repeated: rows that say what an earlier one says.
    """

    concepts: Mapping[str, Mapping[str, tuple[Concept, ...]]]
    without_uri: int = 0
    repeated: int = 0

    @classmethod
    def read(cls, path: Path, flag: str = "--vocabulary") -> Vocabularies:
        """Read a table, such as `arttl vocabulary` makes and a person has reviewed.

            task,label,uri,scheme,broader,alternative_labels,language
            material,oil paint,http://vocab.getty.edu/aat/300015050,AAT,,oil colour | oil,en

        Args:
            path: CSV or TSV of at most 64 MiB.
            flag: the one that named it.

        Raises:
            ArttlError: if it cannot be read; for a row without a task or label, with a uri that is no address, a
                language that is no tag, or a scheme that is not that of its address; and for two concepts of one
                scheme for a label.
        """
        table = _Table(path)
        for where, cells in _rows(path, flag):
            table.add(where, cells)
        return cls(
            {
                task: {label: tuple(known) for label, known in labels.items()}
                for task, labels in table.concepts.items()
            },
            table.without_uri,
            table.repeated,
        )

    def identifiers(self, task: str, label: str) -> tuple[Concept, ...]:
        """The concepts of a label, compared as `plain_text` makes it; none where the table has none."""
        return self.concepts.get(task, {}).get(plain_text(label), ())

    def sentences(self) -> Iterator[str]:
        """What was read, and what was not."""
        labels = sum(map(len, self.concepts.values()))
        concepts = sum(len(known) for of_task in self.concepts.values() for known in of_task.values())
        yield (
            f"vocabulary: {counted(concepts, 'identifier')} of {counted(labels, 'label')} in"
            f" {counted(len(self.concepts), 'task')}"
        )
        if self.without_uri:
            yield f"vocabulary: {counted(self.without_uri, 'row has', 'rows have')} no uri"
        if self.repeated:
            yield f"vocabulary: {counted(self.repeated, 'row repeats another', 'rows repeat others')}"


class _Table:
    """The rows so far, and where each concept came from."""

    def __init__(self, path: Path) -> None:
        self.concepts: dict[str, dict[str, list[Concept]]] = {}
        self.without_uri = 0
        self.repeated = 0
        self._path = path
        self._rows: dict[tuple[str, str, str], str] = {}

    def add(self, where: str, cells: Mapping[str, str]) -> None:
        """Take a row, or raise an `ArttlError` that names it."""
        for column in ("task", "label"):
            if not cells[column]:
                raise self._wrong(where, f"has no {column}")
        if not cells["uri"]:
            self.without_uri += 1
            return
        task, label, concept = cells["task"], cells["label"], self._concept(where, cells)
        known = self.concepts.setdefault(task, {}).setdefault(label, [])
        other = next((each for each in known if each.key[0] == concept.key[0]), None)
        if other == concept:
            self.repeated += 1
            return
        if other is not None:
            first = self._rows[task, label, concept.key[0]]
            same = other.key == concept.key
            raise ArttlError(
                f"{first} and {where} of {self._path} give the {task} {label!r}"
                f" {'the same concept with other details' if same else f'two concepts of {concept.scheme}'}"
                f" ({other.uri} and {concept.uri}); delete one of the rows"
            )
        self._rows[task, label, concept.key[0]] = where
        known.append(concept)

    def _concept(self, where: str, cells: Mapping[str, str]) -> Concept:
        uri, scheme = cells["uri"], scheme_of(cells["uri"])
        for column in ("uri", "broader"):
            if cells[column] and not is_address(cells[column]):
                raise self._wrong(
                    where,
                    f"has {cells[column][:100]!r} as {column}, which is no address; write it in full, such as"
                    " http://vocab.getty.edu/aat/300015050",
                )
        if cells["language"] and not is_language(cells["language"]):
            raise self._wrong(
                where, f"has {cells['language'][:50]!r} as language; write a tag such as en or pt-BR"
            )
        given = cells["scheme"]
        if given and given.casefold() != scheme.casefold():
            if is_known_scheme(scheme) or is_known_scheme(given):
                raise self._wrong(
                    where,
                    f"says that {uri} is of {given}, but it is an address of {scheme}; correct one of them",
                )
            scheme = given
        labels = map(plain_text, cells["alternative_labels"].split(BETWEEN.strip()))
        return Concept(uri, scheme, cells["broader"], tuple(filter(None, labels)), cells["language"])

    def _wrong(self, where: str, what: str) -> ArttlError:
        return ArttlError(f"{where} of {self._path} {what}")


def _rows(path: Path, flag: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each row is, and its cells by column, also those that the table lacks."""
    if path.is_file() and path.stat().st_size > LARGEST:
        raise ArttlError(f"{flag} {path} has more than {LARGEST / 2**20:g} MiB")
    own = read_columns(path, flag=flag)
    columns = [column for column in COLUMNS if column in _REQUIRED or column in own]
    for row in read_rows(path, [(flag, column) for column in columns], flag=flag):
        if row.problem:
            raise ArttlError(f"{row.location} of {path}: {row.problem}")
        yield row.location, {column: plain_text(plain_cell(row.cells.get(column, ""))) for column in COLUMNS}


def table_row(task: str, label: str, concept: Concept | None = None) -> tuple[str, ...]:
    """Cells for `COLUMNS`; of a label without a concept only the first two."""
    if concept is None:
        return (task, label, *[""] * (len(COLUMNS) - 2))
    alternatives = BETWEEN.join(concept.alternative_labels)
    return task, label, concept.uri, concept.scheme, concept.broader, alternatives, concept.language
