"""Dublin Core as museums export it over OAI-PMH: `oai_dc` records, in a file or a folder of files.

Example of a record, alone or with others under any element:

    <record xmlns="http://www.openarchives.org/OAI/2.0/">
      <header><identifier>oai:museum.example:SK-A-4878</identifier></header>
      <metadata>
        <oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/"
                   xmlns:dc="http://purl.org/dc/elements/1.1/">
          <dc:identifier>SK-A-4878</dc:identifier>
          <dc:title xml:lang="nl">Landschap</dc:title>
          <dc:creator>schilder: Everdingen, Caesar Boëtius van</dc:creator>
          <dc:type>schilderij</dc:type>
          <dc:format>materiaal: olieverf</dc:format>
          <dc:format>materiaal: doek</dc:format>
          <dc:format>techniek: schilderen</dc:format>
        </oai_dc:dc>
      </metadata>
    </record>

A label column is an element, such as `dc:type` or `dcterms:medium`, or its values with one prefix, such as
`dc:format[materiaal]`: here the labels `olieverf` and `doek`. `dc:creator[]` leaves the role before the colon out.
`material` and `technique` are what `dcterms:medium`, else `dc:format`, has of them (`arttl/records/format_values.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lxml.etree import _Element as Element

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError, did_you_mean
from arttl.records.kinds import contents, survey_xml
from arttl.records.label_values import LabelChoice, Labels, Value, is_address, value_of
from arttl.records.oai import RECORD, Harvest, identifier_of, payload
from arttl.records.reading import metadata_files
from arttl.records.xml_records import in_language, read_records, words
from arttl.shards.rejects import Reject
from arttl.sources.pictures import NoPicture, PictureFolder
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

TASK_COLUMNS = {"material": "material", "type": "dc:type", "artist": "dc:creator"}

# What a harvest leaves out, as it is counted.
LEFT_OUT = {
    "replaced": "OAI-PMH records that a later one replaces",
    "deleted later": "OAI-PMH records that a later one deletes",
    "deleted": "deleted OAI-PMH records",
    "another format": "OAI-PMH records in another format",
}

_DC = "{http://purl.org/dc/elements/1.1/}"
_DCTERMS = "{http://purl.org/dc/terms/}"
_OAI_DC = "{http://www.openarchives.org/OAI/2.0/oai_dc/}dc"
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
        return (_DCTERMS if self.namespace == "dcterms" else _DC) + self.element

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """The names that the element may have: the fifteen elements are in both namespaces."""
        return (self.tag,) if self.namespace == "dcterms" else (self.tag, _DCTERMS + self.element)

    def values(self, record: Element, language: str | None) -> tuple[str, ...]:
        """The values of a record, in its order."""
        return self.texts(record.iter(*self.tags), language)

    def texts(self, elements: Iterable[Element], language: str | None) -> tuple[str, ...]:
        """The values of elements with its name, those in the language."""
        texts = {element: text for element in elements if (text := words(element))}
        chosen = list(texts) if len(texts) < 2 else in_language(list(texts), language)
        cut = (self.cut(texts[element]) for element in chosen)
        return tuple(text for text in cut if text is not None)

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
_IDENTIFIER = Field("identifier", None)
_CREATED, _PUBLISHER = Field("created", None, "dcterms"), Field("publisher", None)
_FORMAT_FIELDS = (Field("medium", None, "dcterms"), Field("format", None))


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
    settings: SourceSettings, defaults: dict[str, str], special: tuple[str, ...]
) -> dict[str, str | Field]:
    """Task name to its field.

    Args:
        settings: of which `tasks` counts.
        defaults: task name to column, where none are given; a task of theirs needs no column.
        special: columns that are no element, which stay as they are.

    Raises:
        ArttlError: for a column that is not one of these.
    """
    fields: dict[str, str | Field] = {}
    for task, column in (settings.task_columns() or defaults).items():
        column = defaults.get(task, column) if column == task else column
        fields[task] = column if column in special else parse_field(column, f"--tasks {task}")
    return fields


def without_role(text: str) -> str:
    """`Dürer, Albrecht` from `prentmaker: Dürer, Albrecht`; a text without a role as it is."""
    _, colon, name = text.partition(": ")
    if colon:
        return name.strip()
    return "" if text.rstrip().endswith(":") else text


def read_dublin_core(settings: SourceSettings) -> Iterator[Artwork | Reject | PassedOver | Note]:
    """Artworks of Dublin Core records, one per record; of a harvest only the records in force.

    The object number is the first `dc:identifier` that is not a web address (or the field of `--object-number`), else
    the OAI identifier without its first two parts. The image is that named after the object, or by the field of
    `--image`.

    Args:
        settings: `metadata` is required, and `images` but for a dry run.

    Raises:
        ArttlError: if a setting is missing, or a file is not well-formed XML.
    """
    if settings.metadata is None:
        raise ArttlError("--source dublin-core needs --metadata, a file or a folder of XML files")
    reading = _Reading(settings)
    harvest = Harvest(metadata_files(settings.metadata, (".xml",)), is_dublin_core)
    for index, file in enumerate(harvest.files):
        number = 0
        for number, (record, state) in enumerate(harvest.records(index, (RECORD, _OAI_DC)), start=1):
            if state == "in force":
                yield from reading.artwork(record, f"record {number} of {file.name}")
            else:
                yield PassedOver(LEFT_OUT[state], identifier_of(record) or f"record {number} of {file.name}")
        if number:
            continue
        if name := survey_xml(file).dublin_core_records:
            # Records under an element of the institution's own.
            yield Note(f"{file.name}: its records are the elements named {name.rpartition('}')[2]!r}")
            for number, record in enumerate(read_records(file, [name]), start=1):
                yield from reading.artwork(record, f"record {number} of {file.name}")
        else:
            yield PassedOver(
                "files without Dublin Core records", f"{file.name}: {contents(file, 'dublin-core')}"
            )
    yield from reading.notes()


def is_dublin_core(record: Element) -> bool:
    """Whether an OAI-PMH record has Dublin Core metadata, or none that could be of another format."""
    metadata = payload(record)
    return (
        metadata is None
        or next(metadata.iter(_OAI_DC), None) is not None
        or any(child.tag.startswith((_DC, _DCTERMS)) for child in metadata)
    )


class _Reading:
    """One reading: its fields, and what is counted."""

    def __init__(self, settings: SourceSettings) -> None:
        self._fields = task_fields(settings, TASK_COLUMNS, FORMATS)
        self._columns = {**TASK_COLUMNS, **settings.task_columns()}
        self._language = settings.language
        self._number = settings.object_number and parse_field(settings.object_number, "--object-number")
        self._image = settings.image and parse_field(settings.image, "--image")
        institution = settings.institution_column
        self._institution = institution and parse_field(institution, "--institution-column")
        self._pictures = PictureFolder.of(settings, "dublin-core")
        self._choice = LabelChoice(settings.language, settings.label_separator)
        self._identifiers = IdentifierNotes("dc:identifier")

    def artwork(self, record: Element, where: str) -> Iterator[Artwork | Reject | PassedOver]:
        """The artwork of a record, or its reject."""
        oai_identifier = identifier_of(record)
        if record.tag == RECORD and (metadata := payload(record)) is not None:
            record = metadata
        elements = _Elements(record)
        if self._number:
            number = next(iter(elements.texts(self._number, None)), "")
        else:
            own = oai_identifier.split(":", 2) if oai_identifier.startswith("oai:") else [oai_identifier]
            number = self._identifiers.choose(elements.texts(_IDENTIFIER, None), own[-1])
        if not number:
            yield Reject("", "", "", "no-object-number", where)
            return
        if self._image:
            names = list(dict.fromkeys(elements.texts(self._image, None)))
            if not names:
                yield Reject(number, "", "", "no-image-named", where)
                return
            picture, others = first_picture(self._pictures, names)
            yield from (PassedOver("further pictures of an object", name) for name in others)
        else:
            picture = self._pictures.of_object(number)
        if isinstance(picture, NoPicture):
            yield picture.reject(number)
            return
        labels = {task: self._labels(task, field, elements) for task, field in self._fields.items()}
        language = self._language
        yield Artwork(
            key=sample_key(number),
            object_number=number,
            image=picture,
            labels={task: each.labels for task, each in labels.items()},
            raw_labels={task: each.raw for task, each in labels.items()},
            title=next(iter(elements.texts(TITLE, language)), None),
            date="; ".join(elements.texts(_CREATED, language) or elements.texts(DATE, language)) or None,
            source=next(iter(elements.texts(_PUBLISHER, None)), None),
            institution=next(iter(elements.texts(self._institution, language)), None)
            if self._institution
            else None,
            identifiers={task: each.identifiers for task, each in labels.items() if each.identifiers},
        )

    def _labels(self, task: str, field: str | Field, elements: _Elements) -> Labels:
        if isinstance(field, str):
            groups = [elements.values(each) for each in _FORMAT_FIELDS]
            return self._choice.materials(task, groups, techniques=field == "technique")
        values = elements.values(field)
        if field.element in ("creator", "contributor") and field.prefix is None:
            for value in values:
                if ": " in value.text:
                    self._choice.count(task, "role", value.text)
        return self._choice.labels(task, values, field.cut)

    def notes(self) -> Iterator[Note]:
        """What there is to say when all records were read."""
        yield from self._identifiers.notes()
        yield from map(Note, self._choice.sentences({task: self._columns[task] for task in self._fields}))


def first_picture(pictures: PictureFolder, names: list[str]) -> tuple[Path | NoPicture, list[str]]:
    """The picture of the first name that the folder has, and the names behind it that the folder has too.

    Args:
        pictures: the folder.
        names: as the metadata have them; not empty.
    """
    looked_up = [pictures.named(name) for name in names]
    there = [index for index, path in enumerate(looked_up) if isinstance(path, Path) and path.is_file()]
    doubtful = [
        path for path in looked_up if isinstance(path, NoPicture) and path.reason == "ambiguous-picture"
    ]
    if not there:
        return (doubtful or looked_up)[0], []
    return looked_up[there[0]], [names[index] for index in there[1:]]


class _Elements:
    """The elements of a record by their names: it is gone through once, not for each field."""

    def __init__(self, record: Element) -> None:
        self._by_tag: dict[str, list[Element]] = {}
        for element in record.iter():
            self._by_tag.setdefault(element.tag, []).append(element)

    def of(self, field: Field) -> list[Element]:
        return [element for tag in field.tags for element in self._by_tag.get(tag, ())]

    def texts(self, field: Field, language: str | None) -> tuple[str, ...]:
        return field.texts(self.of(field), language)

    def values(self, field: Field) -> list[Value]:
        texts = ((element, words(element) or element.get(_RESOURCE, "")) for element in self.of(field))
        return [value_of(element, text) for element, text in texts if text]


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

    def notes(self) -> Iterator[Note]:
        """What was chosen, where there was a choice."""
        if count := self._counts.get("several"):
            yield Note(
                f"object number: {count:,} record(s) have several {self._name} that are no web address; the first is"
                f" the number ({self._examples['several']}); --object-number names another field"
            )
        if count := self._counts.get("addresses"):
            yield Note(
                f"object number: {count:,} record(s) have a {self._name} and web addresses beside it; it is the number"
                f" ({self._examples['addresses']})"
            )
        if count := self._counts.get("other"):
            yield Note(
                f"object number: {count:,} record(s) have no {self._name} but web addresses; the end of the record's"
                f" own identifier is the number ({self._examples['other']}); --object-number names another field"
            )
