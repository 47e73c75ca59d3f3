"""`arttl shards WORD`, as typed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import webdataset
from PIL import Image

from arttl.artworks import Artwork
from arttl.cli import run_command
from arttl.packing.commands import COMMANDS
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest


@pytest.fixture
def shards(tmp_path: Path, make_artworks: Callable[..., list[Artwork]]) -> Path:
    out = tmp_path / "shards"
    pack(make_artworks(24), PackSettings(out=out, images=tmp_path / "images", workers=1))
    return out


def _run(*words: str | Path) -> int:
    return run_command("shards", [str(word) for word in words])


def test_info(shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("info", shards, "--classes", "0") == 0
    out = capsys.readouterr().out
    # Where the line breaks depends on the length of the folder's name.
    assert re.search(r"24\s+samples,\s+0\.\d\s+MB,\s+made\s+by\s+arttl", out)
    assert f"digest {Manifest.read(shards).dataset['digest']}" in out.replace("\n", " ").replace("  ", " ")
    assert re.search(r"vase +8 .*█", out)
    assert re.search(r"only type +12 +50\.0%", out)


def test_verify(shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("verify", shards) == 0
    assert capsys.readouterr().out.startswith("verified: 24 samples in 9 files of")
    with (shards / "val-00000.tar").open("ab") as file:
        file.write(b"x")
    assert _run("verify", shards) == 2
    out, err = capsys.readouterr()
    assert "val-00000.tar: " in out
    assert err == f"error: 1 thing in {shards} is not as it was written; pack it again\n"


def test_leaks(
    tmp_path: Path, make_artworks: Callable[..., list[Artwork]], capsys: pytest.CaptureFixture[str]
) -> None:
    artworks = make_artworks(24)
    for index, artwork in enumerate(artworks):
        artworks[index] = Artwork(artwork.key, f"C.{index // 12}x{index}", artwork.image, artwork.labels)
    pack(artworks, PackSettings(out=tmp_path / "out", images=tmp_path / "images", workers=1))
    assert _run("leaks", tmp_path / "out") == 0
    assert "no leak: objects and pictures are each in one split only" in capsys.readouterr().out
    assert _run("leaks", tmp_path / "out", "--leaf", "x[0-9]+") == 2
    out, err = capsys.readouterr()
    assert out.startswith("leak: 2 objects are in more than one split")
    assert err.startswith("error: objects of ") and err.endswith("--split grouped or stratified\n")
    assert _run("leaks", tmp_path / "out", "--leaf", "(") == 2
    assert "--leaf '(' is not a regular expression" in capsys.readouterr().err


def test_the_leaves_of_packing_are_checked_without_a_pattern(
    tmp_path: Path, make_artworks: Callable[..., list[Artwork]], capsys: pytest.CaptureFixture[str]
) -> None:
    """A pattern that stands in the shards is of a stranger, and one such as `(a+)+$` would never end."""
    artworks = make_artworks(24)
    for index, artwork in enumerate(artworks):
        artworks[index] = Artwork(artwork.key, f"C.{index // 12}x{index}", artwork.image, artwork.labels)
    settings = PackSettings(out=tmp_path / "out", images=tmp_path / "images", workers=1, leaf="x[0-9]+")
    pack(artworks, settings)
    dataset = tmp_path / "out" / "dataset.json"
    described = json.loads(dataset.read_text())
    described["settings"]["leaf"] = "(("  # would be refused if it were compiled
    dataset.write_text(json.dumps(described))
    assert _run("leaks", tmp_path / "out") == 2
    assert capsys.readouterr().out.startswith("leak: 2 series are in more than one split")


def test_merge_and_relabel(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("merge", shards, shards, "--out", tmp_path / "merged", "--workers", "1") == 0
    assert re.search(r"duplicate-picture +24", capsys.readouterr().out)
    lines = ["number,genre", *(f"A.{index},g{index % 2}" for index in range(24))]
    (tmp_path / "new.csv").write_text("\n".join(lines))
    argv = ("relabel", tmp_path / "merged", "--metadata", tmp_path / "new.csv", "--tasks", "genre")
    assert _run(*argv, "--out", tmp_path / "new", "--workers", "1") == 0
    out = capsys.readouterr().out
    assert "columns guessed: --object-number number" in out
    assert "no leak: objects and pictures are each in one split only" in out
    assert Manifest.read(tmp_path / "new").task_names == ("genre",)
    assert _run("verify", tmp_path / "new") == 0


@pytest.mark.parametrize("dry", [False, True])
def test_adopting_the_tars_of_others(
    dry: bool,
    tmp_path: Path,
    soft_picture: Callable[..., Image.Image],
    jpeg_bytes: Callable[..., bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    pictures = [jpeg_bytes(soft_picture(60, 50, seed=index)) for index in range(30)]
    (tmp_path / "tars").mkdir()
    for split, rows in (("train", range(20)), ("valid", range(20, 25)), ("test", range(25, 30))):
        with webdataset.TarWriter(str(tmp_path / "tars" / f"{split}-0.tar")) as writer:
            for row in rows:
                data = pictures[row] if row != 7 else pictures[row][:300]
                writer.write({"__key__": f"{row:02d}", "jpg": data, "json": {"genre": f"g{row % 3}"}})
            if split == "valid":  # the same bytes again, after those of train
                writer.write({"__key__": "again", "jpg": pictures[3], "json": {"genre": "g0"}})
    more = ["--dry-run"] if dry else []
    out = tmp_path / "out"
    assert _run("adopt", tmp_path / "tars", "--tasks", "genre", "--out", out, "--workers", "1", *more) == 0
    text = capsys.readouterr().out
    assert re.search(r"duplicate-picture +1", text)
    if dry:
        assert "Would be left out" in text
        assert not out.exists()
        return
    manifest = Manifest.read(out)
    assert [manifest.splits.count(split) for split in ("train", "val", "test")] == [19, 5, 5]
    assert manifest.dataset["rejected"] == {"damaged": 1, "duplicate-picture": 1}
    for shard in dict.fromkeys(manifest.shards):
        for sample in webdataset.WebDataset(str(out / shard), shardshuffle=False):
            row = int(sample["__key__"])
            assert sample["jpg"] == pictures[row]
            found = json.loads(sample["json"])
            assert found["labels"] == {"genre": [f"g{row % 3}"]}
            assert found["original"]["file"].endswith(f".tar/{row:02d}.jpg")
    assert _run("verify", out) == 0
    assert (
        _run("adopt", tmp_path / "tars", "--tasks", "genre", "--out", out, "--workers", "1", "--resume") == 0
    )


def test_a_description_that_lacks_something(shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shards / "dataset.json").write_text('{"format_version": 1}')
    for words in (("info",), ("merge", shards, "--out", "x"), ("relabel", "--out", "x")):
        assert _run(words[0], shards, *words[1:]) == 2
        assert re.search(r"dataset\.json has no '\w+'; pack the collection again", capsys.readouterr().err)
    assert _run("verify", shards) == 2
    assert "dataset.json: " in capsys.readouterr().out


def test_words_that_are_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("verfy", "x") == 2
    assert capsys.readouterr().err == (
        "error: arttl shards has no command 'verfy' (did you mean 'verify'?); it has: info, verify, leaks, merge,"
        " relabel, adopt\n"
    )
    assert _run("info", "/nowhere") == 2
    assert "/nowhere is not a folder of shards" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        _run(*words, "--help")
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: arttl shards")
    if not words:
        assert all(f"  {name}" in out for name in COMMANDS)
