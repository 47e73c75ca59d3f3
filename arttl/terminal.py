"""Help on a terminal: within its width, and in colour only where that is wanted."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def width() -> int:
    """Columns of the terminal, or 80 without one; at most 100, since longer lines are hard to read."""
    return min(shutil.get_terminal_size().columns, 100)


def listed(texts: Mapping[str, str]) -> str:
    """Names, one per line, with a text beside each."""
    column = max(map(len, texts)) + 3
    return "\n".join(
        textwrap.fill(text, width(), initial_indent=f"  {name:<{column - 2}}", subsequent_indent=" " * column)
        for name, text in texts.items()
    )


def choose_colours() -> None:
    """Let tyro's help and errors have no colours where they are not wanted, as rich's output has none by itself.

    tyro knows nothing of NO_COLOR, nor that its errors may go to a file while its help would go to a terminal. Call
    this before tyro is imported, which is when it reads the setting.
    """
    if os.environ.get("NO_COLOR") or not (sys.stdout.isatty() and sys.stderr.isatty()):
        os.environ["PYTHON_TYRO_ANSI_CODES"] = "False"


class _Held(io.StringIO):
    """Keeps what is printed, and is otherwise like the stream that it stands for."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def isatty(self) -> bool:
        return self._stream.isatty()


@contextmanager
def filled_help() -> Iterator[None]:
    """Break the lines of usage and description at the width of the terminal; tyro joins ours and breaks none."""
    held = _Held(sys.stdout)
    try:
        with redirect_stdout(held):
            yield
    finally:
        for line in held.getvalue().splitlines():
            plain = _COLOURS.sub("", line)
            if len(plain) > width() and not plain.startswith((" ", "│", "╭", "╰")):
                indent = "  " if plain.startswith("usage:") else ""
                line = textwrap.fill(plain, width(), subsequent_indent=indent, break_on_hyphens=False)
            print(line)
