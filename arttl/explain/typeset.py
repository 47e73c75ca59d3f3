"""Text in pictures: fonts that have the letters, and lines that fit a width."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

DPI = 64
"""Of all figures drawn here. A power of two, so that sizes in inches are whole pixels exactly."""
POINT = 72 / DPI
"""A pixel in points."""
_FAMILY = "DejaVu Sans"  # comes with matplotlib


class Typesetter:
    """The fonts for all texts of a picture: matplotlib's own, and others of the system for letters that it lacks.

    Letters that no font has lose their accents, or become question marks.
    """

    def __init__(self, texts: Iterable[str], size: int) -> None:
        """Choose the fonts.

        Args:
            texts: all that is to be set.
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
        """Break a text into lines no wider than `width` pixels; past `most` lines it ends in an ellipsis.

        Its own line breaks are kept.
        """
        lines = [line for part in text.split("\n") for line in self._wrapped(part, width)]
        if len(lines) > most:
            last = lines[most - 1]
            while last and self.width(last + "...") > width:
                last = last[:-1]
            lines = [*lines[: most - 1], last.rstrip() + "..."]
        return lines

    def width(self, line: str) -> float:
        """Width of a line in pixels."""
        return float(self._renderer.get_text_width_height_descent(line, self.font, ismath=False)[0])

    def _wrapped(self, text: str, width: float) -> list[str]:
        lines: list[str] = []
        for word in _clean(text).translate(self._replacements).split():
            joined = f"{lines[-1]} {word}" if lines else word
            if self.width(joined) <= width:
                lines[-1:] = [joined]
                continue
            # A word wider than a whole line, or a script without blanks, breaks anywhere.
            lines.append("")
            for letter in word:
                if lines[-1] and self.width(lines[-1] + letter) > width:
                    lines.append("")
                lines[-1] += letter
        return lines


def _clean(text: str) -> str:
    """Composed letters, any run of blanks as one, and no control characters."""
    visible = (" " if c.isspace() else c for c in unicodedata.normalize("NFC", text))
    return " ".join("".join(c for c in visible if unicodedata.category(c)[0] != "C").split())


def _replacement(letter: str) -> str:
    base = unicodedata.normalize("NFKD", letter)[0]
    return base if base.isascii() else "?"


def _families(letters: set[str]) -> tuple[list[str], set[str]]:
    """The names of as many fonts as it takes to set some letters, and the letters that none of the fonts has."""
    from matplotlib.font_manager import FontEntry, findfont, fontManager, get_font

    def has(path: str, letter: str) -> bool:
        return get_font(path).get_char_index(ord(letter)) != 0

    def preference(font: FontEntry) -> tuple[bool, bool, str, str]:
        return font.name != _FAMILY, "Sans" not in font.name, font.name, font.fname

    families, missing = [_FAMILY], letters - {" "}
    for font in sorted(fontManager.ttflist, key=preference):
        # "Last Resort" has a box for every letter, and matplotlib's Computer Modern fonts have symbols under letters.
        if font.style != "normal" or font.weight != 400 or font.name.startswith(("Last Resort", "cm")):
            continue
        if any(has(font.fname, letter) for letter in missing):
            path = findfont(font.name)  # of several files of one name, the one that is drawn with
            missing = {letter for letter in missing if not has(path, letter)}
            families.append(font.name)
    return list(dict.fromkeys(families)), missing
