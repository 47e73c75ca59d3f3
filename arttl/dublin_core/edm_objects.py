"""The Europeana Data Model: the objects of a record, what is said about each, and what their properties mean."""

from __future__ import annotations

from lxml.etree import _Element as Element

from arttl.dublin_core.label_values import Value, value_of
from arttl.dublin_core.rdf import RESOURCE, TYPE, Graph, Resource, reference
from arttl.records.xml_records import words

EDM = "{http://www.europeana.eu/schemas/edm/}"
_ORE = "{http://www.openarchives.org/ore/terms/}"
OBJECT, _PROXY, _AGGREGATION = EDM + "ProvidedCHO", _ORE + "Proxy", _ORE + "Aggregation"
_PROXY_FOR, _OF_EUROPEANA = _ORE + "proxyFor", EDM + "europeanaProxy"
_AGGREGATED = EDM + "aggregatedCHO"
_SPAN = (EDM + "begin", EDM + "end")  # of a time
_CLASS = "http://www.europeana.eu/schemas/edm/ProvidedCHO"


def is_edm(record: Element) -> bool:
    """Whether an OAI-PMH record describes an object in EDM."""
    return next(record.iter(OBJECT), None) is not None or any(
        element.get(RESOURCE) == _CLASS for element in record.iter(TYPE)
    )


def holders_of(graph: Graph, described: Resource) -> list[Resource]:
    """The resources with the properties of an object: its own, the provider's proxies, Europeana's."""
    proxies = graph.referring(_PROXY, _PROXY_FOR, described.address)
    return [described, *sorted(proxies, key=is_of_europeana)]


def aggregations(graph: Graph, described: Resource) -> list[Resource]:
    """The provider's aggregations of an object."""
    own = graph.referring(_AGGREGATION, _AGGREGATED, described.address)
    known = graph.of_class(_AGGREGATION)
    return known if not own and len(known) == 1 == len(graph.of_class(OBJECT)) else own


def value_of_property(graph: Graph, element: Element, language: str | None) -> tuple[Value, Element | None]:
    """The value of a property, and the element with its name in a vocabulary; None where it has none."""
    address = reference(element)
    if not address and not len(element):
        return value_of(element, words(element)), None
    resource = graph.described(element)
    if resource is not None:
        addresses = tuple(dict.fromkeys(filter(None, (address, *resource.same()))))
        if (name := resource.name(language)) is not None:
            return Value(element, words(name), addresses, in_vocabulary=True), name
        times = (words(child) for tag in _SPAN for child in resource.properties.get(tag, ())[:1])
        if span := "-".join(dict.fromkeys(filter(None, times))):
            return Value(element, span, addresses, in_vocabulary=True), None
    return Value(element, "", (address,) if address else ()), None


def is_of_europeana(holder: Resource) -> bool:
    """Whether what a resource says was added by Europeana."""
    return any(words(child).casefold() == "true" for child in holder.properties.get(_OF_EUROPEANA, ()))
