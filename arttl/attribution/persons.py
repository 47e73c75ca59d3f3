"""Persons that a text names, with their roles and qualifiers: `Artist: Vincent van Gogh`, `Rembrandt, school of`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from arttl.attribution.qualifiers import Maker, artists, qualifies, split_name
from arttl.attribution.table_makers import in_name
from arttl.lido.actors import MAKER, NO_MAKER, PHOTOGRAPHER, role_kind

_SHORT = 100  # characters of a text that is remembered
_LONGEST = 2000  # characters of a text whose persons are told apart
_IN_ROLE = re.compile(r"(?P<role>[^\W\d][^:;\d]{0,59}):\s*(?P<name>[^\s/].*)")
_AT_END = re.compile(r"(?P<name>\S.*?)\s*(?:\((?P<inside>[^()\d]{1,60})\)|,\s*(?P<end>[^,()\d]{1,60}))")
# Roles in the making of a text; the pictures of a manuscript are by others.
_OF_TEXTS = re.compile(
    r"\b(?:authors?|librarians?|annotators?|translators?|commentators?|compilers?|correspondents?|scribes?|possessors?"
    r"|autor(?:in|e|en)?|verfasser\w*|schreiber\w*|bibliothekar\w*|übersetzer\w*|auteurs?|traducteurs?|bibliothécaires?)\b",
    re.IGNORECASE,
)


def in_roles(lines: Sequence[str]) -> list[Maker]:
    """The persons of a text in which each line, or each part between semicolons, begins with a role.

    A photographer beside another maker may have photographed the object, and is an attribution.

    Args:
        lines: of the text.

    Returns:
        Nobody where the text is of another form.
    """
    if not any(":" in line for line in lines) or sum(map(len, lines)) > _LONGEST:
        return []
    parts = [part.strip() for line in lines for part in line.split(";") if part.strip()]
    persons = [
        (match["role"].strip(), match["name"]) for part in parts if (match := _IN_ROLE.fullmatch(part))
    ]
    if len(persons) < len(parts) or not any(_kind(role) for role, _ in persons):
        return []
    kinds = [_kind(role) for role, _ in persons]
    best = MAKER if MAKER in kinds else PHOTOGRAPHER
    makers: list[Maker] = []
    for (role, name), kind in zip(persons, kinds, strict=True):
        makers += in_text(name) if kind == best else [Maker(name, role)]
    return makers


def in_text(text: str) -> Sequence[Maker]:
    """The makers of a text, with a qualifier before or after the name; a publisher in brackets is one too."""
    return _in_short_text(text) if len(text) <= _SHORT else _in_text(text)


def _in_text(text: str) -> tuple[Maker, ...]:
    match = _AT_END.fullmatch(text) if len(text) <= _LONGEST else None
    if match is not None:
        end = (match["inside"] or match["end"]).strip()
        is_role = match["inside"] is not None and (qualifies(end) or role_kind((end,)) == NO_MAKER)
        if is_role or split_name(f"{end} X") == (end, "X"):
            return (Maker(match["name"], end),)
    return tuple(in_name(text))


_in_short_text = lru_cache(maxsize=4096)(_in_text)


def labels_of(makers: Iterable[Maker], *, attributed: bool) -> tuple[str, ...]:
    """The names that are labels, as `artists` has them; never those of a role that is not one of makers."""
    return artists(
        (maker for maker in makers if not maker.qualifier or qualifies(maker.qualifier)),
        attributed=attributed,
    )


def _kind(role: str) -> str | None:
    """What a role says of a person; None: it is not known to be a role."""
    if qualifies(role) or _OF_TEXTS.search(role):
        return NO_MAKER
    return role_kind((role,))
