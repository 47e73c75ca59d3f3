from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lido_cases import (
    TERMINOLOGY,
    description,
    element,
    event,
    material,
    materials,
    notes,
    read,
    read_one,
    record,
    term,
    work_type,
)
from lxml import etree

from arttl.lido.terms import (
    EVENT_KINDS,
    MATERIAL,
    MATERIAL_KINDS,
    NEITHER,
    OTHER,
    PRODUCTION,
    TECHNIQUE,
    UNSPECIFIED,
    Choice,
    Counts,
    lookup_keys,
    meaning,
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("http://terminology.lido-schema.org/lido00132", MATERIAL),
        ("https://terminology.lido-schema.org/lido00132/", MATERIAL),
        ("lido00513", MATERIAL),
        ("http://terminology.lido-schema.org/lido00514", MATERIAL),
        ("http://terminology.lido-schema.org/lido00131#", TECHNIQUE),
        ("http://terminology.lido-schema.org/termMaterialsTech_type/material", MATERIAL),
        ("http://terminology.lido-schema.org/termMaterialsTech_type/technique", TECHNIQUE),
        ("http://terminology.lido-schema.org/lido00248", NEITHER),
        ("http://vocab.getty.edu/aat/300163343", MATERIAL),
        ("https://vocab.getty.edu/page/aat/300014844", MATERIAL),
        ("http://vocab.getty.edu/aat/300014842", MATERIAL),
        ("aat:300010358", MATERIAL),
        ("http://www.getty.edu/vow/AATFullDisplay?find=&subjectid=300014844", MATERIAL),
        ("http://vocab.getty.edu/aat/300053001", TECHNIQUE),
        ("Material", MATERIAL),
        ("MATERIAAL", MATERIAL),
        (" Werkstoff ", MATERIAL),
        ("matériau", MATERIAL),
        ("mate\u0301riau", MATERIAL),
        ("Material/Technik", MATERIAL),
        ("support", MATERIAL),
        ("Technik", TECHNIQUE),
        ("techniek", TECHNIQUE),
        ("Entstehungsmethode", TECHNIQUE),
        ("tecnica", TECHNIQUE),
        ("väri", NEITHER),
        ("Auflage", None),
        ("http://vocab.getty.edu/aat/300000001", None),
        ("", None),
    ],
)
def test_kinds_of_materials(text: str, kind: str | None) -> None:
    assert MATERIAL_KINDS.of(text) == kind


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["production"], PRODUCTION),
        (["Production"], PRODUCTION),
        (["creation"], PRODUCTION),
        (["Herstellung"], PRODUCTION),
        (["Herstellung (lido00007)"], PRODUCTION),
        (["Aufgenommen"], PRODUCTION),
        (["Gedruckt"], PRODUCTION),
        (["vervaardiging"], PRODUCTION),
        (["création"], PRODUCTION),
        (["realizzazione"], PRODUCTION),
        (["valmistus"], PRODUCTION),
        (["Geistige Schöpfung"], PRODUCTION),
        (["http://terminology.lido-schema.org/lido00007"], PRODUCTION),
        (["https://terminology.lido-schema.org/lido00012/"], PRODUCTION),
        (["http://terminology.lido-schema.org/eventType/beginning_of_existence"], PRODUCTION),
        (["http://www.cidoc-crm.org/cidoc-crm/E12_Production"], PRODUCTION),
        (["http://www.cidoc-crm.org/crm-concepts/E65"], PRODUCTION),
        (["http://terminology.lido-schema.org/eventType/expression_creation"], PRODUCTION),
        (["Expression creation"], PRODUCTION),
        (["http://iflastandards.info/ns/fr/frbr/frbroo/F28_Expression_Creation"], PRODUCTION),
        (["condition assessment"], OTHER),
        (["http://vocab.getty.edu/aat/300404387"], PRODUCTION),
        (["https://event-types.museum-digital.org/26", "Printed"], PRODUCTION),
        (["https://event-types.museum-digital.org/41", "Something"], OTHER),
        (["http://terminology.lido-schema.org/lido00003", "Event (non-specified)"], UNSPECIFIED),
        (["http://terminology.lido-schema.org/lido00003", "Herstellung"], PRODUCTION),
        (["http://terminology.lido-schema.org/lido00001", "Production"], OTHER),
        (["Acquisition"], OTHER),
        (["Restaurierung"], OTHER),
        (["http://www.cidoc-crm.org/cidoc-crm/E11_Modification"], OTHER),
        (["design"], None),
        (["10"], None),
        ([], None),
    ],
)
def test_kinds_of_events(texts: list[str], kind: str | None) -> None:
    assert EVENT_KINDS.of_first(texts) == kind


def test_every_word_of_the_tables_is_found_and_of_one_kind() -> None:
    for kinds in (EVENT_KINDS, MATERIAL_KINDS):
        for word, kind in kinds.items():
            assert word.strip() == word != ""
            assert kinds.of(f" {word.capitalize()}\n") == kind


@given(st.text(max_size=60))
def test_any_text_has_keys(text: str) -> None:
    assert all(isinstance(key, str) for key in lookup_keys(text))


def _material(tmp_path: Path, *terms: str, **changes: object) -> dict[str, tuple[str, ...]]:
    one = record(description(event("Production", materials(*terms))))
    return dict(read_one(tmp_path, one, tasks=("material", "technique"), **changes).labels)


def test_materials_and_techniques_by_type(tmp_path: Path) -> None:
    labels = _material(
        tmp_path,
        material("oil", type=TERMINOLOGY + "lido00513"),
        material("canvas", type="https://terminology.lido-schema.org/lido00514/"),
        material("oak", type="http://vocab.getty.edu/aat/300014844"),
        material("glazing", type="Technik"),
        material("brush", type=TERMINOLOGY + "lido00248"),
        material("edition of 20", type="Auflage"),
        material("", type="material"),
        material("gold leaf"),
    )
    assert labels == {"material": ("oil", "canvas", "oak", "gold leaf"), "technique": ("glazing",)}


def test_an_unknown_type_is_a_material_only_where_there_is_no_other_and_is_said(tmp_path: Path) -> None:
    unknown = material("Leinwand", type="Bildgrundart")
    first = record(description(event("Production", materials(unknown, material("Öl", type="Material")))))
    second = record(description(event("Production", materials(unknown, material("gemalt", type="Technik")))))
    items = read(tmp_path, first, second.replace("rec-1", "2"), tasks=("material", "technique"))
    labels = [getattr(item, "labels", None) for item in items[:2]]
    assert labels == [
        {"material": ("Öl",), "technique": ()},
        {"material": ("Leinwand",), "technique": ("gemalt",)},
    ]
    assert (
        "materials: types that are not known: 'Bildgrundart' 2; taken as materials, where a record has no other: 1"
    ) in notes(items)


def test_terms_without_a_type_are_counted(tmp_path: Path) -> None:
    one = record(description(event("Production", materials(material("oil"), material("canvas")))))
    assert "materials: terms without a type are taken as materials: 2" in notes(read(tmp_path, one))


def test_materials_of_frames_are_not_those_of_the_object(tmp_path: Path) -> None:
    def of_part(label: str, part: str) -> str:
        return element(
            "materialsTech", material(label, type="material"), element("extentMaterialsTech", part)
        )

    parts = of_part("oak", "frame") + of_part("gold", term("Rahmen")) + of_part("canvas", "Bildträger")
    one = record(description(event("Production", element("eventMaterialsTech", parts))))
    items = read(tmp_path, one, tasks=("material",))
    assert getattr(items[0], "labels", None) == {"material": ("canvas",)}
    assert "materials of parts: taken: 'Bildträger' 1; not taken: 'frame' 1, 'Rahmen' 1" in notes(items)


def _display(text: str, **attributes: str) -> str:
    return element("displayMaterialsTech", text, **attributes)


def test_the_text_for_display_is_one_label_where_there_is_no_term(tmp_path: Path) -> None:
    shown = element("eventMaterialsTech", _display("olieverf op doek"))
    one = record(description(event("Production", shown)))
    items = read(tmp_path, one, tasks=("material", "technique"))
    assert getattr(items[0], "labels", None) == {"material": ("olieverf op doek",), "technique": ()}
    assert "materials: records without terms, whose text for display is one label: 1" in notes(items)
    # Of the object, in LIDO 1.1; the same text twice is one label.
    of_object = element(
        "objectMaterialsTechWrap", element("objectMaterialsTechSet", _display("olieverf op doek"))
    )
    one = record(description(event("Production", shown), identification=of_object))
    assert read_one(tmp_path, one, tasks=("material",)).labels == {"material": ("olieverf op doek",)}
    # A term wins.
    with_term = materials(material("olieverf", type="materiaal"))
    one = record(description(event("Production", shown, with_term), identification=of_object))
    assert read_one(tmp_path, one, tasks=("material",)).labels == {"material": ("olieverf",)}
    # A tool is no term that says of what the object is.
    with_tool = materials(material("penseel", type=TERMINOLOGY + "lido00248"))
    one = record(description(event("Production", shown, with_tool)))
    assert read_one(tmp_path, one, tasks=("material",)).labels == {"material": ("olieverf op doek",)}


def test_texts_for_display_that_tell_materials_from_techniques_in_the_chosen_language(tmp_path: Path) -> None:
    shown = element(
        "eventMaterialsTech",
        _display("Ag", label="material", lang="ro"),
        _display("silver", label="material", lang="en"),
        _display("batere", label="technique", lang="ro"),
    )
    one = record(description(event("Production", shown), lang="ro"))
    tasks = ("material", "technique")
    assert read_one(tmp_path, one, tasks=tasks).labels == {"material": ("Ag",), "technique": ("batere",)}
    assert read_one(tmp_path, one, tasks=tasks, language="en").labels == {
        "material": ("silver",),
        "technique": ("batere",),
    }


def _events(tmp_path: Path, *kinds: str) -> tuple[tuple[str, ...], list[str]]:
    """The materials of a record of events, each with a material named by its position, and the note on events."""
    events = [
        event(kind, materials(material(str(index), type="material"))) for index, kind in enumerate(kinds)
    ]
    items = read(tmp_path, record(description(*events)), tasks=("material",))
    labels: dict[str, tuple[str, ...]] = getattr(items[0], "labels", {})
    return labels["material"], [note for note in notes(items) if note.startswith("events")]


def test_events_of_a_production(tmp_path: Path) -> None:
    assert _events(tmp_path, "Acquisition", "Herstellung", "Gedruckt", "Entwurf") == (
        ("1", "2"),
        ["events: of a production: 'Herstellung' 1, 'Gedruckt' 1; not taken: 'Acquisition' 1, 'Entwurf' 1"],
    )


def test_the_only_event_is_taken_if_it_may_be_a_production_and_it_is_said(tmp_path: Path) -> None:
    alone = "events: taken as production since a record has no other: "
    assert _events(tmp_path, "Fertigungsprozess") == (("0",), [alone + "'Fertigungsprozess' 1"])
    assert _events(tmp_path, "design") == (("0",), [alone + "'design' 1"])
    assert _events(tmp_path, "") == (("0",), [alone + "(none) 1"])
    assert _events(tmp_path, "Ankauf") == ((), ["events: not taken: 'Ankauf' 1"])
    assert _events(tmp_path, "Prozess A", "Prozess B") == (
        (),
        ["events: not taken: 'Prozess A' 1, 'Prozess B' 1"],
    )
    assert _events(tmp_path) == ((), [])


def test_an_unspecified_event_gives_materials_but_no_artist(tmp_path: Path) -> None:
    unspecified = element("conceptID", TERMINOLOGY + "lido00003", type="uri") + term("Event (non-specified)")
    labels, _ = _events(tmp_path, "Aufgenommen", unspecified, "Finding")
    assert labels == ("0", "1")


def test_events_that_an_object_depicts_or_that_are_related_are_not_its_own(tmp_path: Path) -> None:
    inner = element(
        "event", element("eventType", term("Production")), materials(material("bronze", type="material"))
    )
    relation = element(
        "objectRelationWrap",
        element("subjectWrap", element("subjectSet", element("subject", element("subjectEvent", inner)))),
    )
    related = element("relatedEventSet", element("relatedEvent", inner))
    own = event("Production", materials(material("oil", type="material")), related)
    one = record(element("descriptiveMetadata", element("eventWrap", own), relation))
    assert read_one(tmp_path, one, tasks=("material",)).labels == {"material": ("oil",)}


def test_one_term_of_a_concept(tmp_path: Path) -> None:
    for terms, expected in (
        ((term("pic", pref="alternate"), term("picture", pref="preferred")), "picture"),
        ((term("a", pref=TERMINOLOGY + "lido00170"), term("b", pref=TERMINOLOGY + "lido00169")), "b"),
        ((term("hidden", pref="hidden"), term("alt", pref="alternative"), term("plain")), "plain"),
        ((term("broad", addedSearchTerm="yes"), term("narrow", addedSearchTerm="no")), "narrow"),
        ((term("only", addedSearchTerm="yes"),), "only"),
        # The language before the preference: an alternative English term rather than a preferred Dutch one.
        (
            (term("schilderij", lang="nl", pref="preferred"), term("painting", lang="en", pref="alternate")),
            "painting",
        ),
        ((term("schilderij", lang="nl"), term("Gemälde", lang="de")), "schilderij"),
        ((term("Gemälde", lang="ger"), term("painting", lang="eng")), "painting"),
    ):
        one = record(description(types=work_type(*terms)))
        assert read_one(tmp_path, one, tasks=("type",), language="en").labels["type"] == (expected,), terms


def test_the_language_of_the_record_before_that_of_the_first_term(tmp_path: Path) -> None:
    one = record(description(types=work_type(term("painting", lang="en"), term("dipinto")), lang="it"))
    assert read_one(tmp_path, one, tasks=("type",)).labels["type"] == ("dipinto",)
    assert read_one(tmp_path, one, tasks=("type",), language="fr").labels["type"] == ("dipinto",)


_LANGUAGES = st.sampled_from(["", "en", "nl", "de-AT", "eng"])


@given(
    terms=st.lists(
        st.tuples(_LANGUAGES, st.sampled_from(["", "preferred", "alternate"])), min_size=1, max_size=6
    ),
    around=_LANGUAGES,
    language=st.sampled_from(["", "en", "nl", "de", "fr"]),
)
def test_the_term_that_is_chosen(terms: list[tuple[str, str]], around: str, language: str) -> None:
    """Compared with the rule written out: the languages in their order, in each the preferences in theirs."""
    texts = [
        element("term", str(index), **({"lang": own} if own else {}), **({"pref": pref} if pref else {}))
        for index, (own, pref) in enumerate(terms)
    ]
    wrap = element("objectWorkType", *texts, **({"lang": around} if around else {}))
    concept = etree.fromstring(wrap.replace(">", ' xmlns:lido="http://www.lido-schema.org">', 1))
    codes = [{"": "", "en": "en", "eng": "en", "nl": "nl", "de-AT": "de"}[own or around] for own, _ in terms]
    own = {"": "", "en": "en", "eng": "en", "nl": "nl", "de-AT": "de"}[around]
    chosen = next((code for code in (language, own, codes[0]) if code and code in codes), codes[0])
    expected = min(
        (index for index, code in enumerate(codes) if code == chosen),
        key=lambda index: (["preferred", "", "alternate"].index(terms[index][1]), index),
    )
    said = meaning(concept, Choice(language, own))
    assert said.term == str(expected)
    assert said.instead == ({chosen} if language and chosen not in ("", language) else set())


def test_classifications_are_a_field(tmp_path: Path) -> None:
    classes = element(
        "classificationWrap",
        element("classification", term("IMAGE"), type="europeana:type"),
        element("classification", term("Paintings")),
    )
    one = record(description(types=classes))
    assert read_one(tmp_path, one, tasks=("type=classification",)).labels == {"type": ("Paintings",)}


def test_a_choice_remembers_other_languages_once() -> None:
    elements = list(etree.fromstring('<a xml:lang="nl"><b>doek</b><b xml:lang="de">Leinwand</b></a>'))
    choice = Choice("en", "de")
    assert choice.text(elements) == "Leinwand"
    assert choice.text(elements[:1]) == "doek"
    assert choice.instead == {"de", "nl"}
    assert Choice("").in_language([]) == []


def test_counts_are_bounded() -> None:
    counts = Counts()
    for index in range(2000):
        counts.add(f"kind {index}" + "x" * 1000)
    counts.add("")
    assert len(counts) <= 501
    assert counts.total() == 2001
    assert counts["(others)"] > 1000
    assert len(counts.listed()) < 1000
    assert counts.listed().endswith(" and 493 more kinds")
