"""Labels that are numbers: reading a catalogue's strings, and the statistics that replace a vocabulary."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", npt.NDArray[Any], "torch.Tensor")

WIDEST_RANGE = 100
"""A range this wide or wider is unknown, as in the Rijksmuseum Challenge (`|Y1 - Y2| < 100`)."""

_BEFORE_CHRIST = r"(?:b\.?\s?c\.?(?:\s?e\.?)?|v\.?\s?chr\.?|av\.?\s?j\.?-?c\.?)"
_AFTER_CHRIST = r"(?:a\.?\s?d\.?|c\.?\s?e\.?|n\.?\s?chr\.?)"
_CIRCA = r"(?:(?:circa|ca\.?|c\.|about|around|omstreeks|um|vers|probably|possibly|dated)\s*)*"
_CENTURY = r"(?:century|centuries|eeuw|jahrhundert|jh\.?|siècle)"


def _moment(ordinal: int) -> str:
    """A pattern for a number, a decade or a century; its groups end in `ordinal`."""
    number = rf"(?P<number{ordinal}>-?\d{{1,12}}(?:\.\d{{1,6}})?)(?P<decade{ordinal}>(?<=\d0)'?s)?"
    century = rf"(?P<nth{ordinal}>\d{{1,2}})\s?(?:st|nd|rd|th|ste|de|e|er|\.)(?:\s?(?P<century{ordinal}>{_CENTURY}))?"
    era = rf"(?:\s?(?P<before{ordinal}>{_BEFORE_CHRIST})|\s?(?P<after{ordinal}>{_AFTER_CHRIST}))?"
    return rf"{_CIRCA}(?:a\.?d\.?\s)?(?:{number}|{century}){era}"


_DATE = re.compile(r"(-?\d{4})-\d{2}-\d{2}(?:T.*)?", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_RANGE = re.compile(
    rf"{_moment(1)}(?:\s*(?:-|/|\bto\b|\btot\b|\bbis\b|\bor\b|\bof\b)\s*{_moment(2)})?",
    re.ASCII | re.IGNORECASE,
)
_UNSURE = re.compile(r"\s*(?:\(\?\)|[?~])$")
_DASHES = str.maketrans("−–—‐‑", "-----")


def parse_number(text: str) -> float | None:
    """The number in a catalogued label; None if there is none.

    Read are plain numbers (`1642`, `-500`, `23.5`) and the ways of writing a year: `ca. 1642`, `1642?`, `[1642]`,
    `1642-03-15`, `300 BC`; and spans, of which the middle is taken: `1640 - 1645`, `1640–45`, `1640s`, `17th century`.
    A span of `WIDEST_RANGE` or more, one that ends before it begins, and a bound (`before 1642`) give no number.
    """
    text = text.strip().translate(_DASHES)
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1].strip()
    text = _UNSURE.sub("", text)
    if date := _DATE.fullmatch(text):
        return float(date[1])
    match = _RANGE.fullmatch(text)
    if not match:
        return None
    part = match.groupdict()
    low, high = _first_and_last(part)
    if high < low and (month := _MONTH.fullmatch(text)):  # not a range such as 1640-45, so a month
        return float(month[1])
    return (low + high) / 2 if 0 <= high - low < WIDEST_RANGE else None


def _first_and_last(part: dict[str, str | None]) -> tuple[float, float]:
    """The ends of the one or two moments of a match; NaN where it is none."""
    if part["number2"] is None and part["nth2"] is None:
        return _span(part, "1", before=bool(part["before1"]), century=bool(part["century1"]))
    last_before = bool(part["before2"])
    century = bool(part["century2"])
    # An era or century after the second only holds for both: 300–200 BC, 17th–18th century.
    first_before = bool(part["before1"]) or (last_before and not part["after1"])
    first = _span(part, "1", before=first_before, century=century or bool(part["century1"]))
    shorter, longer = part["number2"], part["number1"]
    if shorter and longer and not first_before and _is_short(shorter, longer):
        completed = longer[: len(longer) - len(shorter)] + shorter  # 1640–45
        return first[0], float(completed)
    return first[0], _span(part, "2", before=last_before, century=century)[1]


def _is_short(second: str, first: str) -> bool:
    return first.isdigit() and second.isdigit() and len(second) < len(first) and len(first) >= 3


def _span(part: dict[str, str | None], ordinal: str, *, before: bool, century: bool) -> tuple[float, float]:
    number, nth = part["number" + ordinal], part["nth" + ordinal]
    if number is not None:
        low = float(number)
        high = low + 9 if part["decade" + ordinal] else low
    elif century and nth is not None and int(nth):
        low, high = 100 * int(nth) - 99, 100 * int(nth)
    else:
        return math.nan, math.nan
    return (-high, -low) if before else (low, high)


@dataclass(frozen=True)
class NumberStatistics:
    """Statistics of a number in the training split; they replace a vocabulary.

    Attributes:
        count: training samples whose label is a number.
        mean: of these, in the label's unit.
        std: standard deviation (divided by `count`), in the label's unit.
        median: always predicting it is the baseline that every error is shown beside.
        unreadable: training samples whose label is not a number, see `parse_number`; they count as unlabelled.
    """

    count: int
    mean: float
    std: float
    median: float
    unreadable: int = 0

    def __post_init__(self) -> None:
        if not (self.count >= 2 and self.std > 0 and self.unreadable >= 0):
            raise ValueError("a number's statistics need two different training samples")
        if not all(map(math.isfinite, (self.mean, self.std, self.median))):
            raise ValueError("a number's statistics must be finite")

    @classmethod
    def of(cls, values: Iterable[float | None]) -> NumberStatistics:
        """The statistics of a training split's labelled samples, None for a label that is not a number.

        Raises:
            ValueError: for fewer than two different numbers.
        """
        values = list(values)
        known = np.array([value for value in values if value is not None], dtype=np.float64)
        if not len(known):
            raise ValueError("no number")
        return cls(
            count=len(known),
            mean=float(known.mean()),
            std=float(known.std()),
            median=float(np.median(known)),
            unreadable=len(values) - len(known),
        )

    def standardise(self, values: Array) -> Array:
        """Values in the label's unit to values of mean 0 and standard deviation 1, as the head predicts them."""
        return (values - self.mean) / self.std

    def restore(self, standardised: Array) -> Array:
        """The inverse of `standardise`."""
        return standardised * self.std + self.mean

    def text(self, value: float) -> str:
        """A value as a label, to at least a tenth of the standard deviation: `1642` for years."""
        decimals = max(0, 1 - math.floor(math.log10(self.std)))
        return f"{value:.{decimals}f}"
