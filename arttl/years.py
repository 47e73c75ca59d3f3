"""Years as catalogues write them: a label becomes a year with its uncertainty, or unknown; see `docs/numbers.md`.

A label is read as a whole or not at all: a word that is not in `arttl.year_words` makes it unknown, so that
`before 1650`, `1640, cast 1890` and `17 x 12 cm` are not taken for a year that they merely contain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from arttl import year_words as words
from arttl.year_tokens import LATEST_YEAR, NotUnderstood, Token, normalised, tokens_of

WIDEST_RANGE = 100
"""A range this wide or wider is unknown, as in the Rijksmuseum Challenge (`|Y1 - Y2| < 100`)."""
DOUBT_YEARS = 5
"""Years that `ca.`, a question mark and the like add on either side."""
LONGEST_LABEL = 200
"""Characters of a label that is read."""

Unit = Literal["year", "decade", "century", "ordinal", "nothing"]
_YEARS = {"year": 1, "decade": 10, "century": 100}


@dataclass(frozen=True)
class Year:
    """A year and how far off it may be.

    Attributes:
        value: the middle of what the label allows; negative before Christ, 300 BC being -300.
        half_width: half the years between the first and the last that the label allows; 0 for one year.
    """

    value: float
    half_width: float


@dataclass(frozen=True)
class Span:
    """What a label says, before it is known whether it is one of years or of other numbers.

    Attributes:
        first: the lowest value.
        last: the highest.
        doubtful: whether the label says that this is an estimate.
        short: whether it has no era and is one number or decade below 1000, or a range below 100: `ca. 165` may lack
            a digit, and `19?` the rest.
        dated: whether only dates are written like this: with an era, a century, a decade or a month.
    """

    first: float
    last: float
    doubtful: bool
    short: bool
    dated: bool

    @property
    def middle(self) -> float:
        """Half-way between the first and the last."""
        return (self.first + self.last) / 2

    @property
    def is_wide(self) -> bool:
        """Whether it is too wide to be used."""
        return self.last - self.first >= WIDEST_RANGE

    @property
    def is_year(self) -> bool:
        """Whether it can be a year beside years of four digits."""
        return not self.short and self.last <= LATEST_YEAR and not self.is_wide


def parse_year(text: str) -> Year | None:
    """The year that a catalogued label gives; None if it is unknown.

    Read are years (`1642`, `1642.0`, `-500`, `300 BC`), estimates (`ca. 1642`, `[1642?]`), dates (`1642-03-15`,
    `12/05/1990`, `May 1889`), decades and centuries (`1640s`, `164?`, `164X`, `17th century`, `1600s`, `16--`), their
    parts (`late 17th century`, `1. Hälfte 17. Jh.`) and ranges (`1640-45`, `between 1640 and 1645`).

    Unknown are bounds (`before 1642`), ranges of `WIDEST_RANGE` or more, ranges that end before they begin, numbers
    of one to three digits without an era (`165`, `c. 19`: digits may be missing), and whatever else is written.
    """
    span = read_span(text)
    if span is None or not span.is_year:
        return None
    return Year(span.middle, (span.last - span.first) / 2 + (DOUBT_YEARS if span.doubtful else 0))


def read_span(text: str, missing_digits: bool = True) -> Span | None:
    """What a label says, a range of `WIDEST_RANGE` or more included; None where it is not understood.

    Args:
        text: the label.
        missing_digits: whether `165?` is a year that lacks its last digit; False: it is 165, in doubt.
    """
    return _read_span(text, missing_digits) if len(text) <= LONGEST_LABEL else None


@lru_cache(maxsize=65_536)  # a catalogue repeats its dates
def _read_span(text: str, missing_digits: bool) -> Span | None:
    try:
        span = _Reader(tokens_of(normalised(text), missing_digits)).label()
    except NotUnderstood:
        return None
    return span if span.first <= span.last else None


@dataclass(frozen=True)
class _Moment:
    """A year, decade or century, or a part of one; the first of two may lack what the second one says.

    Attributes:
        unit: which begins with `first`. Of an ordinal, `first` says which of the second one's centuries it is.
        first: the year.
        digits: of a number or decade, as written.
        part: the index of the part and of how many; None for the whole.
        era: bce or ce, where written.
        doubtful: see `Span`.
        dated: see `Span`.
    """

    unit: Unit
    first: float
    digits: str = ""
    part: tuple[int, int] | None = None
    era: str = ""
    doubtful: bool = False
    dated: bool = True

    def ends(self) -> tuple[float, float]:
        """The first and the last year.

        Raises:
            NotUnderstood: for an ordinal without a century, and for a year 0 of an era.
        """
        if self.unit not in _YEARS or (self.era and self.first < 1):
            raise NotUnderstood
        years = _YEARS[self.unit]
        first, last = self.first, self.first + years - 1
        if self.era == "bce":
            first, last = -last, -first
        if self.part is None or years == 1:
            return first, last
        index, count = self.part
        return first + round(index * years / count), first + round((index + 1) * years / count) - 1

    def span(self) -> Span:
        """Of this moment alone."""
        first, last = self.ends()
        short = not self.era and 0 <= first < 1000 and (self.unit == "decade" or not self.dated)
        return Span(first, last, self.doubtful, short, self.dated)


class _Reader:
    """Reads the tokens of a label from left to right. Every method raises `NotUnderstood` where it cannot."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def label(self) -> Span:
        """The whole label: a moment, or two and what joins them."""
        between = self._accept_word(words.BETWEEN)
        from_to = not between and self._accept_word(words.FROM)
        self._accept_word(frozenset(("en",)))  # French and Spanish: in
        first = self._moment()
        if self._at_end and not (between or from_to):
            return first.span()
        hyphen = self._connector(between)
        second = self._moment()
        if not self._at_end:
            raise NotUnderstood
        return _joined(first, second, hyphen)

    @property
    def _at_end(self) -> bool:
        return self._next == len(self._tokens)

    def _peek(self, ahead: int = 0) -> Token:
        index = self._next + ahead
        return self._tokens[index] if index < len(self._tokens) else Token("mark", "", 0.0, -1, -1)

    def _accept(self, *kinds: str) -> Token | None:
        token = self._peek()
        if token.kind not in kinds or not token.text:
            return None
        self._next += 1
        return token

    def _accept_mark(self, marks: str) -> bool:
        token = self._peek()
        accepted = token.kind == "mark" and token.text != "" and token.text in marks
        self._next += accepted
        return accepted

    def _accept_word(self, choice: frozenset[str]) -> bool:
        token = self._peek()
        accepted = token.kind == "word" and token.text in choice
        self._next += accepted
        return accepted

    def _connector(self, between: bool) -> bool:
        """Step over what joins two moments; whether it is a hyphen, which may also join a year and a month."""
        if between and self._accept_word(words.AND):
            return False
        hyphen = self._accept_mark("-")
        if self._accept_word(words.TO | words.OR):  # also behind the hyphen of "mid- to late"
            return False
        if not (hyphen or self._accept_mark("\u2013/")):
            raise NotUnderstood
        return hyphen

    def _moment(self) -> _Moment:
        doubtful = self._doubt()
        part = self._part()
        doubtful |= self._doubt()
        era = self._era()
        doubtful |= self._doubt()
        moment = self._core(part is not None)
        doubtful |= self._doubt()
        era = self._era() or era
        doubtful |= self._doubt()
        if part is None and moment.unit == "century":  # 17th century, second half
            comma = self._accept_mark(",")
            part = self._part()
            if comma and part is None:
                raise NotUnderstood
            doubtful |= self._doubt()
        return replace(moment, part=part, era=era, doubtful=doubtful, dated=moment.dated or bool(era))

    def _doubt(self) -> bool:
        before = self._next
        while self._accept_mark("?") or self._accept_word(words.DOUBT):
            pass
        return self._next > before

    def _era(self) -> str:
        for era in ("bce", "ce"):
            if self._accept_word(frozenset((era,))):
                return era
        return ""

    def _part(self) -> tuple[int, int] | None:
        """Early, the second half of, the last quarter of; and the hyphen of mid-1850s."""
        part: tuple[int, int] | None = None
        start = self._next
        ordinal, fraction = self._ordinal(), self._peek()
        if ordinal is not None and fraction.text in words.FRACTIONS:
            self._next += 1
            count = words.FRACTIONS[fraction.text]
            if ordinal > count:
                raise NotUnderstood
            part = (ordinal or count) - 1, count
        else:
            self._next = start
            for index, choice in enumerate((words.EARLY, words.MIDDLE, words.LATE)):
                if self._accept_word(choice):
                    part = index, 3
        if part is not None:
            if not self._accept_word(frozenset(("of",))):
                self._accept_mark(",")
            joins = words.TO | words.OR | words.EARLY | words.MIDDLE | words.LATE
            if self._peek(1).text not in joins:
                self._accept_mark("-\u2013")
        return part

    def _ordinal(self) -> int | None:
        """`17th`, `17.` or `seventeenth`; 0 for the last."""
        if token := self._accept("ordinal"):
            return int(token.value)
        if self._accept_word(words.LAST):
            return 0
        token = self._peek()
        number = words.ORDINALS.get(token.text) if token.kind == "word" else None
        self._next += number is not None
        return number

    def _core(self, of_part: bool) -> _Moment:
        """The date, decade, century or number itself."""
        if token := self._accept("year", "decade", "century"):
            unit: Unit = token.kind  # type: ignore[assignment]
            return _Moment(unit, token.value, token.text if unit == "decade" else "")
        if self._accept_day_and_month():
            return _Moment("year", self._four_digits())
        before = self._accept_word(words.CENTURY | words.CENTURY_BESIDE_ROMAN)
        if token := self._accept("roman"):
            if not (self._accept_word(words.CENTURY | words.CENTURY_BESIDE_ROMAN) or before):
                return _Moment("ordinal", token.value)
            return _century(token.value)
        ordinal = self._ordinal()
        if ordinal is not None:
            if self._peek(1).text in words.CENTURY:
                self._accept_mark("-")  # 17th-century
            if self._accept_word(words.CENTURY | words.CENTURY_AFTER_ORDINAL) or before:
                return _century(ordinal)
            return _Moment("ordinal", ordinal)
        if before:
            raise NotUnderstood
        if self._accept_word(words.DECADE_BEFORE):
            year = self._four_digits()
            if year % 10:
                raise NotUnderstood
            return _Moment("decade", year, self._tokens[self._next - 1].text)
        return self._number(of_part)

    def _number(self, of_part: bool) -> _Moment:
        sign, digits = self._peek(), self._peek(1)
        if sign.text == "-" and digits.kind == "number" and digits.start == sign.end:
            self._next += 2
            return _Moment("year", -digits.value, dated=False)
        token = self._accept("number")
        if token is None:
            if not of_part:
                raise NotUnderstood
            return _Moment("nothing", 0.0)
        if len(token.text) <= 2 and self._accept_word(words.CENTURY):  # 17 century
            return _century(token.value)
        if len(token.text) == 4 and self._accept_word(words.MONTHS):  # 1889 May 12
            self._accept_day()
            return _Moment("year", token.value)
        return _Moment("year", token.value, token.text, dated=False)

    def _accept_day_and_month(self) -> bool:
        """`May`, `12 May`, `May 12,`, `May-June`."""
        start = self._next
        self._accept_day()
        self._accept_word(frozenset(("of",)))
        if not self._accept_word(words.MONTHS):
            self._next = start
            return False
        if self._accept_mark("-\u2013/") and not self._accept_word(words.MONTHS):
            raise NotUnderstood
        self._accept_day()
        self._accept_mark(",")
        return True

    def _accept_day(self) -> None:
        token = self._peek()
        self._next += token.kind in ("number", "ordinal") and len(token.text) <= 2 and 1 <= token.value <= 31

    def _four_digits(self) -> float:
        token = self._accept("number")
        if token is None or len(token.text) != 4:
            raise NotUnderstood
        return token.value


def _century(number: float) -> _Moment:
    if number < 1:
        raise NotUnderstood
    return _Moment("century", 100 * number - 99)


def _joined(first: _Moment, second: _Moment, hyphen: bool) -> Span:
    """The span from one moment to another; an era, a century and the first digits of a year may be written only once.

    Args:
        first: the first.
        second: the second.
        hyphen: whether a hyphen joins them.
    """
    if first.era == "bce" and not second.era:  # 100 BC-50: of which era?
        raise NotUnderstood
    first = replace(first, era=first.era or second.era)
    second = replace(second, era=second.era or first.era)
    if first.unit == "ordinal" and second.unit == "century":
        first = replace(_century(first.first), part=first.part, era=first.era, doubtful=first.doubtful)
    elif first.unit == "nothing":
        first = replace(second, part=first.part, era=first.era, doubtful=first.doubtful)
    shorter, longer = second.digits, first.digits
    if first.era != "bce" and shorter.isdigit() and longer.isdigit() and 3 <= len(longer) > len(shorter):
        completed = longer[: len(longer) - len(shorter)] + shorter  # 1640-45
        if float(completed) < first.first:
            if hyphen and len(longer) == 4 and len(shorter) == 2 and 1 <= int(shorter) <= 12:  # 1642-03
                return replace(first, doubtful=first.doubtful or second.doubtful, dated=True).span()
            raise NotUnderstood
        second = replace(second, first=float(completed))
    low, high = first.ends()[0], second.ends()[1]
    short = not (first.era or second.era or first.dated or second.dated) and low >= 0 and high < 100
    return Span(low, high, first.doubtful or second.doubtful, short, first.dated or second.dated)
