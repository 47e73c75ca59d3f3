"""Addresses of concepts: which vocabulary they are of, and when two are one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arttl.vocabularies.concepts import Concept, is_address, scheme_of


@pytest.mark.parametrize(
    ("scheme", "addresses"),
    [
        # The forms that public metadata has, each list one concept.
        (
            "AAT",
            [
                "http://vocab.getty.edu/aat/300015050",
                "https://vocab.getty.edu/aat/300015050",
                "http://vocab.getty.edu/page/aat/300015050",
                "aat:300015050",
                "AAT:300015050",
                "http://www.getty.edu/vow/AATFullDisplay?find=oil&logic=AND&note=&subjectid=300015050",
                "https://www.getty.edu/vow/AATFullDisplay?subjectid=300015050",
            ],
        ),
        (
            "ULAN",
            [
                "http://vocab.getty.edu/ulan/500011051",
                "http://vocab.getty.edu/ulan/500011051-agent",
                "ulan:500011051",
            ],
        ),
        ("TGN", ["http://vocab.getty.edu/tgn/7006952", "http://vocab.getty.edu/page/tgn/7006952"]),
        (
            "RKD artists",
            [
                "https://data.rkd.nl/artists/66219",
                "https://rkd.nl/explore/artists/66219",
                "https://rkd.nl/en/explore/artists/66219",
                "https://rkd.nl/artists/66219",
            ],
        ),
        ("GND", ["http://d-nb.info/gnd/11859964X", "https://d-nb.info/gnd/11859964X", "gnd:11859964x"]),
        (
            "Wikidata",
            ["http://www.wikidata.org/entity/Q5598", "https://www.wikidata.org/wiki/Q5598", "wd:Q5598"],
        ),
        ("VIAF", ["http://viaf.org/viaf/64013650", "https://viaf.org/viaf/64013650/"]),
        ("Iconclass", ["https://iconclass.org/11F4", "http://iconclass.org/rkd/11F4/", "iconclass:11F4"]),
        ("Library of Congress", ["http://id.loc.gov/authorities/names/n79042142"]),
        ("GeoNames", ["http://www.geonames.org/2759794", "https://sws.geonames.org/2759794/"]),
        (
            "term.museum-digital.de",
            ["https://term.museum-digital.de/md-de/tag/51", "http://term.museum-digital.de/md-de/tag/51/"],
        ),
        ("inv", ["inv:12"]),
    ],
)
def test_the_forms_of_one_address(scheme: str, addresses: list[str]) -> None:
    assert {scheme_of(address) for address in addresses} == {scheme}
    assert len({Concept(address, scheme_of(address)).key for address in addresses}) == 1


def test_different_concepts_stay_apart() -> None:
    addresses = [
        "http://vocab.getty.edu/aat/300015050",
        "http://vocab.getty.edu/aat/300014078",
        "http://vocab.getty.edu/ulan/300015050",
        "https://iconclass.org/11F4",
        "https://iconclass.org/11F41",
        "https://iconclass.org/25F%28DOG%29",
        "https://rkd.nl/explore/images/66219",  # a picture, not an artist
        "https://rkd.nl/artists/66219",
        "https://museum.example/term?id=1",
        "https://museum.example/term?id=2",
        "https://museum.example/term#1",
        "https://evil.example/?u=http://vocab.getty.edu/aat/",
    ]
    assert len({Concept(address, scheme_of(address)).key for address in addresses}) == len(addresses)


@pytest.mark.parametrize(
    "text", ["", "oil paint", "300015050", "http://a b", "http://a<b>", "x:" + "y" * 2000, "http:"]
)
def test_what_is_no_address(text: str) -> None:
    assert not is_address(text)


@given(st.text(max_size=50).map("http://".__add__) | st.text(max_size=50))
def test_any_text_has_a_scheme(text: str) -> None:
    assert isinstance(scheme_of(text), str)
