"""Files that hold several XML documents one after another, such as pages of a harvest put together by `cat`."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HELD_BACK = 1024  # bytes in which the end of one document and the beginning of the next are seen together
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_FIRST_TAG = re.compile(rb"<([A-Za-z_][^\s/<>]*)[\s/>]")
_LONGEST_HEAD = 64 * 1024  # bytes before the first element
# Elements that are never within another of their name, so that a second one begins a document without a declaration.
_OUTERMOST = (b"OAI-PMH", b"RDF", b"record", b"dc", b"qualifieddc", b"lidoWrap", b"lido")


def split_documents(chunks: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
    """The documents of a file, each as an iterator over its bytes that must be used up before the next is asked for.

    A document ends where the end tag of its first element is followed by an XML declaration, or by the same element
    again if that is one that is never nested. Text in UTF-16 or UTF-32 is one document.

    Args:
        chunks: of the file; none of them empty.
    """
    rest: list[bytes] = []
    yield _document(chunks, rest)
    while rest:
        yield _document(chunks, rest)


def _document(chunks: Iterator[bytes], rest: list[bytes]) -> Iterator[bytes]:
    """The bytes of one document; what is read beyond its end becomes the only entry of `rest`."""
    held = rest.pop() if rest else next(chunks, b"")
    boundary = _boundary(held)
    while boundary is None and len(held) < _LONGEST_HEAD and (chunk := next(chunks, b"")):
        held += chunk
        boundary = _boundary(held)
    if (stripped := held.lstrip(b" \t\r\n")).startswith(b"<?xml"):
        held = stripped  # a blank line before the declaration is a frequent fault
    if boundary is None:
        if held:
            yield held
        yield from chunks
        return
    while True:
        match = boundary.search(held)
        if match is not None:
            yield held[: match.end()]
            rest.append(held[match.end() :])
            return
        chunk = next(chunks, b"")
        if not chunk:
            yield held
            return
        if len(held) > _HELD_BACK:
            yield held[:-_HELD_BACK]
        held = held[-_HELD_BACK:] + chunk


def _boundary(head: bytes) -> re.Pattern[bytes] | None:
    first = _FIRST_TAG.search(_COMMENT.sub(b"", head))
    if first is None:
        return None
    name = re.escape(first[1])
    following = rb"(?:\xef\xbb\xbf)?<\?xml\s"
    if first[1].rpartition(b":")[2] in _OUTERMOST:
        following += rb"|<" + name + rb"[\s>]"
    return re.compile(rb"</" + name + rb"\s*>\s*(?=" + following + rb")")
