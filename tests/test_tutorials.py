"""The tutorials, run from top to bottom in an empty folder, as a reader would."""

from __future__ import annotations

import json
from pathlib import Path

import documented
import pytest
from executed import run_blocks

import arttl
from arttl.shards.manifest import Manifest

pytestmark = pytest.mark.slow
DOCS = documented.REPOSITORY / "docs"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_in_python(folder: Path) -> None:
    names = run_blocks(documented.blocks(DOCS / "tutorial-python.md"))
    assert names["maps"].shape == names["batch"].images.shape[:1] + (64, 64)
    assert Path("drawn.pt2").is_file()
    assert isinstance(arttl.load_model("runs/own").backbone.network, names["SmallNet"])
    measured = json.loads(Path("runs/fused/test.json").read_text())["tasks"]["type"]
    assert measured["accuracy"] > measured["majority"]


def test_for_humanities(folder: Path) -> None:
    run_blocks(documented.blocks(DOCS / "tutorial-humanities.md"))
    manifest = Manifest.read("shards/archive")
    splits: dict[str, set[str]] = {}
    for number, split in zip(
        manifest.table["object_number"].to_pylist(), manifest.table["split"].to_pylist(), strict=True
    ):
        splits.setdefault(number, set()).add(split)
    assert len(manifest) > len(splits) and all(len(each) == 1 for each in splits.values())
