"""IIIF manifests: object numbers, institutions, titles and dates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from iiif_cases import manifest_3
from iiif_source_cases import artworks_of, read, rejects_of

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.sources.iiif import read_iiif
from arttl.sources.registry import open_source
from arttl.sources.settings import SourceSettings


def test_the_object_number(tmp_path: Path) -> None:
    def number(pairs: Any, **more: Any) -> str:
        settings = {name: more.pop(name) for name in ("object_number",) if name in more}
        return artworks_of(read(tmp_path, manifest_3(pairs, **more), **settings))[0].object_number

    assert number({"Accession Number": "1926.224"}) == "1926.224"
    assert number({"Object number:": "SK-A-1", "Inv. Nr.": "other"}) == "SK-A-1"
    assert number({"Shelfmark": "Ms 12"}) == "27992"
    assert number({"Shelfmark": "Ms 12"}, object_number="shelfmark") == "Ms 12"
    assert number({"Accession Number": "https://x.example/1"}) == "27992"
    assert number({}, id="https://x.example/iiif/ark%3A%2F123%2Fabc/manifest.json") == "ark:/123/abc"
    assert number({}, id="https://x.example/manifest?id=A12&version=3") == "A12"
    assert number({}, id="https://x.example/object/12/manifest?iiifVersion=2") == "12"
    assert number({}, id="https://x.example/manifest.json") == "https://x.example/manifest.json"
    assert number({}, id="") == "0000"
    with pytest.raises(
        ArttlError, match=r"no manifest of .* has a pair with the label 'Shelf' \(--object-number\)"
    ):
        number({"Shelfmark": "Ms 12"}, object_number="Shelf")


def test_manifests_with_the_same_last_part_stay_apart(tmp_path: Path) -> None:
    addresses = [
        f"https://{host}.example/{kind}/1/manifest" for host in ("a", "b") for kind in ("paintings", "prints")
    ]
    documents = [manifest_3({}, id=address) for address in [*addresses, addresses[0]]]
    numbers = [artwork.object_number for artwork in artworks_of(read(tmp_path, *documents))]
    assert numbers == ["1", "prints/1", "paintings/1", addresses[3], "1"]


def test_identifiers_that_are_no_addresses_do_not_join_manifests(tmp_path: Path) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "object.json").write_text(json.dumps(manifest_3({}, id="manifest.json")))
    items = list(read_iiif(SourceSettings(metadata=tmp_path, dry_run=True)))
    numbers = [artwork.object_number for artwork in artworks_of(items)]
    assert numbers == ["object", "object.json", "object.json#3"]


def test_a_missing_object_number_of_a_flag_is_a_reject(tmp_path: Path) -> None:
    items = read(tmp_path, manifest_3({"Ref": "1"}), manifest_3({"Other": "2"}), object_number="Ref")
    assert [artwork.object_number for artwork in artworks_of(items)] == ["1"]
    assert rejects_of(items) == [("", "no-object-number", "0001.json")]


@pytest.mark.parametrize(
    ("more", "institution"),
    [
        ({"provider": [{"type": "Agent", "label": {"en": ["Museum A", "1 Street"]}}]}, "Museum A"),
        ({"provider": [{"label": {"en": ["A"]}}, {"label": {"en": ["B"]}}]}, None),
        ({"requiredStatement": {"label": {"en": ["Held By"]}, "value": {"none": ["Museum B"]}}}, "Museum B"),
        ({"requiredStatement": {"label": {"en": ["Attribution"]}, "value": {"en": ["Courtesy of B"]}}}, None),
        ({"attribution": "Digital image courtesy of the museum."}, None),
        (
            {
                "metadata": [{"label": "Repository", "value": "Museum C"}],
                "provider": [{"label": {"en": ["An aggregator"]}}],
            },
            "Museum C",
        ),
    ],
)
def test_the_institution(tmp_path: Path, more: dict[str, Any], institution: str | None) -> None:
    (artwork,) = artworks_of(read(tmp_path, manifest_3(**more)))
    assert artwork.institution == institution


def test_the_flag_gives_the_institution_where_the_manifest_does_not(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps([manifest_3(), manifest_3(id="https://x.example/2")]))
    reading = open_source(
        SourceSettings(source="iiif", metadata=tmp_path / "m.json", institution="M", dry_run=True)
    )
    assert [artwork.institution for artwork in reading if isinstance(artwork, Artwork)] == ["M", "M"]


def test_the_date(tmp_path: Path) -> None:
    assert artworks_of(read(tmp_path, manifest_3({"Date": "1884/86"})))[0].date == "1884/86"
    assert artworks_of(read(tmp_path, manifest_3({}, navDate="1884-01-01T00:00:00Z")))[0].date is None


def test_title_and_date_of_other_pairs(tmp_path: Path) -> None:
    document = manifest_3({"Made": "ca. 1650", "Name": "Landscape with ice"})
    (artwork,) = artworks_of(read(tmp_path, document, title="name", date="made"))
    assert (artwork.title, artwork.date) == ("Landscape with ice", "ca. 1650")
    with pytest.raises(ArttlError, match=r"has a pair with the label 'Mad' \(--date\) \(did you mean 'Made'"):
        read(tmp_path, document, date="Mad")
