from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arttl.decimals import NumberFormat, UnclearNumbers
from arttl.documents import structured
from arttl.errors import ArttlError
from arttl.numbers import parse_number

PAGE = Path(__file__).resolve().parents[1] / "docs" / "numbers.md"
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
COLUMNS = st.lists(FLOATS, min_size=1, max_size=20)


def read_column(labels: list[str]) -> list[float | None]:
    return [NumberFormat.of(labels).decimal_value(label) for label in labels]


@settings(deadline=None)
@given(COLUMNS)
def test_what_python_and_numpy_write_is_read(column: list[float]) -> None:
    for written in (
        [repr(value) for value in column],
        [f"{value:+e}" if float(f"{value:e}") == value else repr(value) for value in column],
        [f"{value:.17g}" for value in column],
        [np.format_float_positional(value) for value in column],  # 1642. has nothing behind the point
        [np.format_float_scientific(value) for value in column],
    ):
        assert read_column(written) == column


@settings(deadline=None)
@given(COLUMNS)
@example([1.001e-05])
def test_what_pandas_writes_is_read(column: list[float]) -> None:
    pd = pytest.importorskip("pandas")
    for options in ({}, {"decimal": ","}):
        text = pd.DataFrame({"value": column}).to_csv(index=False, sep=";", **options)
        written = pd.read_csv(io.StringIO(text), sep=";", dtype=str)["value"].tolist()
        if not options or not all(
            re.fullmatch(r"-?[1-9]\d{0,2},\d{3}(?:e[+-]\d+)?", each) for each in written if "," in each
        ):
            assert read_column(written) == column


@settings(deadline=None)
@given(COLUMNS)
def test_what_parquet_writes_is_read(column: list[float]) -> None:
    table = pa.table({"value": column})
    file = io.BytesIO()
    pa.csv.write_csv(table, file)
    assert read_column(file.getvalue().decode().split()[1:]) == column
    assert read_column([value.as_py() for value in pa.array(column).cast(pa.string())]) == column


@settings(deadline=None)
@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20),
    st.sampled_from(
        [(".", ","), (".", "'"), (".", " "), (",", "."), (",", " "), (",", "'"), (",", "\u202f"), (".", "’")]
    ),
)
def test_separators_are_read_where_the_column_agrees(cents: list[int], separators: tuple[str, str]) -> None:
    """Two decimals each, as an accounting programme writes them."""
    decimal, thousands = separators
    written = [
        f"{value / 100:,.2f}".replace(",", "t").replace(".", decimal).replace("t", thousands)
        for value in cents
    ]
    assert read_column(written) == [value / 100 for value in cents]


def _documented() -> list[tuple[str, str]]:
    return re.findall(
        r"^\| (`[^|]+ and [^|]+`) \| ([^|]+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )


@pytest.mark.parametrize(("column", "outcome"), _documented())
def test_the_documented_columns(column: str, outcome: str) -> None:
    labels = re.findall("`(.+?)`", column)
    assert len(_documented()) >= 9 and len(labels) == 2
    if outcome.startswith("refused"):
        with pytest.raises(UnclearNumbers):
            NumberFormat.of(labels)
    else:
        values = [float(value) for value in re.findall(r"[\d.]+\d", outcome)]
        assert read_column(labels) == values


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            ["1,234"] * 3 + ["2,345", "880", "oak"],
            "4 of its 5 numbers, such as '1,234', may be 1.234 or 1234",
        ),
        (
            ["1,5", "2.5", "2.5", "7"],
            "its 4 numbers are written in different ways, 1 of them such as '1,5', others such as '2.5'",
        ),
        (
            ["1.234,5", "1,234.5", "1,234.5", "-12"],
            "its 4 numbers are written in different ways, 1 of them such as '1.234,5', others such as '1,234.5'",
        ),
        (["1.234", "1,234"], "2 of its 2 numbers, such as '1,234', may be 1234 or 1.234"),
        (["1 234,5", "1 234.5"], "1 of them such as '1 234,5', others such as '1 234.5'"),
    ],
)
def test_columns_that_are_refused(labels: list[str], message: str) -> None:
    with pytest.raises(UnclearNumbers, match=re.escape(message)):
        NumberFormat.of(labels)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["1642", "1650", "ca. 1700"], NumberFormat(years=True)),
        (["1642.0", "1650.0", "n.d."], NumberFormat(years=True)),
        (["1642", "1,650"], NumberFormat(years=True)),  # the second is not read
        (["165?", "17th century", "late 1880s"], NumberFormat(years=True)),
        (["1600"] * 9 + ["165"], NumberFormat(years=True)),
        (["1600"] * 6 + ["165", "19", "0"], NumberFormat(years=True)),
        (["1600"] * 9 + ["950"], NumberFormat(years=True)),
        (["1600"] * 8 + ["950"], NumberFormat(years=False)),
        (["1600"] * 8 + ["16.5"], NumberFormat(years=False)),
        (["1600"] * 3 + ["165"] * 4, NumberFormat(years=False)),
        (["150", "ca. 200", "2nd century"], NumberFormat(years=False)),
        (["880", "950", "1010", "1200"], NumberFormat(years=False)),
        (["23.5", "12", "1e3"], NumberFormat(years=False)),
        (["oil", "wood"], NumberFormat(years=False)),
        (["1,5", "1234,25"], NumberFormat(",", "", years=False)),
        (["1,234", "12,50"], NumberFormat(",", "", years=False)),
        (["1,234.5", "880"], NumberFormat(".", ",", years=False)),
        (["3,5", "1.234"], NumberFormat(",", ".", years=False)),
        ([], NumberFormat(years=False)),
    ],
)
def test_the_format_of_a_column(labels: list[str], expected: NumberFormat) -> None:
    assert NumberFormat.of(labels) == expected
    assert structured(expected.to_dict(), NumberFormat, "t") == expected


def test_the_format_decides_what_short_numbers_are() -> None:
    years, others, unknown = NumberFormat(years=True), NumberFormat(years=False), NumberFormat()
    for label, of_years, of_others, of_unknown in [
        ("1642", 1642, 1642, 1642),
        ("165", None, 165, 165),
        ("165?", 1654.5, 165, 1654.5),
        ("19?", None, 19, None),
        ("c. 19", None, 19, None),
        ("ca. 521", None, 521, 521),
        ("521?", None, 521, 521),
        ("165 CE", 165, 165, 165),
        ("-165", -165, -165, -165),
        ("0", None, 0, 0),
        ("9999", None, 9999, 9999),
        ("18500312", None, 18500312, 18500312),
        ("1642.5", 1642.5, 1642.5, 1642.5),
        ("1840-1850", 1845, 1845, 1845),
        ("5-10", None, 7.5, 7.5),
    ]:
        found = [parse_number(label, each) for each in (years, others, unknown)]
        assert found == [of_years, of_others, of_unknown], label


@pytest.mark.parametrize(
    "text", ["1_000", "inf", "-inf", "nan", "NaN", "1e999", "0x10", "१६४२", "1642.0f", "--5", "1e", ""]
)
def test_what_is_no_number(text: str) -> None:
    assert NumberFormat().decimal_value(text) is None


@pytest.mark.parametrize(
    "described",
    [{"decimal": ".", "thousands": ".", "years": None}, {"decimal": ".", "thousands": "", "years": 2}],
)
def test_descriptions_that_are_no_format(described: dict[str, object]) -> None:
    with pytest.raises(ArttlError):
        structured(described, NumberFormat, "t")
