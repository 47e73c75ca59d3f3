"""Pages of the documentation site that are not in docs/; a hook of mkdocs, see mkdocs.yml.

- README.md, CHANGELOG.md, CONTRIBUTING.md and the pages of recipes/, shards/ and benchmarks/ become pages of the site.
- A page per command is made from its settings dataclass, as its help is; one page shows the recipes of the package.
- The reference of the Python interface lists the names of `arttl` and all that the blocks of the pages import.
- Links between files of the repository become links between pages, and so do names of their files in `code`.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tyro
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from arttl import _HOME
from arttl.cli import COMMANDS, Form, forms_of
from arttl.command_line import registry_for
from arttl.settings import Bound, Setting, groups_of, settings_of

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "shards/README.md": "shards.md",
    "recipes/README.md": "recipes/index.md",
    **{
        f"{folder}/{path.name}": f"{folder}/{path.name}"
        for folder in ("recipes", "benchmarks")
        for path in sorted((ROOT / folder).glob("*.md"))
        if path.name != "README.md"
    },
}
"""Files outside of docs/ to their page, both as mkdocs names them."""
HOME_OF_PAGE = {page: name for name, page in OUTSIDE.items()}

RECIPES = {
    path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / "arttl" / "recipes").glob("*.yaml"))
}
"""Files of recipes, which are sections of one page."""

_FENCE = re.compile(r"^( *)```.*?^ *```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(\))")
_NAMED_PAGE = re.compile(r"(?<!\[)`([\w/-]+\.md|recipes/|benchmarks/)`(?!\])")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of a folder where the navigation names the folder."""
    folders = {
        "commands/": ["commands/index.md", *(f"commands/{name}.md" for name in COMMANDS)],
        "recipes/": ["recipes/index.md", "recipes/settings.md", *_pages_of("recipes")],
        "benchmarks/": ["benchmarks/index.md", *_pages_of("benchmarks")],
    }

    def filled(nav: Any) -> Any:
        if isinstance(nav, list):
            return [filled(each) for each in nav]
        if isinstance(nav, dict):
            return {title: filled(value) for title, value in nav.items()}
        return folders.get(nav, nav)

    config.nav = filled(config.nav)
    return config


def _pages_of(folder: str) -> list[str]:
    return [page for page in HOME_OF_PAGE if page.startswith(f"{folder}/") and not page.endswith("/index.md")]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    pages = {page: (ROOT / name).read_text(encoding="utf-8") for name, page in OUTSIDE.items()}
    pages["benchmarks/index.md"] = _list_of_benchmarks()
    pages["recipes/settings.md"] = recipes_page()
    pages["commands/index.md"] = _list_of_commands()
    pages |= {f"commands/{name}.md": command_page(name) for name in COMMANDS}
    pages["api.md"] = api_page()
    for page, text in pages.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files into links to pages, and deepen the indentation of lists, which Python-Markdown needs."""
    uri = page.file.src_uri
    return _outside_of_fences(markdown, lambda text: _with_links(text, uri))


def _outside_of_fences(markdown: str, change: Callable[[str], str]) -> str:
    """Change the text between blocks of code; a block in a list keeps its place in it."""
    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [_indented(change(markdown[end : fence.start()])), re.sub("(?m)^", fence[1], fence[0])]
        end = fence.end()
    return "".join([*parts, _indented(change(markdown[end:]))])


def _indented(text: str) -> str:
    return re.sub(r"(?m)^( +)(?=\S)", r"\1\1", text)


def _with_links(text: str, uri: str) -> str:
    here = posixpath.dirname(HOME_OF_PAGE.get(uri, f"docs/{uri}"))

    def to_page(name: str) -> str | None:
        """The page of a file of the repository, as a link from this one."""
        if name.endswith("/"):
            name += "README.md" if f"{name}README.md" in OUTSIDE else "index.md"
        target = OUTSIDE.get(name, name.removeprefix("docs/") if name.startswith("docs/") else None)
        if name in RECIPES:
            target = f"recipes/settings.md#{RECIPES[name].stem}"
        if name == "benchmarks/index.md":
            target = name
        return target and posixpath.relpath(target, posixpath.dirname(uri) or ".")

    def link(found: re.Match[str]) -> str:
        slash = "/" if found[2].endswith("/") else ""  # of a folder, which normpath takes away
        target = to_page(posixpath.normpath(posixpath.join(here, found[2])) + slash)
        return f"{found[1]}{target or found[2]}{found[3] or ''}{found[4]}"

    def named(found: re.Match[str]) -> str:
        name = f"{found[1]}README.md" if found[1] == "recipes/" else found[1]
        target = to_page(found[1])
        if found[1] == "benchmarks/":
            return f"[Measurements]({target})"
        return f"[{_title(name)}]({target})" if target and (ROOT / name).is_file() else found[0]

    if uri.startswith(("commands/", "api.")) or uri in ("benchmarks/index.md", "recipes/settings.md"):
        return _NAMED_PAGE.sub(named, text)
    return _NAMED_PAGE.sub(named, _LINK.sub(link, text))


def recipes_page() -> str:
    """The recipes that come with the package, each a section."""
    lines = [
        "# Recipes that come with arttl",
        "",
        "Each is named in `--recipe NAME`: `docs/training.md`.",
        "",
    ]
    for path in RECIPES.values():
        lines += [f"## {path.stem}", "", "```yaml", path.read_text(encoding="utf-8").rstrip("\n"), "```", ""]
    return "\n".join(lines)


def _list_of_benchmarks() -> str:
    lines = ["# Measurements", "", "What was timed and measured, on which machine, and against what.", ""]
    for name in OUTSIDE:
        if name.startswith("benchmarks/"):
            lines.append(f"- [{_title(name)}]({posixpath.basename(name)})")
    return "\n".join(lines) + "\n"


def _title(name: str) -> str:
    """The first heading of a page of the repository."""
    return (ROOT / name).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def _list_of_commands() -> str:
    lines = [
        "# Commands",
        "",
        "`arttl COMMAND --help` shows the same as these pages, which are made from the settings' dataclasses.",
        "",
        "| command | what it does |",
        "|---|---|",
        *(f"| [`arttl {name}`]({name}.md) | {command.text} |" for name, command in COMMANDS.items()),
        "",
        "In Python every command is a function of its settings: `settings.of(...)` takes the names of the flags with"
        " underscores for hyphens, and so does a recipe, a YAML file of `name: value` (`docs/training.md`).",
    ]
    return "\n".join(lines) + "\n"


def command_page(name: str) -> str:
    """The reference of one command and of the commands it has, as Markdown."""
    lines, title = [f"# arttl {name}", ""], f"arttl {name}"
    forms = list(forms_of(name))
    if all(form.prog != title for form in forms):
        text = COMMANDS[name].text
        lines += [f"{text[0].upper()}{text[1:]}.", ""]
    for form in forms:
        lines += [] if form.prog == title else [f"## {form.prog}", ""]
        lines += _reference(form, "##" if form.prog == title else "###")
    return "\n".join(lines) + "\n"


def _reference(form: Form, heading: str) -> Iterator[str]:
    settings, kind = settings_of(form.settings), form.settings
    required = [each for each in settings.values() if each.default is dataclasses.MISSING]
    words = [
        _name(setting) if _is_positional(setting) else f"{setting.flag} {_value(kind, setting)}"
        for setting in required
    ]
    yield from (inspect.cleandoc(kind.__doc__ or ""), "")
    yield from ("```", " ".join([form.prog, *words, "[OPTIONS]"]), "```", "")
    yield f"In Python: `{form.run.replace(':', '.')}`, with `{kind.__module__}.{kind.__qualname__}`."
    yield ""
    if form.recipe:
        yield "`--recipe` reads these settings from a YAML file, or from a recipe of arttl by its name."
        yield ""
    for title, text, rows in _sections(kind):
        if title:
            yield from (f"{heading} {title}", "", text, "")
        yield from ("| flag | value | default | meaning |", "|---|---|---|---|")
        yield from (_row(kind, setting) for setting in rows)
        yield ""


def _sections(kind: type[Any]) -> Iterator[tuple[str, str, list[Setting]]]:
    """Title, sentence and settings of each group, the command's own first, which have neither."""
    groups = groups_of(kind)
    for name in (None, *groups):
        if rows := [setting for setting in settings_of(kind).values() if setting.group == name]:
            title = (name or "").replace("_", " ").capitalize()
            yield title, inspect.cleandoc(groups[name].__doc__ or "") if name else "", rows


def _row(kind: type[Any], setting: Setting) -> str:
    default, value = setting.default, _value(kind, setting)
    if default is dataclasses.MISSING:
        shown = "must be given"
    elif default in (None, ()):
        shown = ""
    else:
        words = map(str, default) if isinstance(default, tuple) else [str(default)]
        shown = f"`{' '.join(words)}`"
    bounds = "; ".join(bound.text for bound in setting.annotations(Bound))
    text = " ".join(filter(None, (setting.text, f"({bounds})" if bounds else "")))
    aliases = [
        alias for each in setting.annotations(object) for alias in getattr(each, "aliases", None) or ()
    ]
    names = ", ".join(f"`{name}`" for name in (_name(setting), *aliases))
    return f"| {names} | {f'`{value}`' if value else ''} | {shown} | {text} |"


def _is_positional(setting: Setting) -> bool:
    return any(each is tyro.conf.Positional for each in setting.annotations(object))


def _name(setting: Setting) -> str:
    return setting.name.upper() if _is_positional(setting) else setting.flag


def _value(kind: type[Any], setting: Setting) -> str:
    """What follows the flag, as its help shows it; nothing for a flag that is there or not."""
    with registry_for(kind, {}, False):
        spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(setting.hint, set()))
    assert isinstance(spec, PrimitiveConstructorSpec)
    return "" if spec.metavar == "{True,False}" else str(spec.metavar)


def api_page() -> str:
    """The reference of the Python interface: where mkdocstrings puts what."""
    lines = [
        "# Python",
        "",
        "The names of `arttl` itself, then what the examples of these pages import, by module. What is not listed here"
        " may change without notice.",
        "",
    ]
    lines += [f"::: {home}.{name}\n" for name, home in sorted(_HOME.items())]
    for module, imported in sorted(imported_by_pages().items()):
        if names := sorted(name for name in imported if _HOME.get(name) != module):
            lines += [
                f"## {module}",
                "",
                *(f"::: {module}.{name}\n    options: {{heading_level: 3}}\n" for name in names),
            ]
    return "\n".join(lines)


def imported_by_pages() -> dict[str, set[str]]:
    """Module to the names that the Python blocks of the pages import from it."""
    found: dict[str, set[str]] = {}
    for path in [*(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in OUTSIDE)]:
        for block in re.findall(
            r"^```python\n(.*?)^```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        ):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("arttl."):
                    found.setdefault(str(node.module), set()).update(alias.name for alias in node.names)
    return found
