"""Concepts of vocabularies by their addresses: AAT, ULAN, TGN, RKD, GND, Wikidata and others, as files write them.

A scheme is read from the address alone. Nothing is ever looked up, and no address is made of a label.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_LONGEST_ADDRESS = 2000
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`\x00-\x20\ud800-\udfff]+\Z")

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*\Z")

# The first group is the concept's own identifier. Other forms than the canonical one are in real metadata: a page for
# readers (`/page/aat/`), the agent of a ULAN record, the query of the Getty's older site, and prefixes such as `aat:`.
_GETTY = (
    r"(?:\b{0}:|\bgetty\.edu/(?:page/)?{0}/|\bgetty\.edu/vow/{0}FullDisplay\?(?:\S*&)?subjectid=)"
    r"(\d+)(?:-\w+)?/?\Z"
)
_SCHEMES = {
    **{name: _GETTY.format(name.casefold()) for name in ("AAT", "ULAN", "TGN")},
    "RKD artists": r"(?:\brkd:|\brkd\.nl/(?:\w+/)*artists/)(\d+)/?\Z",
    "GND": r"(?:\bgnd:|\bd-nb\.info/gnd/)([\dX-]+)/?\Z",
    "Wikidata": r"(?:\b(?:wikidata|wd):|\bwikidata\.org/(?:entity|wiki)/)(Q\d+)\Z",
    "VIAF": r"(?:\bviaf:|\bviaf\.org/viaf/)(\d+)/?\Z",
    "Iconclass": r"(?:\biconclass:|\biconclass\.org/(?:rkd/|help/)?)([^/?#]+)/?\Z",
    "Library of Congress": r"\bid\.loc\.gov/(?:authorities|vocabulary)/\w+/(\w+)(?:\.html)?\Z",
    "GeoNames": r"\bgeonames\.org/(\d+)(?:/\S*)?\Z",
}
_PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _SCHEMES.items()}


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept of a vocabulary.

    Attributes:
        uri: its address, as it was given.
        scheme: the vocabulary's name, see `scheme_of`.
        broader: the address of a broader concept; empty where none is given.
        alternative_labels: other names of it.
        language: of the label that it was given for, as BCP 47 writes it; empty where it is not known.
    """

    uri: str
    scheme: str
    broader: str = ""
    alternative_labels: tuple[str, ...] = ()
    language: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What concepts are compared by: the scheme and the identifier in it, in whatever form the address is."""
        return self.scheme.casefold(), identifier_of(self.uri)


def is_address(text: str) -> bool:
    """Whether a text is an address (RFC 3986: a scheme, a colon, no blanks) of at most 2,000 characters."""
    return len(text) <= _LONGEST_ADDRESS and _ADDRESS.match(text) is not None


def is_language(text: str) -> bool:
    """Whether a text is a language tag by its form (BCP 47; `language` of XML Schema), such as `en` or `pt-BR`."""
    return _LANGUAGE.match(text) is not None


def scheme_of(uri: str) -> str:
    """The vocabulary that an address is of.

    Returns:
        `AAT`, `ULAN`, `TGN`, `RKD artists`, `GND`, `Wikidata`, `VIAF`, `Iconclass`, `Library of Congress` or
        `GeoNames`; for any other address the name of its host, or where it has none what is before its colon.
    """
    return _recognised(uri)[0]


def is_known_scheme(name: str) -> bool:
    """Whether a vocabulary is one of those that `scheme_of` recognises, in any letter case."""
    return name.casefold() in {known.casefold() for known in _SCHEMES}


def identifier_of(uri: str) -> str:
    """What an address identifies within its vocabulary; the same for all forms of one concept's address."""
    return _recognised(uri)[1]


def _recognised(uri: str) -> tuple[str, str]:
    for name, pattern in _PATTERNS.items():
        if match := pattern.search(uri):
            return name, unquote(match[1]).upper()
    try:
        parts = urlsplit(uri)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:  # brackets that hold no IPv6 address
        parts, host = None, ""
    if not parts or not host:
        return uri.partition(":")[0].casefold(), uri
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return host, f"{host}{parts.path.rstrip('/')}{query}{fragment}"
