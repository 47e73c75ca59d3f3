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

A label column is one of the fifteen elements, such as `dc:type`, or its values with one prefix, such as
`dc:format[materiaal]`: here the labels `olieverf` and `doek`. `dc:creator[]` leaves the role before the colon out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml.etree import _Element as Element

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError, did_you_mean
from arttl.records.reading import metadata_files
from arttl.records.xml_records import in_language, read_records, words
from arttl.shards.rejects import Reject
from arttl.sources.pictures import NoPicture, PictureFolder
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

TASK_COLUMNS = {"type": "dc:type", "artist": "dc:creator"}

_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_RECORDS = (_OAI + "record", "{http://www.openarchives.org/OAI/2.0/oai_dc/}dc")
_ELEMENTS = (
    *("title", "creator", "subject", "description", "publisher", "contributor", "date", "type"),
    *("format", "identifier", "source", "language", "relation", "coverage", "rights"),
)
_COLUMN = re.compile(r"(?:dc:)?(\w+)(?:\[([^\]]*)\])?")


@dataclass(frozen=True)
class Field:
    """A Dublin Core element that holds labels, and the prefix of the values that count.

    Attributes:
        element: such as `type`.
        prefix: the text before the colon, such as `materiaal`; empty: any, which is cut off; None: values as they are.
    """

    element: str
    prefix: str | None

    def values(self, record: Element, language: str | None) -> tuple[str, ...]:
        """The values of a record, in its order."""
        elements = [element for element in record.iter(_DC + self.element) if words(element)]
        texts = [words(element) for element in in_language(elements, language)]
        if self.prefix is None:
            return tuple(texts)
        if not self.prefix:
            return tuple(without_role(text) for text in texts)
        kept = []
        for text in texts:
            before, colon, after = text.partition(":")
            if colon and before.strip().casefold() == self.prefix.casefold():
                kept.append(after.strip())
        return tuple(kept)

    def first(self, record: Element, language: str | None = None) -> str | None:
        """The first value of a record, if it has any."""
        return next(iter(self.values(record, language)), None)


TITLE, DATE = Field("title", None), Field("date", None)


def parse_field(column: str, flag: str) -> Field:
    """A column as flags name it.

    Raises:
        ArttlError: for a name that is not an element of Dublin Core.
    """
    match = _COLUMN.fullmatch(column)
    if match is None or match[1] not in _ELEMENTS:
        known = [f"dc:{name}" for name in _ELEMENTS]
        raise ArttlError(
            f"{flag} {column!r} is not a field of Dublin Core{did_you_mean(column, known)}; give one such as"
            " dc:type, or dc:format[materiaal] for the values with a prefix"
        )
    return Field(match[1], match[2])


def without_role(text: str) -> str:
    """`Dürer, Albrecht` from `prentmaker: Dürer, Albrecht`; a text without a role as it is."""
    _, colon, name = text.partition(": ")
    if colon:
        return name.strip()
    return "" if text.rstrip().endswith(":") else text


def read_dublin_core(settings: SourceSettings) -> Iterator[Artwork | Reject | PassedOver | Note]:
    """Artworks of Dublin Core records, one per record; deleted records are passed over.

    The object number is the first `dc:identifier` that is not a web address (or the field of `--object-number`), else
    the last part of the OAI identifier. The image is that named after the object, or by the field of `--image`.

    Args:
        settings: `metadata` is required, and `images` but for a dry run.

    Raises:
        ArttlError: if a setting is missing, or a file is not well-formed XML.
    """
    if settings.metadata is None:
        raise ArttlError("--source dublin-core needs --metadata, a file or a folder of XML files")
    tasks = {
        task: parse_field(column, f"--tasks {task}")
        for task, column in (settings.task_columns() or TASK_COLUMNS).items()
    }
    number_field = settings.object_number and parse_field(settings.object_number, "--object-number")
    image_field = settings.image and parse_field(settings.image, "--image")
    pictures = PictureFolder.of(settings, "dublin-core")
    for file in metadata_files(settings.metadata, (".xml",)):
        for index, record in enumerate(read_records(file, _RECORDS), start=1):
            header = record.find(_OAI + "header")
            if header is not None and header.get("status") == "deleted":
                continue
            where = f"record {index} of {file.name}"
            number = _object_number(record, number_field or None)
            if not number:
                yield Reject("", "", "", "no-object-number", where)
                continue
            name = image_field.first(record) if image_field else None
            if image_field and name is None:
                yield Reject(number, "", "", "no-image-named", where)
                continue
            picture = pictures.of_object(number) if name is None else pictures.named(name)
            if isinstance(picture, NoPicture):
                yield picture.reject(number)
                continue
            labels = {task: field.values(record, settings.language) for task, field in tasks.items()}
            yield Artwork(
                key=sample_key(number),
                object_number=number,
                image=picture,
                labels=labels,
                raw_labels={
                    task: Field(field.element, None).values(record, settings.language)
                    for task, field in tasks.items()
                },
                title=TITLE.first(record, settings.language),
                date=DATE.first(record),
                source=Field("publisher", None).first(record),
            )
    yield from pictures.remarks()


def _object_number(record: Element, field: Field | None) -> str:
    if field is not None:
        return field.first(record) or ""
    for identifier in Field("identifier", None).values(record, None):
        if "://" not in identifier:
            return identifier
    return words(record.find(f"{_OAI}header/{_OAI}identifier")).rpartition(":")[2]
