"""Linked Art: objects, their terms, makers and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.linked_art.makers import makers
from arttl.shards.rejects import Reject
from arttl.sources.linked_art import read_linked_art
from arttl.sources.registry import open_source
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

_AAT = "http://vocab.getty.edu/aat/"
_ULAN = "http://vocab.getty.edu/ulan/"


def _term(number: str, label: str, *marks: str) -> dict[str, Any]:
    term: dict[str, Any] = {"id": _AAT + number, "type": "Type", "_label": label}
    return {**term, "classified_as": [_term(mark, "mark") for mark in marks]} if marks else term


def _name(content: str, *, preferred: bool = False, language: str = "") -> dict[str, Any]:
    name: dict[str, Any] = {"type": "Name", "content": content}
    if preferred:
        name["classified_as"] = [_term("300404670", "Primary Name")]
    if language:
        name["language"] = [{"id": _AAT + language, "type": "Language"}]
    return name


def _identifier(content: str, number: str) -> dict[str, Any]:
    return {"type": "Identifier", "content": content, "classified_as": [_term(number, "number")]}


_EN, _NL = "300388277", "300388256"
_WORK = "300435443"
_OBJECT: dict[str, Any] = {
    "@context": "https://linked.art/ns/v1/linked-art.json",
    "id": "https://museum.example/object/1",
    "type": "HumanMadeObject",
    "_label": "label",
    "identified_by": [
        _name("Zelfportret", preferred=True, language=_NL),
        _name("Self-portrait", preferred=True, language=_EN),
        _name("An older title", language=_EN),
        _identifier("76", "300404621"),
        _identifier("SK-A-1", "300312355"),
    ],
    "classified_as": [
        _term("300033618", "painting", _WORK),
        _term("300056273", "oblong", "300056273"),
        _term("300133025", "works of art"),
    ],
    "made_of": [
        {"id": _AAT + "300015050", "type": "Material", "_label": "oil paint"},
        {
            "id": "https://museum.example/material/2",
            "type": "Material",
            "identified_by": [_name("doek", language=_NL), _name("canvas", language=_EN)],
            "equivalent": [{"id": _AAT + "300014078", "type": "Material"}],
        },
    ],
    "referred_to_by": [
        {
            "type": "LinguisticObject",
            "content": "oil on canvas",
            "classified_as": [_term("300435429", "Material Statement")],
        }
    ],
    "produced_by": {
        "type": "Production",
        "timespan": {
            "type": "TimeSpan",
            "identified_by": [_name("rond 1642", language=_NL), _name("c. 1642", language=_EN)],
            "begin_of_the_begin": "1641-01-01T00:00:00Z",
            "end_of_the_end": "1643-12-31T23:59:59Z",
        },
        "part": [
            {
                "type": "Production",
                "technique": [_term("300054216", "painting (image making)")],
                "carried_out_by": [{"id": _ULAN + "500011051", "type": "Person", "_label": "Rembrandt"}],
            }
        ],
    },
    "current_owner": [
        {"id": _ULAN + "1", "type": "Group", "_label": "City of X"},
        {
            "id": _ULAN + "2",
            "type": "Group",
            "_label": "Museum X",
            "classified_as": [_term("300312281", "museum")],
        },
    ],
    "member_of": [{"id": "https://museum.example/set/1", "type": "Set", "_label": "Paintings"}],
}


def _read(tmp_path: Path, document: Any, **changes: object) -> list[Any]:
    path = tmp_path / "records.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    values: dict[str, object] = {"source": "linked-art", "metadata": path, "dry_run": True, **changes}
    return list(read_linked_art(SourceSettings(**values)))  # type: ignore[arg-type]


def _one(tmp_path: Path, document: Any, **changes: object) -> Artwork:
    (artwork,) = [item for item in _read(tmp_path, document, **changes) if isinstance(item, Artwork)]
    return artwork


def _texts(items: list[Any]) -> list[str]:
    return [item.text for item in items if isinstance(item, Note)]


def _passed(items: list[Any]) -> list[tuple[str, str]]:
    return [(item.kind, item.name) for item in items if isinstance(item, PassedOver)]


def test_an_object(tmp_path: Path) -> None:
    tasks = ("type", "material", "artist", "technique", "year", "when=date")
    items = _read(tmp_path, _OBJECT, tasks=tasks, language="en")
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
        "type": {"painting": (_AAT + "300033618",)},
        "material": {
            "oil paint": (_AAT + "300015050",),
            "canvas": ("https://museum.example/material/2", _AAT + "300014078"),
        },
        "artist": {"Rembrandt": (_ULAN + "500011051",)},
        "technique": {"painting (image making)": (_AAT + "300054216",)},
    }
    assert artwork.attributions == ()
    assert _passed(items) == [
        ("classifications that are no types of work", "oblong"),
        ("classifications that are no types of work", "works of art"),
    ]
    assert _texts(items) == []


def test_the_language(tmp_path: Path) -> None:
    dutch = _one(tmp_path, _OBJECT, language="nl")
    assert (dutch.title, dutch.date) == ("Zelfportret", "rond 1642")
    assert dutch.labels["material"] == ("oil paint", "doek")
    assert _one(tmp_path, _OBJECT).title == "Zelfportret"
    # A language that a record does not have: what has no language, then anything.
    assert _one(tmp_path, _OBJECT, language="fr").title == "Zelfportret"


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
    assert _one(tmp_path, changed(_OBJECT), tasks=tasks) == _one(tmp_path, _OBJECT, tasks=tasks)


def test_what_counts_as_a_type(tmp_path: Path) -> None:
    unmarked = {"id": "https://m.example/9", "type": "HumanMadeObject"}
    unmarked["classified_as"] = [  # type: ignore[assignment]
        _term("300133025", "works of art"),
        _term("300047090", "sculpture"),
        _term("1", "Italian", "300055768"),
    ]
    items = _read(tmp_path, [unmarked, unmarked])
    assert [item.labels["type"] for item in items if isinstance(item, Artwork)] == [("sculpture",)] * 2
    assert _texts(items) == [
        "2 objects have no classification that is marked as a type of work (AAT 300435443): those without a mark were"
        " taken as types"
    ]
    assert _passed(items)[0] == ("classifications that are no types of work", "works of art")


def test_the_material_statement_where_there_is_no_material(tmp_path: Path) -> None:
    items = _read(tmp_path, {key: value for key, value in _OBJECT.items() if key != "made_of"})
    (artwork,) = [item for item in items if isinstance(item, Artwork)]
    assert artwork.labels["material"] == ("oil on canvas",)
    assert "material" not in artwork.identifiers
    assert _texts(items) == [
        "1 object has no material (made_of): the material statement was taken, as one label"
    ]


def _person(name: str, **more: Any) -> dict[str, Any]:
    return {"id": _ULAN + name, "type": "Person", "_label": name, **more}


def _assignment(number: str, label: str, assigned: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": "AttributeAssignment",
        "classified_as": [_term(number, label)] if number else [],
        "assigned": [assigned],
        **more,
    }


@pytest.mark.parametrize(
    ("production", "artist", "attributed"),
    [
        ({"carried_out_by": [_person("A"), _person("B")]}, ("A", "B"), ()),
        ({"carried_out_by": [], "part": [{"part": [{"carried_out_by": _person("A")}]}]}, ("A",), ()),
        # The two patterns of linked.art for an uncertain maker, and those of the Rijksmuseum.
        (
            {
                "attributed_by": [
                    _assignment(
                        "300404272",
                        "Possibly By",
                        {"type": "Production", "carried_out_by": [_person("A")]},
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
                    _assignment(
                        "",
                        "",
                        {
                            "type": "Production",
                            "classified_as": [{"id": _AAT + "300404285"}],
                            "influenced_by": [_person("A")],
                        },
                    )
                ]
            },
            (),
            (("style of", "A"),),
        ),
        (
            {"part": [{"assigned_by": [_assignment("300404269", "", _person("A"))]}]},
            (),
            (("attributed to", "A"),),
        ),
        (
            {
                "part": [
                    {"assigned_by": [_assignment("", "", _person("A"), motivated_by=[{"id": "signature"}])]}
                ]
            },
            ("A",),
            (),
        ),
        ({"assigned_by": [_assignment("", "", _person("A"))]}, (), (("attributed to", "A"),)),
        # A group around a master, by its formation or by its name.
        (
            {
                "carried_out_by": [
                    {
                        "type": "Group",
                        "_label": "Studio of Francis Harwood",
                        "formed_by": {"type": "Formation", "influenced_by": [_person("Francis Harwood")]},
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
                "carried_out_by": [_person("A")],
                "influenced_by": [_person("B"), {"type": "HumanMadeObject", "_label": "Portrait"}],
            },
            ("A",),
            (("influenced by", "B"),),
        ),
        # A role that is no maker's, and a qualifier on the part or on the actor.
        (
            {
                "part": [
                    {"carried_out_by": [_person("A")], "technique": [_term("1", "etching")]},
                    {"carried_out_by": [_person("B")], "classified_as": [_term("2", "publishing")]},
                    {"carried_out_by": [_person("C")], "classified_as": [{"id": _AAT + "300404286"}]},
                    {"carried_out_by": [_person("D", assigned_by=[_assignment("300404269", "", {})])]},
                ]
            },
            ("A",),
            (("publishing", "B"), ("after", "C"), ("attributed to", "D")),
        ),
        # An assignment of something else.
        (
            {
                "carried_out_by": _person("A"),
                "attributed_by": [
                    _assignment("300404269", "", {"type": "TimeSpan"}, assigned_property="timespan")
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
    artwork = _one(tmp_path, record)
    assert (artwork.labels["artist"], artwork.attributions) == (artist, attributed)
    wide = _one(tmp_path, record, attributed=True)
    names = [name for qualifier, name in attributed if qualifier != "publishing"]
    assert set(wide.labels["artist"]) == {*artist, *names}
    assert wide.attributions == attributed


def test_former_attributions_of_the_object_are_never_artists(tmp_path: Path) -> None:
    former = _assignment(
        "300404270",
        "Formerly attributed to",
        {"type": "Production", "carried_out_by": [_person("B")]},
        assigned_property="produced_by",
    )
    record = {**_OBJECT, "attributed_by": [former, _assignment("", "", _person("X"))]}
    items = _read(tmp_path, record, attributed=True)
    (artwork,) = [item for item in items if isinstance(item, Artwork)]
    assert artwork.labels["artist"] == ("Rembrandt",)
    assert artwork.attributions == (("Formerly attributed to", "B"),)
    assert _texts(items) == [
        "artist: 1 maker is kept as attribution (formerly attributed to (1)); with --attributed those in"
        " doubt are labels too"
    ]


def test_values_without_a_name_are_counted_and_are_no_labels(tmp_path: Path) -> None:
    record = {
        **_OBJECT,
        "made_of": [{"id": _AAT + "300015050", "type": "Material"}],
        "produced_by": {"type": "Production", "carried_out_by": [{"id": "733", "type": "Actor"}]},
    }
    items = _read(tmp_path, record)
    (artwork,) = [item for item in items if isinstance(item, Artwork)]
    assert (artwork.labels["artist"], artwork.labels["material"]) == ((), ("oil on canvas",))
    assert set(_passed(items)) > {
        ("values of artist that have an address and no name", "733"),
        ("values of material that have an address and no name", _AAT + "300015050"),
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
    record = {**_OBJECT, "produced_by": {"type": "Production", "timespan": {"type": "TimeSpan", **span}}}
    artwork = _one(tmp_path, record, tasks=("year", "type"))
    assert (artwork.labels["year"], artwork.date) == ((year,) if year else (), date)


def test_object_numbers(tmp_path: Path) -> None:
    def number(*identifiers: dict[str, Any], address: str = "https://m.example/object/9") -> dict[str, Any]:
        return {"id": address, "type": "HumanMadeObject", "identified_by": list(identifiers)}

    records = [
        number(_identifier("a", "300435704"), _identifier("b", "300404621"), _identifier("c", "300312355")),
        number(_identifier("a", "300435704"), _identifier("b", "300404621")),
        number(_identifier("a", "300435704")),
        number(_identifier("a", "300312355"), _identifier("b", "300312355")),
        number(
            _identifier("a", "300404621"),
            {"type": "Identifier", "content": "d", "classified_as": {"_label": "Accession Number"}},
        ),
        number(address="https://m.example/object/9.json"),
        number(address="https://m.example/other/9"),
        number(address="https://m.example/object/9.json"),
        number(address=""),
    ]
    items = _read(tmp_path, records)
    numbers = [item.object_number for item in items if isinstance(item, Artwork)]
    assert numbers == ["c", "b", "a", "a", "d", "9", "other/9", "9"]
    assert [item.reason for item in items if isinstance(item, Reject)] == ["no-object-number"]
    assert _texts(items) == [
        "1 object has several accession numbers: the first was taken",
        "1 object has no number, and the last part of another's address: more of the address was taken",
    ]


def test_records_of_other_kinds_are_counted(tmp_path: Path) -> None:
    records = [
        _OBJECT,
        {"id": "https://m.example/p", "type": "Person", "_label": "P"},
        {"@graph": [{**_OBJECT, "type": "crm:E22_Human-Made_Object"}]},
        {"type": "OrderedCollectionPage", "orderedItems": []},
        {"objectNumber": "SK-A-1", "links": {}},
        {"x": 1},
        5,
    ]
    items = _read(tmp_path, records)
    assert sum(isinstance(item, Artwork) for item in items) == 2  # an object in a graph inside a list too
    assert [passed for passed in _passed(items) if passed[0].startswith(("records", "answers", "JSON"))] == [
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
            "identified_by": [_identifier(number, "300312355")],
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
    items = _read(tmp_path, records, images=folder, dry_run=False)
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
    assert ("further pictures of an object", "https://m.example/b.jpg") in _passed(items)


def test_lines_and_folders(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    folder.mkdir()
    (folder / "a.jsonl").write_text("\n".join([json.dumps(_OBJECT)] * 2))
    (folder / "b.jsonld").write_text(json.dumps([_OBJECT]))
    items = read_linked_art(SourceSettings(metadata=folder, dry_run=True))
    assert sum(isinstance(item, Artwork) for item in items) == 3


def test_bad_settings(tmp_path: Path) -> None:
    with pytest.raises(ArttlError, match="needs --metadata"):
        list(read_linked_art(SourceSettings()))
    with pytest.raises(
        ArttlError, match=r"'materials' is not a field of Linked Art .*did you mean 'material'"
    ):
        _read(tmp_path, _OBJECT, tasks=("materials",))
    with pytest.raises(ArttlError, match="needs --images"):
        _read(tmp_path, _OBJECT, dry_run=False)


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
    for item in _read(tmp_path_factory.getbasetemp(), record, tasks=tasks, language="en"):
        if isinstance(item, Artwork):
            texts = [text for labels in item.labels.values() for text in labels]
            assert all(isinstance(text, str) and text for text in texts)
            assert item.object_number
    assert isinstance(makers(record, None), list)


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "number", "labels", "date", "institution", "title"),
    [
        (
            "cleveland-74572.json",
            "2018.42",
            {"type": ("Drawing",)},
            "19th century",
            "Cleveland Museum of Art",
            "The Temptation of St. Anthony",
        ),
        (
            "harvard-237625.json",
            "FA78",
            {"type": ("Print",), "artist": ("John Ruskin",)},
            "19th century",
            "Harvard Art Museum",
            "Château Blois",
        ),
        ("linked-art-model-nightwatch-1.json", "1", {}, None, None, "The Night Watch"),
        (
            "newfields-ima-1032.json",
            "14.55",
            {"type": ("Painting",)},
            "about 1883",
            "Indianapolis Museum of Art at Newfields",
            "The Bachelor Boudoir (Corner of the Studio)",
        ),
    ],
)
def test_real_records(
    file: str,
    number: str,
    labels: dict[str, tuple[str, ...]],
    date: str | None,
    institution: str | None,
    title: str,
    real_data: Path,
) -> None:
    path = real_data / "metadata" / "linked-art" / file
    reading = open_source(SourceSettings(source="linked-art", metadata=path, dry_run=True))
    (artwork,) = list(reading)
    assert isinstance(artwork, Artwork)
    assert (artwork.object_number, artwork.labels, artwork.date) == (number, labels, date)
    assert (artwork.institution, artwork.title) == (institution, title)
    if file.startswith("newfields"):
        assert "passed over: values of artist that have an address and no name (733)" in reading.sentences()
    if file.startswith("cleveland"):
        assert artwork.identifiers["type"] == {"Drawing": (_AAT + "300033973",)}


@pytest.mark.real
def test_the_real_folder(real_data: Path) -> None:
    folder = real_data / "metadata" / "linked-art"
    reading = open_source(SourceSettings(source="linked-art", metadata=folder, dry_run=True, language="nl"))
    artworks = [item for item in reading if isinstance(item, Artwork)]
    assert [a.object_number for a in artworks] == ["2018.42", "FA78", "1", "14.55"]
    assert artworks[2].title == "De Nachtwacht"
    assert (
        "passed over: answers of the Rijksmuseum's earlier API, which are not Linked Art (rijksmuseum.json)"
        in reading.sentences()
    )


def _assigned_maker(**fields: Any) -> dict[str, Any]:
    maker = {"type": "Person", "_label": "Flinck"}
    assigned = {"assigned_property": "carried_out_by", "assigned": [maker]}
    return {"type": "AttributeAssignment", **assigned, **fields}


@pytest.mark.parametrize("mark", ["classified_as", "technique"])
@pytest.mark.parametrize("where", ["object", "production"])
def test_what_software_assigns_is_no_attribution(tmp_path: Path, mark: str, where: str) -> None:
    number = {"classified_as": "300456841", "technique": "300456842"}[mark]
    assignment = _assigned_maker(**{mark: [_term(number, "AI")]})
    document = {**_OBJECT, "attributed_by": [assignment]}
    if where == "production":
        document = {**_OBJECT, "produced_by": {**_OBJECT["produced_by"], "attributed_by": [assignment]}}
    items = _read(tmp_path, document, attributed=True)
    (artwork,) = [item for item in items if isinstance(item, Artwork)]
    assert artwork.labels["artist"] == ("Rembrandt",) and not artwork.attributions
    passed = [item for item in items if isinstance(item, PassedOver) and "software" in item.kind]
    assert [(each.kind, each.name) for each in passed] == [
        ("suggestions of software (AAT 300456841)", "SK-A-1")
    ]


@pytest.mark.parametrize("evidence", ["motivated_by", "influenced_by"])
def test_an_assignment_with_evidence_alone_has_no_qualifier(tmp_path: Path, evidence: str) -> None:
    signature = [{"id": "https://museum.example/signature/1", "type": "LinguisticObject"}]
    document = {**_OBJECT, "attributed_by": [_assigned_maker(**{evidence: signature})]}
    artwork = _one(tmp_path, document)
    assert artwork.labels["artist"] == ("Rembrandt", "Flinck") and not artwork.attributions
    without = _one(tmp_path, {**_OBJECT, "attributed_by": [_assigned_maker()]})
    assert without.attributions == (("attributed to", "Flinck"),)
