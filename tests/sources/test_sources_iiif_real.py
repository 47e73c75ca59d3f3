"""Manifests of real institutions, from $ARTTL_REAL_DATA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.iiif.manifest import read_manifest, read_references
from arttl.shards.rejects import Reject
from arttl.sources.iiif import guess_labels, read_iiif
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

pytestmark = pytest.mark.real


@pytest.fixture
def folder(real_data: Path) -> Path:
    if not (real_data / "metadata" / "iiif-v3").is_dir():
        pytest.skip("no real manifests")
    return real_data / "metadata"


def read(path: Path, *tasks: str, **settings: Any) -> list[Any]:
    return list(read_iiif(SourceSettings(metadata=path, tasks=tasks, dry_run=True, **settings)))


def artwork_of(items: list[Any]) -> Artwork:
    (artwork,) = (item for item in items if isinstance(item, Artwork))
    return artwork


def test_chicago(folder: Path) -> None:
    path = folder / "iiif-v2" / "artic-manifest.json"
    artwork = artwork_of(read(path, "material", "artist", "size=dimensions"))
    assert (artwork.object_number, artwork.title) == ("1926.224", "A Sunday on La Grande Jatte — 1884")
    assert artwork.labels == {
        "material": ("Oil on canvas",),
        "artist": ("Georges Seurat French, 1859-1891",),
        "size": ("207.5 × 308.1 cm (81 3/4 × 121 1/4 in.)",),
    }
    assert artwork.raw_labels["artist"] == ("Georges Seurat\nFrench, 1859-1891",)
    assert artwork.source == "https://api.artic.edu/api/v1/artworks/27992/manifest.json"
    assert artwork.institution is None  # named only within a sentence of attribution
    assert artwork.image.name.startswith("2d484387-2509-5e8e-2c43-22f9981972eb-")
    by_line = artwork_of(read(path, "artist", label_separator="<br>"))
    assert by_line.labels == {"artist": ("Georges Seurat", "French, 1859-1891")}
    assert artwork_of(read(path, "collection=Collection")).labels == {
        "collection": ("Art Institute of Chicago",)
    }
    settings, _ = guess_labels(SourceSettings(metadata=path))
    assert settings.tasks == ("material", "artist")


def test_washington(folder: Path) -> None:
    path = folder / "iiif-v2" / "nga-manifest.json"
    canvases = json.loads(path.read_text())["sequences"][0]["canvases"]
    items = read(path, "date=Date", all_canvases=True)
    artworks = [item for item in items if isinstance(item, Artwork)]
    assert len(artworks) == len(canvases) == 26 and {artwork.object_number for artwork in artworks} == {
        "nga_highlights"
    }
    dates = [tuple(pair["value"] for pair in canvas.get("metadata", ())) for canvas in canvases]
    assert [artwork.labels["date"] for artwork in artworks] == dates and ("1883",) in dates and () in dates


def test_berlin(folder: Path) -> None:
    path = folder / "iiif-v2" / "sbb-test.json"
    items = read(path, "kategorie=Kategorie", "wer=digitalisierer")
    artwork = artwork_of(items)
    assert artwork.object_number == "840973497"
    assert artwork.labels == {
        "kategorie": (
            "Historische Drucke",
            "Allgemeines / Wissenschaftskunde / Literaturgeschichte",
            "VD18 digital",
        ),
        "wer": ("Staatsbibliothek zu Berlin – Preußischer Kulturbesitz, Germany", "Henning"),
    }
    assert any(
        item.text.startswith("16 canvases after the first") for item in items if isinstance(item, Note)
    )
    assert artwork_of(read(path, "k=Kategorie", object_number="signatur")).object_number == "4 in: Ay 16612"


def test_harvard(folder: Path) -> None:
    path = next((folder / "iiif-v3").glob("iiif.harvardartmuseums*"))
    artwork = artwork_of(read(path, "material", "type", "artist"))
    assert (artwork.object_number, artwork.date) == ("1951.65", "1888")
    artist = "Vincent van Gogh, Dutch, 1853 - 1890"  # "Artist: Vincent van Gogh, ..." in the pair "People"
    assert artwork.labels == {"material": ("Oil on canvas",), "type": ("Paintings",), "artist": (artist,)}
    picture = next(read_manifest(json.loads(path.read_text())).canvases()).picture
    assert picture is not None
    assert (picture.service, picture.version, picture.level) == (
        "https://ids.lib.harvard.edu/ids/iiif/47174896",
        1,
        1,
    )


def test_wellcome(folder: Path) -> None:
    artwork = artwork_of(read(folder / "iiif-v3" / "wellcome-p3.json", "type=Type/technique", language="en"))
    assert artwork.labels == {"type": ("Electronic books.", "Annual reports.", "MOH reports.", "Statistics.")}
    assert (artwork.object_number, artwork.institution) == ("b28857021", "Wellcome Collection")
    assert artwork.image.name.startswith("b28857021_0001_jp2-"), "the thumbnail's service is another"


def test_languages(folder: Path) -> None:
    path = folder / "iiif-v3" / "cookbook-0006-text-language.json"
    for language, column, subject, title in (
        ("fr", "Sujet", "McNeill Anna Matilda, mère de Whistler (1804-1881)", "La Mère de Whistler"),
        ("en", "Sujet", "McNeill Anna Matilda, mother of Whistler (1804-1881)", "Whistler's Mother"),
        (None, "subject", "McNeill Anna Matilda, mother of Whistler (1804-1881)", "Whistler's Mother"),
    ):
        artwork = artwork_of(read(path, f"subject={column}", "artist=Auteur", language=language))
        assert artwork.labels == {"subject": (subject,), "artist": ("Whistler, James Abbott McNeill",)}
        assert (artwork.title, artwork.institution) == (title, "Musée d'Orsay, Paris, France")


def test_a_choice_and_a_missing_page(folder: Path) -> None:
    artwork = artwork_of(read(folder / "iiif-v3" / "cookbook-0033-choice.json"))
    assert "dee-natural" in artwork.image.name
    items = read(folder / "iiif-v3" / "cookbook-0283-missing-image.json", all_canvases=True)
    assert sum(isinstance(item, Artwork) for item in items) == 3
    ((number, reason, detail),) = (
        (i.object_number, i.reason, i.detail) for i in items if isinstance(i, Reject)
    )
    assert (number, reason) == ("0283-missing-image", "no-image-named")
    assert detail.startswith("canvas 2 of ") and detail.endswith(": it has no picture")


def test_collections(folder: Path) -> None:
    for name, count in (("biblissima", None), ("wellcome", 4)):
        path = folder / "iiif-v2" / f"{name}-collection.json"
        document = json.loads(path.read_text())
        addresses = [entry["@id"] for key in ("manifests", "members") for entry in document.get(key, ())]
        assert [reference.address for reference in read_references(document)] == addresses
        assert count in (None, len(addresses))
        with pytest.raises(
            ArttlError, match=r"no IIIF manifest, but 1 collection; arttl fetch iiif downloads"
        ):
            read(path)


def test_all_files_together(folder: Path) -> None:
    items = [*read(folder / "iiif-v2"), *read(folder / "iiif-v3")]
    numbers = [item.object_number for item in items if isinstance(item, Artwork)]
    assert len(numbers) == len(set(numbers)) == 9
    assert not any(isinstance(item, Reject) for item in items)
    kinds = {item.kind for item in items if isinstance(item, PassedOver)}
    assert kinds == {"manifests that a collection names and that are not saved"}
