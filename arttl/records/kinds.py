"""What a metadata file holds, in words, for a message where nothing could be read from it.

Only the first 4 MiB of a file are looked at, and only the first 10 files of a folder.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from lxml import etree
from lxml.etree import _Element as Element

from arttl.errors import counted
from arttl.records.json_values import json_value

_MOST_BYTES = 4 * 2**20
_MOST_FILES = 10
_MOST_SHOWN = 3
_LONGEST_NAME = 80

_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_EDM = "{http://www.europeana.eu/schemas/edm/}"
_DC = ("{http://purl.org/dc/elements/1.1/}", "{http://purl.org/dc/terms/}")
_OAI_DC = "{http://www.openarchives.org/OAI/2.0/oai_dc/}dc"
_LIDO = "{http://www.lido-schema.org}lido"
# Namespaces of formats that are not read, by a part of their name.
_OTHER_FORMATS = {
    "loc.gov/MARC21": "MARCXML",
    "loc.gov/mods": "MODS",
    "loc.gov/METS": "METS",
    "isbn:1-931666-22-9": "EAD",
    "archivists.org/ead": "EAD",
    "tei-c.org": "TEI",
    "w3.org/1999/xhtml": "HTML",
    "cidoc-crm": "CIDOC CRM",
    "schemas/ese": "ESE",
    "spectrum": "Spectrum",
    "spreadsheetml": "a workbook",
}
_MAGIC: dict[bytes, tuple[str, str | None]] = {
    b"PAR1": ("a Parquet table", "table"),
    b"PK\x03\x04": ("a ZIP archive or a workbook; unpack it, or save its sheet as CSV UTF-8", None),
    b"\x1f\x8b": ("a gzip archive; unpack it", None),
    b"BZh": ("a bzip2 archive; unpack it", None),
    b"\xfd7zXZ": ("an xz archive; unpack it", None),
    b"7z\xbc\xaf": ("a 7z archive; unpack it", None),
    b"\xd0\xcf\x11\xe0": ("an old workbook or document of Office; save it as CSV UTF-8", None),
    b"SQLite format 3": ("an SQLite database; export its table as CSV", None),
    b"%PDF": ("a PDF document", None),
    b"\xff\xd8\xff": ("a picture (JPEG)", None),
    b"\x89PNG": ("a picture (PNG)", None),
    b"II*\0": ("a picture (TIFF)", None),
    b"MM\0*": ("a picture (TIFF)", None),
}
_MARC = re.compile(rb"\d{5}[acdnp][a-z]")
_TURTLE = re.compile(rb"\s*(@prefix|@base|PREFIX)\s|<https?://[^>\s]+>\s+<[^>\s]+>\s+[<\"_]")
_HTML = re.compile(rb"<(!doctype\s+)?html\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file holds.

    Attributes:
        text: in words, such as `11 EDM records`.
        source: the value of `--source` that reads it; None: there is none.
        is_xml: whether it is XML, well-formed or not, and no page of a web site.
    """

    text: str
    source: str | None = None
    is_xml: bool = False


_JSON_LINES = Kind("JSON lines; their file must be named *.jsonl", "table")
_HTML_PAGE = Kind("an HTML page, not metadata")


@dataclass
class XmlSurvey:
    """What was seen in the beginning of an XML file.

    Attributes:
        root: name of the first element, as `{namespace}name`; empty where there is none.
        counts: of elements, by name.
        dublin_core_in: name of the element that the first Dublin Core element is in; empty where there is none.
        payloads: names of the elements in `metadata` of OAI-PMH records, counted.
        deleted: deleted OAI-PMH records.
        error: code and text of an OAI-PMH error.
        is_whole: whether the file was looked at to its end.
    """

    root: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    dublin_core_in: str = ""
    payloads: Counter[str] = field(default_factory=Counter)
    deleted: int = 0
    error: str = ""
    is_whole: bool = True

    @property
    def dublin_core_records(self) -> str:
        """Name of the elements that are Dublin Core records; empty where there are none, or they are EDM or LIDO."""
        others = (_EDM, "{http://www.openarchives.org/ore/terms/}", _LIDO)
        return "" if any(tag.startswith(others) for tag in self.counts) else self.dublin_core_in


def nothing_read(path: Path | None, source: str) -> str:
    """The sentence for metadata out of which no artwork came.

    Args:
        path: of `--metadata`; None: the source needs none.
        source: the one that was used.
    """
    if path is None:
        return f"--source {source} read no artwork"
    return f"--source {source} read no artwork from {path}: {contents(path, source)}"


def contents(path: Path, source: str = "") -> str:
    """What a file or folder holds, and the source that reads it, if it is another than the one that was used.

    Args:
        path: of `--metadata`.
        source: the one that was used.
    """
    if not path.is_dir():
        kind = kind_of(path)
        return kind.text + _advice({kind.source}, source)
    files = [file for file in islice(sorted(path.rglob("*")), _MOST_FILES * 20) if file.is_file()]
    kinds = [kind_of(file) for file in files[:_MOST_FILES]]
    if not kinds:
        return "no file at all"
    shown = [f"{file.name}: {kind.text}" for file, kind in zip(files[:_MOST_SHOWN], kinds, strict=False)]
    more = "; ..." if len(files) > _MOST_SHOWN else ""
    return "; ".join(shown) + more + _advice({kind.source for kind in kinds}, source)


def _advice(sources: set[str | None], source: str) -> str:
    others = sorted(filter(None, sources - {source, None}))
    return f"; use --source {' or '.join(others)}" if others else ""


def kind_of(path: Path) -> Kind:
    """What a file holds, by its first 4 MiB; a file that cannot be read is said to be one."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
            is_whole = not file.read(1)
    except OSError as error:
        return Kind(f"a file that cannot be read ({error.strerror})")
    if not data:
        return Kind("an empty file")
    for magic, (text, source) in _MAGIC.items():
        if data.startswith(magic):
            return Kind(text, source)
    start = data[:1024].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if not start:
        return Kind("an empty file, of blanks alone" if not data.strip(b"\0 \t\r\n") else "a binary file")
    if _HTML.match(start) or (start.startswith(b"<!--") and b"<html" in start.lower()):
        return _HTML_PAGE
    if start.startswith(b"<") and not _TURTLE.match(start):
        kind = _kind_of_xml(survey_xml(path))
        return replace(kind, is_xml=kind != _HTML_PAGE)
    if _MARC.match(start):
        return Kind("MARC 21 records (ISO 2709), which are not read")
    if _TURTLE.match(start):
        return Kind("RDF in Turtle or N-Triples, which is not read; convert it to RDF/XML")
    decoded = _decoded(data)
    if decoded is None:
        return Kind("a binary file")
    if start.startswith((b"{", b"[")):
        kind = _kind_of_json(decoded, is_whole)
        if kind == _JSON_LINES and path.suffix.lower() in (".jsonl", ".ndjson", ".jsonlines"):
            return replace(kind, text="JSON lines")
        return kind
    return _kind_of_text(decoded)


def _decoded(data: bytes) -> str | None:
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            if error.start < len(data) - 4:  # not only a letter cut by the limit
                continue
            text = data[: error.start].decode(encoding)
        return None if "\0" in text else text
    return None


def survey_xml(path: Path) -> XmlSurvey:
    """Count the elements in the first 4 MiB of an XML file, to the first fault."""
    survey = XmlSurvey()
    parser = etree.XMLPullParser(
        ("start", "end"), resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False
    )
    passed = 0
    with path.open("rb") as file:
        while chunk := file.read(64 * 1024):
            passed += len(chunk)
            if passed > _MOST_BYTES:
                survey.is_whole = False
                break
            try:
                parser.feed(chunk)
                damaged = False
            except etree.XMLSyntaxError:
                damaged = True
            for event, element in parser.read_events():
                if isinstance(element.tag, str):
                    _survey_element(survey, event, element)
            if damaged:
                survey.is_whole = False
                break
    return survey


def _survey_element(survey: XmlSurvey, event: str, element: Element) -> None:
    tag: str = element.tag
    parent = element.getparent()
    if event == "start":
        survey.root = survey.root or tag
        survey.counts[tag] += 1
        if tag.startswith(_DC) and parent is not None and not survey.dublin_core_in:
            survey.dublin_core_in = parent.tag
        if parent is not None and parent.tag == _OAI + "metadata":
            survey.payloads[tag] += 1
        if tag == _OAI + "header" and element.get("status", "").strip().casefold() == "deleted":
            survey.deleted += 1
        return
    if tag == _OAI + "error":
        text = " ".join("".join(element.itertext()).split())
        survey.error = _short(f"{element.get('code', '')}{': ' if text else ''}{text}")
    if parent is not None and parent.getparent() is not None and len(element):
        element.clear()  # what is within it has been counted


def _kind_of_xml(survey: XmlSurvey) -> Kind:
    counts, least = survey.counts, "" if survey.is_whole else "at least "
    if not survey.root:
        return Kind("XML that is not well-formed")
    if survey.root.rpartition("}")[2].casefold() == "html":
        return _HTML_PAGE
    if survey.error and not counts[_OAI + "record"]:
        return Kind(f"an OAI-PMH error, {survey.error}")
    dublin_core = counts[_OAI_DC]
    if not dublin_core and survey.dublin_core_records:
        dublin_core = counts[survey.dublin_core_records]
    for count, name, source in (
        (counts[_EDM + "ProvidedCHO"], "EDM", "edm"),
        (counts[_LIDO], "LIDO", "lido"),
        (dublin_core, "Dublin Core", "dublin-core"),
    ):
        if count:
            return Kind(f"{least}{counted(count, f'{name} record')}", source)
    if any(tag.startswith(_EDM) for tag in counts):
        return Kind("EDM without an object (edm:ProvidedCHO)")
    records = counts[_OAI + "record"]
    if records and survey.deleted == records:
        return Kind(f"{least}{counted(records, 'deleted OAI-PMH record')} and no other")
    if survey.payloads:
        ((tag, count),) = survey.payloads.most_common(1)
        of_format = f"of {_format_name(tag)}, which"
        return Kind(
            f"{least}{counted(count, f'OAI-PMH record {of_format} is', f'OAI-PMH records {of_format} are')} not read"
        )
    if survey.root.startswith(_OAI):
        return Kind("an OAI-PMH response without records with metadata")
    children = counts.total() - 1
    return Kind(
        f"XML of {_format_name(survey.root)} with {least}{counted(children, 'element')} in it, which is not read"
    )


def _format_name(tag: str) -> str:
    namespace, _, name = tag.lstrip("{").rpartition("}")
    if not namespace:
        return f"elements named {_short(name)!r}"
    for part, known in _OTHER_FORMATS.items():
        if part in namespace:
            return f"the format {known} ({_short(name)!r})"
    return f"elements named {_short(name)!r} ({_short(namespace)})"


def _kind_of_json(text: str, is_whole: bool) -> Kind:
    try:
        document = json_value(text)
    except ValueError:
        lines = [line for line in text.splitlines()[:2] if line.strip()]
        first = _parsed(lines[0]) if lines else None
        if isinstance(first, dict):
            known = _kind_of_object(first)
            return known if known.source not in (None, "table") else _JSON_LINES
        return Kind("JSON that is not well-formed" if is_whole else "JSON of more than 4 MiB")
    if isinstance(document, list):
        first = next((entry for entry in document if isinstance(entry, dict)), None)
        known = _kind_of_object(first) if first is not None else Kind("")
        if known.source not in (None, "table"):
            return Kind(f"{counted(len(document), 'time')} {known.text}", known.source)
        if first is not None:
            return Kind(
                f"a JSON array of {counted(len(document), 'object')}; write one per line, as *.jsonl", "table"
            )
        return Kind(
            f"a JSON array of {counted(len(document), 'entry that is no object', 'entries that are no objects')}"
        )
    return _kind_of_object(document) if isinstance(document, dict) else Kind("a JSON value that is no object")


def _parsed(line: str) -> Any:
    try:
        return json_value(line)
    except ValueError:
        return None


def _kind_of_object(document: dict[str, Any]) -> Kind:
    context = json.dumps(document.get("@context", ""))
    kind = document.get("type", document.get("@type", ""))
    if "iiif.io/api/presentation/" in context or str(kind).startswith("sc:"):
        version = context.partition("iiif.io/api/presentation/")[2][:1] or "2"
        name = str(kind).rpartition(":")[2].casefold() or "document"
        return Kind(f"a IIIF {_short(name)} (Presentation {version})", "iiif")
    if "iiif.io/api/image" in context or "iiif.io/api/image" in str(document.get("protocol", "")):
        return Kind("the description of a picture by a IIIF image service (info.json)", "iiif")
    if kind == "HumanMadeObject" or "linked.art" in context:
        return Kind(f"Linked Art ({_short(str(kind)) or 'no type'})", "linked-art")
    for key in ("artObjects", "artObject"):
        if key in document:
            entries = document[key]
            count = len(entries) if isinstance(entries, list) else 1
            return Kind(
                f"a response of the Rijksmuseum's API with {counted(count, 'object')}; write one per line, as *.jsonl",
                "table",
            )
    if {"objectNumber", "hasImage"} <= document.keys():
        return Kind("an object of the Rijksmuseum's API; write one per line, as *.jsonl", "table")
    if not document:
        return Kind("an empty JSON object")
    lists = [key for key, value in document.items() if isinstance(value, list) and value]
    if lists and isinstance(document[lists[0]][0], dict):
        return Kind(
            f"a JSON object whose {_short(lists[0])!r} has {counted(len(document[lists[0]]), 'object')}; write one"
            " per line, as *.jsonl",
            "table",
        )
    keys = ", ".join(_short(key) for key in list(document)[:5])
    return Kind(f"a JSON object with the keys {keys}; write it in one line, as *.jsonl", "table")


def _kind_of_text(text: str) -> Kind:
    head = next((line for line in text.splitlines() if line.strip()), "")
    for delimiter in ",;\t|":
        try:
            cells = next(csv.reader([head[:10_000]], delimiter=delimiter))
        except (csv.Error, StopIteration):
            continue
        if len(cells) > 1:
            shown = ", ".join(_short(cell.strip()) for cell in cells[:5])
            return Kind(f"a table with the columns {shown}{', ...' if len(cells) > 5 else ''}", "table")
    if re.match(r"https?://\S+\s*\Z", head):
        return Kind("a list of web addresses", "iiif")
    return Kind(f"text that begins with {_short(head)!r}")


def _short(text: str) -> str:
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 3] + "..."
