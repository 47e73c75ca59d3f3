"""Pages run as a reader would: their commands by arttl, their Python blocks in one namespace, in the current folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

import documented
import pytest
from documented import Shown

from arttl.cli import run_command

OF_OTHER_PROGRAMS = ("pip install ",)
"""What lines of blocks begin with that are left out."""


def run_python(block: Shown, names: dict[str, Any]) -> None:
    """Run a Python block, and before it what its comment says, with some names and those that it makes.

    A failure's traceback names the page and its line.
    """
    exec(compile(block.first, f"what is first of {block}", "exec"), names)
    exec(compile("\n" * (block.line - 1) + block.text, block.page, "exec"), names)


def run_blocks(blocks: Iterable[Shown], added: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run the Python blocks and the commands of a page in their order; what is not run is printed with its reason.

    Args:
        blocks: of the page.
        added: see `run_line`.

    Returns:
        The names that the Python blocks have made.
    """
    names: dict[str, Any] = {"__name__": "__main__"}  # as for a reader
    for block in blocks:
        if block.not_run:
            print(f"{block} is not run: {block.not_run}")
        elif block.language == "python":
            run_python(block, names)
        elif block.language == "":
            for line in documented.lines(block):
                run_line(line, added)
    return names


def run_line(line: Shown, added: Mapping[str, str] | None = None) -> None:
    """Run a line for a shell, which must be a command of arttl, or of those other programs that are left out.

    Args:
        line: of a block.
        added: name of a command of arttl to flags that it gets besides, for the time that it takes.
    """
    command = documented.command_of(line.text)
    if command is None:
        if not line.text.startswith(OF_OTHER_PROGRAMS):
            pytest.fail(f"{line}: nothing here can run {line.text!r}")
        print(f"{line} is not run: {line.text}")
        return
    _, name, *words = shlex.split(command)
    words += (added or {}).get(name, "").split()
    assert run_command(name, words) == 0, f"{line}: {line.text}"
