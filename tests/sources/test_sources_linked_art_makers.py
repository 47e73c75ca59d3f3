"""Linked Art: who made an object, and in what way it is attributed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from linked_art_cases import (
    AAT,
    OBJECT,
    assignment,
    notes,
    person,
    read,
    read_one,
    term,
)

from arttl.artworks import Artwork
from arttl.sources.remarks import PassedOver


@pytest.mark.parametrize(
    ("production", "artist", "attributed"),
    [
        ({"carried_out_by": [person("A"), person("B")]}, ("A", "B"), ()),
        ({"carried_out_by": [], "part": [{"part": [{"carried_out_by": person("A")}]}]}, ("A",), ()),
        # The two patterns of linked.art for an uncertain maker, and those of the Rijksmuseum.
        (
            {
                "attributed_by": [
                    assignment(
                        "300404272",
                        "Possibly By",
                        {"type": "Production", "carried_out_by": [person("A")]},
                        assigned_property="part",
                    )
                ]
            },
            (),
            (("Possibly By", "A"),),
        ),
        (
            {
                "attributed_by": [
                    assignment(
                        "",
                        "",
                        {
                            "type": "Production",
                            "classified_as": [{"id": AAT + "300404285"}],
                            "influenced_by": [person("A")],
                        },
                    )
                ]
            },
            (),
            (("style of", "A"),),
        ),
        (
            {"part": [{"assigned_by": [assignment("300404269", "", person("A"))]}]},
            (),
            (("attributed to", "A"),),
        ),
        (
            {
                "part": [
                    {"assigned_by": [assignment("", "", person("A"), motivated_by=[{"id": "signature"}])]}
                ]
            },
            ("A",),
            (),
        ),
        ({"assigned_by": [assignment("", "", person("A"))]}, (), (("attributed to", "A"),)),
        # A group around a master, by its formation or by its name.
        (
            {
                "carried_out_by": [
                    {
                        "type": "Group",
                        "_label": "Studio of Francis Harwood",
                        "formed_by": {"type": "Formation", "influenced_by": [person("Francis Harwood")]},
                    }
                ]
            },
            (),
            (("Studio of", "Francis Harwood"),),
        ),
        (
            {"carried_out_by": [{"type": "Group", "_label": "Circle of Rembrandt"}]},
            (),
            (("Circle of", "Rembrandt"),),
        ),
        (
            {"carried_out_by": [{"type": "Group", "_label": "Meissen Manufactory"}]},
            ("Meissen Manufactory",),
            (),
        ),
        # Who influenced, and what was copied.
        (
            {
                "carried_out_by": [person("A")],
                "influenced_by": [person("B"), {"type": "HumanMadeObject", "_label": "Portrait"}],
            },
            ("A",),
            (("influenced by", "B"),),
        ),
        # A role that is no maker's, and a qualifier on the part or on the actor.
        (
            {
                "part": [
                    {"carried_out_by": [person("A")], "technique": [term("1", "etching")]},
                    {"carried_out_by": [person("B")], "classified_as": [term("2", "publishing")]},
                    {"carried_out_by": [person("C")], "classified_as": [{"id": AAT + "300404286"}]},
                    {"carried_out_by": [person("D", assigned_by=[assignment("300404269", "", {})])]},
                ]
            },
            ("A",),
            (("publishing", "B"), ("after", "C"), ("attributed to", "D")),
        ),
        # An assignment of something else.
        (
            {
                "carried_out_by": person("A"),
                "attributed_by": [
                    assignment("300404269", "", {"type": "TimeSpan"}, assigned_property="timespan")
                ],
            },
            ("A",),
            (),
        ),
    ],
)
def test_makers(
    production: dict[str, Any],
    artist: tuple[str, ...],
    attributed: tuple[tuple[str, str], ...],
    tmp_path: Path,
) -> None:
    record = {"id": "https://m.example/9", "type": "HumanMadeObject", "produced_by": production}
    artwork = read_one(tmp_path, record)
    assert (artwork.labels["artist"], artwork.attributions) == (artist, attributed)
    wide = read_one(tmp_path, record, attributed=True)
    names = [name for qualifier, name in attributed if qualifier != "publishing"]
    assert set(wide.labels["artist"]) == {*artist, *names}
    assert wide.attributions == attributed


def test_former_attributions_of_the_object_are_never_artists(tmp_path: Path) -> None:
    former = assignment(
        "300404270",
        "Formerly attributed to",
        {"type": "Production", "carried_out_by": [person("B")]},
        assigned_property="produced_by",
    )
    record = {**OBJECT, "attributed_by": [former, assignment("", "", person("X"))]}
    items = read(tmp_path, record, attributed=True)
    (artwork,) = [item for item in items if isinstance(item, Artwork)]
    assert artwork.labels["artist"] == ("Rembrandt",)
    assert artwork.attributions == (("Formerly attributed to", "B"),)
    assert notes(items) == [
        "artist: 1 maker is kept as attribution (formerly attributed to (1)); with --attributed those in"
        " doubt are labels too"
    ]


def _assigned_maker(**fields: Any) -> dict[str, Any]:
    maker = {"type": "Person", "_label": "Flinck"}
    assigned = {"assigned_property": "carried_out_by", "assigned": [maker]}
    return {"type": "AttributeAssignment", **assigned, **fields}


@pytest.mark.parametrize("mark", ["classified_as", "technique"])
@pytest.mark.parametrize("where", ["object", "production"])
def test_what_software_assigns_is_no_attribution(tmp_path: Path, mark: str, where: str) -> None:
    number = {"classified_as": "300456841", "technique": "300456842"}[mark]
    assignment = _assigned_maker(**{mark: [term(number, "AI")]})
    document = {**OBJECT, "attributed_by": [assignment]}
    if where == "production":
        document = {**OBJECT, "produced_by": {**OBJECT["produced_by"], "attributed_by": [assignment]}}
    items = read(tmp_path, document, attributed=True)
    (artwork,) = [item for item in items if isinstance(item, Artwork)]
    assert artwork.labels["artist"] == ("Rembrandt",) and not artwork.attributions
    passed = [item for item in items if isinstance(item, PassedOver) and "software" in item.kind]
    assert [(each.kind, each.name) for each in passed] == [
        ("suggestions of software (AAT 300456841)", "SK-A-1")
    ]


@pytest.mark.parametrize("evidence", ["motivated_by", "influenced_by"])
def test_an_assignment_with_evidence_alone_has_no_qualifier(tmp_path: Path, evidence: str) -> None:
    signature = [{"id": "https://museum.example/signature/1", "type": "LinguisticObject"}]
    document = {**OBJECT, "attributed_by": [_assigned_maker(**{evidence: signature})]}
    artwork = read_one(tmp_path, document)
    assert artwork.labels["artist"] == ("Rembrandt", "Flinck") and not artwork.attributions
    without = read_one(tmp_path, {**OBJECT, "attributed_by": [_assigned_maker()]})
    assert without.attributions == (("attributed to", "Flinck"),)
