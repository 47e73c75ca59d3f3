"""Right values of real institutions' Dublin Core and EDM files."""

from __future__ import annotations

from pathlib import Path

import pytest

from arttl.artworks import Artwork
from arttl.sources.registry import SOURCES
from arttl.sources.remarks import Note, PassedOver, Remarks
from arttl.sources.settings import SourceSettings

pytestmark = pytest.mark.real


def _read(source: str, path: Path, **changes: object) -> tuple[list[Artwork], list[str]]:
    remarks = Remarks()
    artworks = []
    settings = SourceSettings(source=source, metadata=path, dry_run=True, **changes)  # type: ignore[arg-type]
    for item in SOURCES[source].read(settings):
        if isinstance(item, Note | PassedOver):
            remarks.add(item)
        else:
            assert isinstance(item, Artwork)
            artworks.append(item)
    return artworks, remarks.sentences()


def test_rijksmuseum(real_data: Path) -> None:
    artworks, sentences = _read("dublin-core", real_data / "metadata" / "oai" / "rijksmuseum-declared.xml")
    assert [artwork.object_number for artwork in artworks] == ["SK-A-3580", "SK-C-5"]
    assert artworks[0].labels == {
        "material": ("olieverf", "doek"),
        "type": ("schilderij",),
        "artist": ("Breitner, George Hendrik",),
    }
    assert artworks[1].labels["material"] == ("doek", "olieverf")
    assert artworks[0].date == "1896; 1898"
    assert artworks[0].source == "Rijksmuseum"
    assert any("values taken: 4 without prefix" in sentence for sentence in sentences)


def test_castello_di_masnago(real_data: Path) -> None:
    path = real_data / "metadata" / "oai" / "castello-di-masnago-dc.xml"
    (artwork,), sentences = _read("dublin-core", path)
    assert artwork.object_number == "0001"
    assert artwork.labels == {"material": (), "type": ("Pittura",), "artist": ("Hayez, Francesco",)}
    assert artwork.identifiers["artist"] == {"Hayez, Francesco": ("http://viaf.org/viaf/283001",)}
    assert artwork.date == "1847"
    assert any("formats of files ('image/jpeg')" in sentence for sentence in sentences)


def test_a_deleted_record(real_data: Path) -> None:
    path = real_data / "metadata" / "oai" / "europeana-deleted-oai-record.xml"
    artworks, sentences = _read("dublin-core", path)
    assert artworks == []
    assert sentences == ["passed over: deleted OAI-PMH records (oai:mediateka.centrumzamenhofa.pl:20)"]


def test_bibliotheque_nationale(real_data: Path) -> None:
    """It lies beside EDM records, and is Dublin Core."""
    (artwork,), _ = _read("dublin-core", real_data / "metadata" / "edm" / "bnf-record.xml")
    assert artwork.object_number == "gallica/ark:/12148/btv1b110012843"
    assert artwork.labels["type"] == ("manuscript",)
    assert artwork.labels["material"] == ()
    assert len(artwork.labels["artist"]) == 2
    assert artwork.date == "1601-1700"


def test_edm(real_data: Path) -> None:
    (arachne, slovenian), sentences = _read("edm", real_data / "metadata" / "edm")
    assert arachne.object_number == "1062378"
    assert arachne.labels == {"material": ("Marmor",), "type": ("objekt",), "artist": ()}
    assert arachne.institution == "Deutsches Archäologisches Institut"
    assert arachne.title == "Weibliche Gewandstatue"
    assert slovenian.object_number == "COBISSID:5081952"
    assert slovenian.labels == {"material": (), "type": ("knjige",), "artist": ("Stanič, Valentin",)}
    assert slovenian.institution == "National and University Library of Slovenia"
    assert any("left out: sizes ('148 str., 12° (16 cm)')" in sentence for sentence in sentences)
    assert (
        "passed over: files without EDM records (bnf-record.xml: 1 Dublin Core record; use --source dublin-core)"
        in sentences
    )
