from __future__ import annotations

import time

from lxml import etree

from arttl.dublin_core.rdf import Graph, reference
from arttl.records.xml_records import words

_HEAD = (
    '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:a="http://a.example/"'
    ' xmlns:skos="http://www.w3.org/2004/02/skos/core#" xmlns:owl="http://www.w3.org/2002/07/owl#">'
)
_A = "{http://a.example/}"


def _graph(text: str) -> Graph:
    return Graph(etree.fromstring(f"{_HEAD}{text}</r:RDF>"))


def test_classes_and_addresses() -> None:
    graph = _graph(
        '<a:Thing r:about="#1"><a:p>one</a:p></a:Thing><a:Thing r:ID="2"/><a:Thing/><a:Thing/>'
        '<r:Description r:about="#1"><a:p>more</a:p></r:Description>'
        '<a:Other r:about="#1"><a:p>not of the thing</a:p></a:Other>'
        '<r:Description r:about="#3"><r:type r:resource="http://a.example/Thing"/></r:Description>'
        '<r:Description r:about="#3"><a:p>three</a:p></r:Description>'
    )
    things = graph.of_class(_A + "Thing")
    assert [thing.address for thing in things] == ["#1", "#2", "", "", "#3"]
    texts = [[words(element) for element in thing.properties.get(_A + "p", ())] for thing in things]
    assert texts == [["one", "more"], [], [], [], ["three"]]


def test_references_and_names() -> None:
    graph = _graph(
        '<a:Thing><a:by r:resource="#m"/><a:by r:resource="#n"/><a:by>text</a:by>'
        '<a:by><a:Maker r:about="#o"><skos:prefLabel>Inner</skos:prefLabel></a:Maker></a:by></a:Thing>'
        '<a:Maker r:about="#m"><skos:prefLabel xml:lang="nl">Naam</skos:prefLabel>'
        '<skos:prefLabel xml:lang="en">Name</skos:prefLabel><owl:sameAs r:resource="#x"/></a:Maker>'
    )
    (thing,) = graph.of_class(_A + "Thing")
    elements = thing.properties[_A + "by"]
    assert list(map(reference, elements)) == ["#m", "#n", "", "#o"]
    maker, unknown, text, inner = map(graph.described, elements)
    assert unknown is None
    assert text is None
    assert maker is not None
    assert inner is not None
    for language, expected in ((None, "Naam"), ("en", "Name")):
        assert words(maker.name(language)) == expected
    assert maker.same() == ["#x"]
    assert words(inner.name("en")) == "Inner"
    assert graph.referring(_A + "Thing", _A + "by", "#n") == [thing]
    assert graph.referring(_A + "Thing", _A + "by", "#z") == []


def test_a_maker_described_again_for_each_thing_takes_no_longer() -> None:
    """Four thousand times four thousand looks would take a minute."""
    maker = '<a:Maker r:about="#m"><skos:prefLabel>Name</skos:prefLabel></a:Maker>'
    things = f'<a:Thing><a:by r:resource="#m"/><a:by>{maker}</a:by></a:Thing>{maker}'
    graph = _graph(things * 4000)
    started = time.process_time()
    for thing in graph.of_class(_A + "Thing"):
        for element in thing.properties[_A + "by"]:
            resource = graph.described(element)
            assert resource is not None
            assert words(resource.name(None)) == "Name"
    assert time.process_time() - started < 10
