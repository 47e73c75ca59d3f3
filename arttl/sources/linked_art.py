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

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from arttl.artworks import Artwork, sample_key
from arttl.attribution.qualifiers import Qualifiers
from arttl.errors import ArttlError, counted
from arttl.linked_art.record import LinkedArtObject
from arttl.linked_art.terms import address, kind, several
from arttl.records.json_records import read_documents
from arttl.shards.rejects import Reject
from arttl.sources.pictures import NoPicture, PictureFolder
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

TASKS = ("material", "type", "artist")

_FIELDS = ("material", "type", "artist", "technique", "date", "year")
_OBJECTS = ("HumanMadeObject", "ManMadeObject", "E22_Human-Made_Object", "E22_Man-Made_Object")
# What is printed of `LinkedArtObject.decisions` and of `_Numbers`.
_DECISIONS = {
    "unmarked type": "no classification that is marked as a type of work (AAT 300435443): those without a mark were"
    " taken as types",
    "statement": "no material (made_of): the material statement was taken, as one label",
    "several numbers": "several accession numbers: the first was taken",
    "longer number": "no number, and the last part of another's address: more of the address was taken",
}


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
    tasks = settings.task_fields(_FIELDS, TASKS, "Linked Art")
    pictures = PictureFolder.of(settings, "linked-art")
    numbers = _Numbers()
    decisions: Counter[str] = Counter()
    artist_task = next((task for task, column in tasks.items() if column == "artist"), "artist")
    qualifiers = Qualifiers(artist_task, attributed=settings.attributed)
    for where, document in read_documents(settings.metadata):
        for node in _entries(document):
            if not isinstance(node, dict) or kind(node) not in _OBJECTS:
                yield PassedOver(_other(node), where)
                continue
            record = LinkedArtObject(node, settings.language)
            number, is_own = record.number()
            if not is_own:
                number = numbers.distinct(number, address(node), decisions)
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
            decisions.update(record.decisions)
            yield artwork
            yield from (PassedOver(what, name) for what, name in record.passed_over)
            yield from (PassedOver("further pictures of an object", names[0]) for names in named[1:])
    yield from pictures.remarks()
    yield from map(Note, qualifiers.sentences())
    yield from (
        Note(f"{counted(count, 'object has', 'objects have')} {_DECISIONS[kind_of]}")
        for kind_of, count in decisions.items()
    )


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
    record: LinkedArtObject, number: str, picture: Path, tasks: Mapping[str, str], settings: SourceSettings
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
        raw_labels=labels,
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
        return NoPicture("missing", names[0], f"{picture.detail}; none is named as the address either")
    return picture


class _Numbers:
    """Numbers from the last parts of addresses, kept distinct: `1`, and `nightwatch/1` for a second one."""

    def __init__(self) -> None:
        self._addresses: dict[int, int] = {}  # hashes, so that a million records do not fill the memory

    def distinct(self, number: str, whole: str, decisions: Counter[str]) -> str:
        """The number, or more of the address where another address has it."""
        if not number or self._addresses.setdefault(hash(number), hash(whole)) == hash(whole):
            return number
        decisions["longer number"] += 1
        return "/".join(whole.rstrip("/#").split("/")[-2:])
