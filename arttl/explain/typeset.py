"""Text in pictures: fonts that have the letters, and lines that fit a width."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

DPI = 64
"""Of all figures of this package. A power of two, so that sizes in inches are exact numbers of pixels."""
POINT = 72 / DPI
"""A pixel in points."""
_FAMILY = "DejaVu Sans"  # comes with matplotlib


class Typesetter:
    """The fonts for all texts of a picture: matplotlib's own, and the system's for letters that it lacks.

    Letters missing from every font lose their accents, or become question marks.
    """

    def __init__(self, texts: Iterable[str], size: int) -> None:
        """Choose the fonts.

        Args:
            texts: all texts to be typeset.
            size: of the letters, in pixels.
        """
        from matplotlib.backends.backend_agg import RendererAgg
        from matplotlib.font_manager import FontProperties

        families, missing = _families(set("".join(map(_clean, texts))))
        self.font = FontProperties(family=families, size=size * POINT)
        self.ascent, self.line_height = size, round(1.35 * size)
        self._replacements = str.maketrans({letter: _replacement(letter) for letter in missing})
        self._renderer = RendererAgg(1, 1, DPI)

    def lines(self, text: str, width: float, most: int = 3) -> list[str]:
        """Break a text into at most `most` lines of `width` pixels.

        Of a longer text the last line is kept, which may hold a probability, and an ellipsis stands for what is left
        out before it; of two lines or fewer the last one ends in the ellipsis. Its own line breaks are kept.
        """
        lines = [line for part in text.split("\n") for line in self._wrapped(part, width)]
        if len(lines) > most:
            end = lines[-1:] if most > 2 else []
            cut = lines[most - len(end) - 1]
            while cut and self.width(cut + "...") > width:
                cut = cut[:-1]
            lines[most - len(end) - 1 :] = [cut.rstrip() + "...", *end]
        return lines

    def width(self, line: str) -> float:
        """Width of a line in pixels."""
        return float(self._renderer.get_text_width_height_descent(line, self.font, ismath=False)[0])

    def _wrapped(self, text: str, width: float) -> list[str]:
        lines = [""]
        for word in _clean(text).translate(self._replacements).split():
            # A word wider than a line, or a script without spaces, breaks anywhere.
            for piece in [" " + word] if self.width(word) <= width else [" ", *word]:
                if lines[-1].strip() and self.width((lines[-1] + piece).strip()) > width:
                    lines.append("")
                lines[-1] += piece
        return [line.strip() for line in lines if line.strip()]


def _clean(text: str) -> str:
    """The text with composed letters, single spaces and no control characters."""
    visible = (" " if c.isspace() else c for c in unicodedata.normalize("NFC", text))
    return " ".join("".join(c for c in visible if unicodedata.category(c)[0] != "C").split())


def _replacement(letter: str) -> str:
    base = unicodedata.normalize("NFKD", letter)[0]
    return base if base.isascii() else "?"


def _families(letters: set[str]) -> tuple[list[str], set[str]]:
    """The names of the fonts that a set of letters needs, and the letters that none of the fonts has."""
    from matplotlib.font_manager import fontManager, get_font

    # Of several files of one name matplotlib takes the first. "Last Resort" has a box for every letter, and the
    # Computer Modern fonts have symbols under letters.
    regular = {
        font.name: font.fname
        for font in reversed(fontManager.ttflist)
        if (font.style, font.weight) == ("normal", 400) and not font.name.startswith(("Last Resort", "cm"))
    }
    families, missing = [_FAMILY], letters - {" "}
    for name in sorted(regular, key=lambda name: (name != _FAMILY, "Sans" not in name, name)):
        if missing:
            font = get_font(regular[name])
            absent = {letter for letter in missing if not font.get_char_index(ord(letter))}
            families += [name] if absent != missing else []
            missing = absent
    return list(dict.fromkeys(families)), missing
