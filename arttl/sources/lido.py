"""LIDO 1.0 and 1.1, the exchange format of CIDOC for museum objects, in a file or a folder of files.

Example of a record, abridged (the namespace is `http://www.lido-schema.org`); records may be in an OAI-PMH envelope:

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

What each field gives, and what is taken where a record has several, is in `docs/sources.md`;
`arttl/records/lido_record.py` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml.etree import _Element as Element

from arttl.artworks import Artwork, sample_key
from arttl.dublin_core.oai import BROKEN_OFF, RECORD, Harvest, identifier_of, payload
from arttl.errors import ArttlError
from arttl.lido.findings import Findings
from arttl.lido.record import FIELDS, LidoRecord
from arttl.lido.terms import LIDO, Labelled, attribute, lookup_keys
from arttl.records.reading import metadata_files
from arttl.records.xml_records import language_code, words
from arttl.shards.rejects import Reject
from arttl.sources.dublin_core import LEFT_OUT
from arttl.sources.pictures import NoPicture, PictureFolder
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

TASKS = ("material", "type", "artist")

# How well a representation shows the object, by `lido:type`; what is not known is between master and preview.
_REPRESENTATIONS = {
    "image master": 0,
    "image original": 0,
    "masterfile": 0,
    "master": 0,
    "image preview": 2,
    "preview": 2,
    "image thumb": 3,
    "image thumbnail": 3,
    "thumb": 3,
    "thumbnail": 3,
    "lido00451": 3,
}


def read_lido(settings: SourceSettings) -> Iterator[Artwork | Reject | PassedOver | Note]:
    """Artworks of LIDO records, one per record.

    The image is named by the last part of an address in the record (`linkResource`), if the folder has that file, else
    after the object.

    Args:
        settings: `metadata` is required, and `images` but for a dry run.

    Raises:
        ArttlError: if a setting is missing or a task names no field, or a file is not well-formed XML.
    """
    if settings.metadata is None:
        raise ArttlError("--source lido needs --metadata, a file or a folder of XML files")
    tasks = settings.task_fields(FIELDS, TASKS, "LIDO records")
    pictures = PictureFolder.of(settings, "lido")
    findings = Findings(language_code(settings.language or ""), attributed=settings.attributed)
    harvest = Harvest(metadata_files(settings.metadata, (".xml",)), _is_lido)
    if harvest.is_broken_off:
        yield Note(BROKEN_OFF)
    for index, file in enumerate(harvest.files):
        number = left_out = 0
        for record, state in harvest.records(index, (RECORD, LIDO + "lido")):
            if state != "in force":
                left_out += 1
                yield PassedOver(LEFT_OUT[state], identifier_of(record) or file.name)
                continue
            for element in record.iter(LIDO + "lido"):
                number += 1
                yield from _artwork(element, tasks, pictures, findings, f"record {number} of {file.name}")
        if not number and not left_out:
            yield PassedOver("files without LIDO records", file.name)
    yield from pictures.remarks()
    yield from map(Note, findings.sentences())


def _is_lido(record: Element) -> bool:
    """Whether an OAI-PMH record has LIDO metadata, or none that could be of another format."""
    metadata = payload(record)
    return metadata is None or next(metadata.iter(LIDO + "lido"), None) is not None


def _artwork(
    element: Element, tasks: dict[str, str], pictures: PictureFolder, findings: Findings, where: str
) -> Iterator[Artwork | Reject | PassedOver]:
    record = LidoRecord(element, findings)
    number = record.object_number()
    if not number:
        yield Reject("", "", "", "no-object-number", where)
        return
    picture, others = _image(element, number, pictures)
    for other in others:
        yield PassedOver("further pictures of an object", other.name)
    if isinstance(picture, NoPicture):
        yield picture.reject(number)
        return
    labels = {task: FIELDS[column](record) for task, column in tasks.items()}
    record.count()
    texts = {task: tuple(dict.fromkeys(value.label for value in values)) for task, values in labels.items()}
    yield Artwork(
        key=sample_key(number),
        object_number=number,
        image=picture,
        labels=texts,
        raw_labels=texts,
        title=record.title(),
        date=record.date(),
        source=record.source(),
        institution=record.institution(),
        identifiers={task: kept for task, values in labels.items() if (kept := _identifiers(values))},
        attributions=tuple(record.attributions()),
    )


def _identifiers(values: list[Labelled]) -> dict[str, tuple[str, ...]]:
    """Those of each label that has any, of all the concepts that it names."""
    merged: dict[str, dict[str, None]] = {}
    for value in values:
        if value.identifiers:
            merged.setdefault(value.label, {}).update(dict.fromkeys(value.identifiers))
    return {label: tuple(identifiers) for label, identifiers in merged.items()}


def _image(record: Element, number: str, pictures: PictureFolder) -> tuple[Path | NoPicture, list[Path]]:
    """The picture of a record, and those of its other resources that the folder has."""
    existing: dict[Path, None] = {}
    unclear: NoPicture | None = None
    for resource in _resources(record):
        for link in resource:
            picture = pictures.named(link)
            if isinstance(picture, NoPicture):
                if picture.reason == "ambiguous-picture":
                    unclear = unclear or picture
            elif pictures.has(picture):
                existing[picture] = None
                break
    if existing:
        first, *others = existing
        return first, others
    return unclear or pictures.of_object(number), []


def _resources(record: Element) -> Iterator[list[str]]:
    """For each resource its links, the master before previews before thumbnails."""
    for resource in record.iter(LIDO + "resourceSet"):
        links = [link for link in resource.iter(LIDO + "linkResource") if words(link)]
        yield [words(link) for link in sorted(links, key=_representation)]


def _representation(link: Element) -> int:
    around = link.getparent()
    kind = "" if around is None else attribute(around, "type")
    return next((_REPRESENTATIONS[key] for key in lookup_keys(kind) if key in _REPRESENTATIONS), 1)
