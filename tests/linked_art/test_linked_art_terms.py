"""Nodes of Linked Art: addresses, classes and names."""

from __future__ import annotations

from arttl.linked_art.terms import aat, addresses, classes, kind, name_of


def test_addresses() -> None:
    for text in (
        *("http://vocab.getty.edu/aat/300435443", "https://vocab.getty.edu/aat/300435443"),
        *(
            "aat:300435443",
            "http://vocab.getty.edu/page/aat/300435443",
            "http://vocab/getty.edu/aat/300435443",
        ),
    ):
        assert aat({"id": text}) == aat({"@id": text}) == "300435443"
    assert aat({"id": "https://m.example/300435443"}) == ""
    # A vocabulary of one's own, and a concept that is known by its label alone.
    own = {
        "id": "https://lux.example/concept/1",
        "equivalent": [{"id": "http://vocab.getty.edu/aat/300312355"}],
    }
    assert aat(own) == aat({"_label": "Accession Number"}) == "300312355"
    assert classes({"classified_as": [own, {"_label": "Type of Work"}, {"_label": "Other"}]}) == {
        "300312355",
        "300435443",
    }
    assert addresses({"id": "733"}) == addresses({"id": "_:b0"}) == ()
    assert (
        kind({"@type": ["http://www.cidoc-crm.org/cidoc-crm/E22_Man-Made_Object"]}) == "E22_Man-Made_Object"
    )


def test_names_in_a_language() -> None:
    named = {"notation": [{"@language": "en", "@value": "wood"}, {"@language": "nl", "@value": "hout"}]}
    assert (name_of(named, "nl"), name_of(named, "en-GB"), name_of(named, None)) == ("hout", "wood", "wood")
    assert name_of({"_label": {"en": ["Irises"], "fr": ["Les Iris"]}}, "fr") == "Les Iris"
    by_label = {
        "identified_by": [{"content": "Holz", "language": [{"_label": "German"}]}, {"content": "wood"}]
    }
    assert (name_of(by_label, "de"), name_of(by_label, "en")) == ("Holz", "wood")
