"""What a picture is called: in the metadata, in a web address and in the folder; and when two names are alike."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from arttl.matching.listing import cut_suffix

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# {identifier}/{region}/{size}/{rotation}/{quality}.{format} of the IIIF Image API, versions 1 to 3.
_IIIF_IMAGE = tuple(
    map(
        re.compile,
        (
            r"full|square|smart|(?:pct:)?[0-9.]+(?:,[0-9.]+){3}",
            r"\^?(?:full|max|pct:[0-9.]+|!?[0-9]*,[0-9]*)",
            r"!?[0-9.]+",
            r"(?:default|native|colou?r|gr[ae]y|bitonal)(?:\..*)?",
        ),
    )
)
_MARKS = re.compile(r"[\W_]+")
_UNDERSCORES = re.compile("_+")
# Last parts that the addresses of many objects share, without their suffix.
_GENERIC = frozenset(
    (
        *("default", "native", "color", "colour", "gray", "grey", "bitonal", "full", "max", "square", "info"),
        *("image", "images", "img", "picture", "photo", "media", "file", "content", "display", "primary"),
        *(
            "thumbnail",
            "thumb",
            "small",
            "medium",
            "large",
            "original",
            "master",
            "reference",
            "web",
            "print",
        ),
        *("preview", "download", "view", "viewer", "zoom", "index", "iiif", "render", "get", "show", "fetch"),
    )
)
# Parameters of a query that name an object or its picture, the most exact first.
_PARAMETERS = (
    *("filename", "file", "imagefile", "image", "img", "picture", "photo", "path"),
    *("imageid", "assetid", "mediaid", "id", "identifier", "objectid", "objectnumber"),
    *("objid", "irn", "number", "inv"),
)
# Suffixes of what answers a web address with a picture and is none.
_PROGRAM = re.compile(r"\.(?:aspx?|ashx|php\d?|jspx?|cgi|fcgi|do|html?)\Z", re.IGNORECASE)


def is_address(name: str) -> bool:
    """Whether a name is a web address rather than a path."""
    return _ADDRESS.match(name) is not None


def name_in_address(address: str) -> str | None:
    """What a web address calls its picture: the last part of it that is the picture's own; nothing is opened.

    `https://museum.example/iiif/ID/full/full/0/default.jpg` is called `ID`, `.../objects/17/image.jpg` and
    `.../image.php?id=17` are called `17`.

    Args:
        address: any text that `is_address` takes.

    Returns:
        The name, percent-decoded; None if no part of the address is the picture's own.
    """
    try:
        parts = urlsplit(address)
    except ValueError:  # such as half an IPv6 address
        return None
    steps = [unquote(step) for step in parts.path.split("/") if step]
    iiif = _iiif_identifier(steps)
    if iiif is not None:
        return _own(_last_part(iiif))
    own_names = [own for step in reversed(steps) if (own := _own(_last_part(step)))]
    is_file = bool(steps) and bool(cut_suffix(steps[-1])[1]) and _own(_last_part(steps[-1])) is not None
    in_query = None if is_file else _in_query(parts)
    return in_query or next(iter(own_names), None)


def _iiif_identifier(steps: list[str]) -> str | None:
    if len(steps) > 1 and steps[-1] == "info.json":
        return steps[-2]
    if len(steps) > len(_IIIF_IMAGE) and all(
        pattern.fullmatch(step) for pattern, step in zip(_IIIF_IMAGE, steps[-4:], strict=True)
    ):
        return steps[-5]
    return None


def _in_query(parts: SplitResult) -> str | None:
    try:
        values = parse_qsl(parts.query, max_num_fields=50)
    except ValueError:
        return None
    by_name = {re.sub(r"[\W_]", "", name).casefold(): value for name, value in reversed(values)}
    ordered = [by_name[name] for name in _PARAMETERS if name in by_name]
    # In other parameters only what is a picture's name by its suffix.
    ordered += [value for _, value in values if cut_suffix(value)[1]]
    return next((own for value in ordered if (own := _own(_last_part(value)))), None)


def _last_part(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2].strip()


def _own(name: str) -> str | None:
    """The name, or None for one that many pictures share."""
    stem = cut_suffix(name)[0]
    is_shared = not stem.strip(". ") or stem.casefold() in _GENERIC or _PROGRAM.search(stem)
    return None if is_shared else name


def canonical(text: str) -> str:
    """Equal for names that differ only in letter case and in how Unicode composes their letters."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def without_marks(text: str) -> str:
    """`canonical`, with each run of blanks and marks as one `_`, none at the ends."""
    text = canonical(text)
    if not text.isascii():
        # Combining vowels of Indic and other scripts are no letters to regular expressions, but no marks either.
        text = "".join(letter if letter.isalnum() or _combines(letter) else "_" for letter in text)
        return _UNDERSCORES.sub("_", text).strip("_")
    return _MARKS.sub("_", text).strip("_")


def _combines(letter: str) -> bool:
    return unicodedata.category(letter).startswith("M")
