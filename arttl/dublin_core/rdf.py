"""RDF/XML: the resources that one `rdf:RDF` describes, by their addresses and classes, and what they are called.

A resource may be described under the name of its class (`<edm:Agent rdf:about="...">`), as general RDF software
writes it (`<rdf:Description>` with an `rdf:type`, even one for each property), or where it is referred to.
"""

from __future__ import annotations

from collections.abc import Collection

from lxml.etree import XPath
from lxml.etree import _Element as Element

from arttl.records.xml_records import in_language, words

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}RDF"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
ABOUT, RESOURCE, TYPE = _RDF + "about", _RDF + "resource", _RDF + "type"
_ID, _DESCRIPTION = _RDF + "ID", _RDF + "Description"
_WITHIN = XPath("boolean(*/*/*)")  # whether properties hold descriptions, which most files do not have
# Some files lack the last letter of the namespace.
_SKOS = ("{http://www.w3.org/2004/02/skos/core#}", "{http://www.w3.org/2004/02/skos/core}")
_NAMES = (
    tuple(space + "prefLabel" for space in _SKOS),
    ("{http://xmlns.com/foaf/0.1/}name", "{http://www.w3.org/2000/01/rdf-schema#}label"),
)
_SAME = (*(space + "exactMatch" for space in _SKOS), "{http://www.w3.org/2002/07/owl#}sameAs")


class Resource:
    """What a file says about one resource.

    Attributes:
        address: of the resource; empty where it has none.
        properties: name of a property, as `{namespace}name`, to its elements, in the order of the file.
    """

    __slots__ = ("_names", "_same", "address", "properties")

    def __init__(self, address: str, elements: Collection[Element]) -> None:
        """Collect the properties of all elements that describe the resource."""
        self.address = address
        self.properties: dict[str, list[Element]] = {}
        # Files describe the same person or term again for each object, so that these are looked for once.
        self._names: dict[str | None, Element | None] = {}
        self._same: list[str] | None = None
        for element in elements:
            for child in element:
                self.properties.setdefault(child.tag, []).append(child)

    def name(self, language: str | None) -> Element | None:
        """The element with its name in the language, if it has one: a preferred label, else a name or label."""
        if language not in self._names:
            self._names[language] = self._find_name(language)
        return self._names[language]

    def _find_name(self, language: str | None) -> Element | None:
        for tags in _NAMES:
            names = [child for tag in tags for child in self.properties.get(tag, ()) if words(child)]
            if names:
                return names[0] if len(names) == 1 else in_language(names, language)[0]
        return None

    def same(self) -> list[str]:
        """The addresses of this resource in other vocabularies."""
        if self._same is None:
            elements = (child for tag in _SAME for child in self.properties.get(tag, ()))
            self._same = list(
                dict.fromkeys(address for child in elements if (address := child.get(RESOURCE)))
            )
        return self._same


class Graph:
    """The resources of an `rdf:RDF`."""

    def __init__(self, rdf: Element) -> None:
        """Find the resources; each is looked at when it is needed.

        Args:
            rdf: the element.
        """
        self._nodes: dict[str, list[Element]] = {}
        self._classes: dict[str, list[Element]] = {}
        self._resources: dict[str, Resource | None] = {}
        self._of_class: dict[str, list[Resource]] = {}
        self._references: dict[tuple[str, str], dict[str, list[Resource]]] = {}
        self._add(rdf, with_those_within=bool(_WITHIN(rdf)))
        for element in rdf:
            for name in _classes(element) if element.tag == _DESCRIPTION else (element.tag,):
                self._classes.setdefault(name, []).append(element)

    def _add(self, parent: Element, *, with_those_within: bool) -> None:
        for element in parent:
            if address := _address(element):
                self._nodes.setdefault(address, []).append(element)
            for child in element if with_those_within else ():
                if len(child):
                    self._add(child, with_those_within=True)

    def of_class(self, name: str) -> list[Resource]:
        """The resources of a class, in the order of the file.

        Args:
            name: of the class, as `{namespace}name`.
        """
        if name not in self._of_class:
            resources: dict[str, Resource] = {}
            for index, element in enumerate(self._classes.get(name, ())):
                address = _address(element)
                key = address or f"\0{index}"
                if key not in resources:
                    # A picture may have the address of its object, so that the class counts.
                    alike = (element.tag, _DESCRIPTION)
                    nodes = [node for node in self._nodes.get(address, ()) if node.tag in alike]
                    resources[key] = Resource(address, nodes or [element])
            self._of_class[name] = list(resources.values())
        return self._of_class[name]

    def referring(self, name: str, tag: str, address: str) -> list[Resource]:
        """The resources of a class of which a property refers to an address.

        Args:
            name: of the class.
            tag: of the property.
            address: that is referred to.
        """
        references = self._references.get((name, tag))
        if references is None:
            references = self._references[name, tag] = {}
            for resource in self.of_class(name):
                for child in resource.properties.get(tag, ()):
                    references.setdefault(child.get(RESOURCE) or words(child), []).append(resource)
        return references.get(address, [])

    def described(self, element: Element) -> Resource | None:
        """The resource that a property refers to, or that is described within it; None for a text or an unknown one.

        Args:
            element: of the property.
        """
        if len(element) and len(element[0]):
            return Resource(_address(element[0]), [element[0]])
        address = reference(element)
        if address not in self._resources:
            nodes = self._nodes.get(address)
            self._resources[address] = Resource(address, nodes) if nodes else None
        return self._resources[address]


def reference(element: Element) -> str:
    """The address that a property refers to; empty for a text."""
    return _address(element[0]) if len(element) else element.get(RESOURCE, "").strip()


def _address(element: Element) -> str:
    if (address := element.get(ABOUT)) is not None:
        return str(address)
    name = element.get(_ID)
    return f"#{name}" if name else ""


def _classes(element: Element) -> list[str]:
    """The classes of an `rdf:Description`, as lxml writes names."""
    names = []
    for child in element.findall(TYPE):
        address = child.get(RESOURCE, "")
        end = max(address.rfind("#"), address.rfind("/")) + 1
        names.append(f"{{{address[:end]}}}{address[end:]}")
    return names
