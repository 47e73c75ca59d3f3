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
from arttl.errors import ArttlError
from arttl.records.kinds import contents
from arttl.records.oai import RECORD, Harvest, identifier_of
from arttl.records.reading import metadata_files
from arttl.records.xml_records import XML_LANG, in_language, words
from arttl.shards.rejects import Reject
from arttl.sources.dublin_core import (
    FORMATS,
    LEFT_OUT,
    Field,
    IdentifierNotes,
    first_picture,
    parse_field,
    task_fields,
)
from arttl.sources.label_values import LabelChoice, Labels, Value, value_of
from arttl.sources.pictures import NoPicture, PictureFolder
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

TASKS = ("material", "type", "artist")

_COLUMNS = {
    "material": "material",
    "type": "dc:type",
    "artist": "dc:creator",
    "date": "date",
}
_EDM = "{http://www.europeana.eu/schemas/edm/}"
_ORE = "{http://www.openarchives.org/ore/terms/}"
_OWL = "{http://www.w3.org/2002/07/owl#}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_SKOS = ("{http://www.w3.org/2004/02/skos/core#}", "{http://www.w3.org/2004/02/skos/core}")
_PROVIDER, _DATA_PROVIDER = (_EDM + "provider").casefold(), (_EDM + "dataProvider").casefold()
# Best first; `edm:hasView` has the other pictures of an object.
_PICTURES = tuple((_EDM + name).casefold() for name in ("isShownBy", "object", "hasView"))
_ABOUT, _ID, _RESOURCE = _RDF + "about", _RDF + "ID", _RDF + "resource"
_LAST_PART = re.compile(r"([^/#]+)[/#]*\Z")
_OBJECT, _PROXY, _AGGREGATION = _EDM + "ProvidedCHO", _ORE + "Proxy", _ORE + "Aggregation"
_NAMES = (
    tuple(space + "prefLabel" for space in _SKOS),
    ("{http://xmlns.com/foaf/0.1/}name", "{http://www.w3.org/2000/01/rdf-schema#}label"),
)
_SPAN = (_EDM + "begin", _EDM + "end")  # of a time
_SAME = (*(space + "exactMatch" for space in _SKOS), _OWL + "sameAs")

_IDENTIFIER, _TITLE = Field("identifier", None), Field("title", None)
_MEDIUM, _FORMAT = Field("medium", None, "dcterms"), Field("format", None)
_CREATED, _DATE = Field("created", None, "dcterms"), Field("date", None)


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
    harvest = Harvest(metadata_files(settings.metadata, (".xml", ".rdf")), _is_edm)
    for index, file in enumerate(harvest.files):
        objects = records = 0
        for record, state in harvest.records(index, (RECORD, _RDF + "RDF")):
            records += 1
            where = f"record {records} of {file.name}"
            if state != "in force":
                yield PassedOver(LEFT_OUT[state], identifier_of(record) or where)
                objects += state != "another format"
                continue
            for rdf in record.iter(_RDF + "RDF"):
                graph = _Graph(rdf)
                for described in graph.of_class(_OBJECT):
                    objects += 1
                    yield from reading.artwork(graph, described, where)
        if not objects:
            yield PassedOver("files without EDM records", f"{file.name}: {contents(file, 'edm')}")
    yield from reading.notes()


def _is_edm(record: Element) -> bool:
    return next(record.iter(_OBJECT), None) is not None or any(
        _name_of(element.get(_RESOURCE, "")) == _OBJECT for element in record.iter(_RDF + "type")
    )


# The elements that describe one resource; most files have one.
Resource = list[Element]


class _Graph:
    """The resources that one `rdf:RDF` describes, by their addresses."""

    def __init__(self, rdf: Element) -> None:
        self._nodes: dict[str, list[Element]] = {}
        self._classes: dict[str, list[Element]] = {}
        for element in rdf.iter():
            address = element.get(_ABOUT) or (f"#{element.get(_ID)}" if element.get(_ID) else "")
            if address:
                self._nodes.setdefault(address, []).append(element)
        for element in rdf:
            names = {element.tag}
            if element.tag == _RDF + "Description":  # how general RDF software writes it
                names = {_name_of(child.get(_RESOURCE, "")) for child in element.findall(_RDF + "type")}
            for name in names:
                self._classes.setdefault(name, []).append(element)

    def of_class(self, name: str) -> list[Resource]:
        """The resources of a class, in the order of the file."""
        several = [self._whole(element) for element in self._classes.get(name, ())]
        return list({id(resource[0]): resource for resource in several}.values())

    def _whole(self, element: Element) -> Resource:
        """All elements that describe the same resource; some files have one for each property."""
        alike = (element.tag, _RDF + "Description")  # a picture may have the address of its object
        same = [node for node in self._nodes.get(element.get(_ABOUT, ""), ()) if node.tag in alike]
        return same or [element]

    def holders(self, described: Resource) -> list[Resource]:
        """The resources with the properties of an object: its own, the provider's proxies, Europeana's."""
        address = described[0].get(_ABOUT)
        proxies = [proxy for proxy in self.of_class(_PROXY) if _refers(proxy, _ORE + "proxyFor", address)]
        proxies.sort(key=_is_of_europeana)
        return [described, *proxies]

    def aggregations(self, described: Resource) -> list[Resource]:
        """The provider's aggregations of an object."""
        known = self.of_class(_AGGREGATION)
        own = [each for each in known if _refers(each, _EDM + "aggregatedCHO", described[0].get(_ABOUT))]
        if not own and len(known) == 1 == len(self.of_class(_OBJECT)):
            return known
        return own

    def value(self, element: Element, language: str | None) -> tuple[Value, str]:
        """The value of a property, and the language of its name in a vocabulary (empty: written out)."""
        nodes = list(element)
        address = element.get(_RESOURCE, "").strip()
        if nodes:  # the resource is described right here
            address = nodes[0].get(_ABOUT, "")
        elif not address:
            return value_of(element, words(element)), ""
        for node in [*nodes, *self._nodes.get(address, ())]:
            name = _name(node, language)
            if name is not None:
                same = (child.get(_RESOURCE, "") for tag in _SAME for child in node.findall(tag))
                addresses = tuple(dict.fromkeys(filter(None, (address, *same))))
                spoken = name.get(XML_LANG, "").partition("-")[0].casefold()
                return Value(element, words(name), addresses, in_vocabulary=True), spoken
            if span := "-".join(dict.fromkeys(filter(None, (words(node.find(tag)) for tag in _SPAN)))):
                return Value(element, span, (address,) if address else (), in_vocabulary=True), ""
        return Value(element, "", (address,) if address else ()), ""


def _name(node: Element, language: str | None) -> Element | None:
    for tags in _NAMES:
        names = [child for child in node if child.tag in tags and words(child)]
        if names:
            return in_language(names, language)[0]
    return None


def _properties(resource: Resource, tag: str) -> list[Element]:
    return [child for element in resource for child in element.findall(tag)]


def _texts(resource: Resource, field: Field, language: str | None) -> tuple[str, ...]:
    """What is written out in a property of a resource, in the language."""
    elements = [element for element in _properties(resource, field.tag) if words(element)]
    cut = (field.cut(words(element)) for element in in_language(elements, language))
    return tuple(text for text in cut if text is not None)


def _refers(resource: Resource, tag: str, address: str | None) -> bool:
    return any(child.get(_RESOURCE, words(child)) == address for child in _properties(resource, tag))


def _name_of(address: str) -> str:
    """The name of a class as lxml writes it, from its address."""
    for space in (_EDM, _ORE):
        if address.startswith(space[1:-1]):
            return space + address[len(space) - 2 :]
    return address


class _Reading:
    """One reading: its fields, and what is counted."""

    def __init__(self, settings: SourceSettings) -> None:
        defaults = {task: _COLUMNS[task] for task in TASKS}
        self._fields = task_fields(settings, defaults, (*FORMATS, "date"))
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
        self, graph: _Graph, described: Element, where: str
    ) -> Iterator[Artwork | Reject | PassedOver]:
        """The artwork of an object, or its reject."""
        holders = graph.holders(described)
        if self._number:
            number = next(iter(_first(_texts(holder, self._number, None) for holder in holders)), "")
        else:
            texts = _first(_texts(holder, _IDENTIFIER, None) for holder in holders)
            own = _LAST_PART.search(described[0].get(_ABOUT, ""))
            number = self._identifiers.choose(texts, own[1] if own else "")
        if not number:
            yield Reject("", "", "", "no-object-number", where)
            return
        provided: dict[str, list[Element]] = {}
        providers = [*graph.aggregations(described), described]
        for child in (child for each in providers for element in each for child in element):
            provided.setdefault(child.tag.casefold(), []).append(child)  # some exports change the letter case
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
            title=next(iter(_first(_texts(holder, _TITLE, self._language) for holder in holders)), None),
            date=self._date(graph, holders),
            source=self._text(graph, provided.get(_PROVIDER, [])),
            institution=self._institution(graph, holders, provided),
            identifiers={task: each.identifiers for task, each in labels.items() if each.identifiers},
        )

    def _labels(self, task: str, field: str | Field, graph: _Graph, holders: list[Resource]) -> Labels:
        if field in FORMATS:
            groups = [
                self._values(task, graph, holder, each) for holder in holders for each in (_MEDIUM, _FORMAT)
            ]
            return self._choice.materials(task, groups, techniques=field == "technique")
        for each in (_CREATED, _DATE) if isinstance(field, str) else (field,):
            for holder in holders:
                if values := self._values(task, graph, holder, each):
                    return self._choice.labels(task, values, each.cut)
        return Labels((), (), {})

    def _values(self, task: str, graph: _Graph, holder: Resource, field: Field) -> list[Value]:
        values = []
        for element in _properties(holder, field.tag):
            value, language = graph.value(element, self._language)
            if value.in_vocabulary:
                self._choice.count_language(task, language)
            if value.text or value.addresses:
                values.append(value)
                self._enriched[task] += _is_of_europeana(holder)
        return values

    def _date(self, graph: _Graph, holders: list[Resource]) -> str | None:
        for field in (_CREATED, _DATE):
            for holder in holders:
                values = (
                    graph.value(element, self._language)[0] for element in _properties(holder, field.tag)
                )
                if texts := [value.text for value in values if value.text]:
                    return "; ".join(dict.fromkeys(texts))
        return None

    def _picture(self, provided: dict[str, list[Element]], number: str) -> tuple[Path | NoPicture, list[str]]:
        """The picture of an object, and the names of others that the folder has."""
        elements = [element for tag in _PICTURES for element in provided.get(tag, ())] if self._images else []
        names = list(dict.fromkeys(filter(None, map(_address, elements))))
        named, others = first_picture(self._pictures, names) if names else (None, [])
        if named is not None and (not isinstance(named, NoPicture) or named.reason == "ambiguous-picture"):
            return named, others
        picture = self._pictures.of_object(number)
        if isinstance(picture, NoPicture) and picture.reason == "missing" and named is not None:
            return NoPicture("missing", named.name, f"{named.detail}, and {picture.detail}"), []
        return picture, []

    def _institution(
        self, graph: _Graph, holders: list[Resource], provided: dict[str, list[Element]]
    ) -> str | None:
        if self._institution_field is None:
            return self._text(graph, provided.get(_DATA_PROVIDER, []))
        tag = self._institution_field.tag
        return self._text(graph, [element for holder in holders for element in _properties(holder, tag)])

    def _text(self, graph: _Graph, elements: list[Element]) -> str | None:
        """The first text in the language, the name of a resource else; its address where nothing names it."""
        written = [element for element in elements if not element.get(_RESOURCE) and words(element)]
        for element in [*in_language(written, self._language), *elements]:
            value, _ = graph.value(element, self._language)
            if value.text or value.addresses:
                return value.text or value.addresses[0]
        return None

    def notes(self) -> Iterator[Note]:
        """What there is to say when all records were read."""
        yield from self._identifiers.notes()
        yield from self._choice.notes({task: self._columns[task] for task in self._fields})
        for task, count in self._enriched.items():
            if count:
                yield Note(f"{task}: {count:,} value(s) were added by Europeana and are not the provider's")


def _is_of_europeana(holder: Resource) -> bool:
    return any(words(each).casefold() == "true" for each in _properties(holder, _EDM + "europeanaProxy"))


def _address(element: Element) -> str:
    inner = element[0].get(_ABOUT, "") if len(element) else words(element)
    return element.get(_RESOURCE, "").strip() or inner


def _first(several: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The first that is not empty."""
    return next(filter(None, several), ())
