"""Labels that are numbers: reading a column of them, and the statistics that replace a vocabulary."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from arttl.decimals import NumberFormat, is_plausible_year
from arttl.years import WIDEST_RANGE, read_span

if TYPE_CHECKING:
    import torch

__all__ = [
    "WIDEST_RANGE",
    "NumberFormat",
    "NumberStatistics",
    "examples_of",
    "parse_number",
    "unused_numbers",
]

Array = TypeVar("Array", npt.NDArray[Any], "torch.Tensor")

_ANY = NumberFormat()
_POINT_OR_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}")


def parse_number(text: str, number_format: NumberFormat = _ANY) -> float | None:
    """The number in a catalogued label; None if there is none.

    Read are numbers as Python, pandas and Parquet write them (`1642`, `-500`, `23.5`, `1.642e3`) or as the column
    does (`1.234,5`); and the ways of writing a year, see `arttl.years.parse_year`, of which the middle is taken.

    Args:
        text: the label.
        number_format: of its column. In one of years a plain number is a year of four digits or before Christ, and
            any other gives none; where it is not known whether the column is one of years, `165?` is the 1650s.
    """
    value = number_format.decimal_value(text)
    if value is not None:
        return None if number_format.years and not is_plausible_year(value) else value
    span = read_span(text.strip(), number_format.years is not False)
    if span is None or span.is_wide:
        return None
    if number_format.years:
        return span.middle if span.is_year else None
    if number_format.years is None and span.short and span.doubtful and span.last < 100:  # c. 19
        return None
    return span.middle


def unused_numbers(labels: Sequence[str], number_format: NumberFormat) -> list[str]:
    """Phrases for a person about the labels of a column that give no number, or may give a wrong one.

    Args:
        labels: of any samples.
        number_format: of the column.

    Returns:
        For each reason that applies, how many labels and examples, the most frequent ones.
    """
    unread: Counter[str] = Counter()
    wide: Counter[str] = Counter()
    no_year: Counter[str] = Counter()
    decimals: Counter[str] = Counter()
    for label, count in Counter(labels).items():
        if parse_number(label, number_format) is not None:
            if "." in label and number_format.decimal_value(label) is not None:
                decimals[label] = count
        elif number_format.years and parse_number(label, NumberFormat(years=False)) is not None:
            no_year[label] = count
        elif (span := read_span(label.strip())) is not None and span.is_wide:
            wide[label] = count
        else:
            unread[label] = count
    sentences = []
    if unread:
        sentences.append(
            f"{unread.total():,} of them not read as a number ({examples_of(unread)}; see docs/numbers.md)"
        )
    if wide:
        sentences.append(
            f"{wide.total():,} of them spans of {WIDEST_RANGE} years or more ({examples_of(wide)})"
        )
    if no_year:
        with_era = next((f"{label} CE" for label, _ in no_year.most_common() if label.isdigit()), "165 CE")
        sentences.append(
            f"{no_year.total():,} of them not used, since they are no years of four digits as the others are and may"
            f" lack some ({examples_of(no_year)}; {with_era!r} would be used)"
        )
    if (
        number_format == NumberFormat(years=False)
        and all(map(_POINT_OR_THOUSANDS.fullmatch, decimals))
        and decimals
    ):
        example = min(decimals)
        whole = example.replace(".", "")
        sentences.append(
            f"{decimals.total():,} of them read with a decimal point ({example!r} as {float(example):g}, not {whole})"
        )
    return sentences


def examples_of(labels: Counter[str]) -> str:
    """`such as` and the most frequent labels, shortened."""
    shown = [label if len(label) <= 40 else label[:39] + "…" for label, _ in labels.most_common(3)]
    return "such as " + ", ".join(map(repr, shown))


@dataclass(frozen=True)
class NumberStatistics:
    """Statistics of a number in the training split; they replace a vocabulary.

    Attributes:
        count: training samples whose label is a number.
        mean: of these, in the label's unit.
        std: standard deviation (divided by `count`), in the label's unit.
        median: always predicting it is the baseline that every error is shown beside.
        unreadable: training samples whose label is not a number, see `parse_number`; they count as unlabelled.
        number_format: how the column's numbers are written.
    """

    count: int
    mean: float
    std: float
    median: float
    unreadable: int = 0
    number_format: NumberFormat = _ANY

    def __post_init__(self) -> None:
        if not (self.count >= 2 and self.std > 0 and self.unreadable >= 0):
            raise ValueError("a number's statistics need two different training samples")
        if not all(map(math.isfinite, (self.mean, self.std, self.median))):
            raise ValueError("a number's statistics must be finite")

    @classmethod
    def of(cls, values: Iterable[float | None], number_format: NumberFormat = _ANY) -> NumberStatistics:
        """The statistics of a training split's labelled samples.

        Args:
            values: None for a label that is not a number.
            number_format: that they were read with.

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
            number_format=number_format,
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
