from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arttl.records.kinds import contents, kind_of, survey_xml

_EDM = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    ' xmlns:edm="http://www.europeana.eu/schemas/edm/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<edm:ProvidedCHO><dc:type>a</dc:type></edm:ProvidedCHO>"
    "<edm:ProvidedCHO/></rdf:RDF>"
)
_LIDO = '<l:lidoWrap xmlns:l="http://www.lido-schema.org"><l:lido/><l:lido/><l:lido/></l:lidoWrap>'
_DC = (
    '<o:dc xmlns:o="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:d="http://purl.org/dc/elements/1.1/"/>'
)
_OWN = '<all xmlns:d="http://purl.org/dc/elements/1.1/"><item><d:title>a</d:title></item><item/></all>'
_OAI = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
_MARC = (
    f'{_OAI}<ListRecords><record><metadata><m:record xmlns:m="http://www.loc.gov/MARC21/slim"/></metadata></record>'
    "</ListRecords></OAI-PMH>"
)
_GONE = f'{_OAI}<ListRecords><record><header status="deleted"/></record></ListRecords></OAI-PMH>'
_ERROR = f'{_OAI}<error code="noRecordsMatch">nothing in\n this range</error></OAI-PMH>'
_IIIF_2 = {"@context": "http://iiif.io/api/presentation/2/context.json", "@type": "sc:Manifest"}
_IIIF_3 = {"@context": ["http://www.w3.org/ns/anno.jsonld", "http://iiif.io/api/presentation/3/context.json"]}
_LINKED_ART = {"@context": "https://linked.art/ns/v1/linked-art.json", "type": "HumanMadeObject"}


@pytest.mark.parametrize(
    ("text", "expected", "source"),
    [
        (_EDM, "2 EDM records", "edm"),
        (_EDM.replace("ProvidedCHO", "Agent"), "EDM without an object (edm:ProvidedCHO)", None),
        (_LIDO, "3 LIDO records", "lido"),
        (_DC, "1 Dublin Core record", "dublin-core"),
        (_OWN, "2 Dublin Core records", "dublin-core"),
        (_MARC, "1 OAI-PMH record of the format MARCXML ('record'), which is not read", None),
        (_GONE, "1 deleted OAI-PMH record and no other", None),
        (_ERROR, "an OAI-PMH error, noRecordsMatch: nothing in this range", None),
        ("<a xmlns='urn:x'><b/><b/></a>", "XML of elements named 'a' (urn:x) with 2 elements in it", None),
        ("<!DOCTYPE html><html><p>Sign in</html>", "an HTML page", None),
        ("\n<HTML><body>", "an HTML page", None),
        (json.dumps(_IIIF_2), "a IIIF manifest (Presentation 2)", "iiif"),
        (json.dumps({**_IIIF_3, "type": "Collection"}), "a IIIF collection (Presentation 3)", "iiif"),
        (json.dumps([_LINKED_ART] * 4), "4 times Linked Art (HumanMadeObject)", "linked-art"),
        (json.dumps(_LINKED_ART), "Linked Art (HumanMadeObject)", "linked-art"),
        (json.dumps({"artObjects": [{}, {}]}), "the Rijksmuseum's API with 2 objects", "table"),
        (json.dumps([{"id": 1}, {"id": 2}]), "a JSON array of 2 objects; write one per line", "table"),
        (json.dumps({"data": [{"id": 1}]}), "whose 'data' has 1 object;", "table"),
        ('{"a": 1}\n{"a": 2}\n', "JSON lines", "table"),
        ('{"objectNumber": "SK-A-1", "hasImage": true}', "an object of the Rijksmuseum's API", "table"),
        ('{"@type": "sc:Collection", "@id": "x"}', "a IIIF collection (Presentation 2)", "iiif"),
        ('{"a": ', "JSON that is not well-formed", None),
        ("number;title;artist\n1;a;b\n", "a table with the columns number, title, artist", "table"),
        ("https://a.example/manifest\nhttps://a.example/2\n", "a list of web addresses", "iiif"),
        ("@prefix dc: <http://purl.org/dc/> .\n", "RDF in Turtle", None),
        ("<http://a.example/1> <http://b.example/p> 'x' .\n".replace("'", '"'), "RDF in Turtle", None),
        ("<o:record>\n <o:objekt>\n  <creation>1997", "XML of elements named 'o:record'", None),
        ("<record>\n <objekt>\n  <creation>1997", "XML of elements named 'record' with", None),
        ("00714cam a2200205 a 4500", "MARC 21 records", None),
        ("", "an empty file", None),
        (" \n\n", "an empty file, of blanks alone", None),
        ("PAR1...", "a Parquet table", "table"),
        ("PK\x03\x04...", "a ZIP archive or a workbook", None),
    ],
)
def test_kinds(text: str, expected: str, source: str | None, tmp_path: Path) -> None:
    path = tmp_path / "metadata.xml"
    for encoding in ("utf-8", "utf-8-sig") if text.strip() and text[:1] in "<{[n" else ("utf-8",):
        path.write_bytes(text.encode(encoding))
        kind = kind_of(path)
        assert expected in kind.text
        assert kind.source == source


def test_what_to_use_instead(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(_EDM)
    assert contents(path, "lido") == "2 EDM records; use --source edm"
    assert contents(path, "edm") == "2 EDM records"
    (tmp_path / "b.txt").write_text("hello")
    assert (
        contents(tmp_path, "lido")
        == "a.xml: 2 EDM records; b.txt: text that begins with 'hello'; use --source edm"
    )
    (tmp_path / "none").mkdir()
    assert contents(tmp_path / "none", "edm") == "no file at all"
    assert "cannot be read" in kind_of(tmp_path / "c.xml").text


def test_only_the_beginning_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(_LIDO.replace("<l:lido/>", "<l:lido>" + " " * 2**20 + "</l:lido>"))
    assert kind_of(path).text == "3 LIDO records"
    path.write_text("<l:lidoWrap xmlns:l='http://www.lido-schema.org'>" + "<l:lido/>" * 10**6)
    assert kind_of(path).text.startswith("at least 4")


def test_the_parent_of_dublin_core(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(_OWN)
    assert survey_xml(path).dublin_core_in == "item"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=200)
    | st.sampled_from([_EDM, _LIDO, _MARC, json.dumps(_IIIF_2)]).flatmap(
        lambda text: st.integers(0, len(text)).map(lambda end: text[:end].encode())
    )
)
def test_every_file_has_a_kind(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "any"
    path.write_bytes(data)
    kind = kind_of(path)
    assert kind.text
    assert kind.text.isprintable()
