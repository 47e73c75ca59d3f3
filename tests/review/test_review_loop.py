"""Review, retrain, review: what a person decides becomes what the next model learns."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from review_cases import serving

from arttl.cli import run_command
from arttl.decisions.file import DecisionFile
from arttl.files import digest_of_file
from arttl.shards.manifest import Manifest

pytest.importorskip("uvicorn", reason="the extra `review` is not installed")
pytestmark = pytest.mark.slow

_NETWORK = (
    "--mode scratch --backbone test_resnet --weights none --input-size 32 --epochs 1 --threads 1 --maps 0"
)


def run(line: str) -> None:
    name, *rest = line.split()
    assert run_command(name, rest) == 0


def test_review_retrain_review(small_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(f"train --shards {small_shards} --tasks type {_NETWORK} --out first")
    run(f"predict --model first --shards {small_shards} --out first.parquet --top 3 --threads 1")
    where = ["--shards", small_shards, "--decisions", "d.sqlite", "--reviewer", "R"]
    manifest = Manifest.read(small_shards)
    splits = dict(zip(manifest.object_numbers, manifest.splits, strict=True))
    with serving("--predictions", "first.parquet", "--model", "first", *where) as server:
        rows = server.queue(task="type", queue="all")
        shown = server.get("api/rows", task="type", rows=",".join(map(str, rows[:100])))
        training = [row for row in shown if splits[row["object"]] == "train"][:20]
        # All that a person looks at is something new.
        for row in training:
            server.decide("type", row["row"], "corrected", "relic", new_labels=True)
        details = server.get(f"api/objects/{rows[0]}")
        assert len(details["tasks"]["type"]["ranked"]) == 3
        status, _, body = server.request("GET", f"{server.path}maps/{rows[0]}/type")
        assert status == 200 and Image.open(io.BytesIO(body)).size == (32, 32)
        assert np.asarray(Image.open(io.BytesIO(body))).std() > 5
    with DecisionFile(Path("d.sqlite"), is_read_only=True) as file:
        rows_in_force = [state.row for _, state in file.states() if state.row]
    (digest,) = {row.decision.model for row in rows_in_force}
    assert digest == digest_of_file(Path("first/best/model.safetensors"))

    run(f"shards relabel {small_shards} --decisions d.sqlite --out relabelled --workers 1")
    relabelled = Manifest.read(Path("relabelled"))
    labels = dict(zip(relabelled.object_numbers, relabelled.labels("type"), strict=True))
    assert {number for number, of_row in labels.items() if of_row == ("relic",)} == {
        row["object"] for row in training
    }

    run(f"train --shards relabelled --tasks type {_NETWORK} --out second")
    run("predict --model second --shards relabelled --out second.parquet --top 3 --threads 1")
    with serving(
        "--predictions", "second.parquet", "--model", "second", *where[:1], "relabelled", *where[2:]
    ) as server:
        assert "relic" in server.get("api/labels", task="type")["labels"]  # a class of the second model
        # What was decided is decided still, and its catalogue value is the decided one.
        decided = server.queue(task="type", queue="all", show="decided")
        again = server.get("api/rows", task="type", rows=",".join(map(str, decided)))
        assert {row["object"] for row in again} == {row["object"] for row in training}
        assert {tuple(row["catalogued"]) for row in again} == {("relic",)}
        assert {row["state"]["decision"]["reviewer"] for row in again} == {"R"}
