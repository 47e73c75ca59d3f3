"""Dublin Core harvested by OAI-PMH: pages, deleted and replaced records, other formats."""

from __future__ import annotations

from pathlib import Path

from dublin_core_cases import (
    EXAMPLE,
    HEAD,
    OAI_END,
    OAI_HEAD,
    harvested,
    read,
    read_dry,
)

from arttl.artworks import Artwork
from arttl.shards.rejects import Reject


def test_an_oai_pmh_answer(tmp_path: Path) -> None:
    deleted = '<record><header status="deleted"><identifier>oai:x:1</identifier></header></record>'
    nameless = "<record><header/><metadata/></record>"
    text = (
        '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>'
        f"{deleted}{nameless}{EXAMPLE}</ListRecords></OAI-PMH>"
    )
    reject, artwork = read(tmp_path, text, images=None, dry_run=True)
    assert reject == Reject("", "", "", "no-object-number", "record 2 of dump.xml")
    assert isinstance(artwork, Artwork)
    assert artwork.labels == {
        "material": ("olieverf", "doek"),
        "type": ("schilderij",),
        "artist": ("schilder: Everdingen, Caesar Boëtius van",),
    }


def test_a_harvest_in_several_pages_of_one_file(tmp_path: Path) -> None:
    first = OAI_HEAD + harvested("A", "2020-01-01", "old") + harvested("B", "2020-01-01", "b") + OAI_END
    second = OAI_HEAD + harvested("A", "2021-01-01", "new") + harvested("B", "2021-01-01") + OAI_END
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    (artwork,), sentences = read_dry(
        tmp_path, f"{declaration}{first}\n{declaration}{second}\n", tasks=("type",)
    )
    assert (artwork.object_number, artwork.labels["type"]) == ("A", ("new",))
    assert sentences == [
        "passed over: OAI-PMH records that a later one replaces (oai:m:A)",
        "passed over: OAI-PMH records that a later one deletes (oai:m:B)",
        "passed over: deleted OAI-PMH records (oai:m:B)",
    ]


def test_what_is_said_about_a_record_is_not_its_metadata(tmp_path: Path) -> None:
    about = f"<about><o:dc {HEAD[3:-1]}><dc:type>licence</dc:type></o:dc></about>"
    text = OAI_HEAD + harvested("A", "2020-01-01", "vase", extra=about) + OAI_END
    (artwork,), _ = read_dry(tmp_path, text, tasks=("type",))
    assert artwork.labels["type"] == ("vase",)


def test_other_formats_in_a_harvest_are_passed_over(tmp_path: Path) -> None:
    edm = (
        "<record><header><identifier>oai:m:A</identifier></header><metadata>"
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><p xmlns="http://www.europeana.eu/schemas/edm/">'
        '<t xmlns="http://purl.org/dc/elements/1.1/">x</t></p></r:RDF></metadata></record>'
    )
    (artwork,), sentences = read_dry(tmp_path, OAI_HEAD + harvested("A", "", "vase") + edm + OAI_END)
    assert artwork.labels["type"] == ("vase",)
    assert "passed over: OAI-PMH records in another format (oai:m:A)" in sentences


def test_the_identifier_of_a_harvest_as_number(tmp_path: Path) -> None:
    text = OAI_HEAD + harvested("http://a.example/1", "", "vase") + OAI_END
    text = text.replace("oai:m:http://a.example/1", "oai:m:ark:/12/b")
    (artwork,), sentences = read_dry(tmp_path, text)
    assert artwork.object_number == "ark:/12/b"
    assert any(
        "the end of the record's own identifier is the number (ark:/12/b)" in each for each in sentences
    )
