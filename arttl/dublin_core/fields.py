"""The elements of Dublin Core that hold labels, identifiers and dates, and how flags name them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from lxml.etree import _Element as Element

from arttl.dublin_core.label_values import Value, is_address, value_of
from arttl.errors import ArttlError, counted, did_you_mean
from arttl.records.xml_records import in_language, words

DC = "{http://purl.org/dc/elements/1.1/}"
DCTERMS = "{http://purl.org/dc/terms/}"
OAI_DC = "{http://www.openarchives.org/OAI/2.0/oai_dc/}dc"
_RESOURCE = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource"
_ELEMENTS = (
    *("title", "creator", "subject", "description", "publisher", "contributor", "date", "type"),
    *("format", "identifier", "source", "language", "relation", "coverage", "rights"),
)
_TERMS = (
    *_ELEMENTS,
    *("medium", "extent", "created", "issued", "alternative", "provenance", "spatial", "temporal"),
)
FORMATS = ("material", "technique")
_COLUMN = re.compile(r"(?:(dc|dcterms):)?(\w+)(?:\[([^\]]*)\])?")


@dataclass(frozen=True)
class Field:
    """A Dublin Core element that holds labels, and the prefix of the values that count.

    Attributes:
        element: such as `type`.
        prefix: the text before the colon, such as `materiaal`; empty: any, which is cut off; None: values as they are.
        namespace: `dcterms` for an element of qualified Dublin Core alone; `dc` for either.
    """

    element: str
    prefix: str | None
    namespace: str = "dc"

    @cached_property
    def tag(self) -> str:
        """The element's name with its namespace."""
        return (DCTERMS if self.namespace == "dcterms" else DC) + self.element

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """The names that the element may have: the fifteen elements are in both namespaces."""
        return (self.tag,) if self.namespace == "dcterms" else (self.tag, DCTERMS + self.element)

    def values(self, record: Element, language: str | None) -> tuple[str, ...]:
        """The values of a record, in its order."""
        return self.texts(record.iter(*self.tags), language)

    def texts(self, elements: Iterable[Element], language: str | None) -> tuple[str, ...]:
        """The values of elements with its name, those in the language."""
        texts_of = [(element, text) for element in elements if (text := words(element))]
        if len(texts_of) > 1:
            chosen = in_language([element for element, _ in texts_of], language)
            texts = tuple(
                map(words, chosen) if len(chosen) < len(texts_of) else [text for _, text in texts_of]
            )
        else:
            texts = tuple([text for _, text in texts_of])
        if self.prefix is None:
            return texts
        return tuple(part for text in texts if (part := self.cut(text)) is not None)

    def cut(self, text: str) -> str | None:
        """A value without its prefix; None if it has another one."""
        if self.prefix is None:
            return text
        if not self.prefix:
            return without_role(text)
        before, colon, after = text.partition(":")
        return after.strip() if colon and before.strip().casefold() == self.prefix.casefold() else None

    def first(self, record: Element, language: str | None = None) -> str | None:
        """The first value of a record, if it has any."""
        return next(iter(self.values(record, language)), None)


TITLE, DATE = Field("title", None), Field("date", None)
IDENTIFIER = Field("identifier", None)
CREATED, PUBLISHER = Field("created", None, "dcterms"), Field("publisher", None)
FORMAT_FIELDS = (Field("medium", None, "dcterms"), Field("format", None))


def parse_field(column: str, flag: str) -> Field:
    """A column as flags name it.

    Raises:
        ArttlError: for a name that is not an element of Dublin Core.
    """
    match = _COLUMN.fullmatch(column)
    if match is None or match[2] not in (_TERMS if match[1] == "dcterms" else _ELEMENTS):
        known = [f"dc:{name}" for name in _ELEMENTS] + [f"dcterms:{name}" for name in _TERMS]
        raise ArttlError(
            f"{flag} {column!r} is not a field of Dublin Core{did_you_mean(column, known)}; give one such as"
            " dc:type, or dc:format[materiaal] for the values with a prefix"
        )
    return Field(match[2], match[3], match[1] or "dc")


def task_fields(
    columns: dict[str, str], defaults: dict[str, str], special: tuple[str, ...]
) -> dict[str, str | Field]:
    """Task name to its field.

    Args:
        columns: task name to column, of `--tasks`; empty if it is not given.
        defaults: task name to column, where none are given; a task of theirs needs no column.
        special: columns that are no element, which stay as they are.

    Raises:
        ArttlError: for a column that is not one of these.
    """
    fields: dict[str, str | Field] = {}
    for task, column in (columns or defaults).items():
        column = defaults.get(task, column) if column == task else column
        fields[task] = column if column in special else parse_field(column, f"--tasks {task}")
    return fields


def without_role(text: str) -> str:
    """`Dürer, Albrecht` from `prentmaker: Dürer, Albrecht`; a text without a role as it is."""
    _, colon, name = text.partition(": ")
    if colon:
        return name.strip()
    return "" if text.rstrip().endswith(":") else text


class Elements:
    """The elements of a record by their names: it is gone through once, not for each field."""

    def __init__(self, record: Element) -> None:
        """Go through a record."""
        self._by_tag = by_tag = defaultdict[str, list[Element]](list)
        for element in record.iter():
            by_tag[element.tag].append(element)

    def of(self, field: Field) -> list[Element]:
        """The elements of a field."""
        by_tag = self._by_tag
        several = [by_tag[tag] for tag in field.tags if tag in by_tag]
        return several[0] if len(several) == 1 else [element for of_tag in several for element in of_tag]

    def texts(self, field: Field, language: str | None) -> tuple[str, ...]:
        """The values of a field in the language."""
        return field.texts(self.of(field), language)

    def values(self, field: Field) -> list[Value]:
        """The values of a field, in all languages, addresses too."""
        return [
            value_of(element, text)
            for element in self.of(field)
            if (text := words(element) or element.get(_RESOURCE, ""))
        ]


class IdentifierNotes:
    """Chooses the object number out of a record's identifiers, and counts where there was a choice."""

    def __init__(self, name: str) -> None:
        """Prepare a reading.

        Args:
            name: of the element, for what is said.
        """
        self._name = name
        self._counts: dict[str, int] = {}
        self._examples: dict[str, str] = {}

    def choose(self, identifiers: tuple[str, ...], other: str) -> str:
        """The first identifier that is no web address, else the other one.

        Args:
            identifiers: of the record, in its order.
            other: what the record's own identifier ends in.
        """
        numbers = [text for text in dict.fromkeys(identifiers) if "://" not in text and not is_address(text)]
        if len(numbers) > 1:
            self._count("several", f"{numbers[0]} of {', '.join(numbers[:3])}")
        elif numbers and len(set(identifiers)) > 1:
            self._count("addresses", f"{numbers[0]} of {', '.join(identifiers[:3])}")
        if numbers:
            return numbers[0]
        if other:
            self._count("other", other)
        return other

    def _count(self, what: str, example: str) -> None:
        self._counts[what] = self._counts.get(what, 0) + 1
        self._examples.setdefault(what, example)

    def sentences(self) -> Iterator[str]:
        """What was chosen, where there was a choice."""
        if count := self._counts.get("several"):
            yield (
                f"object number: {counted(count, 'record has', 'records have')} several {self._name} that are no web"
                f" address; the first is the number ({self._examples['several']}); --object-number names another field"
            )
        if count := self._counts.get("addresses"):
            yield (
                f"object number: {counted(count, 'record has', 'records have')} a {self._name} and web addresses beside"
                f" it; it is the number ({self._examples['addresses']})"
            )
        if count := self._counts.get("other"):
            yield (
                f"object number: {counted(count, 'record has', 'records have')} no {self._name} but web addresses; the"
                f" end of the record's own identifier is the number ({self._examples['other']}); --object-number"
                " names another field"
            )
