from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from arttl.cli import run_command
from arttl.inference.predict import predict_with_features
from arttl.inference.predictions import Predictions
from arttl.inference.promises import FILE, fit_promises
from arttl.loading import Preprocess, open_loader
from arttl.models import Backbone, MultiTaskModel, load_model
from arttl.models.calibration import Calibration, TaskCalibration
from arttl.numbers import parse_number
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest
from arttl.sources.synthetic import synthetic_artworks
from arttl.tasks import Task, TaskSet, Vocabulary


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Shards of 80 drawn objects with a year, every eighth of them unreadable; and an untrained model of all kinds."""
    folder = tmp_path_factory.mktemp("dated")
    artworks = [
        replace(
            one,
            labels={**one.labels, "year": ("n. d.",) if place % 8 == 0 else (f"ca. {one.date}",)},
            institution="North" if place % 3 else "South",
        )
        for place, one in enumerate(synthetic_artworks(folder / "images", count=80))
    ]
    tasks = ("type", "material", "year")
    pack(artworks, PackSettings(out=folder / "shards", tasks=tasks, workers=1))
    manifest = Manifest.read(folder / "shards")
    torch.manual_seed(0)
    model = MultiTaskModel(
        Backbone("test_resnet"),
        TaskSet.from_manifest(manifest, tasks, multi_label=("material",), number=("year",)),
        Preprocess(size=32),
    )
    model.save(folder / "model")
    return folder / "shards", folder / "model"


def run(shards: Path, model: Path, *more: str) -> int:
    return run_command(
        "evaluate",
        ["--model", str(model), "--shards", str(shards), "--split", "train", "--threads", "1", *more],
    )


def test_all_kinds_are_measured_and_written(dated, tmp_path, capsys, monkeypatch) -> None:
    shards, model = dated
    monkeypatch.setenv("COLUMNS", "80")
    files = {name: tmp_path / name for name in ("f.json", "c.csv", "p.parquet")}
    argv = ["--json", str(files["f.json"]), "--classes-csv", str(files["c.csv"])]
    assert run(shards, model, *argv, "--predictions", str(files["p.parquet"])) == 0
    shown = capsys.readouterr().out
    for words in (
        "majority",
        "95% interval",
        "mean abs. error",
        "mAP, eleven points",
        "calibration error",
    ):
        assert words in shown
    assert "not read as a number (such as 'n. d.'; see docs/numbers.md)" in shown
    table = shown[shown.index("95% interval") : shown.index("majority: ")]
    assert "…" not in table and all(len(line) <= 80 for line in table.splitlines())
    found = json.loads(files["f.json"].read_text())["tasks"]
    manifest, saved = Manifest.read(shards), Predictions.read(files["p.parquet"])
    years = [manifest.labels("year")[row] for row in saved.rows]
    known = np.array([np.nan if (year := parse_number(one[0])) is None else year for one in years])
    assert (found["year"]["n"], found["year"]["unknown_class"]) == (sum(known == known), sum(known != known))
    statistics = saved.tasks["year"].statistics
    error = np.abs(saved.logits["year"][:, 0] * statistics.std + statistics.mean - known)
    assert found["year"]["mean_absolute_error"] == pytest.approx(np.nanmean(error))
    median = np.nanmedian(known)  # the training split is the one measured
    assert found["year"]["baseline"]["mean_absolute_error"] == pytest.approx(
        np.nanmean(np.abs(median - known))
    )
    with files["c.csv"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for name in ("type", "material"):
        assert [row["class"] for row in rows if row["task"] == name] == list(
            saved.tasks[name].vocabulary.classes
        )
        assert all(row["train"] == row["samples"] for row in rows if row["task"] == name)


def test_a_calibration_beside_the_model_is_used(dated, tmp_path, capsys) -> None:
    shards, model = dated
    calibration = Calibration("val", {"type": TaskCalibration(4.0, 0.3, 0.1, 50)})
    calibration.save(model)
    argv = ["--json", str(tmp_path / "f.json"), "--predictions", str(tmp_path / "p.parquet")]
    try:
        assert run(shards, model, *argv) == 0
    finally:
        (model / "calibration.json").unlink()
    found = json.loads((tmp_path / "f.json").read_text())["tasks"]
    assert found["type"]["temperature"] == 4.0 and found["type"]["calibrated_ece"] != found["type"]["ece"]
    assert "temperature" not in found["material"] and "calibrated_ece" not in found["material"]
    assert Predictions.read(tmp_path / "p.parquet").temperatures == {"type": 4.0}
    assert "after temperature" in capsys.readouterr().out


def test_what_became_of_the_promises_is_shown(dated, tmp_path, capsys) -> None:
    """Promises that were made from the very split that is measured: the suggested are right by construction."""
    shards, folder = dated
    manifest, model = Manifest.read(shards), load_model(folder)
    loader = open_loader(manifest, "train", model.tasks, preprocess=model.preprocess, shuffle=False)
    predictions, features = predict_with_features(model, ((batch,) for batch in loader), manifest)
    fit_promises(predictions, features, features).save(folder)
    argv = ["--json", str(tmp_path / "f.json"), "--precision", "0.2", "--sets", "0.5"]
    try:
        assert run(shards, folder, *argv) == 0
    finally:
        (folder / FILE).unlink()
    shown = " ".join(capsys.readouterr().out.split())
    assert "Promises, per cent" in shown and "at least 20" in shown and "at most 5" in shown
    assert "Promises by institution, per cent" in shown and "South" in shown
    found = json.loads((tmp_path / "f.json").read_text())["tasks"]
    kept = found["type"]["promises"]
    labelled = sum(labels is not None for labels in predictions.catalogued["type"])
    assert kept["in_sets"]["of"] == labelled and kept["in_sets"]["value"] >= 0.5
    assert kept["outside"]["value"] <= 0.05
    institutions = kept["institutions"]
    assert sum(each["outside"]["of"] for each in institutions.values()) == labelled
    assert "calibration_error" not in found["year"]["promises"] and found["year"]["promises"]["in_sets"]["of"]
    assert run(shards, folder, "--json", str(tmp_path / "f.json")) == 0
    assert "promises" not in json.loads((tmp_path / "f.json").read_text())["tasks"]["type"]


def test_promises_are_measured_on_labels_that_are_no_class_too(dated, tmp_path) -> None:
    """Of a model of two types; the metrics stay those of its classes."""
    shards, folder = dated
    manifest, model = Manifest.read(shards), load_model(folder)
    task = model.tasks["type"]
    half = Task("type", "single-label", Vocabulary(task.vocabulary.classes[:2], (1, 1), (0,)))
    torch.manual_seed(0)
    few = MultiTaskModel(Backbone("test_resnet"), TaskSet([half]), Preprocess(size=32))
    few.save(tmp_path / "few")
    labels = [manifest.labels("type")[row] for row in manifest.rows("train").tolist()]
    known = [of_row[0] in half.vocabulary.classes for of_row in labels if of_row is not None]
    of_class = sum(known)
    assert 0 < of_class < len(known)
    loader = open_loader(manifest, "train", labelled=False, preprocess=few.preprocess, shuffle=False)
    predictions, features = predict_with_features(few, ((batch,) for batch in loader), manifest)
    fit_promises(predictions, features, features).save(tmp_path / "few")
    argv = [
        "--json",
        str(tmp_path / "f.json"),
        "--precision",
        "0.1",
        "--predictions",
        str(tmp_path / "p.parquet"),
    ]
    assert run(shards, tmp_path / "few", *argv) == 0
    found = json.loads((tmp_path / "f.json").read_text())["tasks"]["type"]
    assert found["n"] == of_class == len(Predictions.read(tmp_path / "p.parquet").rows)
    assert found["promises"]["suggested"]["of"] == len(known)
    assert found["promises"]["in_sets"]["of"] == of_class


def test_intervals_over_groups(dated, tmp_path) -> None:
    shards, model = dated
    found = []
    for more in ([], ["--group-by", "type"]):
        assert run(shards, model, "--json", str(tmp_path / "f.json"), *more) == 0
        found.append(json.loads((tmp_path / "f.json").read_text())["tasks"]["year"])
    assert found[0]["mean_absolute_error"] == found[1]["mean_absolute_error"]
    assert found[0]["intervals"] != found[1]["intervals"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--group-by", "typ"], "--group-by 'typ' is no column of"),
        (["--json", "/nowhere/f.json"], "--json /nowhere/f.json: there is no folder /nowhere; make it first"),
        (["--classes-csv", "/nowhere/c.csv"], "/nowhere/c.csv"),
        (["--predictions", "/nowhere/p.parquet"], "/nowhere/p.parquet"),
    ],
)
def test_what_the_command_refuses(dated, capsys, argv, words) -> None:
    assert run(*dated, *argv) == 2
    shown = capsys.readouterr().err
    assert words in shown and shown.count("\n") == 1
