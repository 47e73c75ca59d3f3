from __future__ import annotations

import pytest

from arttl.attribution.persons import in_roles, in_text, labels_of

VINCENT = "Vincent van Gogh, Dutch, 1853 - 1890"


@pytest.mark.parametrize(
    ("lines", "makers", "labels"),
    [
        # As Harvard Art Museums and e-codices have them.
        ((f"Artist: {VINCENT}",), ((VINCENT, ""),), (VINCENT,)),
        (
            ("Librarian: Arx, Ildefons von; Author: Rothari",),
            (("Arx, Ildefons von", "Librarian"), ("Rothari", "Author")),
            (),
        ),
        (
            ("Artist: A", "Publisher: B", "Sitter: C"),
            (("A", ""), ("B", "Publisher"), ("C", "Sitter")),
            ("A",),
        ),
        (("Künstlerin: A; Auftraggeber: B",), (("A", ""), ("B", "Auftraggeber")), ("A",)),
        (("Artist after: A",), (("A", "Artist after"),), ()),
        (("Artist: after A",), (("A", "after"),), ()),
        (("Photographer: A", "Artist: B"), (("A", "Photographer"), ("B", "")), ("B",)),
        (("Photographer: A",), (("A", ""),), ("A",)),
        (("Painting: a view",), (), ()),
        (("Artist: A", "and a second line"), (), ()),
        (("https://museum.example/artist: A",), (), ()),
        (("Artist: A" * 1000,), (), ()),
        ((), (), ()),
    ],
)
def test_persons_in_roles(
    lines: tuple[str, ...], makers: tuple[tuple[str, str], ...], labels: tuple[str, ...]
) -> None:
    persons = in_roles(lines)
    assert tuple((maker.name, maker.qualifier) for maker in persons) == makers
    assert labels_of(persons, attributed=False) == labels


@pytest.mark.parametrize(
    ("text", "makers"),
    [
        ("attributed to Rembrandt", (("Rembrandt", "attributed to"),)),
        (
            "after Sir Joshua Reynolds RA, 1723–1792, British",
            (("Sir Joshua Reynolds RA, 1723–1792, British", "after"),),
        ),
        ("Jan Muller after Cornelis van Haarlem", (("Jan Muller", ""), ("Cornelis van Haarlem", "after"))),
        ("Circle of Rembrandt", (("Rembrandt", "Circle of"),)),
        ("School of Fontainebleau", (("Fontainebleau", "School of"),)),
        ("Umkreis von Dürer", (("Dürer", "Umkreis von"),)),
        ("naar Rembrandt", (("Rembrandt", "naar"),)),
        ("Attribué à Watteau", (("Watteau", "Attribué à"),)),
        ("Bottega di Tiziano", (("Tiziano", "Bottega di"),)),
        ("Rembrandt, school of", (("Rembrandt", "school of"),)),
        ("Rembrandt (attributed to)", (("Rembrandt", "attributed to"),)),
        ("Rembrandt (?)", (("Rembrandt", "?"),)),
        ("Nubian Message (Raleigh, N.C.) (Publisher)", (("Nubian Message (Raleigh, N.C.)", "Publisher"),)),
        *(
            (name, ((name, ""),))
            for name in (
                "School of the artist",
                "Bol, Ferdinand",
                "Hans Holbein (the Younger)",
                "Master X (active after 1480)",
                "Jean-Antoine Watteau (French, 1684 - 1721)",
                "Georges Seurat French, 1859-1891",
                "Unidentified Artist",
            )
        ),
    ],
)
def test_makers_in_a_text(text: str, makers: tuple[tuple[str, str], ...]) -> None:
    assert tuple((maker.name, maker.qualifier) for maker in in_text(text)) == makers


def test_only_makers_in_doubt_are_labels_on_demand() -> None:
    lines = ("Artist: A", "Artist after: B", "Author: C", "Publisher: D", "Formerly attributed to: E")
    assert labels_of(in_roles(lines), attributed=True) == ("A", "B")
