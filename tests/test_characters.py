from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arttl.characters import plain_text, same_text, typed_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oil on canvas", "oil on canvas"),
        ("  oil  on\tcanvas\r\n", "oil on canvas"),
        ("oil\u00a0on\u2009canvas\u3000", "oil on canvas"),
        ("oil\u2028on\x0bcanvas", "oil on canvas"),
        ("\ufeffoil on can\u00advas", "oil on canvas"),
        ("oil\u200b on\u2060 \u200ecanvas\u200f", "oil on canvas"),
        ("oil\x00\x07", "oil"),
        ("\x80o\x93il\x85on\x9fcanvas\x84", "oil oncanvas"),
        ("Du\u0308rer", "D\u00fcrer"),
        ("Du\u200b\u0308rer", "D\u00fcrer"),
        ("oi\u200dl \u200c on canvas", "oil on canvas"),
        # The zero-width joiners of Persian and of emoji are spelling.
        ("\u0645\u06cc\u200c\u0631\u0648\u062f", "\u0645\u06cc\u200c\u0631\u0648\u062f"),
        ("\U0001f469\u200d\U0001f3a8", "\U0001f469\u200d\U0001f3a8"),
        # Not folded: letter case, ligatures, quotation marks, dashes.
        ("\ufb01g \u2018A\u2019 \u2013", "\ufb01g \u2018A\u2019 \u2013"),
    ],
)
def test_text_as_a_reader_sees_it(text: str, expected: str) -> None:
    assert plain_text(text) == expected


@given(st.text(st.characters() | st.sampled_from("\u200c\u200d\u200b\u0301\u05d0\u1ea1 \u00a0e")))
@example("a\u200b\u200c")
@example("\u05d0 \u200c")
@example("\u1ea1\u200c")
def test_plain_text_is_final_and_does_not_depend_on_the_form(text: str) -> None:
    once = plain_text(text)
    assert plain_text(once) == once
    assert plain_text(unicodedata.normalize("NFD", text)) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once == " ".join(once.split())
    assert same_text(text) == same_text(text.upper().lower()) or not text.isascii()


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_ascii_only_loses_blanks(text: str) -> None:
    assert plain_text(text) == " ".join(text.split())


def test_letter_case() -> None:
    assert same_text("Stra\u00dfe") == same_text("STRASSE") == "strasse"
    assert same_text("D\u00dcRER\u00a0") == "d\u00fcrer"


def test_what_is_typed_without_accents_is_found() -> None:
    typed = {
        "Łukasz Żółć": "lukasz zolc",
        "Jørgen Sørensen": "jorgen sorensen",
        "Cézanne": "cezanne",
        "Ce\u0301zanne": "cezanne",
        "Straße": "strasse",
        "Æsop  Œuvre": "aesop oeuvre",
        "漆": "漆",
    }
    assert {name: typed_text(name) for name in typed} == typed
