"""Linked Art: JSON-LD of museum objects (`HumanMadeObject`, linked.art), in files, folders, lists or JSON lines.

Example of a record, abridged:

    {"id": "https://museum.example/object/1", "type": "HumanMadeObject", "_label": "The Night Watch",
     "identified_by": [{"type": "Identifier", "content": "SK-C-5",
                        "classified_as": [{"id": "http://vocab.getty.edu/aat/300312355", "type": "Type"}]}],
     "classified_as": [{"id": "http://vocab.getty.edu/aat/300033618", "type": "Type", "_label": "Painting",
                        "classified_as": [{"id": "http://vocab.getty.edu/aat/300435443", "type": "Type"}]}],
     "made_of": [{"id": "http://vocab.getty.edu/aat/300015050", "type": "Material", "_label": "oil paint"}],
     "produced_by": {"type": "Production", "carried_out_by": [{"type": "Person", "_label": "Rembrandt"}]}}

The fields for tasks: `type` (classifications that are types of work), `material` (made of, else the material
statement), `technique`, `artist`, `date` (in words) and `year` (the limits of the time span).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError, did_you_mean
from arttl.records.json_records import read_documents
from arttl.shards.rejects import Reject
from arttl.sources.attribution import Qualifiers, artists, attributions
from arttl.sources.linked_art_makers import makers, productions
from arttl.sources.linked_art_terms import (
    Node,
    aat,
    address,
    addresses,
    classes,
    kind,
    name_of,
    nodes,
    several,
    texts_in_language,
)
from arttl.sources.pictures import NoPicture, PictureFolder
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

TASKS = ("material", "type", "artist")

_FIELDS = ("material", "type", "artist", "technique", "date", "year")
_OBJECTS = ("HumanMadeObject", "ManMadeObject", "E22_Human-Made_Object", "E22_Man-Made_Object")
# Concepts of the AAT.
_TYPE_OF_WORK, _ARTWORK, _MATERIAL_STATEMENT, _MUSEUM = "300435443", "300133025", "300435429", "300312281"
_NUMBERS = ("300312355", "300404621", "300435704")  # accession, repository and system-assigned numbers
_YEAR = re.compile(r"(-?\d{1,6})(?:-\d\d|\Z)")


@dataclass
class _Record:
    """The fields of one object, and what there is to say of it.

    Attributes:
        identifiers: task field to label to addresses.
        remarks: on what was passed over in it.
        said: kinds of decisions that were taken, to be counted.
    """

    node: Node
    language: str | None
    identifiers: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    remarks: list[PassedOver] = field(default_factory=list)
    said: set[str] = field(default_factory=set)

    def terms(self, column: str, concepts: list[Node]) -> tuple[str, ...]:
        """The names of concepts, whose addresses are kept; those without a name are counted."""
        names = []
        for concept in concepts:
            name = name_of(concept, self.language)
            if name:
                names.append(name)
                self._keep(column, name, addresses(concept))
            elif concept:
                self._nameless(column, address(concept))
        return tuple(names)

    def types(self) -> tuple[str, ...]:
        """The classifications that are types of work: those marked so, else those that are not marked at all."""
        concepts = list(nodes(self.node, "classified_as"))
        marked = [concept for concept in concepts if _TYPE_OF_WORK in classes(concept)]
        chosen = marked or [
            concept
            for concept in concepts
            if aat(concept) != _ARTWORK and all(map(_is_type_of, nodes(concept, "classified_as")))
        ]
        if chosen and not marked:
            self.said.add("unmarked type")
        for concept in concepts:
            if concept not in chosen:
                name = name_of(concept, self.language) or address(concept)
                self.remarks.append(PassedOver("classifications that are no types of work", name))
        return self.terms("type", chosen)

    def materials(self) -> tuple[str, ...]:
        """What the object is made of; where no term says so, the material statement as one label."""
        terms = self.terms("material", list(nodes(self.node, "made_of")))
        if terms:
            return terms
        statements = [
            entry for entry in nodes(self.node, "referred_to_by") if _MATERIAL_STATEMENT in classes(entry)
        ]
        texts = texts_in_language(statements, self.language)
        if texts:
            self.said.add("statement")
        return tuple(dict.fromkeys(texts))

    def techniques(self) -> tuple[str, ...]:
        """The techniques of the production and of its parts."""
        return self.terms(
            "technique",
            [concept for part in productions(self.node) for concept in nodes(part, "technique")],
        )

    def makers(self, *, attributed: bool) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
        """The artists, and the attributions."""
        known = []
        for maker in makers(self.node, self.language):
            if maker.name:
                known.append(maker)
                self._keep("artist", maker.name, maker.addresses)
            else:
                self._nameless("artist", *maker.addresses)
        return artists(known, attributed=attributed), attributions(known)

    def date(self) -> str | None:
        """When it was made, in words; else the limits of the time span."""
        return next(filter(None, map(self._words_of, self._time_spans())), None) or self.year()

    def year(self) -> str | None:
        """The years between which it was made, such as `1882-1883` or `500 BC-450 BC`; else the date in words.

        One limit alone is no year: there the words count, else `after 1831` or `before 1908`.
        """
        for span in self._time_spans():
            first = _year(span.get("begin_of_the_begin", span.get("end_of_the_begin")))
            last = _year(span.get("end_of_the_end", span.get("begin_of_the_end")))
            if first and last:
                return first if first == last else f"{first}-{last}"
            if words := self._words_of(span):
                return words
            if first or last:
                return f"after {first}" if first else f"before {last}"
        return None

    def _words_of(self, span: Node) -> str:
        words = name_of(span, self.language)
        return "" if words == "None" else words  # Python's, in real files

    def _time_spans(self) -> Iterator[Node]:
        for part in productions(self.node):
            yield from nodes(part, "timespan")

    def institution(self) -> str | None:
        """The museum that owns or keeps the object; else who owns it, else who keeps it."""
        holders = [
            *nodes(self.node, "current_owner", "current_keeper", "current_custodian"),
            *nodes(self.node, "current_permanent_custodian"),
            *(group for group in nodes(self.node, "member_of") if _MUSEUM in classes(group)),
        ]
        holders.sort(key=lambda holder: _MUSEUM not in classes(holder))
        return next((name for holder in holders if (name := name_of(holder, self.language))), None)

    def number(self) -> tuple[str, bool]:
        """The object number, and whether it is a number of the museum's and not the last part of the address."""
        identifiers = [
            entry for entry in nodes(self.node, "identified_by") if kind(entry) in ("Identifier", "")
        ]
        for concept in _NUMBERS:
            texts = [
                text
                for entry in identifiers
                if concept in classes(entry)
                for text in map(str, several(entry.get("content", entry.get("value"))))
                if text.strip()
            ]
            if texts:
                if len(set(texts)) > 1:
                    self.said.add("several numbers")
                return texts[0].strip(), True
        last = address(self.node).rstrip("/#").rpartition("/")[2]
        return re.sub(r"\.json(?:ld)?\Z", "", last), False

    def title(self) -> str | None:
        """The preferred name."""
        return name_of(self.node, self.language) or None

    def pictures(self) -> list[list[str]]:
        """The addresses of each picture of the object: its files, then its services, else its own."""
        digital = [
            thing
            for work in nodes(self.node, "representation", "shows")
            for thing in (work, *nodes(work, "digitally_shown_by"))
            if thing is not work or kind(work) == "DigitalObject"
        ]
        digital += nodes(self.node, "digitally_shown_by")
        several_pictures = {}
        for thing in filter(_is_picture, digital):
            points = [*nodes(thing, "access_point"), *_services(thing)] or [thing]
            if known := tuple(dict.fromkeys(filter(None, map(address, points)))):
                several_pictures[known] = list(known)
        return list(several_pictures.values())

    def _keep(self, column: str, name: str, kept: tuple[str, ...]) -> None:
        if kept:
            labels = self.identifiers.setdefault(column, {})
            labels[name] = tuple(dict.fromkeys((*labels.get(name, ()), *kept)))

    def _nameless(self, column: str, what: str) -> None:
        self.remarks.append(
            PassedOver(f"values of {column} that have an address and no name", what or "no address")
        )


def _is_type_of(mark: Node) -> bool:
    """Whether a classification of a classification is one such as `type of object`."""
    return name_of(mark, "en").casefold().startswith("type of")


def _is_picture(thing: Node) -> bool:
    """Whether a digital object may be a picture: it says so, or does not say what it is."""
    formats = [text for text in several(thing.get("format")) if isinstance(text, str)]
    return not formats or any(text.startswith("image/") for text in formats)


def _services(thing: Node) -> Iterator[Node]:
    for service in nodes(thing, "digitally_available_via"):
        yield from nodes(service, "access_point")
        if not any(nodes(service, "access_point")):
            yield service


def _year(value: Any) -> str:
    match = _YEAR.match(str(value).strip()) if isinstance(value, (str, int)) else None
    if match is None:
        return ""
    year = int(match[1])
    # As in XML Schema 1.0 and in the records of museums, -0823 is 823 BC; the year 0 of ISO 8601 is 1 BC.
    return str(year) if year > 0 else f"{-year or 1} BC"


def read_linked_art(settings: SourceSettings) -> Iterator[Artwork | Reject | PassedOver | Note]:
    """Artworks of the objects in Linked Art's JSON-LD, one per object; other records are passed over.

    The object number is the accession number, else another number of the museum's, else the last part of the address.
    The picture is the first that the record names and the folder has, else the one named after the object.

    Args:
        settings: `metadata` is required, and `images` but for a dry run.

    Raises:
        ArttlError: if a setting is missing or a task names no field, or a file is not JSON.
    """
    if settings.metadata is None:
        raise ArttlError("--source linked-art needs --metadata, a file or a folder of JSON files")
    tasks = settings.task_columns() or {task: task for task in TASKS}
    for task, column in tasks.items():
        if column not in _FIELDS:
            raise ArttlError(
                f"--tasks {task}: {column!r} is not a field of Linked Art{did_you_mean(column, _FIELDS)}; there are:"
                f" {', '.join(_FIELDS)}"
            )
    pictures = PictureFolder.of(settings, "linked-art")
    numbers = _Numbers()
    said: Counter[str] = Counter()
    artist_task = next((task for task, column in tasks.items() if column == "artist"), "artist")
    qualifiers = Qualifiers(artist_task, attributed=settings.attributed)
    for where, document in read_documents(settings.metadata):
        for node in _entries(document):
            if not isinstance(node, dict) or kind(node) not in _OBJECTS:
                yield PassedOver(_other(node), where)
                continue
            record = _Record(node, settings.language)
            number, is_own = record.number()
            if not is_own:
                number = numbers.distinct(number, address(node), said)
            if not number:
                yield Reject("", "", "", "no-object-number", where)
                continue
            named = record.pictures()
            picture = _picture(number, [name for names in named for name in names], pictures)
            if isinstance(picture, NoPicture):
                yield picture.reject(number)
                continue
            artwork = _artwork(record, number, picture, tasks, settings)
            qualifiers.add(artwork)
            said.update(record.said)
            yield artwork
            yield from record.remarks
            yield from (PassedOver("further pictures of an object", names[0]) for names in named[1:])
    yield from qualifiers.notes()
    yield from (Note(_SAID[kind_of].format(count=count)) for kind_of, count in said.items())


_SAID = {
    "unmarked type": "{count:,} object(s) have no classification that is marked as a type of work (AAT 300435443):"
    " those without a mark were taken as types",
    "statement": "{count:,} object(s) have no material (made_of): their material statement was taken, as one label",
    "several numbers": "{count:,} object(s) have several accession numbers: the first was taken",
    "longer number": "{count:,} object(s) have no number and share the last part of their address: more of the address"
    " was taken",
}


def _entries(document: Any) -> list[Any]:
    """The records of a document: of a list, of a graph (`@graph`), or itself."""
    if isinstance(document, dict) and "@graph" in document:
        return several(document["@graph"])
    return several(document)


def _other(node: Any) -> str:
    """What a record is that is no object, for `PassedOver`."""
    if isinstance(node, dict):
        if name := kind(node):
            return f"records of type {name[:60]}"
        if "objectNumber" in node or "artObject" in node or "artObjects" in node:
            return "answers of the Rijksmuseum's earlier API, which are not Linked Art"
    return "JSON values without a type, which are not Linked Art"


def _artwork(
    record: _Record, number: str, picture: Path, tasks: Mapping[str, str], settings: SourceSettings
) -> Artwork:
    artist, attributed_to = record.makers(attributed=settings.attributed)
    labels: dict[str, tuple[str, ...]] = {}
    for task, column in tasks.items():
        if column == "artist":
            labels[task] = artist
        elif column in ("date", "year"):
            labels[task] = tuple(filter(None, (record.date() if column == "date" else record.year(),)))
        else:
            read = {"type": record.types, "material": record.materials, "technique": record.techniques}[
                column
            ]
            labels[task] = read()
    return Artwork(
        key=sample_key(number),
        object_number=number,
        image=picture,
        labels=labels,
        title=record.title(),
        date=record.date(),
        source=address(record.node) or None,
        institution=record.institution(),
        identifiers={
            task: record.identifiers[column] for task, column in tasks.items() if column in record.identifiers
        },
        attributions=attributed_to,
    )


def _picture(number: str, names: list[str], pictures: PictureFolder) -> Path | NoPicture:
    """The first picture that the folder has of those that are named; else the one named after the object."""
    for name in names:
        picture = pictures.named(name)
        if isinstance(picture, Path) or picture.reason != "missing":
            return picture
    picture = pictures.of_object(number)
    if isinstance(picture, NoPicture) and names and picture.reason == "missing":
        return NoPicture("missing", names[0], f"{picture.detail}, nor after the address")
    return picture


class _Numbers:
    """Numbers from the last parts of addresses, kept distinct: `1`, and `nightwatch/1` for a second one."""

    def __init__(self) -> None:
        self._addresses: dict[int, int] = {}  # hashes, so that a million records do not fill the memory

    def distinct(self, number: str, whole: str, said: Counter[str]) -> str:
        """The number, or more of the address where another address has it."""
        if not number or self._addresses.setdefault(hash(number), hash(whole)) == hash(whole):
            return number
        said["longer number"] += 1
        return "/".join(whole.rstrip("/#").split("/")[-2:])
