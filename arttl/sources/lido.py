"""LIDO 1.0 and 1.1, the exchange format of CIDOC for museum objects, in a file or a folder of files.

Example of a record, abridged (the namespace is `http://www.lido-schema.org`):

    <lido:lido>
      <lido:lidoRecID>DE-1/obj/4711</lido:lidoRecID>
      <lido:descriptiveMetadata xml:lang="en">
        <lido:objectClassificationWrap><lido:objectWorkTypeWrap>
          <lido:objectWorkType><lido:term>painting</lido:term></lido:objectWorkType>
        </lido:objectWorkTypeWrap></lido:objectClassificationWrap>
        <lido:objectIdentificationWrap>
          <lido:repositoryWrap><lido:repositorySet>
            <lido:workID lido:type="inventory number">SK-A-4878</lido:workID>
          </lido:repositorySet></lido:repositoryWrap>
        </lido:objectIdentificationWrap>
        <lido:eventWrap><lido:eventSet><lido:event>
          <lido:eventType><lido:term>Production</lido:term></lido:eventType>
          <lido:eventActor><lido:actorInRole><lido:actor><lido:nameActorSet>
            <lido:appellationValue>Everdingen, Caesar van</lido:appellationValue>
          </lido:nameActorSet></lido:actor></lido:actorInRole></lido:eventActor>
          <lido:eventMaterialsTech><lido:materialsTech><lido:termMaterialsTech lido:type="material">
            <lido:term>oil paint</lido:term>
          </lido:termMaterialsTech></lido:materialsTech></lido:eventMaterialsTech>
        </lido:event></lido:eventSet></lido:eventWrap>
      </lido:descriptiveMetadata>
    </lido:lido>

The fields for tasks: `type` (object work type), `material` and `technique` (of the production, in 1.1 also of the
object) and `artist` (actor of the production event).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from lxml.etree import _Element as Element

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError, did_you_mean
from arttl.records.reading import metadata_files
from arttl.records.xml_records import in_language, read_records, words
from arttl.shards.rejects import Reject
from arttl.sources.pictures import NoPicture, PictureFolder
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

TASKS = ("material", "type", "artist")

_NS = "{http://www.lido-schema.org}"
_SKOS = "{http://www.w3.org/2004/02/skos/core#}"
_TYPE = _NS + "type"
_PREF = _NS + "pref"
# Terms of the LIDO terminology, in the last part of a concept's address, and the words that files of 1.0 use.
_PRODUCTION = (
    "lido00007",
    "production",
    "herstellung",
    "creation",
    "vervaardiging",
    "fabrication",
    "création",
)
_TECHNIQUE = ("lido00131", "technique", "technik", "techniek")


def _paths(*steps: str) -> str:
    return "/".join(_NS + step for step in steps)


_WORK_TYPES = ".//" + _paths("objectWorkTypeWrap", "objectWorkType")
_EVENTS = ".//" + _paths("eventSet", "event")
_EVENT_MATERIALS = _paths("eventMaterialsTech", "materialsTech", "termMaterialsTech")
_OBJECT_MATERIALS = ".//" + _paths(
    "objectMaterialsTechWrap", "objectMaterialsTechSet", "materialsTech", "termMaterialsTech"
)
_ACTORS = _paths("eventActor", "actorInRole", "actor")
_ACTOR_NAMES = _paths("nameActorSet", "appellationValue")


def read_lido(settings: SourceSettings) -> Iterator[Artwork | Reject | PassedOver | Note]:
    """Artworks of LIDO records, one per record.

    The object number is the inventory number (`workID`), else the record's own number. The image is named by the last
    part of an address in the record (`linkResource`), if the folder has that file, else after the object.

    Args:
        settings: `metadata` is required, and `images` but for a dry run.

    Raises:
        ArttlError: if a setting is missing or a task names no field, or a file is not well-formed XML.
    """
    if settings.metadata is None:
        raise ArttlError("--source lido needs --metadata, a file or a folder of XML files")
    tasks = settings.task_columns() or {task: task for task in TASKS}
    for task, column in tasks.items():
        if column not in _FIELDS:
            raise ArttlError(
                f"--tasks {task}: {column!r} is not a field of LIDO records{did_you_mean(column, _FIELDS)}; there are:"
                f" {', '.join(_FIELDS)}"
            )
    pictures = PictureFolder.of(settings, "lido")
    for file in metadata_files(settings.metadata, (".xml",)):
        for index, record in enumerate(read_records(file, [_NS + "lido"]), start=1):
            number = _object_number(record)
            if not number:
                yield Reject("", "", "", "no-object-number", f"record {index} of {file.name}")
                continue
            picture = _image(record, number, pictures)
            if isinstance(picture, NoPicture):
                yield picture.reject(number)
                continue
            language = settings.language
            yield Artwork(
                key=sample_key(number),
                object_number=number,
                image=picture,
                labels={task: _FIELDS[column](record, language) for task, column in tasks.items()},
                title=_title(record, language),
                date=_date(record),
                source=words(record.find(".//" + _paths("recordSource", "legalBodyName", "appellationValue")))
                or None,
            )
    yield from pictures.remarks()


def _object_number(record: Element) -> str:
    numbers = record.findall(".//" + _paths("repositorySet", "workID"))
    # A work may have several, earlier ones too.
    numbers.sort(key=lambda element: "inventory" not in element.get(_TYPE, "").casefold())
    return next(filter(None, map(words, numbers)), "") or words(record.find(_NS + "lidoRecID"))


def _image(record: Element, number: str, pictures: PictureFolder) -> Path | NoPicture:
    for link in record.iter(_NS + "linkResource"):
        path = pictures.named(words(link))
        if isinstance(path, Path) and path.is_file():
            return path
    return pictures.of_object(number)


def _title(record: Element, language: str | None) -> str | None:
    titles = record.findall(".//" + _paths("titleWrap", "titleSet", "appellationValue"))
    return next(filter(None, map(words, in_language(titles, language))), None)


def _date(record: Element) -> str | None:
    for event in _productions(record):
        for steps in (("eventDate", "displayDate"), ("eventDate", "date", "earliestDate")):
            if text := words(event.find(_paths(*steps))):
                return text
    return None


def _productions(record: Element) -> Iterator[Element]:
    for event in record.findall(_EVENTS):
        if _is_one_of(event.find(_NS + "eventType"), _PRODUCTION):
            yield event


def _is_one_of(concept: Element | None, known: tuple[str, ...]) -> bool:
    """Whether a term or identifier of a concept, or its `lido:type`, is a known one."""
    if concept is None:
        return False
    texts = [concept.get(_TYPE, ""), *(words(element) for element in concept.iter())]
    texts += [value for element in concept.iter() for key, value in element.items() if key.endswith("}about")]
    return any(text.casefold().rstrip("/").rpartition("/")[2] in known for text in texts)


def _term(concept: Element, language: str | None) -> str:
    """One term of a concept: a preferred one, in the given language."""
    terms = [element for element in concept.iter(_NS + "term") if words(element)]
    terms += [element for element in concept.iter(_SKOS + "prefLabel") if words(element)]
    return _preferred(terms, language)


def _preferred(elements: list[Element], language: str | None) -> str:
    """The text of the first element in the given language, of the preferred ones where there are any."""
    preferred = [element for element in elements if element.get(_PREF, "").casefold().endswith("preferred")]
    chosen = in_language(preferred or elements, language)
    return words(chosen[0]) if chosen else ""


def _terms(concepts: list[Element], language: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (_term(concept, language) for concept in concepts)))


def _types(record: Element, language: str | None) -> tuple[str, ...]:
    return _terms(record.findall(_WORK_TYPES), language)


def _materials_or_techniques(
    record: Element, language: str | None, *, is_kind: Callable[[str], bool]
) -> tuple[str, ...]:
    terms = [element for event in _productions(record) for element in event.findall(_EVENT_MATERIALS)]
    terms += record.findall(_OBJECT_MATERIALS)
    kept = []
    for element in terms:
        kind = (element.get(_TYPE, "") or "").casefold().rstrip("/").rpartition("/")[2]
        if is_kind(kind):
            kept.append(element)
    return _terms(kept, language)


def _artists(record: Element, language: str | None) -> tuple[str, ...]:
    actors = [actor for event in _productions(record) for actor in event.findall(_ACTORS)]
    names = (_preferred(actor.findall(_ACTOR_NAMES), language) for actor in actors)
    return tuple(filter(None, names))


_FIELDS: dict[str, Callable[[Element, str | None], tuple[str, ...]]] = {
    # A term of no kind is a material.
    "material": partial(_materials_or_techniques, is_kind=lambda kind: kind not in _TECHNIQUE),
    "technique": partial(_materials_or_techniques, is_kind=lambda kind: kind in _TECHNIQUE),
    "type": _types,
    "artist": _artists,
}
