"""Qualifiers and roles of makers."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arttl.attribution.qualifiers import Maker, artists, attributions, qualifies, split_after, split_name


@pytest.mark.parametrize(
    ("text", "qualifier", "name"),
    [
        ("Rembrandt van Rijn", "", "Rembrandt van Rijn"),
        ("Circle of Rembrandt", "Circle of", "Rembrandt"),
        ("attributed to Jan de Baen", "attributed to", "Jan de Baen"),
        ("Formerly attributed to Titian", "Formerly attributed to", "Titian"),
        ("After Hans Holbein the Younger", "After", "Hans Holbein the Younger"),
        ("Copy after Raphael", "Copy after", "Raphael"),
        ("Follower of Bosch", "Follower of", "Bosch"),
        ("Possibly by Luca della Robbia", "Possibly by", "Luca della Robbia"),
        ("toegeschreven aan Anthonie van Dyck", "toegeschreven aan", "Anthonie van Dyck"),
        ("navolger van Rembrandt", "navolger van", "Rembrandt"),
        ("Werkstatt des Lucas Cranach", "Werkstatt des", "Lucas Cranach"),
        ("d'après Watteau", "d'après", "Watteau"),
        ("atelier d'Ingres", "atelier d'", "Ingres"),
        ("atelier de Rodin", "atelier de", "Rodin"),
        ("bottega di Giotto", "bottega di", "Giotto"),
        # No qualifier before a name:
        ("School of the artist", "", "School of the artist"),
        ("British School 18th century", "", "British School 18th century"),
        ("Atelier Nadar", "", "Atelier Nadar"),
        ("Afterman, A.", "", "Afterman, A."),
        ("Master of the Libro dei Notai", "", "Master of the Libro dei Notai"),
        ("After", "", "After"),
        ("", "", ""),
    ],
)
def test_a_qualifier_before_a_name(text: str, qualifier: str, name: str) -> None:
    assert split_name(text) == (qualifier, name)


def test_a_maker_after_another() -> None:
    assert split_after("Jan Muller after Cornelis van Haarlem") == ("Jan Muller", "Cornelis van Haarlem")
    assert split_after("Jan Muller, after Cornelis") == ("Jan Muller", "Cornelis")
    assert split_after("Jan Muller") == ("Jan Muller", None)
    assert split_after("Weaver, active after 1700") == ("Weaver, active after 1700", None)


@pytest.mark.parametrize(
    "role",
    [
        *("Attributed to", "After", "after", "Workshop of", "possibly", "Probably by", "Former Attribution"),
        *(
            "After a design by",
            "Copy after",
            "school of",
            "Style of",
            "publisher",
            "Printer",
            "toegeschreven aan",
        ),
        *("Umkreis", "Werkstatt", "naar", "uitgever", "Published by", "Sitter", "falsification"),
        *("or", "or his son", "Workshop (?) of", "Based on an engraving by", "Master Close to", "?"),
    ],
)
def test_roles_that_are_not_the_artist_s(role: str) -> None:
    assert qualifies(role)


@pytest.mark.parametrize(
    "role",
    [
        *(
            "",
            " ",
            "Artist",
            "Maker",
            "designer",
            "Printmaker",
            "prentmaker",
            "and",
            "Miniature by",
            "architects",
        ),
        *("Enameler", "Manufactory", "Tapestry woven at", "Engraver", "schilder", "Maler", "photographer"),
    ],
)
def test_roles_of_artists(role: str) -> None:
    assert not qualifies(role)


def test_which_names_are_labels() -> None:
    makers = [
        Maker("A"),
        Maker("B", "circle of"),
        Maker("C", "publisher"),
        Maker("D", "formerly attributed to"),
    ]
    assert artists(makers, attributed=False) == ("A",)
    assert artists(makers, attributed=True) == ("A", "B")
    assert attributions(makers) == (("circle of", "B"), ("publisher", "C"), ("formerly attributed to", "D"))


@given(st.text())
def test_any_text(text: str) -> None:
    qualifier, name = split_name(text)
    assert name in text
    assert qualifier in text
    maker, source = split_after(text)
    assert maker in text
    assert source is None or source in text


def test_hostile_texts_take_no_time() -> None:
    started = time.process_time()
    for text in ("after " * 100_000, "a (" * 100_000, " " * 200_000 + "after", "A, " * 100_000):
        split_name(text)
        split_after(text)
        qualifies(text)
    assert time.process_time() - started < 1
