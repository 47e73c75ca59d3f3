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

from collections.abc import Iterator

from lxml.etree import _Element as Element

from arttl.artworks import Artwork, sample_key
from arttl.dublin_core.fields import (
    CREATED,
    DATE,
    DC,
    DCTERMS,
    FORMAT_FIELDS,
    FORMATS,
    IDENTIFIER,
    OAI_DC,
    PUBLISHER,
    TITLE,
    Elements,
    Field,
    IdentifierNotes,
    parse_field,
    task_fields,
    without_role,
)
from arttl.dublin_core.label_values import LabelChoice, Labels
from arttl.dublin_core.oai import BROKEN_OFF, RECORD, Harvest, identifier_of, payload
from arttl.errors import ArttlError
from arttl.records.kinds import contents, survey_xml
from arttl.records.reading import metadata_files
from arttl.records.xml_records import read_records
from arttl.shards.rejects import Reject
from arttl.sources.pictures import NoPicture, PictureFolder, first_picture
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

__all__ = ["DATE", "TITLE", "Field", "parse_field", "read_dublin_core", "without_role"]

TASK_COLUMNS = {"material": "material", "type": "dc:type", "artist": "dc:creator"}

# What a harvest leaves out, as it is counted.
LEFT_OUT = {
    "replaced": "OAI-PMH records that a later one replaces",
    "deleted later": "OAI-PMH records that a later one deletes",
    "deleted": "deleted OAI-PMH records",
    "another format": "OAI-PMH records in another format",
}


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
    if harvest.is_broken_off:
        yield Note(BROKEN_OFF)
    for index, file in enumerate(harvest.files):
        number = 0
        for number, (record, state) in enumerate(harvest.records(index, (RECORD, OAI_DC)), start=1):
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
        or next(metadata.iter(OAI_DC), None) is not None
        or any(child.tag.startswith((DC, DCTERMS)) for child in metadata)
    )


class _Reading:
    """One reading: its fields, and what is counted."""

    def __init__(self, settings: SourceSettings) -> None:
        self._fields = task_fields(settings.task_columns(), TASK_COLUMNS, FORMATS)
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
        elements = Elements(record)
        if self._number:
            number = next(iter(elements.texts(self._number, None)), "")
        else:
            own = oai_identifier.split(":", 2) if oai_identifier.startswith("oai:") else [oai_identifier]
            number = self._identifiers.choose(elements.texts(IDENTIFIER, None), own[-1])
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
            date="; ".join(elements.texts(CREATED, language) or elements.texts(DATE, language)) or None,
            source=next(iter(elements.texts(PUBLISHER, None)), None),
            institution=next(iter(elements.texts(self._institution, language)), None)
            if self._institution
            else None,
            identifiers={task: each.identifiers for task, each in labels.items() if each.identifiers},
        )

    def _labels(self, task: str, field: str | Field, elements: Elements) -> Labels:
        if isinstance(field, str):
            groups = [elements.values(each) for each in FORMAT_FIELDS]
            return self._choice.materials(task, groups, techniques=field == "technique")
        values = elements.values(field)
        if field.element in ("creator", "contributor") and field.prefix is None:
            for value in values:
                if ": " in value.text:
                    self._choice.count(task, "role", value.text)
        return self._choice.labels(task, values, field.cut)

    def notes(self) -> Iterator[PassedOver | Note]:
        """What there is to say when all records were read."""
        yield from map(Note, self._identifiers.sentences())
        yield from map(Note, self._choice.sentences({task: self._columns[task] for task in self._fields}))
        yield from self._pictures.remarks()
