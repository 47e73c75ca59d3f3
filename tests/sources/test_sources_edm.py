from __future__ import annotations

from pathlib import Path

import pytest
from source_cases import documented_record, only_artworks, sorted_out

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.packing.plan import make_plan
from arttl.packing.settings import PackSettings
from arttl.shards.rejects import Reject
from arttl.sources import edm
from arttl.sources.edm import read_edm
from arttl.sources.registry import open_source
from arttl.sources.settings import SourceSettings

_HEAD = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:dcterms="http://purl.org/dc/terms/" xmlns:edm="http://www.europeana.eu/schemas/edm/"'
    ' xmlns:ore="http://www.openarchives.org/ore/terms/" xmlns:skos="http://www.w3.org/2004/02/skos/core#"'
    ' xmlns:owl="http://www.w3.org/2002/07/owl#" xmlns:foaf="http://xmlns.com/foaf/0.1/">'
)


EXAMPLE = documented_record(edm, "rdf:RDF")


def _read_all(tmp_path: Path, text: str, **changes: object) -> tuple[list[Artwork | Reject], list[str]]:
    """The artworks and rejects, and the sentences of the remarks."""
    (tmp_path / "images").mkdir(exist_ok=True)
    (tmp_path / "edm.xml").write_text(text, encoding="utf-8")
    values = {"metadata": tmp_path / "edm.xml", "images": tmp_path / "images", **changes}
    return sorted_out(read_edm(SourceSettings(source="edm", **values)))  # type: ignore[arg-type]


def _dry(tmp_path: Path, text: str, **changes: object) -> tuple[list[Artwork], list[str]]:
    return only_artworks(_read_all(tmp_path, text, images=None, dry_run=True, **changes))


def _object(*properties: str, number: str = "A", about: str = "#a") -> str:
    identifier = f"<dc:identifier>{number}</dc:identifier>" if number else ""
    return f'<edm:ProvidedCHO rdf:about="{about}">{identifier}{"".join(properties)}</edm:ProvidedCHO>'


def _graph(*resources: str) -> str:
    return f"{_HEAD}{''.join(resources)}</rdf:RDF>"


def test_the_example_of_the_docstring(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "sk-a-4878.jpg").touch()
    for language, material in ((None, "oil paint"), ("nl", "olieverf")):
        (artwork,), sentences = _read_all(tmp_path, EXAMPLE, language=language)
        assert isinstance(artwork, Artwork)
        assert artwork.labels == {
            "material": (material,),
            "type": ("painting",),
            "artist": ("Everdingen, Caesar van",),
        }
        assert artwork.identifiers == {
            "material": {material: ("http://vocab.getty.edu/aat/300015050",)},
            "artist": {"Everdingen, Caesar van": ("http://museum.example/person/12",)},
        }
    assert (artwork.object_number, artwork.title, artwork.date) == ("SK-A-4878", "Landscape", "1648")
    assert artwork.institution == "Museum Example"
    assert artwork.image.name.casefold() == "sk-a-4878.jpg"
    assert "type: 1 record has no value in 'nl', and all of the others were taken (en)" in sentences


def test_pictures(tmp_path: Path) -> None:
    shown = '<edm:isShownBy rdf:resource="https://m.example/x/shown.jpg"/>'
    smaller = "<edm:object>https://m.example/x/lesser.jpg</edm:object>"
    text = _graph(
        _object(),
        f'<ore:Aggregation><edm:aggregatedCHO rdf:resource="#a"/>{smaller}{shown}</ore:Aggregation>',
    )
    ((reject,), _) = _read_all(tmp_path, text)
    assert isinstance(reject, Reject)
    assert (reject.object_number, reject.reason) == ("A", "missing")
    assert reject.file == "https://m.example/x/shown.jpg"
    assert "'A'" in reject.detail
    for name in ("a.jpg", "lesser.jpg", "shown.jpg"):  # each before the one named earlier
        (tmp_path / "images" / name).touch()
        ((artwork,), _) = _read_all(tmp_path, text)
        assert isinstance(artwork, Artwork)
        assert artwork.image.name == name
    ((_, *_), sentences) = _read_all(tmp_path, text)
    assert "passed over: further pictures of an object (https://m.example/x/lesser.jpg)" in sentences


def test_the_provider_s_values_come_before_europeana_s(tmp_path: Path) -> None:
    europeana = (
        '<ore:Proxy rdf:about="#e"><dc:type>enriched</dc:type><dc:creator rdf:resource="#c"/>'
        '<ore:proxyFor rdf:resource="#a"/><edm:europeanaProxy>true</edm:europeanaProxy></ore:Proxy>'
    )
    provider = (
        '<ore:Proxy rdf:about="#p"><dc:type>print</dc:type><dc:identifier>B</dc:identifier>'
        '<ore:proxyFor rdf:resource="#a"/><edm:europeanaProxy>false</edm:europeanaProxy></ore:Proxy>'
    )
    others = (
        '<edm:EuropeanaAggregation><edm:aggregatedCHO rdf:resource="#a"/>'
        "<edm:dataProvider>Europeana Foundation</edm:dataProvider></edm:EuropeanaAggregation>"
        '<ore:Aggregation><edm:aggregatedCHO rdf:resource="#a"/><edm:dataProvider rdf:resource="#o"/></ore:Aggregation>'
        '<foaf:Organization rdf:about="#o"><skos:prefLabel xml:lang="de">Museum B</skos:prefLabel></foaf:Organization>'
        '<edm:Agent rdf:about="#c"><skos:prefLabel>Hals</skos:prefLabel></edm:Agent>'
    )
    (artwork,), sentences = _dry(tmp_path, _graph(europeana, _object(number=""), provider, others))
    assert artwork.object_number == "B"
    assert artwork.labels == {"material": (), "type": ("print",), "artist": ("Hals",)}
    assert artwork.institution == "Museum B"
    assert "artist: 1 value was added by Europeana, not by the provider" in sentences


def test_addresses_that_nothing_names_are_no_labels(tmp_path: Path) -> None:
    text = _graph(
        _object(
            '<dc:type rdf:resource="http://v.example/1"/>',
            '<dc:creator rdf:resource="http://v.example/2"/><dc:creator>Hals</dc:creator>',
            "<dcterms:medium>http://v.example/3</dcterms:medium>",
            '<dc:creator rdf:resource="">Leyster</dc:creator>',
        )
    )
    (artwork,), sentences = _dry(tmp_path, text)
    assert artwork.labels == {"material": (), "type": (), "artist": ("Hals", "Leyster")}
    assert artwork.raw_labels["type"] == ("http://v.example/1",)
    assert artwork.identifiers == {}
    for task, address in (("type", 1), ("artist", 2), ("material", 3)):
        assert (
            f"{task}: 1 value is a web address that the record does not name, such as 'http://v.example/{address}';"
            " addresses are no labels"
        ) in sentences


def test_resources_described_where_they_are_used(tmp_path: Path) -> None:
    text = _graph(
        _object(
            '<dc:creator><edm:Agent rdf:about="http://v.example/hals">'
            '<skos:prefLabel xml:lang="nl">Hals</skos:prefLabel><skos:altLabel>Frans</skos:altLabel>'
            '<owl:sameAs rdf:resource="http://ulan.example/1"/></edm:Agent></dc:creator>'
            '<dcterms:created><edm:TimeSpan rdf:about="#t"><edm:begin>1650</edm:begin><edm:end>1660</edm:end>'
            "</edm:TimeSpan></dcterms:created>"
        )
    )
    (artwork,), _ = _dry(tmp_path, text, tasks=("artist", "year=date"))
    assert artwork.labels == {"artist": ("Hals",), "year": ("1650-1660",)}
    assert artwork.identifiers["artist"] == {"Hals": ("http://v.example/hals", "http://ulan.example/1")}
    assert artwork.date == "1650-1660"


def test_several_objects_and_general_rdf(tmp_path: Path) -> None:
    described = (
        '<rdf:Description rdf:about="http://m.example/o/7"><dc:type>vase</dc:type>'
        '<rdf:type rdf:resource="http://www.europeana.eu/schemas/edm/ProvidedCHO"/></rdf:Description>'
    )
    (first, second), sentences = _dry(tmp_path, _graph(_object(about="#x"), described))
    assert (first.object_number, second.object_number) == ("A", "7")
    assert second.labels["type"] == ("vase",)
    assert any("the end of the record's own identifier is the number (7)" in each for each in sentences)


def test_one_element_for_each_property(tmp_path: Path) -> None:
    def described(about: str, text: str) -> str:
        return f'<rdf:Description rdf:about="{about}">{text}</rdf:Description>'

    text = _graph(
        described("#a", '<rdf:type rdf:resource="http://www.europeana.eu/schemas/edm/ProvidedCHO"/>'),
        described("#a", "<dc:identifier>A</dc:identifier>"),
        described("#a", "<dc:type>vase</dc:type>"),
        described("#a", "<dc:type>pot</dc:type>"),
        described("#b", '<rdf:type rdf:resource="http://www.openarchives.org/ore/terms/Aggregation"/>'),
        described("#b", '<edm:aggregatedCHO rdf:resource="#a"/>'),
        described("#b", "<edm:dataProvider>Museum B</edm:dataProvider>"),
    )
    (artwork,), _ = _dry(tmp_path, text)
    assert (artwork.object_number, artwork.labels["type"]) == ("A", ("vase", "pot"))
    assert artwork.institution == "Museum B"


def test_languages_of_vocabularies(tmp_path: Path) -> None:
    concept = (
        '<skos:Concept rdf:about="#m{0}"><skos:prefLabel xml:lang="{1}">{2}</skos:prefLabel></skos:Concept>'
    )
    text = _graph(
        _object('<dcterms:medium rdf:resource="#m1"/>', about="#1"),
        _object('<dcterms:medium rdf:resource="#m2"/>', number="B", about="#2"),
        concept.format(1, "de", "Marmor"),
        concept.format(2, "en", "bronze"),
    )
    (first, second), sentences = _dry(tmp_path, text)
    assert first.labels["material"] + second.labels["material"] == ("Marmor", "bronze")
    assert "material: labels are in several languages (de 1, en 1); --language chooses one" in sentences


def test_the_institution_by_another_element(tmp_path: Path) -> None:
    text = _graph(
        _object("<dcterms:provenance>Accademia</dcterms:provenance>"),
        "<ore:Aggregation><edm:dataProvider>Institute</edm:dataProvider></ore:Aggregation>",
    )
    for column, expected in ((None, "Institute"), ("dcterms:provenance", "Accademia")):
        (artwork,), _ = _dry(tmp_path, text, institution_column=column)
        assert artwork.institution == expected


def test_formats_as_for_dublin_core(tmp_path: Path) -> None:
    text = _graph(_object("<dc:format>148 str. (16 cm)</dc:format><dc:format>papier</dc:format>"))
    (artwork,), sentences = _dry(tmp_path, text)
    assert artwork.labels["material"] == ("papier",)
    assert any("left out: sizes ('148 str. (16 cm)')" in sentence for sentence in sentences)


def test_harvests(tmp_path: Path) -> None:
    """In an envelope without `metadata` too, and with names in lower case, as one museum has them."""
    head = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>'
    header = "<header{}><identifier>oai:m:{}</identifier></header>"
    graph = _graph(
        _object("<dc:type>vase</dc:type>", "<edm:isshownby>https://m.example/v.jpg</edm:isshownby>")
    )
    text = (
        f"{head}<record>{header.format('', 1)}<metadata>{graph}</metadata></record>"
        f"<record>{header.format('', 2)}{graph.replace('>A<', '>B<')}</record>"
        f"<record>{header.format(' status=' + chr(34) + 'deleted' + chr(34), 1)}</record></ListRecords></OAI-PMH>"
    )
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "v.jpg").touch()
    (artwork,), sentences = _read_all(tmp_path, text)
    assert isinstance(artwork, Artwork)
    assert (artwork.object_number, artwork.image.name) == ("B", "v.jpg")
    assert sentences[-2:] == [
        "passed over: OAI-PMH records that a later one deletes (oai:m:1)",
        "passed over: deleted OAI-PMH records (oai:m:1)",
    ]


def test_no_records_and_bad_settings(tmp_path: Path) -> None:
    path = tmp_path / "lido.xml"
    path.write_text('<l:lidoWrap xmlns:l="http://www.lido-schema.org"><l:lido/></l:lidoWrap>')
    settings = PackSettings(source="edm", metadata=path, dry_run=True, out=tmp_path / "out", tasks=edm.TASKS)
    with pytest.raises(
        ArttlError,
        match=r"--source edm read no artwork from .*lido\.xml: 1 LIDO record; use --source lido",
    ):
        make_plan(open_source(settings), settings)
    with pytest.raises(ArttlError, match="--source edm needs --metadata"):
        _dry(tmp_path, "", metadata=None)
    with pytest.raises(ArttlError, match="--tasks type 'dc:tipe' is not a field"):
        _dry(tmp_path, EXAMPLE, tasks=("type=dc:tipe",))
