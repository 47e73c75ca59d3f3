"""Labels that are dates, cut into numbers, words and marks; `arttl.years` reads them."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, NamedTuple

from arttl import year_words as words

LATEST_YEAR = 2100
"""A later year is not one."""

Kind = Literal["year", "decade", "century", "ordinal", "roman", "number", "word", "mark"]


class NotUnderstood(Exception):
    """The label is not written in a way that is read."""


class Token(NamedTuple):
    """A part of a label.

    Attributes:
        kind: of a date, decade or century that is whole in itself; or of what it is written with.
        text: as normalised; of a number or decade only the digits.
        value: the year, or the first year of the decade or century; which ordinal or Roman number it is; else 0.
        start: its first character.
        end: behind its last.
    """

    kind: Kind
    text: str
    value: float
    start: int
    end: int


# Hyphens stay apart from dashes: only a hyphen or a minus sign can be a sign, and only 1642-03 can be a month.
_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("\u2212\u2010\u2011", "-"),
        **dict.fromkeys("\u2014\u2015\u2012", "\u2013"),
        **dict.fromkeys("\u2019\u02bc", "'"),
        **dict.fromkeys("\u200b\u200c\u200d\ufeff\u00ad\u00a9"),
        **dict(zip("ᵉʳᵐˢᵗʰᵈⁿᵃᵒºª°", "ermsthdnaooao", strict=True)),
        **dict.fromkeys("~≈", "?"),
        **dict(zip("０１２３４５６７８９", "0123456789", strict=True)),
    }
)
_NO_LETTER_BEFORE, _NOTHING_AFTER = r"(?<![^\W\d_])", r"(?![^\W_])"
_ERA_BEFORE = re.compile(
    rf"{_NO_LETTER_BEFORE}(?:b\.?\s?c\.?(?:\s?e\.?)?|v\.?\s?chr\.?|av(?:ant)?\.?\s?j\.?\s?-?\s?c\.?|a\.\s?c\.)"
    rf"{_NOTHING_AFTER}"
)
_ERA_AFTER = re.compile(
    rf"{_NO_LETTER_BEFORE}(?:a\.?\s?d\.?|c\.?\s?e\.?|n\.?\s?chr\.?|ap(?:res)?\.?\s?j\.?\s?-?\s?c\.?|d\.\s?c\.)"
    rf"{_NOTHING_AFTER}"
)
_SUPPLIED = re.compile(r"(?<![0-9])([0-9]{1,3})[\[(]([0-9]{1,3})(\?)?[\])]")
_SUPPLIED_FIRST = re.compile(r"[\[(]([0-9]{1,3})[\])]([0-9]{1,3})(?![0-9])")
_QUESTION = re.compile(r"[\[(]\s*\?\s*[\])]")
_ELISION = re.compile(r"\b[dl]'(?=[^\W\d_])")
_LAST_POINT = re.compile(r"(?<![.\s])\.$")


def normalised(text: str) -> str:
    """A label in lower case, without accents and brackets, its eras as `bce` and `ce`."""
    text = unicodedata.normalize("NFD", text.translate(_CHARACTERS).casefold())
    text = "".join(character for character in text if not unicodedata.combining(character))
    text = _SUPPLIED_FIRST.sub(_supplied, _SUPPLIED.sub(_supplied, text))  # 16[50], 165[0?], [16]50
    text = re.sub(r"[\[\]()]", " ", _QUESTION.sub("?", text))
    text = text.replace("t/m", "tot").replace("&", " and ").replace("signed and dated", "dated")
    text = _ERA_AFTER.sub(" ce ", _ERA_BEFORE.sub(" bce ", text))
    return _LAST_POINT.sub("", " ".join(_ELISION.sub("", text).split()))


def _supplied(match: re.Match[str]) -> str:
    known, supplied, *doubt = match.groups(default="")
    return match[0] if len(known + supplied) != 4 else f"{known}{supplied} {''.join(doubt)}"


_TIME = r"[t\ ]NN:NN(?::NN(?:[.,][0-9]{1,9})?)?\ ?(?:z|[+-]NN:?NN)?"
_DAY_OR_MONTH = r"[0-9]{1,2}"
_TOKEN = re.compile(
    rf"""
      (?P<iso>     (?<![0-9-])(?P<iso_year>[+-]?NNNN)-(?P<iso_month>NN)-(?P<iso_day>NN)(?:{_TIME})?(?![0-9]) )
    | (?P<day_first>(?<![0-9])(?:{_DAY_OR_MONTH}(?P<by>[./-]))?{_DAY_OR_MONTH}(?(by)(?P=by)|/)NNNN(?![0-9]) )
    | (?P<year_first>(?<![0-9])NNNN(?P<then>[./]){_DAY_OR_MONTH}(?P=then){_DAY_OR_MONTH}(?![0-9]) )
    | (?P<missing> (?<![0-9])(?:NNN(?:[xu_?](?![0-9xu_])|-(?=\ ?\??$))|NN(?:[xu_?]{{2}}|\.\.|--)(?![0-9])) )
    | (?P<decade>  (?<![0-9])[0-9]{{1,3}}0(?:'?s|-?ern?)(?![^\W\d_]) )
    | (?P<ordinal> (?<![0-9])[0-9]{{1,2}}(?:(?:\ ?(?:st|nd|rd|th)|ste|de|eme|er|re|[eao])(?![^\W\d_])|\.(?![0-9])) )
    | (?P<number>  \+?[0-9]{{1,12}}(?:\.[0-9]{{1,20}})? )
    | (?P<roman>   (?<![^\W_])[ivx]{{1,6}}(?:eme|er?|o)?(?![^\W_])\.? )
    | (?P<word>    (?:peut-etre|[^\W\d_]+)\.? )
    | (?P<mark>    [-\u2013/,?] )
    """.replace("N", "[0-9]"),
    re.VERBOSE,
)
_DIGITS = re.compile(r"[0-9]+")


def tokens_of(text: str, missing_digits: bool) -> list[Token]:
    """The numbers, words and marks of a normalised label, without the words that change nothing.

    Args:
        text: the label.
        missing_digits: see `arttl.years.read_span`.

    Raises:
        NotUnderstood: for any other character, and for a date that no calendar has.
    """
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotUnderstood
        token = _token(match)
        if match.lastgroup == "missing" and not (missing_digits and 1000 <= token.value < LATEST_YEAR):
            token = _number(_DIGITS.match(text, position))
        if not (token.kind == "word" and token.text in words.FILLERS):
            tokens.append(token)
        position = token.end + (text[token.end : token.end + 1] == " ")
    return tokens


def _token(match: re.Match[str]) -> Token:
    text, start, end = match[0], match.start(), match.end()
    group = match.lastgroup
    if group in ("iso", "day_first", "year_first"):
        return Token("year", text, _year_of_date(match), start, end)
    digits = "".join(_DIGITS.findall(text))
    if group == "missing":
        kind: Kind = "decade" if len(digits) == 3 else "century"
        return Token(kind, digits, float(digits.ljust(4, "0")), start, end)
    if group == "decade":
        # Whether 1800s is a decade or a century is not known: the century holds both. Nothing is from 2010 to 2099.
        hundreds = len(digits) >= 3 and digits.endswith("00") and digits != "2000"
        return Token("century" if hundreds else "decade", digits, float(digits), start, end)
    if group == "ordinal":
        return Token("ordinal", digits, float(digits), start, end)
    if group == "number":
        return _number(match)
    if group == "roman":
        return Token("roman", text, _roman(text), start, end)
    return Token("word" if group == "word" else "mark", text.rstrip("."), 0.0, start, end)


def _number(match: re.Match[str] | None) -> Token:
    assert match is not None
    return Token("number", match[0].lstrip("+"), float(match[0]), match.start(), match.end())


def _year_of_date(match: re.Match[str]) -> float:
    """The year of a date, of which a day or month of 00 is unknown, as Wikidata writes it.

    Raises:
        NotUnderstood: for a month above 12, a day above 31, and the years 0 and 1.
    """
    if match["iso"]:
        year, parts = match["iso_year"], [int(match["iso_month"]), int(match["iso_day"])]
    else:
        numbers = _DIGITS.findall(match[0])
        year = max(numbers, key=len)
        parts = [int(number) for number in numbers if number is not year]
        if match["day_first"] and len(parts) == 2 and parts[0] > 12:  # whichever of 05/12 is the month
            parts.reverse()
    if (
        parts[0] > 12 or max(parts) > 31 or int(year) in (0, 1)
    ):  # 0000-00-00, 0001-01-01: programmes' unknown date
        raise NotUnderstood
    return float(year)


_ROMAN = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")


def _roman(text: str) -> float:
    """The number up to 29 that Roman digits write, with or without an ordinal's ending.

    Raises:
        NotUnderstood: for digits in another order.
    """
    digits = text.rstrip(".emro")
    tens = len(digits) - len(digits.lstrip("x"))
    if tens > 2 or digits[tens:] not in _ROMAN or not digits:
        raise NotUnderstood
    return 10.0 * tens + _ROMAN.index(digits[tens:])
