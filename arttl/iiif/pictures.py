"""The pictures of IIIF canvases: choices, parts, image services, and what is there in the place of a picture."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from arttl.iiif.resources import (
    address_of,
    entries_of,
    file_name,
    is_web_address,
    number_of,
    resources_of,
    type_of,
    whole_number,
)
from arttl.iiif.text import Texts, read_texts

_REQUEST = re.compile(
    r"(?P<base>https?://.+)/(?P<region>full|square|(?:pct:)?[\d.]+,[\d.]+,[\d.]+,[\d.]+)/\^?(?:full|max|pct:[\d.]+|!?\d*,\d*)"
    r"/(?P<rotation>!?[\d.]+)/(?:default|native|color|colour|gr[ae]y|bitonal)(?:\.\w{2,5})?"
)
_BOX = re.compile(r"\bxywh=(?:pixel:)?([\d.]+),([\d.]+),([\d.]+),([\d.]+)")
_REGION = re.compile(r"full|square|(?:pct:)?[\d.]+,[\d.]+,[\d.]+,[\d.]+")
_ROTATION = re.compile(r"!?\d{1,3}(?:\.\d+)?")
_IMAGES = ("image", "stillimage", "imageobject")  # types of resources
_VERSION = re.compile(
    r"image(?:-api)?/(\d)|imageservice(\d)|image-api/co"
)  # version 1 was not always numbered
_LEVEL = re.compile(r"\blevel(\d)")
_LEVELS = ("level0", "level1", "level2")
_SHORT = 200  # characters of what a service is remembered by
_DEEPEST = 8  # resources within resources: a choice of parts of pictures has three
_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".webp", ".jp2", ".j2k", ".jpx", ".jpf")


class Pair(NamedTuple):
    """A pair of a manifest's `metadata`.

    Attributes:
        labels: its label in the languages that it is given in.
        value: as the document has it.
    """

    labels: Texts
    value: Any

    @property
    def values(self) -> Texts:
        """The texts of its value."""
        return read_texts(self.value)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a manifest names it.

    Attributes:
        address: of a file; empty where there is only a service.
        service: base address of its image service, without a slash at the end; empty without one.
        version, level: of the service, where the manifest says; 0 and -1 otherwise.
        width, height: in pixels, as the service or else the resource has them; 0: not given. They may be wrong.
        region, rotation: in the form of the Image API, what is shown of the picture.
    """

    address: str
    service: str = ""
    version: int = 0
    level: int = -1
    width: int = 0
    height: int = 0
    region: str = "full"
    rotation: str = "0"

    @property
    def file_name(self) -> str:
        """The name of its file in a folder of downloaded pictures: the same for the same picture, whatever its size."""
        shown = "" if (self.region, self.rotation) == ("full", "0") else f"#{self.region}/{self.rotation}"
        if self.service:
            return file_name(self.service, shown, ".jpg")
        suffix = "." + re.split("[?#]", self.address)[0].rpartition(".")[2].lower()
        return file_name(self.address, shown, suffix if suffix in _SUFFIXES else ".jpg")


@dataclass(frozen=True, slots=True)
class Canvas:
    """A page or view.

    Attributes:
        address: its identifier.
        pairs: its own metadata.
        picture: None where it has no usable one.
        problem: why; empty where it has one.
        ambiguous: whether it has several, none of which covers it alone.
        others: pictures of the canvas that were not taken: other options of a choice, or details painted on it.
    """

    address: str
    pairs: tuple[Pair, ...]
    picture: Picture | None
    problem: str = ""
    ambiguous: bool = False
    others: int = 0


def read_canvas(document: dict[str, Any]) -> Canvas:
    """A page or view with its picture."""
    # Of each, whether it covers but a part of the canvas, and how many options of a choice it had beside it.
    pictures: dict[Picture, tuple[bool, int]] = {}
    problem, elsewhere = "", False
    annotations = resources_of(document.get("images"))
    for page in resources_of(document.get("items")):
        listed = resources_of(page.get("items"))
        elsewhere |= not listed and "items" not in page and bool(address_of(page))
        annotations += listed
    for annotation in annotations:
        if not _is_painting(annotation.get("motivation")):
            continue
        part = _is_part(annotation.get("target", annotation.get("on")), document)
        for body in entries_of(annotation.get("body", annotation.get("resource"))):
            picture, reason, others = _picture(body)
            problem = problem or reason
            if picture is not None:
                pictures.setdefault(picture, (part, others))
    address, pairs = address_of(document), read_pairs(document)
    whole = [picture for picture, (part, _) in pictures.items() if not part]
    if len(pictures) == 1 or len(whole) == 1:
        picture = whole[0] if whole else next(iter(pictures))
        return Canvas(address, pairs, picture, others=len(pictures) - 1 + pictures[picture][1])
    if pictures:
        return Canvas(address, pairs, None, f"{len(pictures)} pictures are painted on it", ambiguous=True)
    missing = "its pictures are named in another document" if elsewhere else "it has no picture"
    return Canvas(address, pairs, None, problem or missing)


def read_pairs(document: dict[str, Any]) -> tuple[Pair, ...]:
    """The pairs of the `metadata` of a resource that have a label."""
    pairs = resources_of(document.get("metadata"))
    return tuple(
        Pair(labels, pair.get("value")) for pair in pairs if (labels := read_texts(pair.get("label")))
    )


def picture_of_request(address: str) -> Picture | None:
    """The picture that an address of the form `BASE/full/600,/0/default.jpg` is a request for; None for other forms."""
    match = _REQUEST.fullmatch(address.partition("?")[0].partition("#")[0])
    if match is None:
        return None
    return Picture(address, match["base"], region=match["region"], rotation=match["rotation"])


def _is_painting(motivation: Any) -> bool:
    if motivation == "painting":
        return True
    return all(str(entry).rpartition(":")[2] in ("", "painting") for entry in entries_of(motivation))


def _is_part(target: Any, canvas: dict[str, Any]) -> bool:
    """Whether the target of an annotation is a part of the canvas."""
    for entry in entries_of(target):
        text = entry if isinstance(entry, str) else _texts_within(entry)
        if match := _BOX.search(text):
            left, top, width, height = map(number_of, match.groups())
            whole = (number_of(canvas.get("width")), number_of(canvas.get("height")))
            return (left, top) != (0, 0) or (width, height) != whole
        if isinstance(entry, dict) and entry.get("selector"):
            return True
    return False


def _texts_within(target: Any) -> str:
    """The addresses and values of a target that is a resource."""
    if not isinstance(target, dict):
        return ""
    selector = target.get("selector")
    values = [entry.get("value") for entry in resources_of(selector)]
    source = target.get("source", target.get("full"))
    return " ".join(text for text in (address_of(target), source, *values) if isinstance(text, str))


def _picture(body: Any, depth: int = 0) -> tuple[Picture | None, str, int]:
    """The picture of an annotation's body; or why there is none; and how many options of a choice are not taken."""
    if isinstance(body, str):
        body = {"id": body, "type": "Image"}
    if not isinstance(body, dict) or depth > _DEEPEST:
        return None, "it has no picture", 0
    kind = type_of(body)
    if kind == "choice":
        options = [
            *entries_of(body.get("default")),
            *entries_of(body.get("item")),
            *entries_of(body.get("items")),
        ]
        options = [option for option in options if isinstance(option, dict)]
        picture, reason, others = _picture(options[0] if options else None, depth + 1)
        return picture, reason, others + max(len(options) - 1, 0)
    if kind == "specificresource":
        picture, reason, others = _picture(body.get("source", body.get("full")), depth + 1)
        if picture is None:
            return None, reason, others
        picture = _selected(picture, resources_of(body.get("selector")))
        return picture, "" if picture else "a part of a picture is shown that cannot be asked for", others
    service = body.get("service")
    form = str(body.get("format") or "")
    if kind not in _IMAGES and not form.startswith("image/") and (kind or form):
        return None, f"it holds {kind or form} in the place of a picture", 0
    address, _, fragment = address_of(body).partition("#")
    picture = with_service(
        picture_of_request(address) or Picture(address),
        resources_of(service),
        body.get("width"),
        body.get("height"),
    )
    if fragment and _BOX.search(fragment):
        selected = _selected(picture, [{"value": fragment}])
        return selected, "" if selected else "a part of a picture is shown that cannot be asked for", 0
    if not is_web_address(picture.service or picture.address):
        return None, f"the picture's address {picture.address[:100]!r} is not of the web", 0
    return picture, "", 0


def _described(service: str) -> tuple[int | None, int]:
    """The version of a service of images, and its level; None for another service, and -1 where it does not say."""
    version, level = _VERSION.search(service), _LEVEL.search(service)
    return int(version[1] or version[2] or 1) if version else None, int(level[1]) if level else -1


_short_description = lru_cache(maxsize=256)(_described)


def _selected(picture: Picture, selectors: list[dict[str, Any]]) -> Picture | None:
    """What selectors show of a picture; None where its service cannot be asked for it."""
    for selector in selectors:
        region, rotation = str(selector.get("region", "full")), str(selector.get("rotation", "0"))
        if box := _BOX.search(str(selector.get("value"))):
            region = ",".join(box.groups())
        elif "region" not in selector and "rotation" not in selector:
            return None
        if not picture.service or not _REGION.fullmatch(region) or not _ROTATION.fullmatch(rotation):
            return None
        picture = replace(picture, region=region, rotation=rotation)
    return picture


def with_service(
    picture: Picture, services: list[dict[str, Any]], width: Any = None, height: Any = None
) -> Picture:
    """A picture with the first of these services that is of images; width and height where the service has none."""
    for service in services:
        profile = service.get("profile")
        described = f"{service.get('@context')} {type_of(service)} {profile}".lower()
        address = address_of(service).rstrip("/")
        version, level = (_short_description if len(described) <= _SHORT else _described)(described)
        bare = described.split() == ["none", "none"] and picture.address.startswith(address)
        # Others are of authentication or search.
        if (version or bare or profile in _LEVELS) and is_web_address(address):
            return Picture(
                picture.address,
                address,
                version or 0,
                level,
                whole_number(service.get("width", width)),
                whole_number(service.get("height", height)),
                picture.region,
                picture.rotation,
            )
    return replace(picture, width=whole_number(width), height=whole_number(height))
