"""The texts of IIIF documents: any of their three forms, their language, and the HTML in them."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from functools import lru_cache
from html.entities import html5
from typing import Any

_LONGEST = 20_000  # characters of a text that are kept; longer ones are no labels
_MOST = 1_000  # texts of a value
_SHORT = 100  # characters
_DEEPEST = 6
# Names of elements, so that `<20 cm` and `<unknown>` stay as they are.
_TAG = re.compile(
    r"</?(?P<name>a|abbr|b|bdi|bdo|big|blockquote|br|center|cite|code|dd|del|div|dl|dt|em|font|h[1-6]|hr|i|img|ins|li|mark|"
    r"ol|p|pre|q|s|small|span|strong|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul)(?P<rest>(?:\s[^<>]*)?)/?>|<!--[^<>]*-->",
    re.IGNORECASE,
)
_LINES = frozenset(
    ("blockquote", "br", "dd", "div", "dl", "dt", "hr", "li", "ol", "p", "pre", "table", "tr", "ul")
    + tuple(f"h{level}" for level in range(1, 7))
)
_HREF = re.compile(r"\bhref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_KEYS = frozenset(("@value", "value", "@id", "id"))
_UNDECLARED = frozenset(("", "none", "@none", "und", "null"))


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a document.

    Attributes:
        language: its code in lower case, without a region; empty where none is given.
        raw: as the document has it.
        lines: without HTML; several where it has line breaks or paragraphs.
        links: what it links to, each as the words of the link and the address.
        plain: in one line.
    """

    language: str
    raw: str
    lines: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()
    plain: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "plain", " ".join(self.lines))


Texts = tuple[Text, ...]


def read_texts(value: Any) -> Texts:
    """The texts of a label or value, in the order of the document; empty ones are left out.

    Args:
        value: a text, a number, an object with `@value` and `@language`, a map of languages, or a list of any of these.
    """
    language = ""
    if type(value) is dict and len(value) == 1:  # the usual form, `{"en": ["oil"]}`, without recursion
        ((key, entries),) = value.items()
        if key not in _KEYS and isinstance(entries, list) and len(entries) == 1:
            language, value = key, entries[0]
    if isinstance(value, str):
        return (_short_texts if len(value) <= _SHORT else _texts)(language[:_SHORT], value)
    texts: list[Text] = []
    _collect(value, language, texts, 0)
    return tuple(texts)


def in_language(texts: Texts, language: str | None) -> Texts:
    """Those of one language, where there are any; else those without a language; else those of the first's.

    Args:
        texts: of one label or value.
        language: such as `en`; None: that of the first text.
    """
    if len(texts) < 2:
        return texts
    first = texts[0].language
    for chosen in (plain_language(language) if language else first, "", first):
        if kept := tuple(text for text in texts if text.language == chosen):
            return kept
    return texts


@lru_cache(maxsize=256)
def plain_language(code: str) -> str:
    """A language's code as texts are compared by it: `en` for `en-GB`, nothing for `none`."""
    code = re.split("[-_]", code.strip().lower(), maxsplit=1)[0]
    return "" if code in _UNDECLARED else code


def encodable(text: str) -> str:
    """A text without halves of surrogate pairs, which JSON can hold and no file."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _collect(value: Any, language: str, texts: list[Text], depth: int) -> None:
    if isinstance(value, str):
        texts += (_short_texts if len(value) <= _SHORT else _texts)(language[:_SHORT], value)
    elif value is None or depth > _DEEPEST or len(texts) >= _MOST:
        return
    elif isinstance(value, list):
        for entry in value:
            _collect(entry, language, texts, depth + 1)
    elif isinstance(value, dict):
        for key in ("@value", "value"):
            if key in value:
                own = value.get("@language", value.get("language"))
                _collect(value[key], own if isinstance(own, str) else language, texts, depth + 1)
                return
        if "@id" in value or "id" in value:  # a resource
            _collect(value.get("label"), language, texts, depth + 1)
            return
        for code, entries in value.items():
            _collect(entries, str(code), texts, depth + 1)
    else:
        _collect(str(value).lower() if isinstance(value, bool) else str(value), language, texts, depth + 1)


def _texts(language: str, raw: str) -> Texts:
    raw = encodable(raw[:_LONGEST])
    text = Text(plain_language(language), raw, *_without_html(raw))
    return (text,) if text.lines else ()


# Labels and common values, which most manifests of a museum share.
_short_texts = lru_cache(maxsize=4096)(_texts)


def _without_html(raw: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    if "<" not in raw and "&" not in raw:
        return _lines(raw), ()
    pieces: list[str] = []
    links: list[tuple[str, str]] = []
    address, start, end = "", 0, 0  # of the link that is open, and where it began in `pieces`
    for tag in _TAG.finditer(raw):
        pieces.append(_unescaped(raw[end : tag.start()]))
        end = tag.end()
        name = (tag["name"] or "").lower()
        if name == "a":
            if address:
                links.append((" ".join("".join(pieces[start:]).split()), address))
            href = _HREF.search(tag["rest"])
            address = _unescaped(next(filter(None, href.groups()), "").strip()) if href else ""
            start = len(pieces)
        elif name in _LINES:
            pieces.append("\n")
        elif name in ("td", "th"):
            pieces.append(" ")
    pieces.append(_unescaped(raw[end:]))
    return _lines("".join(pieces)), tuple(links)


def _unescaped(text: str) -> str:
    return _ENTITY.sub(_character, text)


def _character(entity: re.Match[str]) -> str:
    """What an entity stands for; one of no known name stays as it is (`html.unescape` would take its beginning)."""
    return html.unescape(entity[0]) if entity[0][1] == "#" else html5.get(entity[0][1:], entity[0])


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for each in text.splitlines() if (line := " ".join(each.split())))
