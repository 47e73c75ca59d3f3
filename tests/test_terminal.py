"""Help within 80 columns, and no colour where none is wanted, of every command on a terminal and without one."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from arttl.cli import COMMANDS, forms_of, run_command
from arttl.terminal import listed

MAIN = [sys.executable, "-c", "from arttl.cli import main; main()"]


def programs() -> Iterator[list[str]]:
    """Every command, and every command that a command has, as words."""
    for name in COMMANDS:
        forms = [form.prog.split()[1:] for form in forms_of(name)]
        yield from forms if [name] in forms else [[name], *forms]


@pytest.mark.parametrize("words", list(programs()), ids=" ".join)
def test_help_fits_into_80_columns(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        run_command(words[0], [*words[1:], "--help"])
    lines = out.getvalue().splitlines()
    assert lines[0].startswith(f"usage: arttl {' '.join(words)}") and len(lines) > 2
    assert [line for line in lines if len(line) > 80] == []
    assert "\x1b" not in out.getvalue()


def on_a_terminal(*words: str, errors: int | None = None, **variables: str) -> bytes:
    """What a command prints on a terminal.

    Args:
        words: of the command.
        errors: the descriptor that standard error goes to; by default the same terminal.
        variables: of the environment.
    """
    outer, inner = pty.openpty()
    environment = {
        # Commands that were run in this process have chosen for it.
        **{k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "PYTHON_TYRO_ANSI_CODES")},
        "TERM": "xterm-256color",
        "COLUMNS": "80",
        **variables,
    }
    process = subprocess.Popen(
        [*MAIN, *words], stdout=inner, stderr=inner if errors is None else errors, env=environment
    )
    os.close(inner)
    printed = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while block := os.read(outer, 65536):
            printed += block
    os.close(outer)
    process.wait()
    return printed


def test_help_and_errors_are_coloured_on_a_terminal_unless_no_color_is_set() -> None:
    for words in (["vocabulary", "--help"], ["vocabulary", "--nosuch"]):
        assert b"\x1b[" in on_a_terminal(*words)
        plain = on_a_terminal(*words, NO_COLOR="1")
        assert b"arttl vocabulary" in plain and b"\x1b" not in plain


def test_errors_in_a_file_have_no_colour_though_there_is_a_terminal(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("wb") as errors:
        assert on_a_terminal("vocabulary", "--nosuch", errors=errors.fileno()) == b""
    text = (tmp_path / "errors").read_bytes()
    assert b"arttl vocabulary" in text and b"\x1b" not in text


def test_tables_have_no_colour_with_no_color() -> None:
    code = (
        "from rich.table import Table\nfrom arttl.console import Reporter\n"
        "table = Table(title='t')\ntable.add_column('c', style='red')\ntable.add_row('x')\nReporter(True).show(table)"
    )
    outputs = []
    for variables in ({}, {"NO_COLOR": "1"}):
        outer, inner = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", **variables}
        subprocess.run([sys.executable, "-c", code], stdout=inner, env=environment, check=True)
        os.close(inner)
        outputs.append(os.read(outer, 65536))
        os.close(outer)
    assert b"\x1b[31m" in outputs[0] and b"\x1b[31m" not in outputs[1]


def test_a_list_of_names_is_broken_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    assert listed({"a": "one two three four five", "bcd": "six"}) == (
        "  a   one two three four\n      five\n  bcd six"
    )
