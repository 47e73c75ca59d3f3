"""The right values of LIDO records that real institutions published."""

from __future__ import annotations

from pathlib import Path

import pytest
from lido_cases import notes

from arttl.artworks import Artwork
from arttl.sources.lido import read_lido
from arttl.sources.settings import SourceSettings

pytestmark = pytest.mark.real

_TASKS = ("material", "technique", "type", "artist", "year")


def _read(real_data: Path, name: str, language: str | None = None) -> tuple[list[Artwork], list[str]]:
    path = real_data / "metadata" / "lido" / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    settings = SourceSettings(source="lido", metadata=path, dry_run=True, tasks=_TASKS, language=language)
    items = list(read_lido(settings))
    return [item for item in items if isinstance(item, Artwork)], notes(items)


def _labels(artwork: Artwork) -> tuple[tuple[str, ...], ...]:
    return tuple(artwork.labels.values())


@pytest.mark.parametrize(
    ("language", "types", "kind"),
    [
        ("en", ("fountain", "fountain", "group (man and animal)"), "creation"),
        ("de", ("Brunnenanlage", "Brunnen", "Mensch-Tier-Gruppe"), "Herstellung"),
        (None, ("fountain", "fountain", "group (man and animal)"), "creation"),
    ],
)
def test_the_extended_example(
    language: str | None, types: tuple[str, ...], kind: str, real_data: Path
) -> None:
    artworks, said = _read(real_data, "lido-extended-example.xml", language)
    assert [_labels(artwork) for artwork in artworks] == [
        ((), (), (types[0],), (), ()),
        ((), (), (types[1],), ("Porta, Giacomo della",), ("1575-1576",)),
        ((), (), (types[2],), ("Mari, Giovanni Antonio",), ("1654",)),
    ]
    assert artworks[1].identifiers["artist"] == {
        "Porta, Giacomo della": ("Bildindex-KUE-Datei:kue 07600032",)
    }
    foto_marburg = "Deutsches Dokumentationszentrum für Kunstgeschichte - Bildarchiv Foto Marburg"
    assert {artwork.institution for artwork in artworks} == {foto_marburg}
    assert artworks[2].object_number == "20344012,T,002"
    design = "design" if kind == "creation" else "Entwurf"
    assert f"events: of a production: '{kind}' 2; not taken: '{design}' 1" in said
    assert not any("--language" in text for text in said)


def test_antwerp(real_data: Path) -> None:
    (artwork,), said = _read(real_data, "kmska-antwerp.xml")
    assert _labels(artwork) == (("olieverf op doek",), (), ("schilderij",), ("Ludolf Backhuysen",), ())
    assert (artwork.date, artwork.institution) == (None, "KMSKA")
    assert artwork.identifiers == {
        "artist": {
            "Ludolf Backhuysen": (
                "TMS:1461",
                "http://viaf.org/viaf/40185031",
                "https://rkd.nl/explore/artists/3414",
            )
        }
    }
    assert any("text for display" in text for text in said)


def test_groeninge(real_data: Path) -> None:
    (artwork,), _ = _read(real_data, "vkc-groeninge.xml")
    assert _labels(artwork) == (
        (),
        (),
        ("Lyrical abstraction after 1950",),
        ("Pierre Alechinsky",),
        ("1959",),
    )
    assert artwork.identifiers["artist"] == {
        "Pierre Alechinsky": ("CollectiveAccess:2031", "http://viaf.org/viaf/95854378")
    }
    assert artwork.object_number == "1981.GRO0017.I"


@pytest.mark.parametrize(
    ("language", "materials", "type_", "institution"),
    [
        (None, ("tela", "olio su tavola"), "dipinto", "Castello di Masnago"),
        ("it", ("tela", "olio su tavola"), "dipinto", "Castello di Masnago"),
        ("en", ("tela", "oil tempera"), "painting (visual work)", "Masnago castle"),
    ],
)
def test_masnago(
    language: str | None, materials: tuple[str, ...], type_: str, institution: str, real_data: Path
) -> None:
    (artwork,), said = _read(real_data, "castello-di-masnago.xml", language)
    assert _labels(artwork) == (materials, (), (type_,), ("Hayez, Francesco",), ())
    assert artwork.institution == institution
    assert artwork.identifiers["material"] == {
        materials[0]: ("http://vocab.getty.edu/aat/300012363",),
        materials[1]: ("http://vocab.getty.edu/page/aat/300178684",),
    }
    assert artwork.identifiers["type"] == {type_: ("http://vocab.getty.edu/aat/300033618",)}
    assert artwork.identifiers["artist"] == {"Hayez, Francesco": ("https://viaf.org/viaf/283001/",)}
    assert sum("--language" in text for text in said) == (language == "en")


def test_museum_digital(real_data: Path) -> None:
    (artwork,), said = _read(real_data, "museum-digital-lido-1.1.xml")
    assert _labels(artwork) == (
        ("Material",),
        ("Technique",),
        ("Fotografie (Lichtbild)",),
        ("Fotoatelier Baron & Mietkiewicz",),
        ("1912",),
    )
    assert (artwork.object_number, artwork.institution, artwork.source) == (
        "XYZ-1609",
        "Fotosammlung SRE",
        "Fotosammlung SRE",
    )
    assert (
        "events: of a production: 'Aufgenommen' 1, 'Gedruckt' 1; not taken: 'Event (non-specified)' 1" in said
    )
    (english,), _ = _read(real_data, "museum-digital-lido-1.1.xml", "en")
    assert english.institution == "Foto collection of SREc'\";"


def test_berlin_in_an_oai_envelope(real_data: Path) -> None:
    (artwork,), _ = _read(real_data, "smb-berlin-539-oai.xml")
    assert _labels(artwork) == ((), (), ("Musikinstrument",), (), ())
    assert (artwork.object_number, artwork.title) == ("IV Ca Nls 542", "Tonpfeife")
    assert artwork.institution == "Ethnologisches Museum, Staatliche Museen zu Berlin"
