"""Text as a reader sees it: blanks of every kind are one blank, and characters that nobody sees are left out."""

from __future__ import annotations

import re
import unicodedata

# Control characters but for line ends, soft hyphens, zero-width blanks, byte-order marks, marks of text's direction.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
# Zero-width joiners mean something within scripts that join letters, and within emoji; elsewhere nothing.
_JOINED = "\u0590-\u109f\u1700-\u1cff\u2600-\u27bf\ua800-\uabff\ufb50-\ufefc\U00010000-\U0010ffff"
_JOINERS = re.compile(
    f"(?<![{_JOINED}\ufe0f\u200c\u200d])[\u200c\u200d]+|(?<![\u200c\u200d])[\u200c\u200d]+(?= |\\Z)"
)


def plain_text(text: str) -> str:
    """Unicode NFC, without characters that nobody sees, and with single blanks inside and none around.

    Left out are control characters, soft hyphens, zero-width blanks, byte-order marks, direction marks, and zero-width
    joiners outside the scripts that need them. No-break spaces, tabs and line ends are blanks.
    """
    if text.isprintable():  # so the only blanks are single spaces or more of them, and all else can be seen
        text = unicodedata.normalize("NFC", text)
        return " ".join(text.split()) if "  " in text else text.strip()
    text = " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", text)).split())
    text = unicodedata.normalize("NFC", _JOINERS.sub("", text))
    return " ".join(text.split())


def same_text(text: str) -> str:
    """As `plain_text` makes it, with letter case folded (Unicode 3.13, toCasefold)."""
    return unicodedata.normalize("NFC", plain_text(text).casefold())


LETTERS = {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
"""What is typed for letters that Unicode does not take apart into a letter and an accent.

The page of the review app searches with them too; JavaScript's lower case, unlike folded case, keeps ß.
"""
_LETTERS = str.maketrans(LETTERS)


def typed_text(text: str) -> str:
    """As `same_text` makes it, without accents: what is typed on another keyboard finds it."""
    letters = unicodedata.normalize("NFD", same_text(text))
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).translate(_LETTERS)
