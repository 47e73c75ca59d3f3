"""LIDO records for tests, put together from their parts."""

from __future__ import annotations

from pathlib import Path

from arttl.artworks import Artwork
from arttl.shards.rejects import Reject
from arttl.sources.lido import read_lido
from arttl.sources.remarks import Note, PassedOver
from arttl.sources.settings import SourceSettings

WRAP = (
    '<lido:lidoWrap xmlns:lido="http://www.lido-schema.org" xmlns:skos="http://www.w3.org/2004/02/skos/core#"'
    ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
)
TERMINOLOGY = "http://terminology.lido-schema.org/"

Item = Artwork | Reject | PassedOver | Note


def element(name: str, *parts: str, **attributes: str) -> str:
    """An element with its parts; `lang` is `xml:lang`."""
    prefixed = "".join(
        f' {"xml" if key == "lang" else "lido"}:{key.rstrip("_")}="{value}"'
        for key, value in attributes.items()
    )
    return f"<lido:{name}{prefixed}>{''.join(parts)}</lido:{name}>"


def term(text: str, **attributes: str) -> str:
    """A term."""
    return element("term", text, **attributes)


def name_set(*names: str) -> str:
    """Names of an actor: elements, or texts."""
    values = [one if one.startswith("<") else element("appellationValue", one) for one in names]
    return element("nameActorSet", *values)


def actor(name: str, role: str = "", qualifier: str = "", *, identifiers: str = "") -> str:
    """An actor in a role; the name is a text, or `nameActorSet` elements."""
    names = name if name.startswith("<") else name_set(name)
    parts = [element("actor", identifiers, names)]
    if role:
        parts.append(element("roleActor", role if role.startswith("<") else term(role)))
    if qualifier:
        parts.append(element("attributionQualifierActor", qualifier))
    return element("eventActor", element("actorInRole", *parts))


def event(kind: str, *parts: str) -> str:
    """An event; its kind is a term, or elements of `eventType`."""
    kind = kind if kind.startswith("<") or not kind else term(kind)
    return element("eventSet", element("event", element("eventType", kind), *parts))


def materials(*terms: str) -> str:
    """Materials and techniques of an event."""
    return element("eventMaterialsTech", element("materialsTech", *terms))


def material(label: str, **attributes: str) -> str:
    """A term of materials."""
    return element("termMaterialsTech", label if label.startswith("<") else term(label), **attributes)


def description(*events: str, types: str = "", identification: str = "", **attributes: str) -> str:
    """The descriptive metadata."""
    return element(
        "descriptiveMetadata",
        element("objectClassificationWrap", types),
        element("objectIdentificationWrap", identification),
        element("eventWrap", *events),
        **attributes,
    )


def work_type(*terms: str) -> str:
    """An object type."""
    return element("objectWorkTypeWrap", element("objectWorkType", *terms))


def record(*descriptions: str, number: str = "rec-1", administrative: str = "") -> str:
    """A record."""
    return element("lido", element("lidoRecID", number), *descriptions, administrative)


def read(folder: Path, *records: str, wrap: str = WRAP, **changes: object) -> list[Item]:
    """What the source yields for a file of records, in a dry run unless `images` is given."""
    (folder / "dump.xml").write_text(f"{wrap}{''.join(records)}</{wrap[1:].split()[0]}>", encoding="utf-8")
    values = {"metadata": folder / "dump.xml", "dry_run": "images" not in changes, **changes}
    return list(read_lido(SourceSettings(source="lido", **values)))  # type: ignore[arg-type]


def read_one(folder: Path, *records: str, **changes: object) -> Artwork:
    """The only artwork of a file."""
    (artwork,) = (
        item for item in read(folder, *records, **changes) if not isinstance(item, Note | PassedOver)
    )
    assert isinstance(artwork, Artwork), artwork
    return artwork


def notes(items: list[Item]) -> list[str]:
    """The sentences among what the source yields."""
    return [item.text for item in items if isinstance(item, Note)]
