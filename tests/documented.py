"""What the pages of this repository show: blocks of code, and commands in them and in their lines.

A comment of HTML directly above a block is for the tests that run it: `<!-- not run: REASON -->`, or `<!-- first:` with
lines of Python that give the names that the block uses.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "recipes/*.md", "shards/*.md", "benchmarks/*.md")
    for path in REPOSITORY.glob(pattern)
)
# What arttl's commands are when they are called as scripts of the repository.
SCRIPTS = {
    "scripts/make_shards.py": "shards",
    "scripts/train_multitask.py": "train",
    "scripts/evaluate.py": "evaluate",
    "scripts/visualize.py": "visualize",
    "scripts/reproduce_paper.py": "reproduce",
}


@dataclass(frozen=True)
class Shown:
    """A block of code, or a command.

    Attributes:
        page: where it is, from the repository's root.
        line: the number of its first line.
        text: itself.
        whole: of a command: whether it stands in a block and has no dots, to be given as it is.
        language: of a block.
        first: Python to be run before a block.
        not_run: why a block is not run; empty where it is.
    """

    page: str
    line: int
    text: str
    whole: bool = True
    language: str = ""
    first: str = ""
    not_run: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


_BLOCK = re.compile(
    r"(?:^ *<!-- (?:first:\n(?P<first>(?:(?!-->).)*)|not run: (?P<not_run>(?:(?!-->).)*?) )-->\n)?"
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)


def blocks(page: Path) -> Iterator[Shown]:
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(REPOSITORY).as_posix()
    for found in _BLOCK.finditer(text):
        yield Shown(
            name,
            text[: found.start("text")].count("\n") + 1,
            found["text"],
            language=found["language"],
            first=found["first"] or "",
            not_run=found["not_run"] or "",
        )


def lines(block: Shown) -> Iterator[Shown]:
    """The lines of a block for a shell, each with those that a backslash joins to it."""
    joined = re.sub(r"\\\n\s*", lambda found: "\0" + " " * (len(found[0]) - 1), block.text)
    for offset, line in enumerate(joined.splitlines()):
        yield replace(block, line=block.line + offset, text=line.replace("\0", ""))


def commands(page: Path) -> Iterator[Shown]:
    """Every call of the `arttl` command, or of a script that is one of its commands, as `arttl ...`."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(REPOSITORY).as_posix()
    for block in blocks(page):
        if block.language in ("", "sh", "bash", "console"):
            for line in lines(block):
                if (command := command_of(line.text)) is not None:
                    yield replace(line, text=command, whole=" ..." not in command)
    outside = re.sub(
        r"^ *```.*?^ *```$", lambda found: "\n" * found[0].count("\n"), text, flags=re.DOTALL | re.MULTILINE
    )
    for found in re.finditer(r"`([^`]+)`", outside):
        if (command := command_of(" ".join(found[1].split()))) is not None:
            yield Shown(name, outside[: found.start()].count("\n") + 1, command, whole=False)


def command_of(line: str) -> str | None:
    """A line as the call of `arttl` that it is; None if it is none."""
    try:
        words = shlex.split(line.removeprefix("$ "), comments=True)
    except ValueError:  # a quotation mark in a line of output
        return None
    while words and (
        words[0] in ("nice", "time", "CUDA_VISIBLE_DEVICES=") or re.match(r"[A-Z_]+=", words[0])
    ):
        words = words[1:]
    for position, word in enumerate(words[:6]):
        if word in SCRIPTS and words[0] in ("python", "python3", "accelerate", word):
            return shlex.join(["arttl", SCRIPTS[word], *words[position + 1 :]])
    if words[:1] != ["arttl"] or len(words) == 1 or words[1].startswith("-"):  # such as --version
        return None
    return shlex.join(words)
