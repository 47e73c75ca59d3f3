"""The fields of one object in Linked Art, and what there is to say of how they were read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arttl.attribution.qualifiers import artists, attributions
from arttl.linked_art.makers import makers, productions, software_assignments
from arttl.linked_art.terms import (
    ACCESSION_NUMBER,
    ARTWORK,
    MATERIAL_STATEMENT,
    MUSEUM,
    REPOSITORY_NUMBER,
    SYSTEM_NUMBER,
    TYPE_OF_WORK,
    Node,
    aat,
    address,
    addresses,
    classes,
    kind,
    name_of,
    nodes,
    several,
    texts_in_language,
)

_NUMBERS = (ACCESSION_NUMBER, REPOSITORY_NUMBER, SYSTEM_NUMBER)
_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".jp2")
_YEAR = re.compile(r"(-?\d{1,6})(?:-\d\d|\Z)")


@dataclass
class LinkedArtObject:
    """The fields of one object, and what there is to say of it.

    Attributes:
        identifiers: task field to label to addresses.
        passed_over: kind and name of what was not read of it.
        decisions: kinds of decisions that were taken, to be counted.
    """

    node: Node
    language: str | None
    identifiers: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    decisions: set[str] = field(default_factory=set)

    def terms(self, column: str, concepts: list[Node]) -> tuple[str, ...]:
        """The names of concepts, whose addresses are kept; those without a name are counted."""
        names = []
        for concept in concepts:
            name = name_of(concept, self.language)
            if name:
                names.append(name)
                self._keep(column, name, addresses(concept))
            elif concept:
                self._nameless(column, address(concept))
        return tuple(names)

    def types(self) -> tuple[str, ...]:
        """The classifications that are types of work: those marked so, else those that are not marked at all."""
        concepts = list(nodes(self.node, "classified_as"))
        marked = [concept for concept in concepts if TYPE_OF_WORK in classes(concept)]
        chosen = marked or [
            concept
            for concept in concepts
            if aat(concept) != ARTWORK and all(map(_is_type_of, nodes(concept, "classified_as")))
        ]
        if chosen and not marked:
            self.decisions.add("unmarked type")
        for concept in concepts:
            if concept not in chosen:
                name = name_of(concept, self.language) or address(concept)
                self.passed_over.append(("classifications that are no types of work", name))
        return self.terms("type", chosen)

    def materials(self) -> tuple[str, ...]:
        """What the object is made of; where no term says so, the material statement as one label."""
        terms = self.terms("material", list(nodes(self.node, "made_of")))
        if terms:
            return terms
        statements = [
            entry for entry in nodes(self.node, "referred_to_by") if MATERIAL_STATEMENT in classes(entry)
        ]
        texts = texts_in_language(statements, self.language)
        if texts:
            self.decisions.add("statement")
        return tuple(dict.fromkeys(texts))

    def techniques(self) -> tuple[str, ...]:
        """The techniques of the production and of its parts."""
        return self.terms(
            "technique",
            [concept for part in productions(self.node) for concept in nodes(part, "technique")],
        )

    def makers(self, *, attributed: bool) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
        """The artists, and the attributions; the assignments of software, which are neither, are counted."""
        known = []
        if suggested := software_assignments(self.node):
            self.passed_over += [("suggestions of software (AAT 300456841)", self.number()[0])] * suggested
        for maker in makers(self.node, self.language):
            if maker.name:
                known.append(maker)
                self._keep("artist", maker.name, maker.addresses)
            else:
                self._nameless("artist", *maker.addresses)
        return artists(known, attributed=attributed), attributions(known)

    def date(self) -> str | None:
        """When it was made, in words; else the limits of the time span."""
        return next(filter(None, map(self._words_of, self._time_spans())), None) or self.year()

    def year(self) -> str | None:
        """The years between which it was made, such as `1882-1883` or `500 BC-450 BC`; else the date in words.

        One limit alone is no year: there the words count, else `after 1831` or `before 1908`.
        """
        for span in self._time_spans():
            first = _year(span.get("begin_of_the_begin", span.get("end_of_the_begin")))
            last = _year(span.get("end_of_the_end", span.get("begin_of_the_end")))
            if first and last:
                return first if first == last else f"{first}-{last}"
            if words := self._words_of(span):
                return words
            if first or last:
                return f"after {first}" if first else f"before {last}"
        return None

    def _words_of(self, span: Node) -> str:
        words = name_of(span, self.language)
        return "" if words == "None" else words  # Python's, in real files

    def _time_spans(self) -> Iterator[Node]:
        for part in productions(self.node):
            yield from nodes(part, "timespan")

    def institution(self) -> str | None:
        """The museum that owns or keeps the object; else who owns it, else who keeps it."""
        holders = [
            *nodes(self.node, "current_owner", "current_keeper", "current_custodian"),
            *nodes(self.node, "current_permanent_custodian"),
            *(group for group in nodes(self.node, "member_of") if MUSEUM in classes(group)),
        ]
        holders.sort(key=lambda holder: MUSEUM not in classes(holder))
        return next((name for holder in holders if (name := name_of(holder, self.language))), None)

    def number(self) -> tuple[str, bool]:
        """The object number, and whether it is a number of the museum's and not the last part of the address."""
        by_class: dict[str, list[str]] = {}
        for entry in nodes(self.node, "identified_by"):
            if kind(entry) in ("Identifier", ""):
                for value in several(entry.get("content", entry.get("value"))):
                    if text := str(value).strip():
                        for concept in classes(entry):
                            by_class.setdefault(concept, []).append(text)
        for concept in _NUMBERS:
            if texts := by_class.get(concept):
                if len(set(texts)) > 1:
                    self.decisions.add("several numbers")
                return texts[0], True
        last = address(self.node).rstrip("/#").rpartition("/")[2]
        return re.sub(r"\.json(?:ld)?\Z", "", last), False

    def title(self) -> str | None:
        """The preferred name."""
        return name_of(self.node, self.language) or None

    def pictures(self) -> list[list[str]]:
        """The addresses of each picture of the object: its files, then its services, else its own."""
        digital = [
            thing
            for work in nodes(self.node, "representation", "shows")
            for thing in (work, *nodes(work, "digitally_shown_by"))
            if thing is not work or _is_file(work)
        ]
        digital += nodes(self.node, "digitally_shown_by")
        several_pictures = {}
        for thing in filter(_is_picture, digital):
            points = [*nodes(thing, "access_point"), *_services(thing)] or [thing]
            if known := tuple(dict.fromkeys(filter(None, map(address, points)))):
                several_pictures[known] = list(known)
        return list(several_pictures.values())

    def _keep(self, column: str, name: str, kept: tuple[str, ...]) -> None:
        if kept:
            labels = self.identifiers.setdefault(column, {})
            labels[name] = tuple(dict.fromkeys((*labels.get(name, ()), *kept)))

    def _nameless(self, column: str, what: str) -> None:
        self.passed_over.append(
            (f"values of {column} that have an address and no name", what or "no address")
        )


def _is_type_of(mark: Node) -> bool:
    """Whether a classification of a classification is one such as `type of object`."""
    return name_of(mark, "en").casefold().startswith("type of")


def _is_file(work: Node) -> bool:
    """Whether a picture is itself given as a file, which is not the model's way and common."""
    return (
        kind(work) == "DigitalObject" or "format" in work or Path(address(work)).suffix.lower() in _PICTURES
    )


def _is_picture(thing: Node) -> bool:
    """Whether a digital object may be a picture: it says so, or does not say what it is."""
    formats = [text for text in several(thing.get("format")) if isinstance(text, str)]
    return not formats or any(text.startswith("image/") for text in formats)


def _services(thing: Node) -> Iterator[Node]:
    for service in nodes(thing, "digitally_available_via"):
        yield from nodes(service, "access_point")
        if not any(nodes(service, "access_point")):
            yield service


def _year(value: Any) -> str:
    match = _YEAR.match(str(value).strip()) if isinstance(value, (str, int)) else None
    if match is None:
        return ""
    year = int(match[1])
    # As in XML Schema 1.0 and in the records of museums, -0823 is 823 BC; the year 0 of ISO 8601 is 1 BC.
    return str(year) if year > 0 else f"{-year or 1} BC"
