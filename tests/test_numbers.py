from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.numbers import NumberFormat, NumberStatistics, examples_of, parse_number, unused_numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1642", 1642),
        (" 1642 ", 1642),
        ("-500", -500),
        ("−500", -500),
        ("23.5", 23.5),
        ("ca. 1642", 1642),
        ("c. 1642", 1642),
        ("Circa 1642", 1642),
        ("probably ca. 1642", 1642),
        ("1642?", 1642),
        ("1642 (?)", 1642),
        ("[1642]", 1642),
        ("[ca. 1642?]", 1642),
        ("1642-03-15", 1642),
        ("1642-03-15T00:00:00", 1642),
        ("1642-03", 1642),
        ("1640 - 1645", 1642.5),
        ("1640–1645", 1642.5),
        ("1640/1645", 1642.5),
        ("1640–45", 1642.5),
        ("1640-5", 1642.5),
        ("ca. 1640–ca. 1645", 1642.5),
        ("1640 or 1641", 1640.5),
        ("1640 tot 1645", 1642.5),
        ("1640s", 1644.5),
        ("17th century", 1650.5),
        ("17de eeuw", 1650.5),
        ("17e eeuw", 1650.5),
        ("17. Jahrhundert", 1650.5),
        ("1st century", 50.5),
        ("5th century BC", -450.5),
        ("500 BC", -500),
        ("500 v. Chr.", -500),
        ("A.D. 150", 150),
        ("150 CE", 150),
        ("330–300 BCE", -315),
        ("10 BC - 5 AD", -2.5),
        ("-500--450", -475),
        ("1600-1699", 1649.5),
    ],
)
def test_what_a_label_says(text: str, number: float) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unknown",
        "n. d.",
        "before 1642",
        "after 1642",
        "1600-1700",  # as wide as the challenge leaves out
        "17th–18th century",
        "1645-1640",
        "1645s",
        "17th",
        "0th century",
        "1642 x",
        "1,642",
        "nan",
        "inf",
        "9" * 400,
        "१६४२",
    ],
)
def test_labels_that_say_no_number(text: str) -> None:
    assert parse_number(text) is None


@settings(deadline=None)
@given(st.text(max_size=60) | st.text("ca.0123456789 -–/sthBC?[]", max_size=60))
def test_any_text_is_a_number_or_none(text: str) -> None:
    found = parse_number(text)
    assert found is None or np.isfinite(found)


@settings(deadline=None)
@given(st.integers(-9999, 9999), st.integers(0, 99))
def test_whole_numbers_and_ranges(first: int, width: int) -> None:
    assert parse_number(str(first)) == first
    assert parse_number(f"{first} - {first + width}") == first + width / 2


def test_a_hostile_label_takes_no_time() -> None:
    assert parse_number("ca. " * 50_000) is None
    assert parse_number("1" * 100_000 + "-") is None


@settings(deadline=None)
@given(st.lists(st.none() | st.floats(-3000, 3000), min_size=2, max_size=40))
def test_statistics_are_those_of_the_known(values: list[float | None]) -> None:
    known = np.array([value for value in values if value is not None])
    if len(known) < 2 or not known.std() > 0:
        with pytest.raises(ValueError):
            NumberStatistics.of(values)
        return
    found = NumberStatistics.of(values)
    assert (found.count, found.unreadable) == (len(known), len(values) - len(known))
    assert (found.mean, found.std) == (pytest.approx(known.mean()), pytest.approx(known.std()))
    assert found.median == pytest.approx(np.median(known))
    np.testing.assert_allclose(found.restore(found.standardise(known)), known, atol=1e-6)
    tensor = torch.from_numpy(known)
    torch.testing.assert_close(found.restore(found.standardise(tensor)), tensor)


def test_a_value_is_written_as_finely_as_it_is_known() -> None:
    assert NumberStatistics(9, 1600.0, 137.1, 1610.0).text(1642.49) == "1642"
    assert NumberStatistics(9, -480.0, 137.1, -500.0).text(-500.2) == "-500"
    assert NumberStatistics(9, 23.0, 4.0, 23.0).text(23.456) == "23.5"


def test_what_a_person_must_know_of_labels_that_are_not_used() -> None:
    years = ["1642"] * 9 + ["n.d."] * 3 + ["by 1650", "15th–16th century", "165", "165", "19?", "1640s"]
    assert unused_numbers(years, NumberFormat.of(years)) == [
        "4 of them not read as a number (such as 'n.d.', 'by 1650'; see docs/numbers.md)",
        "1 of them spans of 100 years or more (such as '15th–16th century')",
        "3 of them not used, since they are no years of four digits as the others are and may lack some"
        " (such as '165', '19?'; '165 CE' would be used)",
    ]
    sizes = ["1.234", "880", "12.500", "wide"]
    assert unused_numbers(sizes, NumberFormat.of(sizes)) == [
        "1 of them not read as a number (such as 'wide'; see docs/numbers.md)",
        "2 of them read with a decimal point ('1.234' as 1.234, not 1234)",
    ]
    assert unused_numbers(["1.234", "2.5"], NumberFormat(years=False)) == []
    assert unused_numbers(["1642"], NumberFormat()) == []


def test_examples_are_short() -> None:
    assert examples_of(Counter(["x" * 100])) == f"such as '{'x' * 39}…'"
