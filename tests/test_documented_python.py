"""The Python blocks of all pages, run in a folder that has the files which the pages name.

How a block gets the names that it uses, or why it is not run, is in a comment above it: tests/documented.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import documented
import pytest
from documented import PAGES, Shown
from executed import run_blocks

from arttl.artworks import Artwork
from arttl.cli import run_command
from arttl.decisions.decision import Decision
from arttl.decisions.file import DecisionFile
from arttl.models.heads import HEADS
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.saliency.taps import TAPS
from arttl.sources.synthetic import synthetic_artworks

# Those that test_tutorials.py runs, with their commands.
TUTORIALS = ("tutorial-humanities.md", "tutorial-python.md")
BLOCKS = {
    page: [block for block in documented.blocks(page) if block.language == "python"]
    for page in PAGES
    if page.name not in TUTORIALS
}
NEEDS = {"docs/export.md": "onnxruntime"}


def artworks(folder: Path) -> Iterator[Artwork]:
    """Drawn objects under the labels that the pages name, with one material each and a subject."""
    artists = ["Rembrandt", "Edouard Manet"]
    for index, drawn in enumerate(synthetic_artworks(folder, count=160)):
        labels = {task: names[-1:] for task, names in drawn.labels.items()}
        labels["subject"] = (("flower", "ship")[index % 2],)
        if labels.get("material") == ("oil",):
            labels["material"] = ("oil paint",)
        if "artist" in labels:
            labels["artist"] = (artists[len(labels["artist"][0]) % 2],)
        yield Artwork(drawn.key, drawn.object_number, drawn.image, labels)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder: photographs, shards, a run, features, a fused model, decisions and identifiers."""
    folder = tmp_path_factory.mktemp("example")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        objects = list(artworks(Path("photos")))
        for name in ("a.jpg", "b.jpg", "photos/a.jpg"):
            Path(name).write_bytes(objects[0].image.read_bytes())
        pack(objects, PackSettings(out=Path("shards/mine"), workers=1))
        Path("shards/gallery").symlink_to("mine")
        network = "--backbone test_resnet --weights none --input-size 224 --threads 1"
        for command in (
            f"train --shards shards/mine --tasks material type artist subject {network} --mode scratch --epochs 1"
            " --maps 0 --out runs/mine",
            f"features shards/mine {network} --out features/lite0",
            "fuse features/lite0 --tasks type --seeds 1 --out runs/fusion",
        ):
            name, *words = command.split()
            assert run_command(name, words) == 0, command
        for name in ("four-tasks", "paintings-fine-tune"):
            Path("runs", name).symlink_to("mine")
        with DecisionFile(Path("decisions.sqlite")) as file:
            labels = ("oil paint",)
            decision = Decision(
                "material",
                objects[0].object_number,
                "",
                "",
                (),
                labels,
                0.97,
                "accepted",
                labels,
                "A. Curator",
            )
            file.save([(decision, 0)])
        Path("vocabulary.csv").write_text(
            csv_block("docs/exchange.md", "alternative_labels"), encoding="utf-8"
        )
    return folder


def csv_block(page: str, text: str) -> str:
    (found,) = (
        block.text
        for block in documented.blocks(documented.REPOSITORY / page)
        if block.language == "csv" and text in block.text
    )
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page, blocks in BLOCKS.items() if blocks], ids=lambda page: page.name
)
def test_the_python_blocks_of_a_page_run(page: Path, example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = page.relative_to(documented.REPOSITORY).as_posix()
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    monkeypatch.chdir(example)
    registered = [(registry, dict(registry)) for registry in (TAPS, HEADS)]  # pages add their own
    try:
        run_blocks(BLOCKS[page])
    finally:
        for registry, before in registered:
            registry.clear()
            registry.update(before)


def test_every_comment_for_the_tests_belongs_to_a_block() -> None:
    """One that is misspelt, or has a blank line below it, would be passed over in silence."""
    for page in PAGES:
        comments = re.findall(
            r"^[ \t]*<!--\s*(?:first|not run)\b", page.read_text(encoding="utf-8"), re.MULTILINE
        )
        bound: list[Shown] = [block for block in documented.blocks(page) if block.first or block.not_run]
        assert len(comments) == len(bound), page
