"""One LIDO record: its number, museum, dates and labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache

from lxml.etree import _Element as Element

from arttl.lido.actors import makers
from arttl.lido.findings import Findings
from arttl.lido.terms import (
    EVENT_KINDS,
    LONGEST_TEXT,
    MATERIAL,
    MATERIAL_KINDS,
    NEITHER,
    PRODUCTION,
    SURROUNDINGS,
    TECHNIQUE,
    UNSPECIFIED,
    Choice,
    Labelled,
    Meaning,
    attribute,
    labelled,
    meaning,
    path,
    preference,
)
from arttl.records.xml_records import (
    child_of,
    grandchildren,
    inherited_language,
    language_code,
    language_codes,
    words,
)

_INVENTORY = re.compile(r"invent|inv\.|object ?number|accession|lido00113|signatur|numero")
_FORMER = re.compile(
    r"former|previous|früher|ehem|\balte?[rnsm]?\b|\boude?\b|vorig|ancien|vecchi|preced|anterior|lido00476|lido01019"
)
_CURRENT = re.compile(r"current|lido00475|lido0101[78]|aktuell|derzeit|huidig|actuel|attual")
_OTHER_NUMBER = re.compile(r"isbn|issn|ean\b|barcode|lost art")
_LOCAL = re.compile(
    r"|\s*lo[ck]aa?le?\s*|.*[/:](?:lido00100|local_identifier)", re.IGNORECASE
)  # or no type at all
_ADDRESS = re.compile(r"https?:|www\.", re.IGNORECASE)
_YEAR = re.compile(r"(-?)0*(\d{1,4})(?:-\d{1,2}(?:-\d{1,2})?)?(?:T.*)?")
_DESCRIPTIVE, _ADMINISTRATIVE = path("descriptiveMetadata"), path("administrativeMetadata")
_EVENT, _EVENT_SET, _EVENT_TYPE, _EVENT_DATE = (
    path("event"),
    path("eventSet"),
    path("eventType"),
    path("eventDate"),
)
_WORK_TYPE, _CLASSIFICATION, _TITLE_SET = path("objectWorkType"), path("classification"), path("titleSet")
_REPOSITORY, _REPOSITORY_NAME, _WORK_ID = path("repositorySet"), path("repositoryName"), path("workID")
_RECORD_SOURCE, _BODY_NAME = path("recordSource"), (path("legalBodyName"), path("appellationValue"))
_DISPLAY_DATE, _TITLE = path("displayDate"), path("appellationValue")
_OBJECT_MATERIALS, _EVENT_MATERIALS = path("objectMaterialsTechSet"), path("eventMaterialsTech")
_MATERIALS, _MATERIAL_TERM, _MATERIAL_DISPLAY = (
    path("materialsTech"),
    path("termMaterialsTech"),
    path("displayMaterialsTech"),
)
_EXTENT = path("extentMaterialsTech")
_PARTS = (_EVENT, _WORK_TYPE, _CLASSIFICATION, _TITLE_SET, _REPOSITORY, _OBJECT_MATERIALS)


class LidoRecord:
    """One record; what several parts of it need is read once."""

    def __init__(self, element: Element, findings: Findings) -> None:
        """Take the parts of the record in one language.

        Args:
            element: `lido:lido`.
            findings: of all records.
        """
        self._findings = findings
        self._element = element
        language = findings.language
        self._blocks = _of_language(list(element.iterchildren(_DESCRIPTIVE)), language) or [element]
        administrative = _of_language(list(element.iterchildren(_ADMINISTRATIVE)), language)
        self._administrative = administrative or [element]
        own = language_code(inherited_language(self._blocks[0]))
        self._labels = Choice(language, own)
        self._names = Choice(language, own)  # those do not count as labels in another language
        self._parts: dict[str, list[Element]] = {tag: [] for tag in _PARTS}
        for block in self._blocks:
            for part in block.iter(*_PARTS):
                self._parts[part.tag].append(part)

    def count(self) -> None:
        """Count the record and the languages its labels were taken in, after these were."""
        findings = self._findings
        findings.records += 1
        findings.in_others += bool(self._labels.instead)
        for language in sorted(self._labels.instead):
            findings.other_languages.add(language)

    def object_number(self) -> str:
        """The inventory number that the object has now, else the record's own number; empty if there is none.

        Of the record's own, the museum's local one (`recordID`), then that of the exchange (`lidoRecID`), then those of
        other systems. A web address only where there is nothing else.
        """
        address = ""
        for number in filter(None, map(words, self._numbers())):
            if not _ADDRESS.match(number):
                return number
            address = address or number
        return address

    def _numbers(self) -> Iterator[Element]:
        works = []
        for rank, holder in self._repositories:
            for number in holder.iterchildren(_WORK_ID):
                rank_of_number = _rank_of_number(attribute(number, "type")[:LONGEST_TEXT])
                if rank_of_number is not None:
                    works.append((rank, rank_of_number, number))
        yield from (number for *_, number in sorted(works, key=lambda work: work[:2]))
        own = [number for part in self._administrative for number in part.iter(path("recordID"))]
        own.sort(key=preference)
        yield from (number for number in own if _LOCAL.fullmatch(attribute(number, "type")[:LONGEST_TEXT]))
        yield from sorted(self._element.iterchildren(path("lidoRecID")), key=preference)
        yield from own

    def institution(self) -> str | None:
        """The museum that holds the object now, else the one that the record comes from."""
        for _, holder in sorted(self._repositories, key=lambda ranked: ranked[0]):
            if name := self._body(child_of(holder, _REPOSITORY_NAME)):
                return name
        return self.source()

    def source(self) -> str | None:
        """Where the record comes from; a provider of others' records only if no other is named."""
        return self._source

    def title(self) -> str | None:
        """The preferred title."""
        titles = [title for part in self._parts[_TITLE_SET] for title in part.iterchildren(_TITLE)]
        return self._names.text(titles) or None

    def date(self) -> str | None:
        """When the object was made, as text."""
        return next((text for event in self.productions if (text := self._event_date(event))), None)

    def year(self) -> str | None:
        """When it was made in years: `1654` or `1650-1660`; the text of the date where there are none."""
        for event in self.productions:
            date = child_of(event, _EVENT_DATE)
            if date is not None and (years := _years(date)):
                return years
        return self.date()

    def attributions(self) -> list[tuple[str, str]]:
        """Makers who are not named as such, each with its qualifier."""
        return self._makers[1]

    def artists(self) -> list[Labelled]:
        """The makers."""
        return self._makers[0]

    def types(self) -> list[Labelled]:
        """The object types."""
        return self._labelled(self._parts[_WORK_TYPE])

    def classifications(self) -> list[Labelled]:
        """The classes but for `europeana:type`, which says that there is an image."""
        concepts = self._parts[_CLASSIFICATION]
        return self._labelled(
            [concept for concept in concepts if attribute(concept, "type").casefold() != "europeana:type"]
        )

    def materials(self, kind: str) -> list[Labelled]:
        """Materials, or techniques.

        Args:
            kind: `MATERIAL` or `TECHNIQUE`.
        """
        if self._materials[MATERIAL] or self._materials[TECHNIQUE]:
            return labelled(self._materials[kind], self._labels)
        return [Labelled(words(text)) for text in self._labels.in_language(self._displays[kind])]

    @cached_property
    def _source(self) -> str | None:
        sources = [source for block in self._administrative for source in block.iter(_RECORD_SOURCE)]
        named = [(source, name) for source in sources if (name := self._body(source))]
        return min(named, key=lambda each: _provider(each[0]))[1] if named else None

    @cached_property
    def productions(self) -> list[Element]:
        """The events in which the object was made; they are counted when this is first read."""
        production = [event for event, _, kind in self._events if kind == PRODUCTION]
        # One event that is not known to be something else is said to be taken.
        alone = []
        if len(self._events) == 1 and self._events[0][2] in (None, UNSPECIFIED):
            alone = [self._events[0][0]]
        findings = self._findings
        for _, said, kind in self._events:
            counts = findings.production if kind == PRODUCTION else findings.alone if alone else findings.left
            name = said.term or next(iter(said.texts), "")
            counts.add(repr(name) if name else "")
        return production or alone

    @cached_property
    def _events(self) -> list[tuple[Element, Meaning, str | None]]:
        """The events of the object, each with what its type says and its kind."""
        events = []
        for event in self._parts[_EVENT]:
            around = event.getparent()
            if around is not None and around.tag == _EVENT_SET:  # else one that is depicted or related
                said = meaning(child_of(event, _EVENT_TYPE), self._names)
                events.append((event, said, EVENT_KINDS.of_first(said.texts)))
        return events

    @cached_property
    def _makers(self) -> tuple[list[Labelled], list[tuple[str, str]]]:
        return makers(
            self.productions, self._names, self._findings.roles, attributed=self._findings.attributed
        )

    @cached_property
    def _material_parts(self) -> list[Element]:
        """Of productions, of events of no kind, which some exports have for materials alone, and of the object."""
        events = [event for event, _, kind in self._events if kind in (PRODUCTION, UNSPECIFIED)]
        events = events or self.productions
        parts = [part for event in events for part in event.iterchildren(_EVENT_MATERIALS)]
        return [*parts, *self._parts[_OBJECT_MATERIALS]]

    @cached_property
    def _materials(self) -> dict[str, list[Meaning]]:
        terms = [
            (term, extent)
            for part in self._material_parts
            for materials in part.iterchildren(_MATERIALS)
            for extent in [self._extent_of(materials)]
            for term in materials.iterchildren(_MATERIAL_TERM)
        ]
        kept: dict[str, list[Meaning]] = {MATERIAL: [], TECHNIQUE: [], NEITHER: []}
        unknown: list[Meaning] = []
        for term, extent in terms:
            concept = meaning(term, self._names)
            if concept.label is None:
                continue
            if extent:
                is_frame = SURROUNDINGS.of(extent) is not None
                (self._findings.frames if is_frame else self._findings.parts).add(repr(extent))
                if is_frame:
                    continue
            type_ = attribute(term, "type")
            kind = MATERIAL_KINDS.of(type_) if type_ else MATERIAL
            self._findings.untyped += not type_
            if kind is None:
                unknown.append(concept)
                self._findings.materials.add(repr(type_))
            else:
                kept[kind].append(concept)
        if not kept[MATERIAL]:
            kept[MATERIAL] = unknown
            self._findings.materials_taken += len(unknown)
        return kept

    def _extent_of(self, materials: Element) -> str:
        """The part of the object that is of these materials, where it is said."""
        return meaning(next(materials.iterchildren(_EXTENT), None), self._names).term

    @cached_property
    def _displays(self) -> dict[str, list[Element]]:
        """Texts for display, where a record has no terms; some files have materials and techniques apart."""
        kept: dict[str, list[Element]] = {MATERIAL: [], TECHNIQUE: [], NEITHER: []}
        displays = [text for part in self._material_parts for text in part.iterchildren(_MATERIAL_DISPLAY)]
        for text in displays:
            if words(text):
                kept[MATERIAL_KINDS.of(attribute(text, "label")) or MATERIAL].append(text)
        self._findings.displayed += bool(kept[MATERIAL] or kept[TECHNIQUE])
        return kept

    def _labelled(self, concepts: list[Element]) -> list[Labelled]:
        return labelled([meaning(concept, self._labels) for concept in concepts], self._labels)

    def _event_date(self, event: Element) -> str:
        date = child_of(event, _EVENT_DATE)
        if date is None:
            return ""
        displayed = self._names.text(list(date.iterchildren(_DISPLAY_DATE)))
        return displayed if displayed.strip("0") else _span(*_dates(date))

    @cached_property
    def _repositories(self) -> list[tuple[int, Element]]:
        """Those that hold the object now, or are not said not to, each with 0 if it is said that they do."""
        ranked = (
            (_rank_of_repository(attribute(holder, "type")[:LONGEST_TEXT]), holder)
            for holder in self._parts[_REPOSITORY]
        )
        return [(rank, holder) for rank, holder in ranked if rank is not None]

    def _body(self, body: Element | None) -> str | None:
        return None if body is None else self._names.text(grandchildren(body, *_BODY_NAME)) or None


@lru_cache(maxsize=1024)
def _rank_of_repository(kind: str) -> int | None:
    """0 for one that holds the object now, 1 for one that may; None for a former one."""
    kind = kind.casefold()
    return None if _FORMER.search(kind) else 0 if _CURRENT.search(kind) else 1


@lru_cache(maxsize=1024)
def _rank_of_number(kind: str) -> int | None:
    """0 for an inventory number, 1 for one that may be; None for a former one and for ISBN and the like."""
    kind = kind.casefold()
    if _FORMER.search(kind) or _OTHER_NUMBER.search(kind):
        return None
    return 0 if _INVENTORY.search(kind) else 1


def _of_language(parts: list[Element], language: str) -> list[Element]:
    """The parts of a record in a language, else those in the language of the first."""
    if len(parts) < 2:
        return parts
    languages = language_codes(parts)
    chosen = language if language in languages else languages[0]
    return [part for part, own in zip(parts, languages, strict=True) if own == chosen]


def _provider(source: Element) -> int:
    kind = attribute(source, "type").casefold()
    if not kind:
        return 0
    return (
        1 if "dataprovider" in kind.replace(" ", "").replace("_", "") else 2 if "provider" not in kind else 3
    )


def _dates(date: Element) -> tuple[str, str]:
    """The earliest and the latest date; empty for none, for which 0 and 9999 stand too."""
    earliest, latest = date.find(path("date", "earliestDate")), date.find(path("date", "latestDate"))
    return _known(words(earliest)), _known(words(latest))


def _known(date: str) -> str:
    return "" if not date.strip("0-") or date.strip("-").startswith("9999") else date


def _span(first: str, last: str) -> str:
    ends = list(dict.fromkeys(filter(None, (first, last))))
    return ("/" if any("-" in end for end in ends) else "-").join(ends)


def _years(date: Element) -> str | None:
    """The years between which an event was, from its date; those before Christ as `300-200 BC`."""
    matches = [_YEAR.fullmatch(text) for text in _dates(date) if text]
    if not matches or not all(matches):
        return None
    years = [(-1 if match[1] else 1) * int(match[2]) for match in matches if match]
    if years[0] < 0 < years[-1]:
        return None
    return _span(str(abs(years[0])), str(abs(years[-1]))) + (" BC" if years[0] < 0 else "")


def _as_label(text: str | None) -> list[Labelled]:
    return [Labelled(text)] if text else []


FIELDS: dict[str, Callable[[LidoRecord], list[Labelled]]] = {
    "material": lambda record: record.materials(MATERIAL),
    "technique": lambda record: record.materials(TECHNIQUE),
    "type": LidoRecord.types,
    "classification": LidoRecord.classifications,
    "artist": LidoRecord.artists,
    "date": lambda record: _as_label(record.date()),
    "year": lambda record: _as_label(record.year()),
}
