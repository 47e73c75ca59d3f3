"""The files of $ARTTL_REAL_DATA/metadata, and what comes out of each when it is packed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arttl.packing.settings import PackSettings
from arttl.sources.registry import SOURCES, guess_settings


@dataclass(frozen=True)
class Case:
    """A file and what comes out of it.

    Attributes:
        file: in the folder `metadata`.
        name: of the institution, as the table in the docs has it.
        number: the column, element or pair that the object number comes from.
        example: the object number of its first sample.
        labels: task to how many samples have labels for it.
        packed: samples.
        flags: besides the source and the metadata.
        source: its kind.
        institutions: of its samples.
        identifiers: samples with identifiers of labels.
        attributions: samples with makers that are not named as such.
        dates: samples with a date.
        rejects: reason to count.
        unlabelled: artworks without a label.
        step: one artwork in so many is packed; all are read.
    """

    file: str
    name: str
    number: str
    example: str
    labels: dict[str, int]
    packed: int
    source: str
    flags: dict[str, Any] = field(default_factory=dict)
    institutions: tuple[str, ...] = ()
    identifiers: int = 0
    attributions: int = 0
    dates: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    unlabelled: int = 0
    step: int = 1

    def settings(self, metadata: Path, out: Path) -> PackSettings:
        """Those of the command, for a dry run."""
        settings = PackSettings(
            source=self.source, metadata=metadata / self.file, out=out, dry_run=True, workers=1, **self.flags
        )
        guessed, _ = guess_settings(settings)
        return guessed.replace(tasks=guessed.tasks or SOURCES[self.source].tasks)


def _lido(file: str, name: str, number: str, example: str, labels: dict[str, int], **values: Any) -> Case:
    return Case(f"lido/{file}", name, number, example, labels, source="lido", **values)


def _linked_art(file: str, name: str, example: str, labels: dict[str, int], **values: Any) -> Case:
    counts = {"packed": 1, "identifiers": 1, "dates": 1}
    return Case(
        f"linked-art/{file}",
        name,
        "accession number",
        example,
        labels,
        source="linked-art",
        **counts,
        **values,
    )


def _iiif(file: str, name: str, number: str, example: str, labels: dict[str, int], **values: Any) -> Case:
    return Case(f"iiif-{file}", name, number, example, labels, source="iiif", **values)


def _table(file: str, name: str, number: str, example: str, labels: dict[str, int], **values: Any) -> Case:
    return Case(file, name, number, example, labels, **{"source": "table", **values})


def _labels(material: int, type_: int, artist: int) -> dict[str, int]:
    return {"material": material, "type": type_, "artist": artist}


_FOTO_MARBURG = "Deutsches Dokumentationszentrum für Kunstgeschichte - Bildarchiv Foto Marburg"
_BERLIN = "Ethnologisches Museum, Staatliche Museen zu Berlin"
_MAME = ("Los Angeles County Museum of Art", "Metropolitan Museum of Art", "The Cleveland Museum of Art")

CASES = (
    _table(
        "table/cleveland-workshop.csv",
        "Cleveland Museum of Art, CSV",
        "accession_number",
        "2018.42",
        _labels(11, 11, 8),
        packed=11,
        institutions=("The Cleveland Museum of Art",),
        attributions=3,
        dates=11,
        rejects={"no-image-named": 1},
    ),
    _table(
        "table/nga-ruskin.csv",
        "National Gallery of Art, Washington, CSV",
        "accessionnum",
        "1987.73.2",
        _labels(4, 4, 4),
        packed=4,
        institutions=("National Gallery of Art, Washington",),
        dates=4,
    ),
    _table(
        "json/tate-80.jsonl",
        "Tate, JSON lines",
        "acno",
        "T00001",
        _labels(67, 66, 53),
        packed=67,
        institutions=("Tate",),
        attributions=14,
        dates=67,
        rejects={"no-image-named": 13},
    ),
    _table(
        "json/carnegie-80.jsonl",
        "Carnegie Museum of Art, JSON lines",
        "accession_number",
        "79.66.115",
        _labels(78, 80, 76),
        packed=80,
        institutions=("Carnegie Museum of Art",),
        attributions=6,
        dates=76,
    ),
    _table(
        "table/rijksmuseum-suriname-adlib.csv",
        "Rijksmuseum, export of Axiell Collections",
        "objectnummer",
        "SK-A-1671",
        _labels(295, 297, 294),
        packed=297,
        institutions=("Rijksmuseum",),
        dates=295,
    ),
    _table(
        "table/mame-toy.csv",
        "MAMe, smaller table of three museums",
        "Museum-based instance ID",
        "1980.266",
        {"material": 348},
        packed=348,
        step=10,
        source="mame",
        institutions=_MAME,
    ),
    Case(
        "oai/rijksmuseum-declared.xml",
        "Rijksmuseum, OAI-PMH",
        "dc:identifier",
        "SK-A-3580",
        _labels(2, 2, 2),
        packed=2,
        source="dublin-core",
        dates=2,
    ),
    Case(
        "oai/castello-di-masnago-dc.xml",
        "Castello di Masnago, Varese",
        "dc:identifier",
        "0001",
        {"type": 1, "artist": 1},
        packed=1,
        source="dublin-core",
        flags={"tasks": ("type", "artist")},
        identifiers=1,
        dates=1,
    ),
    Case(
        "edm/bnf-record.xml",
        "Bibliothèque nationale de France, OAI-PMH",
        "OAI identifier",
        "gallica/ark:/12148/btv1b110012843",
        {"type": 1, "artist": 1},
        packed=1,
        source="dublin-core",
        flags={"tasks": ("type", "artist")},
        dates=1,
    ),
    Case(
        "edm/arachne-object-1062378.xml",
        "Arachne, German Archaeological Institute",
        "rdf:about",
        "1062378",
        {"material": 1, "type": 1},
        packed=1,
        source="edm",
        flags={"tasks": ("material", "type")},
        institutions=("Deutsches Archäologisches Institut",),
    ),
    Case(
        "edm/europeana-Record1.xml",
        "National and University Library of Slovenia",
        "dc:identifier",
        "COBISSID:5081952",
        {"type": 1, "artist": 1},
        packed=1,
        source="edm",
        flags={"tasks": ("type", "artist")},
        institutions=("National and University Library of Slovenia",),
    ),
    _lido(
        "castello-di-masnago.xml",
        "Castello di Masnago, Varese",
        "recordID",
        "00154983",
        _labels(1, 1, 1),
        packed=1,
        institutions=("Castello di Masnago",),
        identifiers=1,
    ),
    _lido(
        "kmska-antwerp.xml",
        "KMSKA, Antwerp",
        "recordID",
        "7",
        _labels(1, 1, 1),
        packed=1,
        institutions=("KMSKA",),
        identifiers=1,
    ),
    _lido(
        "lido-extended-example.xml",
        "LIDO's extended example",
        "recordID",
        "20344012",
        {"type": 3, "artist": 2, "year": 2},
        packed=3,
        flags={"tasks": ("type", "artist", "year")},
        institutions=(_FOTO_MARBURG,),
        identifiers=2,
        dates=2,
    ),
    _lido(
        "museum-digital-lido-1.1.xml",
        "museum-digital, LIDO 1.1",
        "workID",
        "XYZ-1609",
        {"material": 1, "technique": 1, "type": 1, "artist": 1, "year": 1},
        packed=1,
        flags={"tasks": ("material", "technique", "type", "artist", "year")},
        institutions=("Fotosammlung SRE",),
        identifiers=1,
        dates=1,
    ),
    _lido(
        "smb-berlin-539-oai.xml",
        "Staatliche Museen zu Berlin, OAI-PMH",
        "workID",
        "IV Ca Nls 542",
        {"type": 1},
        packed=1,
        flags={"tasks": ("type",)},
        institutions=(_BERLIN,),
    ),
    _lido(
        "vkc-groeninge.xml",
        "Vlaamse Kunstcollectie, Groeninge",
        "recordID",
        "1981.GRO0017.I",
        {"type": 1, "artist": 1, "year": 1},
        packed=1,
        flags={"tasks": ("type", "artist", "year")},
        institutions=("VKC",),
        identifiers=1,
        dates=1,
    ),
    _linked_art(
        "cleveland-74572.json",
        "Cleveland Museum of Art",
        "2018.42",
        {"type": 1, "year": 1},
        flags={"tasks": ("type", "year")},
        institutions=("Cleveland Museum of Art",),
    ),
    _linked_art(
        "harvard-237625.json",
        "Harvard Art Museums",
        "FA78",
        {"type": 1, "artist": 1, "year": 1},
        flags={"tasks": ("type", "artist", "year")},
        institutions=("Harvard Art Museum",),
    ),
    _linked_art(
        "newfields-ima-1032.json",
        "Newfields, Indianapolis",
        "14.55",
        {"type": 1, "year": 1},
        flags={"tasks": ("type", "year")},
        institutions=("Indianapolis Museum of Art at Newfields",),
    ),
    _iiif(
        "v2/artic-manifest.json",
        "Art Institute of Chicago",
        "pair of the manifest",
        "1926.224",
        {"material": 1, "artist": 1},
        packed=1,
    ),
    _iiif(
        "v2/nga-manifest.json",
        "National Gallery of Art, Washington",
        "id",
        "nga_highlights",
        {"date": 25},
        packed=25,
        flags={"tasks": ("date=Date",), "all_canvases": True},
        dates=25,
        unlabelled=1,
    ),
    _iiif(
        "v2/sbb-test.json",
        "Staatsbibliothek zu Berlin",
        "id",
        "840973497",
        {"type": 1},
        packed=1,
        flags={"tasks": ("type=Kategorie",)},
    ),
    _iiif(
        "v3/iiif.harvardartmuseums.org__manifests__object__299843.json",
        "Harvard Art Museums",
        "pair of the manifest",
        "1951.65",
        {"material": 1, "type": 1, "artist": 1},
        packed=1,
        dates=1,
    ),
    _iiif(
        "v3/wellcome-p3.json",
        "Wellcome Collection",
        "id",
        "b28857021",
        {"type": 1},
        packed=1,
        flags={"tasks": ("type=Type/technique",)},
        institutions=("Wellcome Collection",),
    ),
    _iiif(
        "v3/cookbook-0006-text-language.json",
        "IIIF cookbook, 0006",
        "id",
        "0006-text-language",
        {"artist": 1},
        packed=1,
        institutions=("Musée d'Orsay, Paris, France",),
    ),
)

_UNLABELLED = "no artwork of .* has a label for material, type, artist; name other columns with --tasks"
# Files that hold nothing to pack: the source, and the end of the sentence that says so.
NOTHING = {
    "oai/europeana-deleted-oai-record.xml": ("dublin-core", "1 deleted OAI-PMH record and no other"),
    "linked-art/rijksmuseum.json": (
        "linked-art",
        r"an object of the Rijksmuseum's API; write one per line, as \*\.jsonl; use --source table",
    ),
    "linked-art/linked-art-model-nightwatch-1.json": (
        "linked-art",
        _UNLABELLED,
    ),
    "iiif-v2/biblissima-collection.json": ("iiif", "no IIIF manifest, but 1 collection; arttl fetch iiif .*"),
    "iiif-v2/wellcome-collection.json": ("iiif", "no IIIF manifest, but 1 collection; arttl fetch iiif .*"),
    "iiif-v3/cookbook-0032-collection-collection.json": (
        "iiif",
        "no IIIF manifest, but 1 collection; arttl fetch iiif .*",
    ),
    "iiif-v3/cookbook-0005-image-service.json": ("iiif", _UNLABELLED),
    "iiif-v3/cookbook-0033-choice.json": ("iiif", _UNLABELLED),
    "iiif-v3/cookbook-0283-missing-image.json": ("iiif", _UNLABELLED),
}
