"""Text in pictures: a font that has the letters, and lines that fit a width."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from PIL import ImageFont

Font = ImageFont.FreeTypeFont

# Pillow brings one font, which has no accents. These are tried after it, by file name, where the system keeps its own.
_SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial.ttf",
    "arial.ttf",
    "Arial Unicode.ttf",
    "segoeui.ttf",
    "msgothic.ttc",
)
_NO_CHARACTER = "\uffff"  # fonts draw their sign for a missing letter instead


class Typesetter:
    """One font for all texts of a picture: the first at hand that has all their letters, else the one with most.

    Letters that it lacks lose their accents, or become question marks.
    """

    def __init__(self, texts: Iterable[str], size: int) -> None:
        """Choose the font.

        Args:
            texts: all that is to be set.
            size: of the letters, in pixels.
        """
        letters = set("".join(map(_clean, texts)))
        best: tuple[int, Font] | None = None
        for font in _fonts_at_hand(size):
            missing = sum(not _has(font, letter) for letter in letters)
            if best is None or missing < best[0]:
                best = missing, font
            if missing == 0:
                break
        if best is None:
            raise RuntimeError("Pillow was built without FreeType")
        self.font = best[1]
        ascent, descent = self.font.getmetrics()
        self.line_height = round((ascent + descent) * 1.15)

    def lines(self, text: str, width: int, most: int = 3) -> list[str]:
        """Break a text into lines no wider than `width` pixels; past `most` lines it ends in an ellipsis.

        Its own line breaks are kept.
        """
        lines = [line for part in text.split("\n") for line in self._wrapped(part, width)]
        if len(lines) > most:
            last = lines[most - 1]
            while last and not self._fits(last + "...", width):
                last = last[:-1]
            lines = [*lines[: most - 1], last.rstrip() + "..."]
        return lines

    def _wrapped(self, text: str, width: int) -> list[str]:
        lines: list[str] = []
        for word in self._settable(text).split():
            joined = f"{lines[-1]} {word}" if lines else word
            if self._fits(joined, width):
                lines[-1:] = [joined]
                continue
            # A word wider than a whole line, or a script without blanks, breaks anywhere.
            lines.append("")
            for letter in word:
                if lines[-1] and not self._fits(lines[-1] + letter, width):
                    lines.append("")
                lines[-1] += letter
        return lines

    def width(self, text: str) -> int:
        """Width of a line in pixels."""
        return round(self.font.getlength(text))

    def _fits(self, text: str, width: int) -> bool:
        return self.font.getlength(text) <= width

    def _settable(self, text: str) -> str:
        return "".join(self._replaced(letter) for letter in _clean(text))

    def _replaced(self, letter: str) -> str:
        if _has(self.font, letter):
            return letter
        base = unicodedata.normalize("NFKD", letter)[0]
        return base if base != letter and _has(self.font, base) else "?"


def _clean(text: str) -> str:
    """Composed letters, any run of blanks as one, and no control characters."""
    visible = (" " if c.isspace() else c for c in unicodedata.normalize("NFC", text))
    return " ".join("".join(c for c in visible if unicodedata.category(c)[0] != "C").split())


def _has(font: Font, letter: str) -> bool:
    if letter.isspace():
        return True
    glyph, absent = font.getmask(letter), font.getmask(_NO_CHARACTER)
    return glyph.size != absent.size or bytes(glyph) != bytes(absent)


def _fonts_at_hand(size: int) -> Iterator[Font]:
    default = ImageFont.load_default(size)
    if isinstance(default, Font):
        yield default
    for name in _SYSTEM_FONTS:
        try:
            yield ImageFont.truetype(name, size)
        except OSError:
            continue
