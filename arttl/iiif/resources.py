"""What all resources of IIIF have, identifiers and types, and the names that are made of identifiers.

Documents come from strangers, so that any part may be missing or of another type.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from arttl.iiif.text import encodable

_LONGEST = 8_000  # characters of an address
# Parts of an address that many documents share, and that name none of them.
_COMMON_PARTS = re.compile(
    r"(?:iiif)?manifest|info|iiif|json|presentation|v[\d.]+|p[23]|index", re.IGNORECASE
)
_NAMING_KEYS = frozenset(
    ("id", "identifier", "manifest", "object", "objectid", "pid", "oid", "ark", "record")
)
_JSON = re.compile(r"\.json(?:ld)?\Z", re.IGNORECASE)
# Parts that need no decoding, without a query; taking an address apart in general takes several times as long.
_USUAL_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+((?:/[A-Za-z0-9._~:@!$&'()*+,;=-]*)*)")
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def is_web_address(text: str) -> bool:
    """Whether a text is an address of `http` or `https` with a host."""
    if _USUAL_ADDRESS.fullmatch(text):
        return True
    split = _split(text) if ":" in text else None
    return split is not None and split.scheme in ("http", "https") and bool(split.hostname)


def address_of(resource: dict[str, Any]) -> str:
    """The identifier of a resource; empty where it has none."""
    address = resource.get("id") or resource.get("@id")
    return encodable(address.strip()) if isinstance(address, str) and len(address) <= _LONGEST else ""


def object_numbers(address: str) -> Iterator[str]:
    """Object numbers for a document without one: the last part of its address that means something, then longer ones.

    `https://museum.example/iiif/2/paintings/27992/manifest.json` gives `27992`, `paintings/27992` and so on; the last
    is the address itself.
    """
    parts: list[str] = []
    if usual := _USUAL_ADDRESS.fullmatch(address):
        parts = [part for part in usual[1].split("/") if part]
    elif split := _split(address):
        parts = [unquote(part) for part in split.path.split("/") if part]
        if split.query:
            parts += [value for key, value in parse_qsl(split.query) if key.lower() in _NAMING_KEYS]
    parts = [_JSON.sub("", part) for part in parts]
    while parts and _COMMON_PARTS.fullmatch(parts[-1]):
        parts.pop()
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[-count:])
    yield address


def document_name(address: str) -> str:
    """The name of the file that the document of an address is saved in."""
    return file_name(address, "", ".json")


def file_name(address: str, shown: str, suffix: str) -> str:
    """Readable, and distinct for distinct addresses."""
    readable = _NOT_IN_NAME.sub("_", next(object_numbers(address)))[-60:].strip("_")
    digest = hashlib.sha256(f"{address}{shown}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{readable or 'object'}-{digest}{suffix}"


def type_of(resource: dict[str, Any]) -> str:
    """The type of a resource in lower case, without the prefix that version 2 has."""
    kind = resource.get("type") or resource.get("@type")
    if isinstance(kind, str):
        return kind.rpartition(":")[2].lower()
    kinds = entries_of(kind)
    return str(kinds[0]).rpartition(":")[2].lower() if kinds else ""


def entries_of(value: Any) -> list[Any]:
    """The entries of a list; a single value is one of its own, and None has none."""
    return [] if value is None else value if isinstance(value, list) else [value]


def resources_of(value: Any) -> list[dict[str, Any]]:
    """The entries that are resources."""
    if value is None:
        return []
    return [entry for entry in entries_of(value) if isinstance(entry, dict)]


def whole_number(value: Any) -> int:
    """A positive whole number of a sensible size; 0 for anything else."""
    number = number_of(value)
    return int(number) if 1 <= number < 2**31 else 0


def number_of(value: Any) -> float:
    """A number, also from a text; 0 for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _split(text: str) -> Any:
    try:
        return urlsplit(text)
    except ValueError:  # brackets that enclose no IPv6 address
        return None
