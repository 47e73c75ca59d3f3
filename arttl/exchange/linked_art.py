"""Linked Art (linked.art, version 1.0): accepted values as plain statements, all others as AttributeAssignments.

A plain statement (`classified_as`, `made_of`, `produced_by`) says that something is so, and is written for accepted
values alone. A suggestion is an `AttributeAssignment` that is marked as made by artificial intelligence, as
https://linked.art/model/assertion/ has it, with the software, its model and the confidence. A decision about a
suggestion, or by a person who is known, has an `AttributeAssignment` too, which says who decided it, and when.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from arttl.errors import ArttlError
from arttl.exchange.values import Objects, Value, accepted_by_field, begin_and_end
from arttl.linked_art.terms import ACCESSION_NUMBER, AI_CONTENT, AI_TECHNIQUE, TYPE_OF_WORK, Node

CONTEXT = "https://linked.art/ns/v1/linked-art.json"

_AAT = "http://vocab.getty.edu/aat/"
_CLASSES = {"material": "Material", "type": "Type", "artist": "Person", "technique": "Type"}
_PROPERTIES = {
    "material": "made_of",
    "type": "classified_as",
    "artist": "carried_out_by",
    "technique": "technique",
}
_OF_PRODUCTION = ("artist", "technique")


def linked_art_chunks(
    objects: Objects, fields: Mapping[str, str], *, base: str = "", lines: bool = False
) -> Iterator[bytes]:
    """A JSON list of records, or one record per line.

    Args:
        objects: the values.
        fields: task name to its field, see `task_fields`; the values of other tasks are left out.
        base: what the addresses of the museum's objects begin with; the quoted object number follows. Without it they
            are UUIDs made of institution and object number (RFC 9562, version 5).
        lines: whether there is one record per line, for files of any size.

    Raises:
        ArttlError: where `base` would give objects of two institutions one address.
    """
    owners: dict[str, str] = {}  # object number to institution, where there is a base
    between = b"\n" if lines else b",\n"
    if not lines:
        yield b"[\n"
    first = True
    for values in objects:
        record = linked_art_record(values, fields, base=base)
        number, institution = values[0].object_number, values[0].institution
        if base and record is not None and (owner := owners.setdefault(number, institution)) != institution:
            first_of, second_of = (
                f"{number!r} of {name or 'no institution'}" for name in (owner, institution)
            )
            raise ArttlError(
                f"--base gives {first_of} and {second_of} one address: leave it out, or write the objects of one"
                " institution"
            )
        if record is not None:
            yield (b"" if first else between) + json.dumps(record, ensure_ascii=False).encode()
            first = False
    if not first or not lines:
        yield b"\n" if lines else b"\n]\n"


def linked_art_record(values: tuple[Value, ...], fields: Mapping[str, str], *, base: str = "") -> Node | None:
    """The record of an object; None where nothing is to be said of it. Arguments as for `linked_art_chunks`."""
    accepted = {
        field: [_term(value, field) for value in of_field]
        for field, of_field in accepted_by_field(values, fields).items()
    }
    assignments = [_assignment(value, fields[value.task]) for value in values if _is_assigned(value, fields)]
    if not accepted and not assignments:
        return None
    number, institution = values[0].object_number, values[0].institution
    record: Node = {
        "@context": CONTEXT,
        "id": _address(number, institution, base),
        "type": "HumanMadeObject",
        "_label": number,
        "identified_by": [
            {
                "type": "Identifier",
                "content": number,
                "classified_as": [_concept(ACCESSION_NUMBER, "accession numbers")],
            }
        ],
    }
    if "type" in accepted:
        marked = {"classified_as": [_concept(TYPE_OF_WORK, "type of work")]}
        record["classified_as"] = [{**term, **marked} for term in accepted["type"]]
    if "material" in accepted:
        record["made_of"] = accepted["material"]
    production = {_PROPERTIES[field]: accepted[field] for field in _OF_PRODUCTION if field in accepted}
    if production:
        record["produced_by"] = {"type": "Production", **production}
    if institution:
        record["current_custodian"] = [{"id": _blank(institution), "type": "Group", "_label": institution}]
    if assignments:
        record["attributed_by"] = assignments
    return record


def _is_assigned(value: Value, fields: Mapping[str, str]) -> bool:
    """Whether there is something to say beyond a plain statement: of a suggestion, and of who decided."""
    is_known = value.model is not None or bool(value.who)
    return value.task in fields and value.verdict != "rejected" and is_known


def _assignment(value: Value, field: str) -> Node:
    by = value.verdict or "suggested by software"
    assignment: Node = {"type": "AttributeAssignment", "_label": f"{value.task}: {value.label}, {by}"}
    if value.verdict is None:
        assignment["classified_as"] = [_concept(AI_CONTENT, "AI generated content")]
        assignment["technique"] = [_concept(AI_TECHNIQUE, "artificial intelligence")]
    elif value.who:
        assignment["carried_out_by"] = [{"id": _blank(value.who), "type": "Person", "_label": value.who}]
    if value.when:
        begin, end = begin_and_end(value.when)
        assignment["timespan"] = {"type": "TimeSpan", "begin_of_the_begin": begin, "end_of_the_end": end}
    if value.model is not None:
        address = value.model.uri or _blank(value.model.name)
        assignment["influenced_by"] = [{"id": address, "type": "DigitalObject", "_label": value.model.name}]
    statements = {
        "confidence (calibrated probability)": ""
        if value.probability is None
        else f"{value.probability:.4f}",
        "status": value.status or "",
        "verdict": value.verdict or "",
        "picture": value.picture,
    }
    if any(statements.values()):
        assignment["referred_to_by"] = [_statement(*each) for each in statements.items() if each[1]]
    term = _term(value, field)
    if field in _OF_PRODUCTION:
        term = {"type": "Production", _PROPERTIES[field]: [term]}
        return {**assignment, "assigned_property": "produced_by", "assigned": [term]}
    return {**assignment, "assigned_property": _PROPERTIES[field], "assigned": [term]}


def _statement(label: str, text: str) -> Node:
    return {"type": "LinguisticObject", "_label": label, "content": text}


def _term(value: Value, field: str) -> Node:
    """The node of a label; one that no vocabulary has is a blank node, and another one for each object.

    Two objects may have makers of one name who are not one person.
    """
    kind = _CLASSES[field]
    first, *others = value.concepts or (None,)
    own = value.object_number, value.institution, value.task, value.label
    address = first.uri if first else _blank(*own)
    term: Node = {"id": address, "type": kind, "_label": value.label}
    if others:
        term["equivalent"] = [{"id": other.uri, "type": kind} for other in others if other]
    return term


def _concept(number: str, label: str) -> Node:
    return {"id": _AAT + number, "type": "Type", "_label": label}


def _address(number: str, institution: str, base: str) -> str:
    if base:
        return base + quote(number, safe="")
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{institution}\0{number}").urn


def _blank(*texts: str) -> str:
    """A blank node (JSON-LD 1.1): something without an address that could be had or guessed."""
    return "_:b" + hashlib.sha256("\0".join(texts).encode(errors="surrogatepass")).hexdigest()[:16]
