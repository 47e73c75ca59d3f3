"""Panels and the text in them."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.explain.overlay import colour_table, contour_colours, difference_table, overlay
from arttl.explain.panel import PanelRow, contact_sheet, panel
from arttl.explain.typeset import Typesetter

INK = (20, 20, 20)


def picture(colour: tuple[int, int, int], height: int = 60, width: int = 90) -> np.ndarray:
    return np.full((height, width, 3), colour, dtype=np.uint8)


def inked_rows(sheet: np.ndarray) -> np.ndarray:
    return (sheet == INK).all(2).any(1)


def place_of(sheet: np.ndarray, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    ys, xs = np.nonzero((sheet == colour).all(2))
    return ys.min(), xs.min(), ys.max() + 1, xs.max() + 1


def test_pictures_stand_in_their_columns_and_rows():
    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    rows = [
        PanelRow(picture(red), [picture(green)]),
        PanelRow(picture(blue, 90, 60), [picture((255, 0, 255))]),
    ]
    sheet = panel(rows, ["fine-tuned"], cell=120)
    places = [place_of(sheet, colour) for colour in (red, green, blue, (255, 0, 255))]
    assert [(bottom - top, right - left) for top, left, bottom, right in places] == [
        (80, 120), (80, 120), (120, 80), (80, 120)
    ]  # fmt: skip
    assert places[0][1] == places[2][1] and places[1][1] == places[3][1] > places[0][3]
    assert places[0][0] == places[1][0] and places[2][0] == places[3][0] > places[0][2]
    assert inked_rows(sheet)[: places[0][0]].any()  # the titles


def test_heat_maps_are_drawn_over_the_picture():
    heat = np.zeros((60, 60))
    heat[20:40, 20:40] = 1
    shown = picture((90, 120, 60), 60, 60)
    sheet = panel([PanelRow(shown, [heat])], ["weights"], cell=60, legends=())
    top, left, bottom, right = place_of(sheet, (90, 120, 60))
    beside = sheet[top:bottom, left + (right - left) + 6 :][:, :60]
    assert (beside == overlay(shown, heat)).all()


def test_the_legend_is_the_scale():
    wide = panel([PanelRow(picture((0, 255, 0)), [picture((0, 255, 0))])], ["b"], cell=128)
    without = panel([PanelRow(picture((0, 255, 0)), [picture((0, 255, 0))])], ["b"], cell=128, legends=())
    assert wide.shape[0] > without.shape[0] and wide.shape[1] == without.shape[1]
    for colour in (colour_table()[0], colour_table()[255]):
        assert not (without == colour).all(2).any() and (wide == colour).all(2).any()
    narrow = panel([PanelRow(picture((0, 255, 0)), [])], [], cell=100)
    top, left, bottom, _ = place_of(narrow, tuple(colour_table()[0]))
    assert left < 20 and bottom - top >= 5


@pytest.mark.parametrize(
    ("legend", "colours"),
    [("contour", contour_colours()), ("difference", difference_table()[[0, 255]])],
)
def test_contours_and_differences_have_legends_of_their_own(legend, colours):
    rows = [PanelRow(picture((0, 255, 0)), [picture((0, 255, 0))])]
    both = panel(rows, ["b"], cell=256, legends=["scale", legend])
    alone = panel(rows, ["b"], cell=256)
    assert both.shape[0] > alone.shape[0]
    below = both[alone.shape[0] :]
    places = [np.nonzero((below == colour).all(2).any(0))[0].min() for colour in colours]
    assert places == sorted(places) and len(set(places)) == len(places)
    sheet = contact_sheet([picture((0, 255, 0))], ["c"], "t", legends=[legend])
    assert all((sheet == colour).all(2).any() for colour in colours)


@pytest.mark.parametrize("cell", [80, 256])
def test_long_and_foreign_texts_overlap_nothing(cell):
    texts = [
        "a caption of very many words " * 30,
        "x" * 500,
        "Łódź Đà Nẵng Рембрандт 葛飾北斎 عمر",
        "two\nlines",
        "",
    ]
    green = (0, 255, 0)
    rows = [PanelRow(picture(green), [picture(green)] * 2, text, [text, "short"]) for text in texts]
    sheet = panel(rows, [texts[0], "c"], cell=cell)
    greens = (sheet == green).all(2)
    # All of every picture is there: no letter and no other picture lies over it.
    height, width = round(cell * 60 / 90), cell
    assert greens.sum() == len(rows) * 3 * height * width
    inked = (sheet == INK).all(2)
    gap = max(6, cell // 20)
    assert not inked[:, :gap].any() and not inked[:, -gap:].any() and not inked[-2:].any()
    # Between two columns, titles and notes keep out of the gap; captions go across, above each row.
    first_picture = np.nonzero(greens.any(1))[0][0]
    assert first_picture < cell * 3


def test_a_row_that_does_not_fit_the_columns_is_one_sentence():
    shown = picture((1, 2, 3))
    with pytest.raises(ArttlError, match="row 2 of the panel has 1 maps and 0 notes for 2 columns"):
        panel([PanelRow(shown, [shown, shown]), PanelRow(shown, [shown])], ["a", "b"])
    with pytest.raises(ArttlError, match="1 notes for 2 columns"):
        panel([PanelRow(shown, [shown, shown], notes=["x"])], ["a", "b"])
    with pytest.raises(ArttlError, match="at least one row"):
        panel([], ["a"])
    with pytest.raises(ArttlError, match="a picture must be"):
        panel([PanelRow(np.zeros((4, 4)), [])], [])


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=120), width=st.integers(30, 400), most=st.integers(1, 4))
def test_lines_fit_whatever_the_text(text, width, most):
    setter = Typesetter([text, "..."], 16)
    lines = setter.lines(text, width, most)
    assert len(lines) <= most
    assert all(setter.width(line) <= width or len(line) == 1 for line in lines)
    assert not any(c in line for line in lines for c in "\n\r\t\x00")


def test_lines_keep_every_word_until_the_last():
    setter = Typesetter([], 16)
    text = "one two three four five six seven eight nine ten"
    lines = setter.lines(text, 110, 20)
    assert len(lines) > 2 and " ".join(lines) == text
    assert setter.lines("first\nsecond", 400) == ["first", "second"]
    assert (
        setter.lines("a" * 100, 100, 50) != ["a" * 100]
        and "".join(setter.lines("a" * 100, 100, 50)) == "a" * 100
    )
    short = setter.lines(text, 110, 2)
    assert len(short) == 2 and short[0] == lines[0] and short[1].endswith("...")
    # The probability at the end of a long label is not lost.
    *before, last = setter.lines("word " * 60 + "96.2%", 110, 4)
    assert len(before) == 3 and before[-1].endswith("...") and last.endswith("96.2%")


def test_letters_that_no_font_has_lose_their_accent_or_are_question_marks(monkeypatch):
    from matplotlib.font_manager import fontManager

    fonts = [font for font in fontManager.ttflist if font.name.startswith(("DejaVu", "Last Resort"))]
    monkeypatch.setattr(fontManager, "ttflist", fonts)
    assert Typesetter(["Édouard 葛 Ａ"], 16).lines("Édouard 葛 Ａ", 400) == ["Édouard ? A"]


def test_letters_are_taken_from_whatever_font_has_them():
    from matplotlib.font_manager import findfont, fontManager, get_font

    letter = next(
        (chr(code) for code in (0x845B, 0xAC00, 0x0915, 0x2C00) for font in fontManager.ttflist
         if font.weight == 400 and font.style == "normal" and not font.name.startswith("Last")
         and get_font(font.fname).get_char_index(code) and not get_font(findfont("DejaVu Sans")).get_char_index(code)),
        None,
    )  # fmt: skip
    if letter is None:
        pytest.skip("no font on this system has a letter that DejaVu Sans lacks")
    setter = Typesetter([letter], 16)
    assert setter.lines(letter, 400) == [letter] and len(setter.font.get_family()) == 2


def test_a_contact_sheet_has_every_picture_in_rows():
    colours = [(200, 10 * i, 0) for i in range(7)]
    sheet = contact_sheet(
        [picture(c) for c in colours], [f"no. {i}" for i in range(7)], "vases", columns=3, cell=90
    )
    places = [place_of(sheet, colour) for colour in colours]
    assert all(bottom - top == 60 and right - left == 90 for top, left, bottom, right in places)
    assert [left for _, left, _, _ in places] == [places[i % 3][1] for i in range(7)]
    rows = sorted({top for top, *_ in places})
    assert len(rows) == 3
    for upper, lower in pairwise(rows):
        assert (sheet[upper + 60 : lower] < 128).all(2).any()  # the captions
    assert (sheet[: rows[0]] < 128).all(2).any()  # the title
    with pytest.raises(ArttlError, match="2 pictures and 1 captions"):
        contact_sheet([picture(c) for c in colours[:2]], ["one"], "x")


TEXTS = [
    "$x_1^2$ and \\alpha for $5",
    "_under_ {brace} % # & ~",
    "Łódź Đà Nẵng Рембрандт 葛飾北斎 عمر 🏺 \U0010ffff",
]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_set_as_it_is_and_in_silence(text, recwarn, capfd):
    green = picture((0, 255, 0))
    panel([PanelRow(green, [green], text, [text])], [text], cell=200)
    assert not list(recwarn) and capfd.readouterr() == ("", "")


def test_a_formula_is_not_set_as_one():
    green = picture((0, 255, 0))
    written, plain = (panel([PanelRow(green, [], text)], [], cell=200, legends=()) for text in ("$x$", "x"))
    assert (written < 128).all(2).sum() > (plain < 128).all(2).sum() + 30  # the two signs


def test_the_same_arguments_give_the_same_bytes_in_any_number_of_threads():
    rows = [PanelRow(picture((i, 255, 0)), [np.eye(8)], f"row {i} 葛 é", ["a note"]) for i in range(4)]
    legends = ["scale", "contour", "difference"]
    with ThreadPoolExecutor(4) as pool:
        sheets = list(pool.map(lambda _: panel(rows, ["weights"], legends=legends), range(8)))
    assert all((sheet == sheets[0]).all() for sheet in sheets)


def test_matplotlib_is_loaded_when_something_is_drawn():
    code = "import sys, arttl, arttl.explain.panel; print('matplotlib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
