"""Linked Art records for tests, put together from their parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from arttl.artworks import Artwork
from arttl.sources.linked_art import read_linked_art
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

AAT = "http://vocab.getty.edu/aat/"
ULAN = "http://vocab.getty.edu/ulan/"


def term(number: str, label: str, *marks: str) -> dict[str, Any]:
    """A term of the AAT, itself classified by these."""
    node: dict[str, Any] = {"id": AAT + number, "type": "Type", "_label": label}
    return {**node, "classified_as": [term(mark, "mark") for mark in marks]} if marks else node


def name_node(content: str, *, preferred: bool = False, language: str = "") -> dict[str, Any]:
    """A name, in a language of the AAT's number."""
    node: dict[str, Any] = {"type": "Name", "content": content}
    if preferred:
        node["classified_as"] = [term("300404670", "Primary Name")]
    if language:
        node["language"] = [{"id": AAT + language, "type": "Language"}]
    return node


def identifier(content: str, number: str) -> dict[str, Any]:
    """An identifier, and which kind it is by the AAT."""
    return {"type": "Identifier", "content": content, "classified_as": [term(number, "number")]}


_EN, _NL = "300388277", "300388256"
_WORK = "300435443"
OBJECT: dict[str, Any] = {
    "@context": "https://linked.art/ns/v1/linked-art.json",
    "id": "https://museum.example/object/1",
    "type": "HumanMadeObject",
    "_label": "label",
    "identified_by": [
        name_node("Zelfportret", preferred=True, language=_NL),
        name_node("Self-portrait", preferred=True, language=_EN),
        name_node("An older title", language=_EN),
        identifier("76", "300404621"),
        identifier("SK-A-1", "300312355"),
    ],
    "classified_as": [
        term("300033618", "painting", _WORK),
        term("300056273", "oblong", "300056273"),
        term("300133025", "works of art"),
    ],
    "made_of": [
        {"id": AAT + "300015050", "type": "Material", "_label": "oil paint"},
        {
            "id": "https://museum.example/material/2",
            "type": "Material",
            "identified_by": [name_node("doek", language=_NL), name_node("canvas", language=_EN)],
            "equivalent": [{"id": AAT + "300014078", "type": "Material"}],
        },
    ],
    "referred_to_by": [
        {
            "type": "LinguisticObject",
            "content": "oil on canvas",
            "classified_as": [term("300435429", "Material Statement")],
        }
    ],
    "produced_by": {
        "type": "Production",
        "timespan": {
            "type": "TimeSpan",
            "identified_by": [name_node("rond 1642", language=_NL), name_node("c. 1642", language=_EN)],
            "begin_of_the_begin": "1641-01-01T00:00:00Z",
            "end_of_the_end": "1643-12-31T23:59:59Z",
        },
        "part": [
            {
                "type": "Production",
                "technique": [term("300054216", "painting (image making)")],
                "carried_out_by": [{"id": ULAN + "500011051", "type": "Person", "_label": "Rembrandt"}],
            }
        ],
    },
    "current_owner": [
        {"id": ULAN + "1", "type": "Group", "_label": "City of X"},
        {
            "id": ULAN + "2",
            "type": "Group",
            "_label": "Museum X",
            "classified_as": [term("300312281", "museum")],
        },
    ],
    "member_of": [{"id": "https://museum.example/set/1", "type": "Set", "_label": "Paintings"}],
}


def read(tmp_path: Path, document: Any, **changes: object) -> list[Any]:
    """What the source yields for a document, in a dry run unless that is changed."""
    path = tmp_path / "records.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    values: dict[str, object] = {"source": "linked-art", "metadata": path, "dry_run": True, **changes}
    return list(read_linked_art(SourceSettings(**values)))  # type: ignore[arg-type]


def read_one(tmp_path: Path, document: Any, **changes: object) -> Artwork:
    """The only artwork of a document."""
    (artwork,) = [item for item in read(tmp_path, document, **changes) if isinstance(item, Artwork)]
    return artwork


def notes(items: list[Any]) -> list[str]:
    """The sentences among what the source yields."""
    return [item.text for item in items if isinstance(item, Note)]


def passed_over(items: list[Any]) -> list[tuple[str, str]]:
    """Kind and name of what was passed over."""
    return [(item.kind, item.name) for item in items if isinstance(item, PassedOver)]


def person(name: str, **more: Any) -> dict[str, Any]:
    """A person of the ULAN."""
    return {"id": ULAN + name, "type": "Person", "_label": name, **more}


def assignment(number: str, label: str, assigned: Any, **more: Any) -> dict[str, Any]:
    """An assignment of an attribute, classified by a term unless the number is empty."""
    return {
        "type": "AttributeAssignment",
        "classified_as": [term(number, label)] if number else [],
        "assigned": [assigned],
        **more,
    }
