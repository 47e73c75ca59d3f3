"""One probability, wherever it is shown: below a map, in `predictions.parquet`, in the metrics of a split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from arttl.artworks import Artwork
from arttl.cli import run_command
from arttl.explain import command
from arttl.explain.command import VisualizeSettings, visualize
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.models.calibration import Calibration, TaskCalibration
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet

TASKS = ("type", "material")
TEMPERATURES = {"type": 4.0, "material": 0.25}


def captions(monkeypatch, model: Path, shards: Path) -> list[dict[str, str]]:
    """What stands below the maps of each sample of the training split, one per task: task name to text."""
    shown = []
    monkeypatch.setattr(command, "panel", lambda rows, titles, **rest: shown.extend(rows) or rows[0].picture)
    visualize(
        VisualizeSettings(model=model, shards=shards, split="train", count=99, out=model.parent / "maps")
    )
    return [dict(note.splitlines()[0].split(": ", 1) for note in row.notes) for row in shown]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled samples, so large beside the network's input that the loader decodes them at a reduced size."""
    folder = tmp_path_factory.mktemp("labelled")
    random = np.random.default_rng(0)
    artworks = []
    for index in range(60):
        path = folder / f"{index}.jpg"
        Image.fromarray(random.integers(256, size=(400, 500, 3), dtype=np.uint8)).save(path, quality=90)
        materials = dict.fromkeys((f"m{index % 4}", f"m{index // 4 % 4}"))
        labels = {"type": (f"type {index % 3}",), "material": tuple(materials)}
        artworks.append(Artwork(str(index), str(index), path, labels))
    pack(artworks, PackSettings(out=folder / "shards", tasks=TASKS, workers=1))
    return folder / "shards"


def test_all_show_the_same_probability(shards, tmp_path, monkeypatch, capsys) -> None:
    torch.manual_seed(0)
    manifest = Manifest.read(shards)
    tasks = TaskSet.from_manifest(manifest, TASKS, multi_label=("material",))
    model = MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=32))
    with torch.no_grad():
        for head in model.heads.layers:
            head.weight.mul_(10)
    model.calibration = Calibration(
        "val", {name: TaskCalibration(value, 0.3, 0.1, 50) for name, value in TEMPERATURES.items()}
    )
    model.save(tmp_path / "model")
    argv = ["--model", str(tmp_path / "model"), "--shards", str(shards), "--split", "train", "--threads", "1"]
    argv += ["--json", str(tmp_path / "f.json"), "--predictions", str(tmp_path / "p.parquet")]
    monkeypatch.setenv("COLUMNS", "100")
    assert run_command("evaluate", argv) == 0
    table = [line.split() for line in capsys.readouterr().out.splitlines() if "mean confidence" in line]
    measured = json.loads((tmp_path / "f.json").read_text())["tasks"]
    saved = pq.read_table(tmp_path / "p.parquet").to_pydict()
    below = captions(monkeypatch, tmp_path / "model", shards)
    assert saved["row"] == manifest.rows("train").tolist() and len(below) == len(saved["row"]) > 5
    uncalibrated = 0
    for index, name in enumerate(TASKS):
        columns = [saved[f"{name}.{column}"] for column in ("predicted", "probability", "logits")]
        for labels, probability, logits, text in zip(*columns, [row[name] for row in below], strict=True):
            assert [part.rpartition(" ")[0] for part in text.split(", ")] == labels
            assert text.split(", ")[0] == f"{labels[0]} {100 * probability:.1f}%"
            values = torch.tensor(logits, dtype=torch.float64)
            for temperature in (TEMPERATURES[name], 1.0):
                scaled = values / temperature
                expected = scaled.softmax(0) if name == "type" else scaled.sigmoid()
                same = f"{100 * float(expected.max()):.1f}" == f"{100 * probability:.1f}"
                assert same or temperature == 1.0
                uncalibrated += same and temperature == 1.0
        mean = sum(columns[1]) / len(columns[1])
        assert measured[name]["confidence"] == pytest.approx(mean, rel=1e-12)
        assert f"{100 * mean:.1f}" in table[index]
    assert uncalibrated < len(below)  # of two tasks: the temperatures change what is shown
