"""Linked Art as institutions publish it, from $ARTTL_REAL_DATA."""

from __future__ import annotations

from pathlib import Path

import pytest
from linked_art_cases import (
    AAT,
)

from arttl.artworks import Artwork
from arttl.sources.registry import open_source
from arttl.sources.settings import SourceSettings


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
        assert artwork.identifiers["type"] == {"Drawing": (AAT + "300033973",)}


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
