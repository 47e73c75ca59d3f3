"""The examples of docs/exchange.md are what `arttl convert` makes of the files on that page; docs/vocabularies.md."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import get_args

import pytest
from lxml import etree

from arttl.cli import run_command
from arttl.exchange.command import ConvertSettings
from arttl.settings import settings_of
from arttl.version import __version__
from arttl.vocabularies import concepts, table
from arttl.vocabularies.collect import REVIEW_COLUMNS

_DOCS = Path(__file__).resolve().parents[2] / "docs"
_PAGE = (_DOCS / "exchange.md").read_text(encoding="utf-8")
_FILES = dict(
    re.findall(r"`([\w-]+\.\w+)`[^`\n]*(?:`[^`\n]*`[^`\n]*)*:\n\n```\w+\n(.*?)```", _PAGE, re.DOTALL)
)
_FLAGS = {
    "linked-art.json": "--to linked-art --base https://museum.example/object/",
    "lido.xml": "--to lido --language en --institution 'Museum X'",
    "web-annotation.json": "--to web-annotation --targets targets.csv",
    "decisions.csv": "--to csv",
    "objects.csv": "--to table",
}


@pytest.mark.parametrize("name", _FLAGS)
def test_the_example_of_each_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for given in ("suggestions.jsonl", "accepted.csv", "vocabulary.csv", "targets.csv"):
        Path(given).write_text(_FILES[given], encoding="utf-8")
    inputs = "--predictions suggestions.jsonl --accepted accepted.csv --vocabulary vocabulary.csv"
    assert run_command("convert", shlex.split(f"{inputs} {_FLAGS[name]} --out {name}")) == 0
    written = Path(name).read_text(encoding="utf-8").replace(f"arttl {__version__}", "arttl 0.1.0")
    if name.endswith(".json"):
        assert json.loads(_FILES[name]) == json.loads(written)
    elif name.endswith(".xml"):
        assert _canonical(_FILES[name]) == _canonical(written)
    else:
        assert _FILES[name] == written


def _canonical(text: str) -> bytes:
    parser = etree.XMLParser(remove_blank_text=True)
    return bytes(etree.tostring(etree.fromstring(text.encode(), parser), method="c14n"))


def test_every_format_and_flag_is_named() -> None:
    settings = settings_of(ConvertSettings)
    for name in get_args(settings["to"].hint):
        assert f"| `{name}` |" in _PAGE
    for setting in settings.values():
        assert setting.flag in _PAGE


def test_the_example_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL)
    exec(block, {})
    (record,) = json.loads(Path("one.json").read_text(encoding="utf-8"))
    assert record["made_of"][0]["_label"] == "oil paint"


def test_the_page_on_vocabularies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (_DOCS / "vocabularies.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    Path("vocabulary.csv").write_text(_FILES["vocabulary.csv"], encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(block, {})
    assert capsys.readouterr().out == "http://vocab.getty.edu/aat/300015050 AAT  ('oil colour',) en\n"
    columns = page.partition("| column |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"`([a-z_]+)`(?= \||,)", re.sub(r"\| [^`].*", "|", columns))) == REVIEW_COLUMNS
    assert set(table.COLUMNS) < set(REVIEW_COLUMNS)
    rows = re.findall(r"^\| (`.*?`) \| (`.*) \|$", page.partition("## Which vocabulary")[2], re.MULTILINE)
    known = [name for names, _ in rows for name in re.findall("`([^`]+)`", names)]
    assert known == list(concepts._SCHEMES)
    for names, addresses in rows:
        for address in re.findall("`([^`]+)`", addresses):
            assert concepts.scheme_of(address) in re.findall("`([^`]+)`", names)
