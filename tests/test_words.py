"""The words a user meets: commands, flags, column headings, JSON keys, operators and public names."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from arttl.cli import COMMANDS, run_command

PACKAGE = Path(__file__).resolve().parents[1] / "arttl"

# Not to be any part of a name, a key or a heading.
PARTS = {
    *("rung", "rungs", "ladder", "ladders", "climb", "climbs", "climbed", "tail", "tails"),
    *(
        "answer",
        "answers",
        "laid",
        "lay",
        "settle",
        "settled",
        "told",
        "said",
        "says",
        "hear",
        "hears",
        "heard",
    ),
    *("wanted", "hands", "among", "gone"),
}
PHRASES = ("walk back", "walked back", "carry out", "carried out", "go on", "goes on", "lay out", "has the")
# Not to be a whole name or key, since they do not say what the thing is; `draw_panel` draws.
WHOLE = {"place", "places", "draw", "draws", "found", "one", "some"}


def words_of(name: str) -> list[str]:
    """The words of a name in CamelCase, snake_case or with hyphens, or of a heading; "long tail" is the field's own."""
    words = " ".join(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()))
    return re.sub(r"\blong tails?\b", "", words).split()


def is_coined(name: str) -> bool:
    words = words_of(name)
    return bool(
        PARTS & set(words)
        or any(f" {phrase} " in f" {' '.join(words)} " for phrase in PHRASES)
        or (len(words) == 1 and words[0] in WHOLE)
    )


@pytest.mark.parametrize(
    ("name", "coined"),
    [
        *(("Rung", True), ("fit_ladder", True), ("--among", True), ("walk_back", True), ("found", True)),
        *(("has_the_answers_of", True), ("TailSettings", True), ("wanted_rows", True), ("Go on with", True)),
        *(
            ("one_hot", False),
            ("draw_panel", False),
            ("method", False),
            ("layout", False),
            ("handset", False),
        ),
        *(("detail", False), ("long_tails", False), ("is_set", False), ("walk", False), ("replace", False)),
    ],
)
def test_the_words_are_told_apart(name: str, coined: bool) -> None:
    assert is_coined(name) is coined


def help_of(name: str, *command: str) -> str:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        run_command(name, [*command, "--help"])
    return shown.getvalue()


def commands_and_flags() -> Iterator[str]:
    """From the help of every command, and of the commands that a command has."""
    for name in COMMANDS:
        text = help_of(name)
        texts = [text]
        yield f"command {name}"
        for inner in re.findall(r"^  ([a-z][a-z-]*)  ", text, re.MULTILINE):
            yield f"command {name} {inner}"
            texts.append(help_of(name, inner))
        flags = re.findall(r"(?<![\w-])--([a-z][a-z-]*)", "\n".join(texts))
        assert flags, f"arttl {name} --help shows no flags"
        yield from (f"flag --{flag}" for flag in flags)


def text_of(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def headings_keys_and_operators(tree: ast.AST) -> Iterator[str]:
    """Strings that a table shows, that a file has as keys, or that torch knows an operator by."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key in filter(None, (text_of(key) for key in node.keys if key)):
                yield f"key {key}"
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        kind = {"add_column": "heading", "define": "operator"}.get(node.func.attr)
        text = text_of(node.args[0]) if kind and node.args else None
        if text is not None:
            yield f"{kind} {text.partition('(')[0] if kind == 'operator' else text.strip()}"


def names_in(body: list[ast.stmt]) -> Iterator[str]:
    """Public names of a module or class, the parameters of its functions included."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield node.name
            if not node.name.startswith("_"):
                yield from names_in(node.body)
        elif isinstance(node, ast.FunctionDef):
            yield node.name
            if not node.name.startswith("_") or node.name == "__init__":
                arguments = node.args
                yield from (each.arg for each in [*arguments.args, *arguments.kwonlyargs])
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def all_of_the_package() -> set[str]:
    everything = set(commands_and_flags())
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        everything.add(f"module {path.stem}")
        everything.update(headings_keys_and_operators(tree))
        everything.update(f"name {name}" for name in names_in(tree.body) if not name.startswith("_"))
    return everything


def test_messages_count_in_the_singular_or_the_plural_and_name_commands() -> None:
    scripts = "|".join(rf"\b{path.stem}\.py" for path in (PACKAGE.parent / "scripts").glob("*.py"))
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.search(r"[a-z]\(e?s\)", node.value), f"{path}: see arttl.errors.counted"
                assert not re.search(scripts, node.value), f"{path}: what is installed is the command"


def test_no_coined_word_meets_a_user() -> None:
    everything = all_of_the_package()
    for kind in ("command", "flag", "heading", "key", "operator", "name", "module"):
        assert sum(each.startswith(f"{kind} ") for each in everything) >= 3, f"no {kind} was read"
    coined = {each for each in everything if is_coined(each.partition(" ")[2])}
    assert sorted(coined) == []
