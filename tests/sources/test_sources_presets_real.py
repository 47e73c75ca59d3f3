"""The published tables of museums themselves, from $ARTTL_REAL_DATA."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from preset_cases import read


@pytest.mark.real
def test_the_real_met(real_data: Path) -> None:
    artworks, _, sentences = read(real_data / "met-metadata" / "objects.csv")
    assert len(artworks) == 8867
    artists = Counter(name for artwork in artworks for name in artwork.labels.get("artist", ()))
    qualifiers = Counter(q for artwork in artworks for q, _ in artwork.attributions)
    assert artists["James Peale"] == 33
    assert (qualifiers["Attributed to"], qualifiers["Workshop of"], qualifiers["Commissioned by"]) == (
        167,
        85,
        3,
    )
    assert "role unclear" not in qualifiers
    first = artworks[0]
    assert (first.object_number, first.attributions) == (
        "66.73",
        (("Formerly attributed to", "John La Farge"),),
    )
    assert any(sentence.startswith("artist: ") for sentence in sentences)


@pytest.mark.real
def test_the_real_cleveland_and_nga(real_data: Path) -> None:
    artworks, _, _ = read(real_data / "metadata" / "table" / "cleveland-workshop.csv")
    by_number = {artwork.object_number: artwork for artwork in artworks}
    assert by_number["2018.41"].attributions == (("Attributed to", "Louis Rolland Trinquesse"),)
    assert by_number["2017.211"].attributions == (("Attributed to", "Jean Baptiste Martin, Le Vieux"),)
    assert by_number["2018.43"].labels == {
        "material": ("Graphite with some stumping",),
        "type": ("Drawing",),
        "artist": ("Henri Lehmann",),
    }
    assert by_number["2018.43"].institution == "The Cleveland Museum of Art"
    artworks, _, _ = read(real_data / "metadata" / "table" / "nga-ruskin.csv")
    assert {artwork.labels["artist"] for artwork in artworks} == {("John Ruskin",)}
    assert (artworks[1].object_number, artworks[1].date) == ("1988.20.38", "mid-1850s")


@pytest.mark.real
def test_the_real_tate_and_carnegie(real_data: Path) -> None:
    artworks, _, _ = read(real_data / "metadata" / "json" / "tate-80.jsonl")
    by_number = {artwork.object_number: artwork for artwork in artworks}
    assert by_number["T00001"].labels["artist"] == ("Keith Vaughan",)
    assert by_number["T04069"].labels["artist"] == ("John Constable", "David Lucas")
    assert by_number["T04239"].attributions == (("attributed to", "Joseph Highmore"),)
    assert sum(("after", "Joseph Mallord William Turner") in a.attributions for a in artworks) == 9
    artworks, _, _ = read(real_data / "metadata" / "json" / "carnegie-80.jsonl")
    assert len(artworks) == 80
    qualifiers = Counter(q for artwork in artworks for q, _ in artwork.attributions)
    assert qualifiers == {"role unclear": 4, "publisher": 2, "after": 1, "school of": 1, "probably by": 1}
    # `Boetius Adams Bolswert`, after, and `Abraham Bloemaert`: whose model it was, the record does not say.
    (plate,) = [artwork for artwork in artworks if artwork.object_number == "2016.4.70"]
    assert "artist" not in plate.labels
    assert plate.raw_labels["artist"] == ("Boetius Adams Bolswert", "Abraham Bloemaert")


@pytest.mark.real
def test_the_real_rijksmuseum(real_data: Path) -> None:
    path = real_data / "metadata" / "table" / "rijksmuseum-suriname-adlib.csv"
    artworks, shown, _ = read(path)
    assert "--institution Rijksmuseum" in shown[0]
    assert len(artworks) == 297
    by_number = {artwork.object_number: artwork for artwork in artworks}
    portrait = by_number["SK-A-2635"]
    assert portrait.labels == {
        "material": ("ivoor", "goud", "email", "parel", "haar"),
        "type": ("miniatuur (schildering)",),
        "artist": ("anoniem",),
    }
    assert portrait.raw_labels["artist"] == ("anoniem", "anoniem")
    assert by_number["SK-A-2630"].date == "1802-05-14"
    assert sum(artwork.date == "1883-1884" for artwork in artworks) == 46
