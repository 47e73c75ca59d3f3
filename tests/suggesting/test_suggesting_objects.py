"""`--per-object`: one row per object, of the mean log-probability of its photographs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import log_softmax, softmax

import arttl
from arttl.cli import run_command
from arttl.suggesting import command

PHOTOGRAPHS = {"A.1": ["a", "b", "broken"], "B": ["c"], "": ["d"], "C": ["cut"], "D/4": ["e", "f"]}


@pytest.fixture
def collection(tmp_path: Path, soft_picture: Callable[..., Image.Image]) -> tuple[Path, Path]:
    """Metadata in which the photographs of an object do not follow each other, and the pictures."""
    images = tmp_path / "photos"
    images.mkdir()
    for seed, name in enumerate("abcdef"):
        soft_picture(70, 90, seed=seed).save(images / f"{name}.png")
    for name in ("broken", "cut"):
        (images / f"{name}.png").write_bytes((images / "a.png").read_bytes()[:60])
    rows = [
        {"object_number": number, "image": f"{name}.png"}
        for number in PHOTOGRAPHS
        for name in PHOTOGRAPHS[number]
    ]
    metadata = tmp_path / "objects.jsonl"
    metadata.write_text("".join(json.dumps(row) + "\n" for row in [*rows[1::2], *rows[::2]]))
    return metadata, images


@pytest.mark.parametrize("batches_per_part", [1, 32])
def test_the_mean_log_probability_of_an_objects_photographs(
    batches_per_part: int,
    model: Path,
    collection: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "_BATCHES_PER_PART", batches_per_part)
    metadata, images = collection
    out = tmp_path / "out.jsonl"
    argv = ["--model", str(model), "--metadata", str(metadata), "--images", str(images), "--out", str(out)]
    assert run_command("predict", [*argv, "--per-object", "--top", "9", "--batch-size", "2"]) == 0
    # What is promised is of means; the model's validation objects have one photograph each.
    assert "no validation object has more than one photograph" in " ".join(capsys.readouterr().out.split())
    rows = {row["object_number"]: row for row in map(json.loads, out.read_text().splitlines())}
    assert rows.keys() == PHOTOGRAPHS.keys()
    # Those that could be read; a row without an object number is none.
    assert {number: row["photographs"] for number, row in rows.items()} == {
        "A.1": "2", "B": "1", "": "0", "C": "0", "D/4": "2",
    }  # fmt: skip
    assert rows["A.1"]["picture"] in ("a.png", "b.png")
    assert rows["C"]["problem"].startswith("damaged") and rows[""]["problem"].startswith("no-object-number")
    loaded = arttl.load_model(model)
    for number in ("A.1", "B", "D/4"):
        names = [name for name in PHOTOGRAPHS[number] if name != "broken"]
        logits = arttl.predict(loaded, [images / f"{name}.png" for name in names]).logits["type"]
        mean = softmax(log_softmax(logits.astype(np.float64), axis=1).mean(0))
        classes = loaded.tasks["type"].vocabulary.classes
        assert rows[number]["problem"] is None
        for label in rows[number]["type"]["ranked"]:
            assert label["probability"] == pytest.approx(mean[classes.index(label["label"])], abs=1e-6)


def test_what_has_no_objects_or_keeps_its_rows_is_refused(
    model: Path, collection: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata, images = collection
    argv = ["--model", str(model), "--images", str(images), "--per-object", "--out", str(tmp_path / "a.csv")]
    assert run_command("predict", argv) == 2
    assert "--per-object needs object numbers: name --metadata or --shards" in capsys.readouterr().err
    table = tmp_path / "objects.csv"
    table.write_text("object_number,image\nA,a.png\n")
    assert run_command("predict", [*argv, "--metadata", str(table)]) == 2
    assert "the table of --metadata keeps its rows" in capsys.readouterr().err
    assert run_command("predict", [*argv, "--metadata", str(metadata)]) == 0
