from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from arttl.cli import run_command
from arttl.shards.manifest import LABEL_COLUMN
from arttl.training.embedded import EMBEDDED_SETTINGS, pack_embedded_collection
from arttl.training.train import train

ENOUGH = 5  # epochs, after which the right pictures are told far better than by the majority


@pytest.fixture(scope="module")
def embedded(tmp_path_factory) -> Path:
    shards = tmp_path_factory.mktemp("embedded") / "shards"
    pack_embedded_collection(shards)
    return shards


@pytest.mark.slow
def test_without_arguments_it_trains_on_a_collection_of_its_own(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command("train", []) == 0
    shown = capsys.readouterr().out
    assert "Joint model: material, type, artist" in shown and "majority" in shown
    # Three overlays per task and the panel of them.
    assert len(list(Path("runs/default/maps").glob("*.png"))) == 3 * 3 + 1
    epochs = [json.loads(line) for line in Path("runs/default/metrics.jsonl").read_text().splitlines()]
    for name, found in json.loads(Path("runs/default/test.json").read_text())["tasks"].items():
        assert found["accuracy"] >= found["majority"] + 0.2, name
        if name in epochs[ENOUGH - 1]["val_accuracy"]:  # of single-label tasks
            assert epochs[ENOUGH - 1]["val_accuracy"][name] >= found["majority"] + 0.2, name
    assert run_command("train", ["--epochs", "1", "--maps", "0"]) == 0  # a second run works too


@pytest.mark.slow
def test_with_pictures_shuffled_against_the_labels_nothing_is_learnt(embedded, tmp_path) -> None:
    """The guard against a leak: no task may then stand 20 points above its majority baseline."""
    shards = tmp_path / "shards"
    shutil.copytree(embedded, shards)
    table = pq.read_table(shards / "manifest.parquet")
    order = list(range(len(table)))
    random.Random(0).shuffle(order)
    for name in table.column_names:
        if name.startswith(LABEL_COLUMN):
            place = table.column_names.index(name)
            table = table.set_column(place, table.schema.field(place), table.column(name).take(order))
    pq.write_table(table, shards / "manifest.parquet")
    metrics = train(EMBEDDED_SETTINGS.replace(shards=shards, out=tmp_path / "run", epochs=ENOUGH))
    for name, found in metrics.items():
        assert found.accuracy < found.majority + 0.2, name
