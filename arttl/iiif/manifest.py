"""IIIF documents in one form: manifests and collections of the Presentation API 2 and 3, and `info.json`.

Documents come from strangers, so that any part may be missing or of another type; what cannot be used is left out.
The forms are those of https://iiif.io/api/presentation/3.0/ and /2.1/, and of https://iiif.io/api/image/3.0/ and /2.1/.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from arttl.iiif.pictures import Canvas, Pair, Picture, read_canvas, read_pairs, with_service
from arttl.iiif.resources import address_of, entries_of, is_web_address, resources_of, type_of
from arttl.iiif.text import Texts, read_texts

Kind = Literal["manifest", "collection", "image", ""]


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object with its metadata.

    Attributes:
        address: its identifier; empty where it has none.
        label: its title.
        pairs: its metadata.
        required: the statement that must be shown.
        providers: names of the organisations that provide it.
        canvas_documents: its pages or views, not read yet.
    """

    address: str
    label: Texts
    pairs: tuple[Pair, ...]
    required: Pair | None
    providers: tuple[Texts, ...]
    canvas_documents: tuple[dict[str, Any], ...]

    @property
    def canvas_count(self) -> int:
        """How many canvases there are."""
        return len(self.canvas_documents)

    def canvases(self) -> Iterator[Canvas]:
        """Its pages or views, each read when it is asked for."""
        return map(read_canvas, self.canvas_documents)


class Reference(NamedTuple):
    """A manifest or collection that a collection names.

    Attributes:
        kind: of it; empty where the collection does not say.
        address: empty where it has none. It may be any text.
        document: it itself, where it is within the collection.
        is_page: whether it is a further part of the same collection.
    """

    kind: Kind
    address: str
    document: dict[str, Any] | None = None
    is_page: bool = False


def kind_of(document: Any) -> Kind:
    """What a JSON document is; empty for anything but a manifest, a collection or an `info.json`."""
    if not isinstance(document, dict):
        return ""
    kind = type_of(document)
    if kind in ("manifest", "collection"):
        return kind  # type: ignore[return-value]
    if kind == "" and "sequences" in document:
        return "manifest"
    if kind == "" and any(key in document for key in ("manifests", "collections", "members")):
        return "collection"
    described = f"{document.get('protocol')} {document.get('@context')} {kind}".lower()
    sized = isinstance(document.get("width"), int) and isinstance(document.get("height"), int)
    return "image" if sized and "image" in described and is_web_address(address_of(document)) else ""


def read_manifest(document: dict[str, Any]) -> Manifest:
    """A manifest of the Presentation API 2 or 3."""
    sequences = resources_of(document.get("sequences"))
    listed = sequences[0].get("canvases") if sequences else document.get("items")
    required = document.get("requiredStatement")
    providers = [read_texts(provider.get("label")) for provider in resources_of(document.get("provider"))]
    return Manifest(
        address_of(document),
        read_texts(document.get("label")),
        read_pairs(document),
        next(iter(read_pairs({"metadata": [required]})), None),
        tuple(filter(None, providers)),
        tuple(canvas for canvas in resources_of(listed) if type_of(canvas) in ("canvas", "")),
    )


def read_references(collection: dict[str, Any]) -> list[Reference]:
    """Whatever a collection lists, in its order, and its further pages; also what has no address that can be opened."""
    references: list[Reference] = []
    for key, usual in (
        ("manifests", "manifest"),
        ("collections", "collection"),
        ("members", ""),
        ("items", ""),
    ):
        for entry in entries_of(collection.get(key)):
            inner = entry if isinstance(entry, dict) else {"id": entry}
            kind = usual or type_of(inner)
            whole = inner if any(name in inner for name in ("sequences", "items")) else None
            known = kind if kind in ("manifest", "collection") else ""
            references.append(Reference(known, address_of(inner), whole))  # type: ignore[arg-type]
    for key in ("first", "next"):
        page = collection.get(key)
        if page is not None:
            address = address_of(page if isinstance(page, dict) else {"id": page})
            references.append(Reference("collection", address, is_page=True))
    return references


def read_info(document: dict[str, Any]) -> Picture:
    """The picture of an `info.json`."""
    return with_service(Picture(""), [document])
