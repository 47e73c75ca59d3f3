"""Records of XML files of any size, read one at a time by a parser that is safe for hostile files.

lxml expands no entity, loads no document type and opens no address (`resolve_entities`, `load_dtd`, `no_network`),
and limits the length of every name and text (`huge_tree`). A document type declaration is refused all the same:
metadata need none, and entity bombs and external entities both start there (OWASP, XML External Entity Prevention).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from pathlib import Path

from lxml import etree
from lxml.etree import _Element as Element

from arttl.errors import ArttlError, one_line
from arttl.records.kinds import contents, kind_of
from arttl.records.reading import readable
from arttl.records.xml_documents import split_documents

_CHUNK = 64 * 1024
_MOST_CHARACTERS = 8 * 2**20  # of a record, text and markup; real ones have some thousands
_DEEPEST = 200
_TOO_DEEP = etree.XPath("/".join(["*"] * _DEEPEST))  # of a record, which is level 1
_USUAL_DEPTH = 20
_DEEP = etree.XPath("/".join(["*"] * _USUAL_DEPTH))  # in a small part of the time
_PIECE = 512  # bytes in which the first element is looked for
_MOST_BEFORE = 16  # chunks before it
_LONGEST_LANGUAGE = 35  # characters, which BCP 47 (4.4.1) asks to leave room for
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# Codes of three letters (ISO 639-2, either kind) that files have in place of those of two, which BCP 47 asks for.
_SHORT_FOR_LONG = """eng=en deu=de ger=de nld=nl dut=nl fra=fr fre=fr ita=it spa=es por=pt cat=ca swe=sv dan=da nor=no
    nob=no fin=fi est=et lav=lv lit=lt pol=pl ces=cs cze=cs slk=sk slo=sk hun=hu ron=ro rum=ro bul=bg rus=ru ukr=uk
    ell=el gre=el slv=sl hrv=hr gle=ga tur=tr heb=he zho=zh chi=zh jpn=ja"""
_SHORT_CODES = dict(pair.split("=") for pair in _SHORT_FOR_LONG.split())


class BadXml(ArttlError):
    """A file that is not well-formed XML, or is of a kind that is refused."""


def read_records(path: Path, names: Collection[str]) -> Iterator[Element]:
    """The elements of the given names, each as soon as it has ended, and then forgotten.

    It is part of the file's tree while it is read: it must not be changed or moved before the last has been read.

    The language of the elements around a record is put on the record itself (`xml:lang`), unless it has its own.

    Args:
        path: the file, of one XML document or several.
        names: of elements, as `{namespace}name`. Of elements within each other the outermost is given.

    Raises:
        ArttlError: naming file and line, if the file cannot be read, is not well-formed, declares a document type,
            or has a record of more than 8 MiB or 200 levels.
    """
    where: Path | str = path
    parser: etree.XMLPullParser | None = None
    is_first = True

    def new_parser(tags: Collection[str]) -> etree.XMLPullParser:
        nonlocal parser
        parser = _parser(tags)
        return parser

    try:
        with readable(path, "--metadata"), path.open("rb") as file:
            documents = split_documents(iter(lambda: file.read(_CHUNK), b""))
            for number, document in enumerate(documents, start=1):
                if number > 1:
                    where = f"XML document {number} of {path}"
                for record in _records(where, document, names, new_parser):
                    is_first = False
                    yield record
    except (BadXml, etree.XMLSyntaxError) as error:
        if is_first and not kind_of(path).is_xml:
            raise BadXml(f"{path} is not XML but {contents(path)}") from error
        if isinstance(error, BadXml):
            raise
        _raise_named(where, parser, error)


def _raise_named(where: Path | str, parser: etree.XMLPullParser | None, error: etree.XMLSyntaxError) -> None:
    """Raise the error with file and line, unless it is about the name of a namespace alone."""
    entries = list(parser.feed_error_log.filter_from_errors()) if parser is not None else []
    for entry in entries:
        if entry.type != etree.ErrorTypes.WAR_NS_URI:  # a namespace need not be an address to be a name
            message = one_line(entry.message)
            raise BadXml(f"line {entry.line} of {where} is not well-formed XML: {message}") from error
    if not entries:
        raise BadXml(f"{where} is not well-formed XML: {one_line(error.msg)}") from error


def _parser(tags: Collection[str] | None = None) -> etree.XMLPullParser:
    """A parser that reports where elements of the given names start and end, or where all start."""
    return etree.XMLPullParser(
        ("start",) if tags is None else ("start", "end"),
        tag=None if tags is None else tuple(tags),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        collect_ids=False,  # real files have an xml:id that is not a name
        remove_comments=True,
        remove_pis=True,
    )


def _name_of_root(path: Path | str, chunks: Iterator[bytes], read: list[bytes]) -> str | None:
    """The name of the outermost element; None if the text is damaged before it, or ends.

    Args:
        path: for messages.
        chunks: of a document.
        read: the chunks that were read are added here.

    Raises:
        BadXml: if a document type is declared, or no element is near the beginning.
    """
    parser = _parser()
    for chunk in chunks:
        read.append(chunk)
        for start in range(0, len(chunk), _PIECE):
            is_damaged = False
            try:
                parser.feed(chunk[start : start + _PIECE])
            except etree.XMLSyntaxError:
                is_damaged = True  # reported when the records are read
            for _, element in parser.read_events():
                if element.getroottree().docinfo.internalDTD is not None:
                    above = chunk.replace(b"\0", b"").partition(b"<!DOCTYPE")[0]  # UTF-16 has zeros between
                    raise _refused(
                        path,
                        above.count(b"\n") + 1,
                        "a document type or entity is declared, which metadata need not; delete the declaration",
                    )
                return str(element.tag)
            if is_damaged:
                return None
        if len(read) > _MOST_BEFORE:
            raise BadXml(f"{path} has no element in its first MiB")
    return None


def _records(
    path: Path | str,
    chunks: Iterator[bytes],
    names: Collection[str],
    new_parser: Callable[[Collection[str]], etree.XMLPullParser],
) -> Iterator[Element]:
    read: list[bytes] = []
    name_of_root = _name_of_root(path, chunks, read)
    # Few elements are reported, since each costs far more than parsing it; that of the root gives hold of the others.
    parser = new_parser({*names, *filter(None, (name_of_root,))})
    root: Element | None = None
    record: Element | None = None
    record_bytes = 0
    around: Element | None = None  # what the last record was in, and its language
    language = ""
    for chunk in chain(read, chunks):
        damage: etree.XMLSyntaxError | None = None
        try:
            parser.feed(chunk)
        except etree.XMLSyntaxError as error:
            damage = error  # raised after the records before it
        record_bytes += len(chunk)
        # One look at all that was parsed, since one at each record takes as long as the rest of this loop.
        is_deep = root is None or bool(_DEEP(root))
        for event, element in parser.read_events():
            if event == "start":
                if root is None:
                    root = element.getroottree().getroot()
                if record is None and element.tag in names:
                    record, record_bytes = element, len(chunk)
            elif record is not None and element is record:
                if is_deep and _DEEP(record) and (deep := next(iter(_TOO_DEEP(record)), None)) is not None:
                    raise _too_deep(path, deep)
                if record.getparent() is not around:  # that of the record before it
                    around = record.getparent()
                    language = "" if around is None else inherited_language(around)
                if language and record.get(XML_LANG) is None:
                    record.set(XML_LANG, language)
                yield record  # not a copy, which takes longer than parsing
                record = None
        # Only now, when no event refers to a part of them.
        if root is not None:
            _forget(root, record)
        if record is not None:
            _check_depth(path, record)
        if damage is not None:
            raise damage
        if record is not None and record_bytes > _MOST_CHARACTERS:
            name = etree.QName(record).localname
            reason = f"a record has more than 8 MiB; write one element {name!r} per object"
            raise _refused(path, record.sourceline, reason)
    parser.close()


def _forget(root: Element, record: Element | None) -> None:
    """Delete all that has ended before the end of what was parsed, but for a record that has not.

    The last child of each element stays: the parser is in it, or will append to the text behind it.
    """
    element = root
    while element is not record and len(element):
        if len(element) > 1:
            del element[:-1]
        element = element[-1]


def _check_depth(path: Path | str, record: Element) -> None:
    """Refuse a record that has not ended, if the parser is too deep in it."""
    element, depth = record, 1
    while len(element):
        element, depth = element[-1], depth + 1
        if depth > _DEEPEST:
            raise _too_deep(path, element)


def _too_deep(path: Path | str, element: Element) -> BadXml:
    return _refused(path, element.sourceline, f"elements are nested more than {_DEEPEST} deep")


def _refused(path: Path | str, line: int | None, reason: str) -> BadXml:
    return BadXml(f"line {line} of {path}: {reason}")


def child_of(element: Element, tag: str) -> Element | None:
    """The first child of a name; `find` does the same in several times the time."""
    return next(element.iterchildren(tag), None)


def grandchildren(element: Element, tag: str, inner: str) -> list[Element]:
    """The children of a name of the children of a name."""
    return [each for child in element.iterchildren(tag) for each in child.iterchildren(inner)]


def words(element: Element | None) -> str:
    """All text of an element, with single blanks; empty for None."""
    if element is None:
        return ""
    text = "".join(element.itertext()) if len(element) else element.text
    return " ".join(text.split()) if text else ""


def inherited_language(element: Element) -> str:
    """The language of an element, its own `xml:lang` or that of the closest element around it (XML 1.0, 2.12)."""
    around: Element | None = element
    while around is not None:
        if (language := around.get(XML_LANG)) is not None:
            return str(language)
        around = around.getparent()
    return ""


def language_code(tag: str) -> str:
    """`en` for `en`, `EN-gb` and `eng`; empty for none."""
    return _language_code(tag[:_LONGEST_LANGUAGE])


@lru_cache(maxsize=1024)
def _language_code(tag: str) -> str:
    code = tag.strip().replace("_", "-").partition("-")[0].casefold()
    return _SHORT_CODES.get(code, code)


def in_language(elements: list[Element], language: str | None) -> list[Element]:
    """Those of one language (`xml:lang`, inherited; regions do not matter), where there are any; else all.

    Without a given language it is that of the first element.
    """
    if not elements:
        return elements
    languages = language_codes(elements)
    chosen = language_code(language) if language else languages[0]
    if languages.count(chosen) in (0, len(languages)):
        return elements
    return [element for element, own in zip(elements, languages, strict=True) if own == chosen]


def language_codes(elements: Iterable[Element]) -> list[str]:
    """The code of the language of each element, its own or inherited."""
    codes = []
    around: Element | None = None  # the one before, and its language; most have the same element around them
    of_around = ""
    for element in elements:
        own = element.get(XML_LANG)
        if own is None:
            parent = element.getparent()
            if parent is not None and parent is not around:
                around, of_around = parent, language_code(inherited_language(parent))
            codes.append("" if parent is None else of_around)
        else:
            codes.append(language_code(own))
    return codes
