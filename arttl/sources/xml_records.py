"""Records of XML files of any size, read one at a time by a parser that a hostile file cannot turn against us.

A document type declaration is refused outright: metadata need none, and entity bombs and external entities both
start there (OWASP, XML External Entity Prevention). Sizes and depths are limited, since a parser sets no limit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element
from xml.parsers import expat

from arttl.errors import ArttlError

_CHUNK = 64 * 1024
_MOST_CHARACTERS = 8 * 2**20  # of a record, text and markup; real ones have some thousands
_DEEPEST = 200
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


class BadXml(ArttlError):
    """A file that is not well-formed XML, or is of a kind that is refused."""


def xml_files(path: Path) -> list[Path]:
    """The file itself, or a folder's `*.xml` at any depth, sorted.

    Raises:
        ArttlError: if there is none.
    """
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*.xml") if file.is_file())
    if not found:
        raise ArttlError(f"--metadata {path} holds no .xml file")
    return found


def read_records(path: Path, names: Collection[str]) -> Iterator[Element]:
    """The elements of the given names, each as soon as it has ended and then forgotten.

    Args:
        path: the file.
        names: of elements, as `{namespace}name`. Of elements within each other the outermost is given.

    Raises:
        ArttlError: naming file and line, if the file cannot be read, is not well-formed, declares a document type,
            or has a record of more than 8 MiB or 200 levels.
    """
    builder = _Builder(path, frozenset(names))
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                builder.parser.Parse(chunk, False)
                yield from builder.taken()
            builder.parser.Parse(b"", True)
            yield from builder.taken()
    except expat.ExpatError as error:
        raise BadXml(
            f"line {error.lineno} of {path} is not well-formed XML: {expat.ErrorString(error.code)}"
        ) from error
    except (ValueError, LookupError) as error:  # an encoding that Python does not know or cannot stream
        raise BadXml(f"{path} is not well-formed XML: {error}; save it as UTF-8") from error
    except FileNotFoundError as error:
        raise ArttlError(f"--metadata {path} does not exist") from error
    except OSError as error:
        raise ArttlError(f"--metadata {path} cannot be read: {error.strerror}") from error


class _Builder:
    """Builds an element tree for each wanted element, and nothing for the rest of the file."""

    def __init__(self, path: Path, names: frozenset[str]) -> None:
        self._path = path
        self._names = names
        self._open: list[Element] = []
        self._depth = 0
        self._finished: list[Element] = []
        self._starts_at = 0
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def taken(self) -> list[Element]:
        """The records that have ended since the last call."""
        if self._open and self.parser.CurrentByteIndex - self._starts_at > _MOST_CHARACTERS:
            self._complain("a record has more than 8 MiB")
        finished, self._finished = self._finished, []
        return finished

    def _refuse(self, *_: object) -> None:
        self._complain(
            "a document type or entity is declared, which metadata need not; delete the declaration"
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = _qualified(name)
        self._depth += 1
        if self._depth > _DEEPEST:
            self._complain(f"elements are nested more than {_DEEPEST} deep")
        if not self._open:
            if name not in self._names:
                return
            self._starts_at = self.parser.CurrentByteIndex
        element = Element(name, {_qualified(key): value for key, value in attributes.items()})
        if self._open:
            self._open[-1].append(element)
        self._open.append(element)

    def _end(self, _: str) -> None:
        self._depth -= 1
        if self._open:
            element = self._open.pop()
            if not self._open:
                self._finished.append(element)

    def _text(self, text: str) -> None:
        if not self._open:
            return
        parent = self._open[-1]
        if len(parent):
            parent[-1].tail = (parent[-1].tail or "") + text
        else:
            parent.text = (parent.text or "") + text

    def _complain(self, what: str) -> None:
        raise BadXml(f"line {self.parser.CurrentLineNumber} of {self._path}: {what}")


def _qualified(name: str) -> str:
    return "{" + name if "}" in name else name


def words(element: Element | None) -> str:
    """All text of an element, with single blanks; empty for None."""
    return "" if element is None else " ".join("".join(element.itertext()).split())


def in_language(elements: list[Element], language: str | None) -> list[Element]:
    """Those of one language (`xml:lang`, a region after `-` does not matter), where there are any; else all.

    Without a wanted language it is that of the first element.
    """
    languages = [element.get(XML_LANG, "").partition("-")[0].casefold() for element in elements]
    if not languages:
        return elements
    wanted = (language or languages[0]).partition("-")[0].casefold()
    kept = [element for element, found in zip(elements, languages, strict=True) if found == wanted]
    return kept or elements
