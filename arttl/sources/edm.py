"""The Europeana Data Model (EDM) in RDF/XML: files or folders of files, alone or as harvested over OAI-PMH.

Example of a record:

    <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"
             xmlns:dcterms="http://purl.org/dc/terms/" xmlns:edm="http://www.europeana.eu/schemas/edm/"
             xmlns:ore="http://www.openarchives.org/ore/terms/" xmlns:skos="http://www.w3.org/2004/02/skos/core#">
      <edm:ProvidedCHO rdf:about="http://museum.example/object/4711">
        <dc:identifier>SK-A-4878</dc:identifier>
        <dc:title xml:lang="en">Landscape</dc:title>
        <dc:creator rdf:resource="http://museum.example/person/12"/>
        <dc:type xml:lang="en">painting</dc:type>
        <dcterms:medium rdf:resource="http://vocab.getty.edu/aat/300015050"/>
        <dcterms:created>1648</dcterms:created>
      </edm:ProvidedCHO>
      <edm:Agent rdf:about="http://museum.example/person/12">
        <skos:prefLabel>Everdingen, Caesar van</skos:prefLabel>
      </edm:Agent>
      <skos:Concept rdf:about="http://vocab.getty.edu/aat/300015050">
        <skos:prefLabel xml:lang="en">oil paint</skos:prefLabel>
        <skos:prefLabel xml:lang="nl">olieverf</skos:prefLabel>
      </skos:Concept>
      <ore:Aggregation rdf:about="http://museum.example/aggregation/4711">
        <edm:aggregatedCHO rdf:resource="http://museum.example/object/4711"/>
        <edm:dataProvider>Museum Example</edm:dataProvider>
        <edm:isShownBy rdf:resource="http://museum.example/images/SK-A-4878.jpg"/>
      </ore:Aggregation>
    </rdf:RDF>

The fields for tasks: `material` and `technique` (of `dcterms:medium`, else of `dc:format`, as for Dublin Core), `type`
(`dc:type`), `artist` (`dc:creator`), `date` (`dcterms:created`, else `dc:date`), and any other as `dc:subject` or
`dcterms:spatial`. A property of the object is taken from `edm:ProvidedCHO`, else from the provider's proxy, else from
Europeana's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from lxml.etree import _Element as Element

from arttl.artworks import Artwork, sample_key
from arttl.dublin_core.edm_objects import (
    EDM,
    OBJECT,
    aggregations,
    holders_of,
    is_edm,
    is_of_europeana,
    value_of_property,
)
from arttl.dublin_core.fields import (
    CREATED,
    DATE,
    FORMAT_FIELDS,
    FORMATS,
    IDENTIFIER,
    TITLE,
    Field,
    IdentifierNotes,
    parse_field,
    task_fields,
)
from arttl.dublin_core.label_values import LabelChoice, Labels, Value
from arttl.dublin_core.oai import BROKEN_OFF, RECORD, Harvest, identifier_of
from arttl.dublin_core.rdf import RDF, Graph, Resource, reference
from arttl.errors import ArttlError, counted
from arttl.records.kinds import contents
from arttl.records.reading import metadata_files
from arttl.records.xml_records import in_language, words
from arttl.shards.rejects import Reject
from arttl.sources.dublin_core import LEFT_OUT
from arttl.sources.pictures import NoPicture, PictureFolder, first_picture
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

TASKS = ("material", "type", "artist")

_COLUMNS = {
    "material": "material",
    "type": "dc:type",
    "artist": "dc:creator",
    "date": "date",
}
_PROVIDER, _DATA_PROVIDER = (EDM + "provider").casefold(), (EDM + "dataProvider").casefold()
# Best first; `edm:hasView` has the other pictures of an object.
_PICTURES = tuple((EDM + name).casefold() for name in ("isShownBy", "object", "hasView"))
_LAST_PART = re.compile(r"([^/#]+)[/#]*\Z")


def read_edm(settings: SourceSettings) -> Iterator[Artwork | Reject | PassedOver | Note]:
    """Artworks of EDM records, one per `edm:ProvidedCHO`; of a harvest only the records in force.

    The object number is the first `dc:identifier` that is not a web address (or the field of `--object-number`), else
    the last part of the object's own address. The image is named by `edm:isShownBy`, else by `edm:object`, where the
    folder has that file, else after the object. The institution is `edm:dataProvider`.

    Args:
        settings: `metadata` is required, and `images` but for a dry run.

    Raises:
        ArttlError: if a setting is missing, or a file is not well-formed XML.
    """
    if settings.metadata is None:
        raise ArttlError("--source edm needs --metadata, a file or a folder of XML files")
    reading = _Reading(settings)
    harvest = Harvest(metadata_files(settings.metadata, (".xml", ".rdf")), is_edm)
    if harvest.is_broken_off:
        yield Note(BROKEN_OFF)
    for index, file in enumerate(harvest.files):
        objects = records = 0
        for record, state in harvest.records(index, (RECORD, RDF)):
            records += 1
            where = f"record {records} of {file.name}"
            if state != "in force":
                yield PassedOver(LEFT_OUT[state], identifier_of(record) or where)
                objects += state != "another format"
                continue
            for graph in map(Graph, record.iter(RDF)):
                for described in graph.of_class(OBJECT):
                    objects += 1
                    yield from reading.artwork(graph, described, where)
        if not objects:
            yield PassedOver("files without EDM records", f"{file.name}: {contents(file, 'edm')}")
    yield from reading.notes()


def _texts(resource: Resource, field: Field, language: str | None) -> tuple[str, ...]:
    """What is written out in a property of a resource, in the language."""
    return field.texts(resource.properties.get(field.tag, ()), language)


class _Reading:
    """One reading: its fields, and what is counted."""

    def __init__(self, settings: SourceSettings) -> None:
        defaults = {task: _COLUMNS[task] for task in TASKS}
        self._fields = task_fields(settings.task_columns(), defaults, (*FORMATS, "date"))
        self._columns = {**_COLUMNS, **settings.task_columns()}
        self._language = settings.language
        self._number = settings.object_number and parse_field(settings.object_number, "--object-number")
        column = settings.institution_column
        self._institution_field = parse_field(column, "--institution-column") if column else None
        self._images = settings.images
        self._pictures = PictureFolder.of(settings, "edm")
        self._choice = LabelChoice(settings.language, settings.label_separator)
        self._identifiers = IdentifierNotes("dc:identifier")
        self._enriched: Counter[str] = Counter()

    def artwork(
        self, graph: Graph, described: Resource, where: str
    ) -> Iterator[Artwork | Reject | PassedOver]:
        """The artwork of an object, or its reject."""
        holders = holders_of(graph, described)
        if self._number:
            number = next(iter(_first(_texts(holder, self._number, None) for holder in holders)), "")
        else:
            texts = _first(_texts(holder, IDENTIFIER, None) for holder in holders)
            own = _LAST_PART.search(described.address)
            number = self._identifiers.choose(texts, own[1] if own else "")
        if not number:
            yield Reject("", "", "", "no-object-number", where)
            return
        provided: dict[str, list[Element]] = {}
        for each in (*aggregations(graph, described), described):
            for tag, elements in each.properties.items():
                # Some exports change the letter case.
                provided.setdefault(tag.casefold(), []).extend(elements)
        picture, others = self._picture(provided, number)
        yield from (PassedOver("further pictures of an object", name) for name in others)
        if isinstance(picture, NoPicture):
            yield picture.reject(number)
            return
        labels = {task: self._labels(task, field, graph, holders) for task, field in self._fields.items()}
        yield Artwork(
            key=sample_key(number),
            object_number=number,
            image=picture,
            labels={task: each.labels for task, each in labels.items()},
            raw_labels={task: each.raw for task, each in labels.items()},
            title=next(iter(_first(_texts(holder, TITLE, self._language) for holder in holders)), None),
            date=self._date(graph, holders),
            source=self._text(graph, provided.get(_PROVIDER, [])),
            institution=self._institution(graph, holders, provided),
            identifiers={task: each.identifiers for task, each in labels.items() if each.identifiers},
        )

    def _labels(self, task: str, field: str | Field, graph: Graph, holders: list[Resource]) -> Labels:
        if field in FORMATS:
            groups = [self._values(task, graph, holder, each) for holder in holders for each in FORMAT_FIELDS]
            return self._choice.materials(task, groups, techniques=field == "technique")
        for each in (CREATED, DATE) if isinstance(field, str) else (field,):
            for holder in holders:
                if values := self._values(task, graph, holder, each):
                    return self._choice.labels(task, values, each.cut)
        return Labels((), (), {})

    def _values(self, task: str, graph: Graph, holder: Resource, field: Field) -> list[Value]:
        values = []
        for element in holder.properties.get(field.tag, ()):
            value, name = value_of_property(graph, element, self._language)
            if name is not None:
                self._choice.count_language(task, name)
            if value.text or value.addresses:
                values.append(value)
        if values and is_of_europeana(holder):
            self._enriched[task] += len(values)
        return values

    def _date(self, graph: Graph, holders: list[Resource]) -> str | None:
        for field in (CREATED, DATE):
            for holder in holders:
                elements = holder.properties.get(field.tag, ())
                values = (value_of_property(graph, element, self._language)[0] for element in elements)
                if texts := [value.text for value in values if value.text]:
                    return "; ".join(dict.fromkeys(texts))
        return None

    def _picture(self, provided: dict[str, list[Element]], number: str) -> tuple[Path | NoPicture, list[str]]:
        """The picture of an object, and the names of others that the folder has."""
        elements = [element for tag in _PICTURES for element in provided.get(tag, ())] if self._images else []
        names = list(
            dict.fromkeys(filter(None, (reference(element) or words(element) for element in elements)))
        )
        named, others = first_picture(self._pictures, names) if names else (None, [])
        if named is not None and (not isinstance(named, NoPicture) or named.reason == "ambiguous-picture"):
            return named, others
        picture = self._pictures.of_object(number)
        if isinstance(picture, NoPicture) and picture.reason == "missing" and named is not None:
            return NoPicture("missing", named.name, f"{named.detail}, and {picture.detail}"), []
        return picture, []

    def _institution(
        self, graph: Graph, holders: list[Resource], provided: dict[str, list[Element]]
    ) -> str | None:
        if self._institution_field is None:
            return self._text(graph, provided.get(_DATA_PROVIDER, []))
        tag = self._institution_field.tag
        return self._text(graph, [element for each in holders for element in each.properties.get(tag, ())])

    def _text(self, graph: Graph, elements: list[Element]) -> str | None:
        """The first text in the language, the name of a resource else; its address where nothing names it."""
        written = [element for element in elements if not reference(element) and words(element)]
        for element in [*in_language(written, self._language), *elements]:
            value, _ = value_of_property(graph, element, self._language)
            if value.text or value.addresses:
                return value.text or value.addresses[0]
        return None

    def notes(self) -> Iterator[PassedOver | Note]:
        """What there is to say when all records were read."""
        yield from map(Note, self._identifiers.sentences())
        yield from map(Note, self._choice.sentences({task: self._columns[task] for task in self._fields}))
        for task, count in self._enriched.items():
            if count:
                were = counted(count, "value was", "values were")
                yield Note(f"{task}: {were} added by Europeana, not by the provider")
        yield from self._pictures.remarks()


def _first(several: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The first that is not empty."""
    return next(filter(None, several), ())
