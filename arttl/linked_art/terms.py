"""Nodes of Linked Art's JSON-LD: their types, names, languages and addresses, in any of the forms that files use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

Node = dict[str, Any]

# Concepts of the Art & Architecture Thesaurus (AAT).
PREFERRED = "300404670"  # preferred terms
TYPE_OF_WORK, ARTWORK, MUSEUM = "300435443", "300133025", "300312281"
MATERIAL_STATEMENT = "300435429"
AI_CONTENT, AI_TECHNIQUE = (
    "300456841",
    "300456842",
)  # what artificial intelligence has made, and the technique
ACCESSION_NUMBER, REPOSITORY_NUMBER, SYSTEM_NUMBER = "300312355", "300404621", "300435704"
_CONCEPTS = {
    **dict.fromkeys(("primary name", "preferred term", "preferred terms"), PREFERRED),
    "type of work": TYPE_OF_WORK,
    **dict.fromkeys(("artwork", "works of art"), ARTWORK),
    **dict.fromkeys(("museum", "museums (institutions)"), MUSEUM),
    **dict.fromkeys(
        ("material statement", "materials statement", "materials description"), MATERIAL_STATEMENT
    ),
    **dict.fromkeys(("accession number", "accession numbers", "inventory number"), ACCESSION_NUMBER),
    **dict.fromkeys(("object number", "inventarnummer", "objectnummer"), ACCESSION_NUMBER),
    **dict.fromkeys(("owner-assigned number", "repository number", "repository numbers"), REPOSITORY_NUMBER),
    "system-assigned number": SYSTEM_NUMBER,
}
_LANGUAGES = {
    "300388277": "en",
    "300388256": "nl",
    "300388344": "de",
    "300388306": "fr",
    "300388474": "it",
    "300389311": "es",
    "300389115": "pt",
    "300388693": "la",
    "300388204": "da",
    "300389336": "sv",
    "300388992": "no",
    "300389109": "pl",
    "300388191": "cs",
    "300389168": "ru",
    "300388486": "ja",
    "300388113": "zh",
}
_LANGUAGE_NAMES = {
    **dict.fromkeys(("english", "engels", "englisch"), "en"),
    **dict.fromkeys(("dutch", "nederlands", "niederländisch"), "nl"),
    **dict.fromkeys(("german", "duits", "deutsch"), "de"),
    **dict.fromkeys(("french", "frans", "français"), "fr"),
    **dict.fromkeys(("italian", "italiaans", "italiano"), "it"),
    **dict.fromkeys(("spanish", "spaans", "español"), "es"),
}
# Also the forms that real files have: `aat:300435443`, https, /page/, and in error http://vocab/getty.edu/aat/300264578.
_AAT = re.compile(r"(?:\baat:|\bgetty\.edu/(?:page/)?aat/)(\d{9})\b")
_LONGEST_ADDRESS = 2000
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z")
_CODE = re.compile(r"[A-Za-z]{2}(?:-[A-Za-z0-9]+)*\Z")


def several(value: Any) -> list[Any]:
    """A list, also where one entry or none is given without one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def nodes(node: Node, *names: str) -> list[Node]:
    """The nodes under properties, in order; an address alone is a node that has nothing else."""
    entries: list[Node] = []
    for name in names:
        value = node.get(name)
        if value is None:
            continue
        for entry in value if isinstance(value, list) else (value,):
            if isinstance(entry, dict):
                entries.append(entry)
            elif isinstance(entry, str):
                entries.append({"id": entry})
    return entries


def kind(node: Node) -> str:
    """The class of a node, such as `HumanMadeObject`; empty where it has none."""
    own = node.get("type", node.get("@type"))
    for value in several(own):
        if isinstance(value, str):
            return value if value.isalpha() else _last_part(value)
    return ""


def _last_part(text: str) -> str:
    return text[max(map(text.rfind, "/#:")) + 1 :]


def address(node: Node) -> str:
    """The node's own address or other `id`; empty where it has none, or one of more than 2,000 characters."""
    value = node.get("id", node.get("@id"))
    return value.strip() if isinstance(value, str) and len(value) <= _LONGEST_ADDRESS else ""


def addresses(node: Node) -> tuple[str, ...]:
    """The addresses of a node and of what it is said to be the same as."""
    own = [address(node), *map(address, nodes(node, "equivalent", "exact_match", "same_as"))]
    return tuple(dict.fromkeys(text for text in own if _ADDRESS.match(text) and not text.startswith("_:")))


def aat(node: Node) -> str:
    """The number of a concept of the AAT; empty for any other node.

    It is in the concept's own address, else in that of one that it is the same as (`equivalent`), since collections
    have vocabularies of their own; else its label is that of a concept that this package must know.
    """
    number = _number_in(address(node))
    if not number and "equivalent" in node:
        number = next(filter(None, (_number_in(address(other)) for other in nodes(node, "equivalent"))), "")
    if number:
        return number
    label = node.get("_label")
    return _CONCEPTS.get(label.strip().casefold(), "") if isinstance(label, str) else ""


@lru_cache(4096)
def _number_in(text: str) -> str:
    match = _AAT.search(text)
    return match[1] if match else ""


def classes(node: Node) -> set[str]:
    """The AAT numbers of a node's classifications."""
    return {number for number in map(aat, nodes(node, "classified_as")) if number}


def name_of(node: Node, language: str | None) -> str:
    """The name of a concept, an actor or an object.

    Args:
        node: with names (`identified_by`), language-tagged text (`notation`), or a label (`_label`).
        language: such as `en`; None: that of the first preferred name.
    """
    names = nodes(node, "identified_by")
    return (
        (names and text_in_language([entry for entry in names if kind(entry) in ("Name", "")], language))
        or _tagged(node.get("notation"), language)
        or _tagged(node.get("_label", node.get("label")), language)
    )


def text_in_language(entries: list[Node], language: str | None) -> str:
    """The text (`content`) of names or statements in a language, of preferred ones first; empty where there is none.

    Where none is in the language, one without a language counts, and then any.
    """
    return next(iter(texts_in_language(entries, language)), "")


def texts_in_language(entries: list[Node], language: str | None) -> list[str]:
    """The texts (`content`) of names or statements in a language, preferred ones first; see `text_in_language`."""
    if len(entries) == 1 and isinstance(entries[0].get("content"), str):
        text = " ".join(entries[0]["content"].split())
        return [text] if text else []
    preferred: list[tuple[str, set[str]]] = []
    others: list[tuple[str, set[str]]] = []
    for entry in entries:
        texts = [(text, _languages(entry) | tag) for text, tag in _contents(entry) if text]
        (preferred if PREFERRED in classes(entry) else others).extend(texts)
    return _in_language([*preferred, *others], language)


def _in_language(texts: list[tuple[str, set[str]]], language: str | None) -> list[str]:
    """Those in a language, by default the first one's; else those without a language; else all."""
    if not texts:
        return []
    codes = {language.partition("-")[0].casefold()} if language else texts[0][1]
    matches = [text for text, own in texts if own & codes] or [text for text, own in texts if not own]
    return matches or [text for text, _ in texts]


def _contents(entry: Node) -> Iterator[tuple[str, set[str]]]:
    for value in several(entry.get("content", entry.get("value"))):
        if isinstance(value, str):
            yield " ".join(value.split()), set()
        elif isinstance(value, dict) and isinstance(value.get("@value"), str):
            yield " ".join(value["@value"].split()), _code(value.get("@language"))


def _languages(entry: Node) -> set[str]:
    codes: set[str] = set()
    for node in nodes(entry, "language"):
        known = _LANGUAGES.get(aat(node)) or _LANGUAGE_NAMES.get(_tagged(node.get("_label"), None).casefold())
        codes |= {known} if known else _code(_last_part(address(node)))
    return codes


def _code(value: Any) -> set[str]:
    """The language of a tag as BCP 47 writes them (`en-GB`)."""
    return {value.partition("-")[0].casefold()} if isinstance(value, str) and _CODE.match(value) else set()


def _tagged(value: Any, language: str | None) -> str:
    """A text, given alone, as `{"@value": ..., "@language": ...}`, as `{"en": [...]}`, or as a list of these."""
    if value is None or isinstance(value, str):
        return " ".join(value.split()) if value else ""
    texts: list[tuple[str, set[str]]] = []
    for entry in several(value):
        if isinstance(entry, str):
            texts.append((entry, set()))
        elif isinstance(entry, dict) and isinstance(entry.get("@value"), str):
            texts.append((entry["@value"], _code(entry.get("@language"))))
        elif isinstance(entry, dict):
            texts += [
                (text, _code(tag))
                for tag, inner in entry.items()
                for text in several(inner)
                if isinstance(text, str)
            ]
    texts = [(" ".join(text.split()), own) for text, own in texts if text.strip()]
    return next(iter(_in_language(texts, language)), "")
