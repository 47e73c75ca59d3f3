"""What strangers' texts may do to a terminal: nothing."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from arttl.artworks import Artwork
from arttl.console import Console
from arttl.errors import ArttlError, printable
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings

ROOT = Path(__file__).resolve().parents[1]
EVIL = "\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp.exe"


@given(st.text())
def test_printable_keeps_every_other_character(text: str) -> None:
    clean = printable(text)
    assert not [c for c in clean if unicodedata.category(c) == "Cc" and c not in "\n\t"]
    harmless = "".join(c for c in text if unicodedata.category(c) != "Cc" or c in "\n\t")
    if not set(harmless) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") and harmless == text:
        assert clean == text


def test_printable_shows_what_it_replaced() -> None:
    assert printable(EVIL) == r"\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp.exe"
    assert printable("\ud800, as JSON can have it") == r"\ud800, as JSON can have it"


def test_a_long_text_takes_no_time() -> None:
    """Every word of it may begin an address, as far as its first letters say."""
    begin = time.process_time()
    assert printable("mid-" * 250_000 + "http://me:pw@x") == "mid-" * 250_000 + "http://x"
    assert time.process_time() - begin < 2


def test_a_message_that_quotes_a_file_is_one_short_line() -> None:
    assert (
        str(ArttlError("x does not respond (a redirect\nFound)")) == "x does not respond (a redirect Found)"
    )
    message = str(ArttlError(f"t.csv has no column 'a'; it has: {'b' * 10**6}; rename one"))
    assert len(message) < 1_510
    assert message.startswith("t.csv has no") and message.endswith("; rename one")


def test_a_table_prints_no_control_character_of_its_cells() -> None:
    out = io.StringIO()
    table = Table(title=EVIL)
    table.add_column(Text(EVIL))
    table.add_row(Text(EVIL, style="red"))
    Console(file=out, force_terminal=True, width=200).print(table, Text(EVIL), EVIL)
    printed = out.getvalue()
    assert "\x1b[31m" in printed  # rich's own colours are left
    for control in ("\x1b]", "\x1b[2J", "\x9b", "\u202e", "\x07"):
        assert control not in printed


def test_commands_print_no_control_character_and_need_no_utf_8(tmp_path: Path, small_shards: Path) -> None:
    """Labels and paths of strangers, on a terminal that knows ASCII alone."""
    from PIL import Image

    artworks = []
    for index in range(12):
        image = tmp_path / f"{index}.png"
        Image.new("RGB", (20, 20), (index * 20, 0, 0)).save(image)
        artworks.append(Artwork(f"k{index}", f"k{index}", image, {"type": (f"雪{EVIL}{index % 2}",)}))
    pack(artworks, PackSettings(out=tmp_path / "shards", images=tmp_path, workers=1))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    for words in (["info", "shards"], ["verify", "shards"], ["info", EVIL]):
        done = subprocess.run(
            [sys.executable, "-c", "from arttl.cli import main; main()", "shards", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == (2 if words[1] == EVIL else 0), printed
        assert b"Traceback" not in printed
        assert not set(printed) & (set(range(32)) - {10} | {127, *range(128, 256)})
        assert words[0] == "verify" or rb"\x1b]0;title" in printed
