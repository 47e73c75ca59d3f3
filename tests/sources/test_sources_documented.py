"""docs/sources.md names every source and every command for finished shards."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from arttl.iiif.labels import USUAL_LABELS, is_usual
from arttl.labelling.rules import LabelRules
from arttl.packing.commands import COMMANDS
from arttl.sources.registry import SOURCES

_DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_has_a_section(source: str) -> None:
    sections = (_DOCS / "sources.md").read_text(encoding="utf-8").split("\n## ")[1:]
    (section,) = [section for section in sections if f"`--source {source}`" in section.splitlines()[0]]
    assert "arttl shards" in section


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_there(command: str) -> None:
    assert f"`arttl shards {command} " in (_DOCS / "sources.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("task", USUAL_LABELS)
def test_the_usual_labels_of_iiif(task: str) -> None:
    """The table has all of them, and no others."""
    text = (_DOCS / "sources.md").read_text(encoding="utf-8").split("The usual labels of pairs")[1]
    (row,) = re.findall(rf"^\| `{task}` \|(.*)$", text.split("\n## ")[0], re.MULTILINE)
    names = re.findall("`([^`]+)`", row)
    assert [name for name in names if not is_usual(name, USUAL_LABELS[task])] == []
    assert [
        label for label in USUAL_LABELS[task] if not any(is_usual(name, (label,)) for name in names)
    ] == []


def test_the_example_of_a_mapping() -> None:
    path = _DOCS / "examples" / "met-materials.csv"
    LabelRules.read([f"material={path}"], ("material",))
    with path.open(encoding="utf-8", newline="") as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    assert len(labels) == 2183
    assert len(set(labels) - {""}) == 33
    assert labels.count("") < 30
