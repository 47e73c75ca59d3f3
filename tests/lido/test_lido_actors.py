from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lido_cases import actor, description, element, event, name_set, notes, read, read_one, record, term

from arttl.lido.actors import _ROLE_CODES, _WORD_ENDS, AFTER, MAKER, NO_MAKER, PHOTOGRAPHER, role_kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("artist", MAKER),
        ("Painter", MAKER),
        ("painters (artists)", MAKER),
        ("Maler", MAKER),
        ("Malerin", MAKER),
        ("Maler:in", MAKER),
        ("Porzellanmaler", MAKER),
        ("Formschneider", MAKER),
        ("plateelbakkerij", MAKER),
        ("vormgever", MAKER),
        ("kantwerkster", MAKER),
        ("print maker", MAKER),
        ("Kupferstecher/in", MAKER),
        ("Fotograf", PHOTOGRAPHER),
        ("architectural photographer", PHOTOGRAPHER),
        ("http://vocab.getty.edu/aat/300025687", PHOTOGRAPHER),
        ("Fotograf und Verleger", PHOTOGRAPHER),
        ("Maler, Fotograf", MAKER),
        ("schilder", MAKER),
        ("prentmaker", MAKER),
        ("uitvinder", MAKER),
        ("Erfinder", MAKER),
        ("peintre", MAKER),
        ("Pittore", MAKER),
        ("taiteilija", MAKER),
        ("producer", MAKER),
        ("Herstellende Ethnie", MAKER),
        ("wood-engraver", MAKER),
        ("Maler und Verleger", MAKER),
        ("printer, lithographer", MAKER),
        ("graveur-éditeur", MAKER),
        ("http://vocab.getty.edu/aat/300025136", MAKER),
        ("https://vocab.getty.edu/page/aat/300025103/", MAKER),
        ("http://id.loc.gov/vocabulary/relators/art", MAKER),
        ("http://www.wikidata.org/entity/Q1028181", MAKER),
        ("publisher", NO_MAKER),
        ("schrijver", NO_MAKER),
        ("verlener van privilege", NO_MAKER),
        ("opgedragen aan", NO_MAKER),
        ("lijstenmaker", NO_MAKER),
        ("frame maker", NO_MAKER),
        ("Verleger", NO_MAKER),
        ("Kupferdrucker", NO_MAKER),
        ("Herausgeber", NO_MAKER),
        ("Auftraggeberin", NO_MAKER),
        ("uitgever", NO_MAKER),
        ("opdrachtgever", NO_MAKER),
        ("print publisher", NO_MAKER),
        ("master printer", NO_MAKER),
        ("former owner", NO_MAKER),
        ("eigenaar plateelbakkerij", NO_MAKER),
        ("Finder", NO_MAKER),
        ("vinder", NO_MAKER),
        ("photographer of the reproduction", NO_MAKER),
        ("Reproduktionsfotograf", NO_MAKER),
        ("issuer", NO_MAKER),
        ("http://vocab.getty.edu/aat/300025574", NO_MAKER),
        ("http://id.loc.gov/vocabulary/relators/prt", NO_MAKER),
        ("after painting by", AFTER),
        ("naar ontwerp van", AFTER),
        ("after own design by", MAKER),
        ("naar eigen ontwerp van", MAKER),
        ("kopie naar", AFTER),
        ("d'après", AFTER),
        ("attributed to", AFTER),
        ("Xylotypist", None),
        ("afterlife", None),
        ("", None),
    ],
)
def test_kinds_of_roles(text: str, kind: str | None) -> None:
    assert role_kind([text]) == kind


def test_a_role_of_several_terms() -> None:
    assert role_kind(["publisher", "painter"]) == MAKER
    assert role_kind(["http://example.org/roles/9", "Verleger"]) == NO_MAKER
    assert role_kind(["Xylotypist", "printer"]) == NO_MAKER
    assert role_kind([]) is None


def test_no_word_is_of_two_kinds() -> None:
    for kinds in (_ROLE_CODES, _WORD_ENDS):
        for word, kind in kinds.items():
            assert word.strip() == word != ""
            if not word.isdigit():
                assert role_kind([word]) == kind, word


@pytest.mark.parametrize(
    "text", ["x" * 2_000_000, "x " * 1_000_000, "maler" * 400_000, "http://x/" + "a" * 2_000_000]
)
def test_a_very_long_role_takes_no_time(text: str) -> None:
    started = time.process_time()
    assert role_kind([text]) in (None, MAKER)
    assert time.process_time() - started < 1


@given(st.text(max_size=80))
def test_any_text_is_a_role(text: str) -> None:
    assert role_kind([text]) in (MAKER, PHOTOGRAPHER, AFTER, NO_MAKER, None)


def _made(tmp_path: Path, *parts: str, kind: str = "Production", **changes: object) -> tuple[str, ...]:
    return read_one(tmp_path, record(description(event(kind, *parts))), **changes).labels["artist"]


def test_makers_before_patrons_publishers_and_printers(tmp_path: Path) -> None:
    publisher, printer = actor("P", "publisher"), actor("D", "Drucker")
    patron, nobody = actor("K", "patron"), actor("N")
    painter, engraver = actor("M", "painter"), actor("G", "graveur")
    assert _made(tmp_path, patron, publisher, painter, printer) == ("M",)
    assert _made(tmp_path, engraver, publisher, painter) == ("G", "M")
    assert _made(tmp_path, publisher, nobody) == ("N",)
    assert _made(tmp_path, painter, nobody) == ("M",)
    assert _made(tmp_path, nobody, actor("O")) == ("N", "O")
    assert _made(tmp_path, publisher, printer, patron) == ()
    assert _made(tmp_path, publisher, actor("X", "Xylotypist")) == ("X",)
    assert _made(tmp_path, painter, actor("X", "Xylotypist")) == ("M",)
    assert _made(tmp_path, painter, painter) == ("M",)
    photographer = actor("F", "Fotograf")
    assert _made(tmp_path, photographer, painter) == ("M",)
    assert _made(tmp_path, photographer, publisher, nobody) == ("F",)
    assert _made(tmp_path, photographer, actor("H", "photographer")) == ("F", "H")


def test_the_extent_of_an_actor_counts_as_a_role(tmp_path: Path) -> None:
    printed = actor("D").replace(
        "</lido:actorInRole>", element("extentActor", "printed by") + "</lido:actorInRole>"
    )
    assert _made(tmp_path, printed, actor("N")) == ("N",)


def test_a_printer_is_told_by_the_event_where_there_is_no_role(tmp_path: Path) -> None:
    printed = event("Gedruckt", actor("D"))
    assert read_one(tmp_path, record(description(printed))).labels["artist"] == ("D",)
    drawn = event("Gezeichnet", actor("Z"))
    assert read_one(tmp_path, record(description(printed, drawn))).labels["artist"] == ("Z",)


@pytest.mark.parametrize(
    "qualifier", ["after", "circle of", "attributed to", "zugeschrieben", "navolger van", "?"]
)
def test_who_is_not_named_as_the_maker_is_no_artist(qualifier: str, tmp_path: Path) -> None:
    one = record(description(event("Production", actor("Rembrandt", "painter", qualifier))))
    artwork = read_one(tmp_path, one)
    assert (artwork.labels["artist"], artwork.attributions) == ((), ((qualifier, "Rembrandt"),))
    attributed = read_one(tmp_path, one, attributed=True)
    assert (attributed.labels["artist"], attributed.attributions) == (
        ("Rembrandt",),
        ((qualifier, "Rembrandt"),),
    )
    assert (
        f"attributions: makers who are not named as such are no artists; --attributed takes them: {qualifier!r} 1"
        in notes(read(tmp_path, one))
    )


def test_a_denied_attribution_is_never_the_artist(tmp_path: Path) -> None:
    for qualifier in (
        "formerly attributed to",
        "ehemals zugeschrieben",
        "voormalige toeschrijving",
        "vervalsing",
    ):
        one = record(description(event("Production", actor("Rembrandt", "painter", qualifier))))
        artwork = read_one(tmp_path, one, attributed=True)
        assert (artwork.labels["artist"], artwork.attributions) == ((), ((qualifier, "Rembrandt"),)), (
            qualifier
        )


def test_attributions_beside_others(tmp_path: Path) -> None:
    after = actor("Rubens", "painter", "after")
    one = record(description(event("Production", actor("Vorsterman", "engraver"), after, actor("N"))))
    artwork = read_one(tmp_path, one)
    assert (artwork.labels["artist"], artwork.attributions) == (("Vorsterman",), (("after", "Rubens"),))
    assert read_one(tmp_path, one, attributed=True).labels["artist"] == ("Vorsterman", "Rubens")
    # Beside a painter who may be the maker, someone whose role is not known is not the artist.
    one = record(description(event("Production", after, actor("N"))))
    assert read_one(tmp_path, one).labels["artist"] == ()
    # An empty qualifier is none, and a publisher is no maker, however he is qualified.
    one = record(
        description(event("Production", actor("A", "painter", " "), actor("V", "publisher", "possibly")))
    )
    artwork = read_one(tmp_path, one)
    assert (artwork.labels["artist"], artwork.attributions) == (("A",), ())


def test_a_role_that_is_an_attribution(tmp_path: Path) -> None:
    one = record(description(event("Production", actor("Rubens", "after painting by"), actor("N"))))
    artwork = read_one(tmp_path, one)
    assert (artwork.labels["artist"], artwork.attributions) == (("N",), (("after painting by", "Rubens"),))
    assert read_one(tmp_path, one, attributed=True).labels["artist"] == ("Rubens", "N")


def test_a_qualifier_as_a_concept_in_the_chosen_language(tmp_path: Path) -> None:
    concept = (
        element("conceptID", "http://vocab.getty.edu/aat/300404269", type="URI")
        + term("zugeschrieben an", lang="de")
        + term("attributed to", lang="en")
    )
    one = record(description(event("Production", actor("Cranach", "Maler", concept)), lang="de"))
    assert read_one(tmp_path, one).attributions == (("zugeschrieben an", "Cranach"),)
    assert read_one(tmp_path, one, language="en").attributions == (("attributed to", "Cranach"),)
    bare = element("conceptID", "http://vocab.getty.edu/aat/300404269", type="URI")
    one = record(description(event("Production", actor("Cranach", "Maler", bare))))
    assert read_one(tmp_path, one).attributions == (("http://vocab.getty.edu/aat/300404269", "Cranach"),)


def _name(text: str, **attributes: str) -> str:
    return element("appellationValue", text, **attributes)


@pytest.mark.parametrize(
    ("names", "language", "expected"),
    [
        (name_set(_name("alt", pref="alternate")) + name_set(_name("B", pref="preferred")), None, "B"),
        (name_set(_name("A", pref="preferred"), _name("B", pref="preferred")), None, "A"),
        (name_set("A", "B"), None, "A"),
        (name_set(_name("Sys, Maurice", pref="alternate")), None, "Sys, Maurice"),
        (name_set(_name("", pref="preferred"), "B"), None, "B"),
        # The preference before the language: a name is not translated.
        (
            name_set(_name("A", pref="preferred", lang="nl"), _name("B", pref="alternate", lang="en")),
            "en",
            "A",
        ),
        (
            name_set(
                _name("Rafael", pref="preferred", lang="nl"), _name("Raphael", pref="preferred", lang="en")
            ),
            "en",
            "Raphael",
        ),
        (
            name_set(
                _name("Rafael", pref="http://terminology.lido-schema.org/lido00169"),
                _name("R.", pref="http://terminology.lido-schema.org/lido00526"),
            ),
            None,
            "Rafael",
        ),
        (name_set(_name("Ada", label="firstname"), _name("Lenz", label="lastname")), None, "Lenz, Ada"),
        (name_set("unknown"), None, "unknown"),
    ],
)
def test_one_name_of_an_actor(names: str, language: str | None, expected: str, tmp_path: Path) -> None:
    assert _made(tmp_path, actor(names), language=language) == (expected,)


def test_an_actor_who_is_only_shown(tmp_path: Path) -> None:
    shown = element(
        "eventActor",
        element("displayActorInRole", "Atelier X", lang="en"),
        element("displayActorInRole", "Werkstatt X", lang="de"),
    )
    assert _made(tmp_path, shown) == ("Atelier X",)
    assert _made(tmp_path, shown, language="de") == ("Werkstatt X",)
    assert _made(tmp_path, element("eventActor")) == ()
