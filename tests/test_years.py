from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.years import WIDEST_RANGE, Year, parse_year

PAGE = Path(__file__).resolve().parents[1] / "docs" / "numbers.md"
DOCUMENTED = re.findall(r"^\| `(.+?)` \| (\S+) \| (\S*) ?\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_table_is_found() -> None:
    assert len(DOCUMENTED) > 120


@pytest.mark.parametrize(("text", "value", "half_width"), DOCUMENTED)
def test_the_documented_labels(text: str, value: str, half_width: str) -> None:
    expected = None if value == "unknown" else Year(float(value), float(half_width))
    assert parse_year(text) == expected
    assert parse_year(f"  {text.upper()}\u00a0") == expected


@pytest.mark.parametrize(
    ("text", "value", "half_width"),
    [
        ("probably late 18th–early 19th century", 1800.5, 37.5),
        ("late 17th-century", 1684, 16),
        ("2nd quarter, 18th century", 1738, 12),
        ("signed and dated 1650", 1650, 0),
        ("1er quart XXe s.", 1913, 12),
        ("[18]85", 1885, 0),
        ("ca. 1870 (made)", 1870, 5),
        ("１６５０", 1650, 0),
        ("Dec. 24, 1952", 1952, 0),
        ("late 1800s to early 1900s", 1899.5, 32.5),
        ("c. 1479–1425 BCE", -1452, 32),
        ("c. 1831/33", 1832, 6),
        ("0521-01-01", 521, 0),
        ("-0500-01-01", -500, 0),
        ("late 5th–early 4th century BCE", -400.5, 32.5),
        ("second half 12th–first half 13th century", 1200.5, 49.5),
        ("Ende 18./Anfang 19. Jh.", 1800.5, 32.5),
        ("mid–late 18th century", 1767, 33),
        ("mid-to late 19th century", 1867, 33),
        ("early or mid-1650s", 1653, 3),
        ("2nd half of the 4th century BCE", -325.5, 24.5),
        ("last decade of the 1st century BCE", -5.5, 4.5),
        ("ca. 610–41 CE", 625.5, 20.5),
        ("Spätes 18. Jahrhundert", 1784, 16),
        ("début du XIXe siècle", 1817, 16),
        ("XVIIᵉ siècle", 1650.5, 49.5),
        ("seconda metà del XVII secolo", 1675.5, 24.5),
        ("primera mitad del siglo XVII", 1625.5, 24.5),
        ("s. XVII", 1650.5, 49.5),
        ("vroege 17e eeuw", 1617, 16),
        ("17 de eeuw", 1650.5, 49.5),
        ("zwischen 1640 und 1645", 1642.5, 2.5),
        ("tussen 1640 en 1645", 1642.5, 2.5),
        ("entre 1640 et 1645", 1642.5, 2.5),
        ("von 1640 bis 1645", 1642.5, 2.5),
        ("1640 t/m 1645", 1642.5, 2.5),
        ("en 1650", 1650, 0),
        ("May–June 1889", 1889, 0),
        ("October 1917–May 1918", 1917.5, 0.5),
        ("1889 May 12", 1889, 0),
        ("1889.5.12", 1889, 0),
        ("12 de mayo de 1810", 1810, 0),
        ("1642-03-15/1645-05-01", 1643.5, 1.5),
        ("1774?–89", 1781.5, 12.5),
        ("177(3?)", 1773, 5),
        ("186[3?]", 1863, 5),
        ("?1879", 1879, 5),
        ("1984~", 1984, 5),
        ("192u", 1924.5, 4.5),
        ("19uu", 1949.5, 49.5),
        ("19??", 1949.5, 49.5),
        ("201?", 2014.5, 4.5),
        ("1640s–50s", 1649.5, 9.5),
        ("mid-900s", 949.5, 16.5),
        ("ca. -500", -500, 5),
        ("a.C. 300", -300, 0),
        ("300 av. J.-C.", -300, 0),
        ("300 a.C.", -300, 0),
        ("150 n. Chr.", 150, 0),
        ("B.C. 50", -50, 0),
    ],
)
def test_further_labels(text: str, value: float, half_width: float) -> None:
    assert parse_year(text) == Year(value, half_width)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "ca.",
        "the",
        "-",
        "early",
        "early to mid",
        "1640(45)",
        "1998 (published 1999)",
        "1913, posthumous cast",
        "0000-00-00",
        "0001-01-01T00:00:00",
        "1640 1645",
        "1850,1851",
        "1,650",
        "1650.5.3.1",
        "5-10",
        "16-19",
        "1640/45/50",
        "0 BC",
        "100 BC-50",
        "- 1650",
        "—1650",
        "1898–02",  # a dash joins no year and month
        "1699-13",
        "31.02.19",
        "32/01/1990",
        "13/13/1990",
        "5th quarter of the 17th century",
        "century",
        "XVII",
        "IIII. Jh.",
        "2150",
        "2150-2160",
        "1650-51-52",
        "from 1650",
        "between 1650",
        "1650 and 1660",
        "50%",
        "no. 1650",
        "19th cenutry",
        "१६४२",
        "16½",
        "10²",
        "ca. " * 50_000,
        "1" * 100_000 + "-",
        "(" * 100_000,
    ],
)
def test_further_unknown_labels(text: str) -> None:
    assert parse_year(text) is None


WORDS = re.findall(
    r"\S+",
    "early mid- 17th 18. 165? 16-- century of BC - – to 1650 19 or ca. ? ( ] second half XVII e May 12 , 30s",
)


@settings(deadline=None)
@given(
    st.text(max_size=40)
    | st.text("ca.0123456789 -–/sthBC?[]xXeuw,'", max_size=40)
    | st.lists(st.sampled_from(WORDS)).map(" ".join)
)
def test_any_text_is_a_year_or_none(text: str) -> None:
    found = parse_year(text)
    assert found is None or (found.value <= 2100 and 0 <= found.half_width <= WIDEST_RANGE)


YEARS = st.integers(1000, 1999)
BCE = st.sampled_from([" BC", " BCE", " B.C.", " b.c.e.", " v. Chr.", " av. J.-C."])
DOUBTS = st.sampled_from(
    [("", 0), ("ca. ", 5), ("c", 5), ("circa ", 5), ("um ", 5), ("vers ", 5), ("probably ", 5)]
)


@settings(deadline=None)
@given(
    YEARS,
    DOUBTS,
    st.sampled_from(["{}", "[{}]", " {}\u00a0", "{} CE", "A.D. {}", "{}-05-31", "{}-12-01T10:00:00"]),
)
def test_a_year_comes_back(year: int, doubt: tuple[str, int], form: str) -> None:
    prefix, half_width = doubt
    assert parse_year(form.format(f"{prefix}{year}")) == Year(year, half_width)


@settings(deadline=None)
@given(
    YEARS,
    st.integers(1, WIDEST_RANGE - 1),
    st.sampled_from(["{}-{}", "{}–{}", "{} - {}", "{}/{}", "{} to {}", "{} bis {}"]),
)
def test_a_span_comes_back(first: int, width: int, form: str) -> None:
    last = first + width
    assert parse_year(form.format(first, last)) == Year((first + last) / 2, width / 2)
    if first // 100 == last // 100:  # 1650-60 for 1650-1660
        assert parse_year(form.format(first, last % 100).replace("/", "–")) == (
            Year((first + last) / 2, width / 2) if last % 100 >= 10 else parse_year(f"{first}–{last % 100}")
        )


@settings(deadline=None)
@given(st.integers(1, 3000), st.integers(0, WIDEST_RANGE - 1), BCE)
def test_a_span_before_christ_comes_back(last: int, width: int, era: str) -> None:
    first = last + width
    assert parse_year(f"{first}–{last}{era}") == Year(-(first + last) / 2, width / 2)
    assert parse_year(f"{first}{era} - {last}{era}") == Year(-(first + last) / 2, width / 2)


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


@settings(deadline=None)
@given(
    st.integers(1, 20),
    st.sampled_from(["{e} century", "{e} c.", "{n}. Jahrhundert", "{n}de eeuw", "{n}e siècle"]),
)
def test_a_century_and_its_parts_come_back(number: int, form: str) -> None:
    century = form.format(e=_ordinal(number), n=number)
    first = 100 * number - 99
    assert parse_year(century) == Year(first + 49.5, 49.5)
    assert parse_year(f"{century} BC") == Year(-(first + 49.5), 49.5)
    halves = [parse_year(f"{half} half {century}") for half in ("first", "2nd")]
    assert halves == [Year(first + 24.5, 24.5), Year(first + 74.5, 24.5)]
    thirds = [parse_year(f"{part} {century}") for part in ("early", "mid", "late")]
    years = [year for third in thirds for year in _years_of(third)]
    assert years == list(range(first, first + 100))


def _years_of(span: Year | None) -> list[int]:
    assert span is not None
    return list(range(round(span.value - span.half_width), round(span.value + span.half_width) + 1))


@settings(deadline=None)
@given(st.integers(100, 209), st.sampled_from(["{}0s", "{}?", "{}X", "{}x", "[{}-]", "{}-", "{}0er", "{}_"]))
def test_a_decade_comes_back(decade: int, form: str) -> None:
    text = form.format(decade)
    if text.endswith(("00s", "00er")) and decade != 200:
        assert parse_year(text) == Year(10 * decade + 49.5, 49.5)
    else:
        assert parse_year(text) == Year(10 * decade + 4.5, 4.5)


@pytest.mark.real
def test_the_dates_of_a_real_catalogue(real_data: Path) -> None:
    """Four fifths are read, nearly all of these to within ten years of what the museum itself made of them."""
    with (real_data / "met-metadata" / "objects.csv").open(encoding="utf-8", newline="") as file:
        dated = [row for row in csv.DictReader(file) if row["Object Date"].strip()]
    read = [(row, year) for row in dated if (year := parse_year(row["Object Date"])) is not None]
    assert len(dated) == 8_162 and len(read) == 6_604
    off = np.array(
        [
            abs(year.value - (int(row["Object Begin Date"]) + int(row["Object End Date"])) / 2)
            for row, year in read
            if row["Object Begin Date"] and row["Object End Date"]
        ]
    )
    assert np.mean(off <= 5) > 0.93 and np.mean(off <= 10) > 0.98
