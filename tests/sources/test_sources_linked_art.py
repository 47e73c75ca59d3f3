"""Linked Art: objects, their terms, dates, numbers and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from linked_art_cases import (
    AAT,
    OBJECT,
    ULAN,
    identifier,
    notes,
    passed_over,
    read,
    read_one,
    term,
)

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.linked_art.makers import makers
from arttl.shards.rejects import Reject
from arttl.sources.linked_art import read_linked_art
from arttl.sources.settings import SourceSettings


def test_an_object(tmp_path: Path) -> None:
    tasks = ("type", "material", "artist", "technique", "year", "when=date")
    items = read(tmp_path, OBJECT, tasks=tasks, language="en")
    (artwork,) = [item for item in items if isinstance(item, Artwork)]
    assert artwork.object_number == "SK-A-1"
    assert artwork.labels == {
        "type": ("painting",),
        "material": ("oil paint", "canvas"),
        "artist": ("Rembrandt",),
        "technique": ("painting (image making)",),
        "year": ("1641-1643",),
        "when": ("c. 1642",),
    }
    assert (artwork.title, artwork.date) == ("Self-portrait", "c. 1642")
    assert (artwork.institution, artwork.source) == ("Museum X", "https://museum.example/object/1")
    assert artwork.identifiers == {
        "type": {"painting": (AAT + "300033618",)},
        "material": {
            "oil paint": (AAT + "300015050",),
            "canvas": ("https://museum.example/material/2", AAT + "300014078"),
        },
        "artist": {"Rembrandt": (ULAN + "500011051",)},
        "technique": {"painting (image making)": (AAT + "300054216",)},
    }
    assert artwork.attributions == ()
    assert passed_over(items) == [
        ("classifications that are no types of work", "oblong"),
        ("classifications that are no types of work", "works of art"),
    ]
    assert notes(items) == []


def test_the_language(tmp_path: Path) -> None:
    dutch = read_one(tmp_path, OBJECT, language="nl")
    assert (dutch.title, dutch.date) == ("Zelfportret", "rond 1642")
    assert dutch.labels["material"] == ("oil paint", "doek")
    assert read_one(tmp_path, OBJECT).title == "Zelfportret"
    # A language that a record does not have: what has no language, then anything.
    assert read_one(tmp_path, OBJECT, language="fr").title == "Zelfportret"


def _without_lists(value: Any) -> Any:
    """The same with the one entry of each list in its place."""
    if isinstance(value, list) and len(value) == 1:
        return _without_lists(value[0])
    if isinstance(value, list):
        return list(map(_without_lists, value))
    return {key: _without_lists(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _with_lists(value: Any) -> Any:
    """The same with a list around every node."""
    if isinstance(value, dict):
        return {
            key: [_with_lists(inner)] if isinstance(inner, dict) else _with_lists(inner)
            for key, inner in value.items()
        }
    return list(map(_with_lists, value)) if isinstance(value, list) else value


@pytest.mark.parametrize("changed", [_without_lists, _with_lists])
def test_a_node_for_a_list_and_a_list_for_a_node(changed: Any, tmp_path: Path) -> None:
    tasks = ("type", "material", "artist", "technique", "year")
    assert read_one(tmp_path, changed(OBJECT), tasks=tasks) == read_one(tmp_path, OBJECT, tasks=tasks)


def test_what_counts_as_a_type(tmp_path: Path) -> None:
    unmarked = {"id": "https://m.example/9", "type": "HumanMadeObject"}
    unmarked["classified_as"] = [  # type: ignore[assignment]
        term("300133025", "works of art"),
        term("300047090", "sculpture"),
        term("1", "Italian", "300055768"),
    ]
    items = read(tmp_path, [unmarked, unmarked])
    assert [item.labels["type"] for item in items if isinstance(item, Artwork)] == [("sculpture",)] * 2
    assert notes(items) == [
        "2 objects have no classification that is marked as a type of work (AAT 300435443): those without a mark were"
        " taken as types"
    ]
    assert passed_over(items)[0] == ("classifications that are no types of work", "works of art")


def test_the_material_statement_where_there_is_no_material(tmp_path: Path) -> None:
    items = read(tmp_path, {key: value for key, value in OBJECT.items() if key != "made_of"})
    (artwork,) = [item for item in items if isinstance(item, Artwork)]
    assert artwork.labels["material"] == ("oil on canvas",)
    assert "material" not in artwork.identifiers
    assert notes(items) == [
        "1 object has no material (made_of): the material statement was taken, as one label"
    ]


def test_values_without_a_name_are_counted_and_are_no_labels(tmp_path: Path) -> None:
    record = {
        **OBJECT,
        "made_of": [{"id": AAT + "300015050", "type": "Material"}],
        "produced_by": {"type": "Production", "carried_out_by": [{"id": "733", "type": "Actor"}]},
    }
    items = read(tmp_path, record)
    (artwork,) = [item for item in items if isinstance(item, Artwork)]
    assert (artwork.labels["artist"], artwork.labels["material"]) == ((), ("oil on canvas",))
    assert set(passed_over(items)) > {
        ("values of artist that have an address and no name", "733"),
        ("values of material that have an address and no name", AAT + "300015050"),
    }


@pytest.mark.parametrize(
    ("span", "year", "date"),
    [
        (
            {"begin_of_the_begin": "1882", "end_of_the_end": "1883", "_label": "about 1883"},
            "1882-1883",
            "about 1883",
        ),
        ({"begin_of_the_begin": "1882-01-01T00:00:00Z", "end_of_the_end": "1882-12-31"}, "1882", "1882"),
        ({"_label": "19th century"}, "19th century", "19th century"),
        ({"begin_of_the_begin": "None-01-01", "end_of_the_end": "None", "_label": "None"}, None, None),
        (
            {"begin_of_the_begin": "-0500-01-01", "end_of_the_end": "-0450-12-31"},
            "500 BC-450 BC",
            "500 BC-450 BC",
        ),
        ({"end_of_the_end": "1700-01-01"}, "before 1700", "before 1700"),
        ({"begin_of_the_begin": "1700", "_label": "before 1800"}, "before 1800", "before 1800"),
        ({"begin_of_the_begin": "1700"}, "after 1700", "after 1700"),
        ({"begin_of_the_begin": "0000-01-01", "end_of_the_end": "0001-12-31"}, "1 BC-1", "1 BC-1"),
    ],
)
def test_dates(span: dict[str, str], year: str | None, date: str | None, tmp_path: Path) -> None:
    record = {**OBJECT, "produced_by": {"type": "Production", "timespan": {"type": "TimeSpan", **span}}}
    artwork = read_one(tmp_path, record, tasks=("year", "type"))
    assert (artwork.labels["year"], artwork.date) == ((year,) if year else (), date)


def test_object_numbers(tmp_path: Path) -> None:
    def number(*identifiers: dict[str, Any], address: str = "https://m.example/object/9") -> dict[str, Any]:
        return {"id": address, "type": "HumanMadeObject", "identified_by": list(identifiers)}

    records = [
        number(identifier("a", "300435704"), identifier("b", "300404621"), identifier("c", "300312355")),
        number(identifier("a", "300435704"), identifier("b", "300404621")),
        number(identifier("a", "300435704")),
        number(identifier("a", "300312355"), identifier("b", "300312355")),
        number(
            identifier("a", "300404621"),
            {"type": "Identifier", "content": "d", "classified_as": {"_label": "Accession Number"}},
        ),
        number(address="https://m.example/object/9.json"),
        number(address="https://m.example/other/9"),
        number(address="https://m.example/object/9.json"),
        number(address=""),
    ]
    items = read(tmp_path, records)
    numbers = [item.object_number for item in items if isinstance(item, Artwork)]
    assert numbers == ["c", "b", "a", "a", "d", "9", "other/9", "9"]
    assert [item.reason for item in items if isinstance(item, Reject)] == ["no-object-number"]
    assert notes(items) == [
        "1 object has several accession numbers: the first was taken",
        "1 object has no number, and the last part of another's address: more of the address was taken",
    ]


def test_records_of_other_kinds_are_counted(tmp_path: Path) -> None:
    records = [
        OBJECT,
        {"id": "https://m.example/p", "type": "Person", "_label": "P"},
        {"@graph": [{**OBJECT, "type": "crm:E22_Human-Made_Object"}]},
        {"type": "OrderedCollectionPage", "orderedItems": []},
        {"objectNumber": "SK-A-1", "links": {}},
        {"x": 1},
        5,
    ]
    items = read(tmp_path, records)
    assert sum(isinstance(item, Artwork) for item in items) == 2  # an object in a graph inside a list too
    assert [
        passed for passed in passed_over(items) if passed[0].startswith(("records", "answers", "JSON"))
    ] == [
        ("records of type Person", "record 2 of records.json"),
        ("records of type OrderedCollectionPage", "record 4 of records.json"),
        ("answers of the Rijksmuseum's earlier API, which are not Linked Art", "record 5 of records.json"),
        ("JSON values without a type, which are not Linked Art", "record 6 of records.json"),
        ("JSON values without a type, which are not Linked Art", "record 7 of records.json"),
    ]


def test_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("b.jpg", "SK-A-2.jpg"):
        (folder / name).touch()

    def shown(*addresses_of: str, **more: Any) -> dict[str, Any]:
        points = [{"id": point, "type": "DigitalObject"} for point in addresses_of]
        return {
            "type": "VisualItem",
            "digitally_shown_by": [{"type": "DigitalObject", "access_point": points, **more}],
        }

    def numbered(number: str, *representation: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": f"https://m.example/{number}",
            "type": "HumanMadeObject",
            "identified_by": [identifier(number, "300312355")],
            "representation": list(representation),
        }

    records = [
        numbered("SK-A-1", shown("https://m.example/a.jpg"), shown("https://m.example/b.jpg")),
        numbered("SK-A-2", shown("https://m.example/manifest.json", format="application/ld+json")),
        numbered("SK-A-3", shown("https://m.example/c.jpg")),
        numbered(
            "SK-A-4",
            {
                "type": "VisualItem",
                "digitally_shown_by": [{"id": "https://m.example/b.jpg", "type": "DigitalObject"}],
            },
        ),
        numbered("SK-A-6", {"type": "VisualItem", "id": "https://m.example/b.jpg"}),
        numbered("SK-A-7", {"type": "VisualItem", "id": "https://m.example/visual/b"}),
        numbered(
            "SK-A-5",
            shown(
                digitally_available_via=[
                    {"type": "DigitalService", "access_point": [{"id": "https://i.example/b"}]}
                ]
            ),
        ),
    ]
    items = read(tmp_path, records, images=folder, dry_run=False)
    artworks = [item for item in items if isinstance(item, Artwork)]
    assert [(a.object_number, a.image.name) for a in artworks] == [
        ("SK-A-1", "b.jpg"),
        ("SK-A-2", "SK-A-2.jpg"),
        ("SK-A-4", "b.jpg"),
        ("SK-A-6", "b.jpg"),
        ("SK-A-5", "b.jpg"),
    ]
    rejects = [item for item in items if isinstance(item, Reject)]
    assert [(reject.object_number, reject.file, reject.reason) for reject in rejects] == [
        ("SK-A-3", "https://m.example/c.jpg", "missing"),
        ("SK-A-7", "SK_A_7.jpg", "missing"),
    ]
    assert ("further pictures of an object", "https://m.example/b.jpg") in passed_over(items)


def test_lines_and_folders(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    folder.mkdir()
    (folder / "a.jsonl").write_text("\n".join([json.dumps(OBJECT)] * 2))
    (folder / "b.jsonld").write_text(json.dumps([OBJECT]))
    items = read_linked_art(SourceSettings(metadata=folder, dry_run=True))
    assert sum(isinstance(item, Artwork) for item in items) == 3


def test_bad_settings(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match="needs --metadata"):
        list(read_linked_art(SourceSettings()))
    with pytest.raises(
        ArttlError, match=r"'materials' is not a field of Linked Art .*did you mean 'material'"
    ):
        read(tmp_path, OBJECT, tasks=("materials",))
    with pytest.raises(ArttlError, match="needs --images"):
        read(tmp_path, OBJECT, dry_run=False)


_keys = st.sampled_from(
    [
        *(
            "id",
            "type",
            "_label",
            "classified_as",
            "identified_by",
            "content",
            "language",
            "produced_by",
            "part",
        ),
        *(
            "carried_out_by",
            "attributed_by",
            "assigned_by",
            "assigned",
            "assigned_property",
            "timespan",
            "made_of",
        ),
        *(
            "begin_of_the_begin",
            "notation",
            "representation",
            "digitally_shown_by",
            "access_point",
            "formed_by",
        ),
        *("influenced_by", "current_owner", "referred_to_by", "equivalent", "@value", "@language", "format"),
    ]
)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "x", "Person", "Production", "aat:300404269"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=5),
    max_leaves=30,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(_keys, _values, max_size=8))
def test_any_record(tmp_path_factory: pytest.TempPathFactory, record: dict[str, Any]) -> None:
    record["type"] = "HumanMadeObject"
    tasks = ("type", "material", "artist", "technique", "date", "year")
    for item in read(tmp_path_factory.getbasetemp(), record, tasks=tasks, language="en"):
        if isinstance(item, Artwork):
            texts = [text for labels in item.labels.values() for text in labels]
            assert all(isinstance(text, str) and text for text in texts)
            assert item.object_number
    assert isinstance(makers(record, None), list)
