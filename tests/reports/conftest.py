"""A run, its pictures, and what it suggests for them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_cases import HOSTILE, Reader

from arttl.cli import run_command
from arttl.inference.labels import predict_labels
from arttl.inference.predict import predict_with_features
from arttl.inference.promises import fit_promises
from arttl.loading import open_loader, read_manifest
from arttl.models import load_model


@pytest.fixture(scope="session")
def trained(small_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of one epoch and its suggestions for all drawn objects.

    Its promises are those of a model whose types of training pictures are all right, so that there are some.
    """
    folder = tmp_path_factory.mktemp("trained")
    argv = (
        f"--shards {small_shards} --tasks type material --mode scratch --backbone test_resnet --weights none"
    )
    more = f"--input-size 32 --threads 1 --epochs 1 --batch-size 16 --maps 0 --out {folder}/run"
    assert run_command("train", [*argv.split(), *more.split()]) == 0
    model, manifest = load_model(folder / "run"), read_manifest(small_shards)
    loader = open_loader(manifest, "train", model.tasks, preprocess=model.preprocess, shuffle=False)
    predictions, features = predict_with_features(model, ((batch,) for batch in loader), manifest)
    predicted = predict_labels(model.tasks["type"], predictions.logits["type"])
    right = {**predictions.catalogued, "type": [prediction.names for prediction in predicted]}
    fit_promises(replace(predictions, catalogued=right), features, features[::2]).save(
        folder / "run" / "best"
    )
    argv = f"--model {folder}/run --shards {small_shards} --threads 1 --top 3 --sets 0.8"
    assert run_command("predict", [*argv.split(), "--out", f"{folder}/suggestions.jsonl"]) == 0
    return folder


@pytest.fixture(scope="session")
def records(trained: Path) -> list[dict[str, Any]]:
    """The suggestions as they are in the file."""
    return [json.loads(line) for line in (trained / "suggestions.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def report(trained: Path, small_shards: Path) -> Path:
    """A report of all of it."""
    out = trained / "report.html"
    argv = f"--model {trained}/run --predictions {trained}/suggestions.jsonl --shards {small_shards}"
    assert run_command("report", [*argv.split(), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def hostile(trained: Path, small_shards: Path, records: list[dict[str, Any]]) -> Path:
    """A report whose every text attacks it."""
    attacked = []
    for index, record in enumerate(records[:9]):
        text = HOSTILE[index % len(HOSTILE)]
        task = {
            "labels": [text, f"{text} 2"],
            "status": "suggested",
            "ranked": [{"label": text, "probability": 0.9}, {"label": f"{text} 2", "probability": 0.8}],
            "catalogued": [text],
            "set": [text, f"{text} 3"],
        }
        head = {"key": record["key"], "object_number": text, "institution": text, "problem": None}
        attacked.append(
            {**head, text: task} if index < 8 else {**head, "problem": text, "key": "../../../etc/passwd"}
        )
    path = trained / "hostile.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in attacked))
    out = trained / "hostile.html"
    argv = f"--predictions {path} --shards {small_shards} --out {out}"
    assert run_command("report", argv.split()) == 0
    return out


@pytest.fixture(scope="session")
def read_report(report: Path) -> Reader:
    """The report, parsed."""
    return Reader(report)
