"""What shards/README.md tells strangers is so."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import webdataset

from arttl.artworks import Artwork
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest
from arttl.shards.rejects import REASONS

_README = Path(__file__).resolve().parents[2] / "shards" / "README.md"


def _block(language: str) -> str:
    return _README.read_text(encoding="utf-8").split(f"```{language}\n")[1].split("```")[0]


@pytest.fixture
def shards(tmp_path: Path, make_artworks: Callable[..., list[Artwork]]) -> Path:
    out = tmp_path / "shards" / "gallery"
    pack(make_artworks(20), PackSettings(out=out, workers=1))
    return out


def test_the_reading_example(shards: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", _block("python")]
    printed = subprocess.run(command, cwd=shards.parents[1], check=True, capture_output=True, text=True)
    manifest = Manifest.read(shards)
    lines = printed.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [[str(row), manifest.keys[row]] for row in (16, 17)]
    assert all("'type'" in line for line in lines)


def test_the_digest_command(shards: Path) -> None:
    command = _README.read_text(encoding="utf-8").rsplit("```\n", 2)[1]
    printed = subprocess.run(["sh", "-c", command], cwd=shards, check=True, capture_output=True)
    assert (
        hashlib.sha256(printed.stdout).hexdigest()
        == json.loads((shards / "dataset.json").read_text())["digest"]
    )


def test_every_reason_and_column_is_listed(shards: Path) -> None:
    text = _README.read_text(encoding="utf-8")
    columns = [name for name in Manifest.read(shards).table.column_names if not name.startswith("labels.")]
    assert [name for name in (*REASONS, *columns) if f"`{name}`" not in text] == []


def test_the_sample_s_json(shards: Path) -> None:
    shown = json.loads(_block("json").replace("  ```", ""))
    sample = json.loads(_first_json(shards))
    assert sorted(shown) == sorted(sample)
    assert sorted(shown["original"]) == sorted(sample["original"])


def _first_json(shards: Path) -> bytes:
    return next(iter(webdataset.WebDataset(str(shards / "val-00000.tar"), shardshuffle=False)))["json"]
