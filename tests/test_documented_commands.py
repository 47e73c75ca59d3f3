"""Every `arttl` command that a page shows can be given: its names and flags exist, and take the values shown.

Some of them are run too: those of README.md in test_readme_commands.py, those of the guide in test_guide_museum.py.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
from pathlib import Path
from typing import Any

import documented
import pytest
from documented import PAGES, Shown

import arttl.cli
import arttl.settings
from arttl.cli import COMMANDS
from arttl.settings import FileToWrite, settings_of

EVERY = [command for page in PAGES for command in documented.commands(page)]
PYTHON = [block for page in PAGES for block in documented.blocks(page) if block.language == "python"]


def test_the_pages_were_read() -> None:
    assert sum(command.whole for command in EVERY) > 40 and sum(not command.whole for command in EVERY) > 60
    assert {shlex.split(command.text)[1] for command in EVERY} >= set(COMMANDS) - {"layers"}
    assert len(PYTHON) > 10


@pytest.mark.parametrize("command", [command for command in EVERY if command.whole], ids=str)
def test_a_command_in_a_block_can_be_given(
    command: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parsed: list[object] = []
    load, recipe_values = arttl.cli._load, arttl.settings.recipe_values

    def load_but_not_run(name: Any) -> Any:
        loaded = load(name)
        return parsed.append if inspect.isfunction(loaded) else loaded

    def values(recipe: str, kind: type[Any]) -> dict[str, Any]:
        return {} if recipe.endswith("yaml") else recipe_values(recipe, kind)  # a file of the reader's own

    monkeypatch.setattr(arttl.cli, "_load", load_but_not_run)
    monkeypatch.setattr(arttl.settings, "recipe_values", values)
    monkeypatch.setattr(FileToWrite, "check", lambda *_: None)  # the reader's folders
    monkeypatch.chdir(tmp_path)
    _, name, *words = shlex.split(command.text)
    try:
        status = arttl.cli.run_command(name, words)
    except SystemExit as end:
        status = end.code
    assert status == 0 and parsed, f"{command.text}\n{capsys.readouterr()}"


@pytest.mark.parametrize("command", [command for command in EVERY if not command.whole], ids=str)
def test_the_names_and_flags_in_a_sentence_exist(command: Shown) -> None:
    name, *words = shlex.split(command.text)[1:]
    if name in ("COMMAND", "--version", "--help"):
        return
    assert name in COMMANDS
    kinds = [COMMANDS[name].settings]
    inner = arttl.cli._load(COMMANDS[name].subcommands) if COMMANDS[name].subcommands else {}
    if words and re.fullmatch(r"[a-z][a-z-]*", words[0]) and inner:
        assert words[0] in inner
        kinds = [inner[words[0]][0]]
    known = {"--help", "--recipe"} if COMMANDS[name].recipe else {"--help"}
    for kind in filter(None, kinds):
        for setting in settings_of(arttl.cli._load(kind)).values():
            known |= {setting.flag, setting.flag.replace("--", "--no-", 1)}
            known.update(*(getattr(each, "aliases", None) or () for each in setting.annotations(object)))
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_a_python_block_compiles_and_what_it_imports_is_there(block: Shown) -> None:
    tree = ast.parse(block.text, str(block))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("arttl"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("arttl"):
                    importlib.import_module(alias.name)
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "arttl"
        ):
            assert hasattr(arttl, node.attr), f"arttl has no {node.attr}"
