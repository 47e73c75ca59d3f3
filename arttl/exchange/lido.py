"""LIDO 1.1 (lido-schema.org): accepted values alone, each with its terms and the identifiers of its concepts.

LIDO has no place for a suggestion, nor for who decided a single value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lxml import etree
from lxml.etree import _Element as Element

from arttl.exchange.values import Objects, Value, accepted_by_field, xml_text
from arttl.lido.terms import LIDO

_NAMESPACE = LIDO.strip("{}")
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# http://terminology.lido-schema.org: kinds of identifiers, of events, of records, of terms.
_TERMINOLOGY = "http://terminology.lido-schema.org/"
_LOCAL, _URI, _INVENTORY_NUMBER = (_TERMINOLOGY + each for each in ("lido00100", "lido00099", "lido00113"))
_PRODUCTION, _ITEM = _TERMINOLOGY + "lido00007", _TERMINOLOGY + "lido00141"
_MATERIALS = {"material": _TERMINOLOGY + "lido00132", "technique": _TERMINOLOGY + "lido00131"}

UNKNOWN_LANGUAGE = "und"
"""Of text whose language is not known (BCP 47); LIDO requires one."""


def lido_chunks(objects: Objects, fields: Mapping[str, str], *, language: str = "") -> Iterator[bytes]:
    """A file of LIDO, a record for each object that has an accepted value.

    Args:
        objects: the values.
        fields: task name to its field, see `task_fields`; the values of other tasks are left out.
        language: of labels whose concepts have none, as BCP 47 writes it; empty: it is not known.
    """
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<lido:lidoWrap xmlns:lido="{_NAMESPACE}">\n'.encode()
    for values in objects:
        record = lido_record(values, fields, language=language)
        if record is not None:
            etree.indent(record)
            yield etree.tostring(record, encoding="UTF-8") + b"\n"
    yield b"</lido:lidoWrap>\n"


def lido_record(
    values: tuple[Value, ...], fields: Mapping[str, str], *, language: str = ""
) -> Element | None:
    """The record of an object; None where it has no accepted value. Arguments as for `lido_chunks`."""
    accepted = accepted_by_field(values, fields)
    if not accepted:
        return None
    number, institution = values[0].object_number, values[0].institution
    lido: Element = etree.Element(LIDO + "lido", nsmap={"lido": _NAMESPACE})
    # Unique in the file, also where two museums have one number.
    _add(lido, "lidoRecID", text=f"{institution}/{number}" if institution else number, type_=_LOCAL)
    _describe(
        _add(lido, "descriptiveMetadata", language=language or UNKNOWN_LANGUAGE),
        number,
        institution,
        accepted,
    )
    administrative = _add(lido, "administrativeMetadata", language=language or UNKNOWN_LANGUAGE)
    record = _add(administrative, "recordWrap")
    _add(record, "recordID", text=number, type_=_LOCAL)
    kind = _add(record, "recordType")
    _add(kind, "conceptID", text=_ITEM, type_=_URI)
    _add(kind, "term", text="Item-level record", language="en")
    source = _add(record, "recordSource")
    if institution:
        _add(source, "legalBodyName", "appellationValue", text=institution)
    return lido


def _describe(
    metadata: Element, number: str, institution: str, accepted: Mapping[str, Sequence[Value]]
) -> None:
    types = _add(metadata, "objectClassificationWrap", "objectWorkTypeWrap")
    for value in accepted.get("type", ()):
        _add_concept(types, "objectWorkType", value)
    if not len(types):
        _add(types, "objectWorkType")  # which must be there, and may be empty
    identification = _add(metadata, "objectIdentificationWrap")
    # A title must be there; where none is known the number has to do.
    _add(identification, "titleWrap", "titleSet", "appellationValue", text=number)
    repository = _add(identification, "repositoryWrap", "repositorySet")
    if institution:
        _add(repository, "repositoryName", "legalBodyName", "appellationValue", text=institution)
    _add(repository, "workID", text=number, type_=_INVENTORY_NUMBER)
    if not accepted.keys() & {"artist", *_MATERIALS}:
        return
    event = _add(metadata, "eventWrap", "eventSet", "event")
    kind = _add(event, "eventType")
    _add(kind, "conceptID", text=_PRODUCTION, type_=_URI)
    _add(kind, "term", text="Production", language="en")
    for value in accepted.get("artist", ()):
        actor = _add(event, "eventActor", "actorInRole", "actor")
        for concept in value.concepts:
            _add(actor, "actorID", text=concept.uri, type_=_URI, source=concept.scheme)
        _add(actor, "nameActorSet", "appellationValue", text=value.label, language=_language(value))
    if accepted.keys() & _MATERIALS.keys():
        materials = _add(event, "eventMaterialsTech", "materialsTech")
        for field, type_ in _MATERIALS.items():
            for value in accepted.get(field, ()):
                _add_concept(materials, "termMaterialsTech", value, type_=type_)


def _add_concept(around: Element, name: str, value: Value, *, type_: str = "") -> None:
    element = _add(around, name, type_=type_)
    for concept in value.concepts:
        _add(element, "conceptID", text=concept.uri, type_=_URI, source=concept.scheme)
    _add(element, "term", text=value.label, language=_language(value))


def _language(value: Value) -> str:
    return next((concept.language for concept in value.concepts if concept.language), "")


def _add(
    around: Element, *names: str, text: str = "", type_: str = "", source: str = "", language: str = ""
) -> Element:
    """Elements within each other, the innermost with a text and attributes where they are given."""
    for name in names:
        around = etree.SubElement(around, LIDO + name)
    for attribute, value in ((LIDO + "type", type_), (LIDO + "source", source), (_XML_LANG, language)):
        if value:
            around.set(attribute, xml_text(value))
    if text:
        around.text = xml_text(text)
    return around
