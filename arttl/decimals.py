"""Columns of numbers: which signs separate decimals and thousands, and whether the numbers are years."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from arttl.year_tokens import LATEST_YEAR
from arttl.years import read_span

_LONGEST = 1_100
"""Characters: the longest that a float is written with, without an exponent."""
_YEARS_SHARE, _YEARS_SHARE_OF_REST = 0.9, 0.5
"""Share of a column's numbers and dates from which it is one of years; and where the others may be rests of years."""
_LARGEST_REST = 209
"""The last of a year's first three digits."""


class UnclearNumbers(ValueError):
    """A column whose numbers can be read in two ways, or are written in two; the message counts and shows them.

    Attributes:
        numbers: labels of the column that are numbers.
    """

    def __init__(self, message: str, numbers: int) -> None:
        super().__init__(message)
        self.numbers = numbers


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a column are written; decided from its training labels and saved with the task.

    Attributes:
        decimal: the decimal separator, a point or a comma.
        thousands: the separator of thousands: none, a comma, a point, a blank or an apostrophe.
        years: whether the column is one of years of four digits, so that 165 lacks a digit; None if that is unknown.
    """

    decimal: str = "."
    thousands: str = ""
    years: bool | None = None

    def __post_init__(self) -> None:
        if (self.decimal, self.thousands) not in _SEPARATORS or self.years not in (True, False, None):
            raise ValueError("not a format of numbers")

    @classmethod
    def of(cls, labels: Iterable[str]) -> NumberFormat:
        """The format of a column.

        Args:
            labels: of its training split, those that are no numbers as well.

        Raises:
            UnclearNumbers: where two formats give different numbers, or no format reads all.
        """
        counts = Counter(label.strip() for label in labels)
        if _are_years(counts):
            return cls(years=True)
        return cls(*_separators(counts), years=False)

    def decimal_value(self, text: str) -> float | None:
        """The number that a label is; None if it is none, or too large for a float."""
        text = text.strip()
        if len(text) > _LONGEST or not _pattern(self.decimal, self.thousands).fullmatch(text):
            return None
        if self.thousands:
            text = re.sub(_THOUSANDS[self.thousands], "", text)
        value = float(text.replace(self.decimal, ".").replace("\u2212", "-"))
        return value if math.isfinite(value) else None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {"decimal": self.decimal, "thousands": self.thousands, "years": self.years}


def is_plausible_year(value: float) -> bool:
    """Whether a plain number can be a year in a column of years of four digits."""
    return value < 0 or 1000 <= value <= LATEST_YEAR


_THOUSANDS = {",": ",", ".": r"\.", " ": "[ \u00a0\u2009\u202f]", "'": "['\u2019]"}
# The first that reads a column is taken, if the others that do give the same numbers.
_SEPARATORS = ((".", ""), (",", ""), (".", ","), (".", " "), (".", "'"), (",", "."), (",", " "), (",", "'"))


@cache
def _pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    whole = "[0-9]+"
    if thousands:
        whole = rf"(?:[1-9][0-9]{{0,2}}(?:{_THOUSANDS[thousands]}[0-9]{{3}})+|[0-9]+)"
    point = re.escape(decimal)
    after = "[0-9]*" if decimal == "." else "[0-9]+"  # numpy prints 1642.
    return re.compile(rf"[+\-\u2212]?(?:{whole}(?:{point}{after})?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?")


def _are_years(counts: Mapping[str, int]) -> bool:
    """Whether nearly all numbers and dates of a column are from 1000 to 2100; see docs/numbers.md."""
    plain, years, others = NumberFormat(), 0, 0
    share = _YEARS_SHARE_OF_REST
    for label, count in counts.items():
        value = plain.decimal_value(label)
        if value is not None:
            is_year, counts_against = 1000 <= value <= LATEST_YEAR, value >= 0
        elif (span := read_span(label)) is not None:
            value = span.last
            is_year, counts_against = not span.short and (span.dated or span.first >= 1000), span.first >= 0
        else:
            continue
        if is_year:
            years += count
        elif counts_against:
            others += count
            if value > _LARGEST_REST or not value.is_integer():
                share = _YEARS_SHARE
    return years > 0 and years >= share * (years + others)


def _separators(counts: Mapping[str, int]) -> tuple[str, str]:
    """The separators of decimals and thousands.

    Raises:
        UnclearNumbers: see `NumberFormat.of`.
    """
    plain, *others = (NumberFormat(*pair) for pair in _SEPARATORS)
    left = [label for label in counts if plain.decimal_value(label) is None]
    if not any(one_format.decimal_value(label) is not None for one_format in others for label in left):
        return plain.decimal, plain.thousands  # what Python, pandas and Parquet write is read as they mean it
    readings = {
        (one_format.decimal, one_format.thousands): {
            label: value for label in counts if (value := one_format.decimal_value(label)) is not None
        }
        for one_format in (plain, *others)
    }
    numbers = set().union(*readings.values())
    complete = [pair for pair in _SEPARATORS if len(readings[pair]) == len(numbers)]
    if not complete:
        raise UnclearNumbers(_mixed(counts, list(readings.values()), numbers), _total(counts, numbers))
    first = readings[complete[0]]
    for pair in complete[1:]:
        unclear = [label for label in first if readings[pair][label] != first[label]]
        if unclear:
            example = _most_frequent(counts, unclear)
            raise UnclearNumbers(
                f"{_total(counts, unclear):,} of its {_total(counts, numbers):,} numbers, such as {example!r}, may be"
                f" {first[example]:.15g} or {readings[pair][example]:.15g}",
                _total(counts, numbers),
            )
    return complete[0]


def _mixed(counts: Mapping[str, int], readings: list[dict[str, float]], numbers: set[str]) -> str:
    """What is wrong with a column that no format reads: how many the best one does not, and examples."""
    most = max(readings, key=lambda reading: sum(counts[label] for label in reading))
    unread = numbers - set(most)
    separated = [label for label in most if not label.strip("+-").isdigit()]
    return (
        f"its {_total(counts, numbers):,} numbers are written in different ways, {_total(counts, unread):,} of them"
        f" such as {_most_frequent(counts, unread)!r}, others such as {_most_frequent(counts, separated or most)!r}"
    )


def _total(counts: Mapping[str, int], labels: Iterable[str]) -> int:
    return sum(map(counts.__getitem__, labels))


def _most_frequent(counts: Mapping[str, int], labels: Iterable[str]) -> str:
    return min(labels, key=lambda label: (-counts[label], label))
