"""The nearest catalogued objects in the table, compared with scikit-learn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from suggested_tables import rows

from arttl.cli import run_command
from arttl.loading import open_loader, read_manifest
from arttl.models import load_model
from arttl.shards.manifest import Manifest
from arttl.suggesting.neighbours import Neighbours


def predict(model: Path, shards: Path, out: Path, *flags: str) -> int:
    argv = ["--model", str(model), "--shards", str(shards), "--split", "test", "--out", str(out)]
    return run_command("predict", [*argv, *flags])


def test_the_nearest_objects_of_other_numbers_by_the_models_features(
    model: Path, small_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, table = tmp_path / "a.jsonl", tmp_path / "a.csv"
    assert predict(model, small_shards, out, "--neighbours", str(small_shards), "--nearest", "4") == 0
    manifest, loaded = read_manifest(small_shards), load_model(model)
    loader = open_loader(manifest, "all", labelled=False, preprocess=loaded.preprocess, shuffle=False)
    with torch.inference_mode():
        features = torch.cat([loaded.features(batch.images)[0][batch.valid] for batch in loader])
    assert len(features) == len(manifest)
    search = NearestNeighbors(metric="cosine", algorithm="brute").fit(features.double().numpy())
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == len(manifest.rows("test"))
    for line in lines:
        row = manifest.keys.index(line["key"])
        distances, indices = search.kneighbors(features[row : row + 1].double().numpy(), 40)
        expected: dict[str, float] = {}
        for distance, index in zip(distances[0], indices[0], strict=True):
            number = manifest.object_numbers[index]
            if number != line["object_number"]:
                expected.setdefault(number, 1 - distance)
        nearest = {each["object_number"]: each["similarity"] for each in line["nearest"]}
        assert len(nearest) == 4 and line["object_number"] not in nearest
        np.testing.assert_allclose([*nearest.values()], [*expected.values()][:4], atol=1e-4)
        for each in line["nearest"]:
            assert expected[each["object_number"]] == pytest.approx(each["similarity"], abs=1e-4)
            at = manifest.keys.index(each["key"])
            assert each["catalogued"] == [
                {"task": task, "labels": list(labels)}
                for task in manifest.task_names
                if (labels := manifest.labels(task)[at])
            ]
    # The features are kept: nothing is computed a second time.
    capsys.readouterr()
    assert predict(model, small_shards, table, "--neighbours", str(small_shards), "--nearest", "4") == 0
    assert "holds them already" in capsys.readouterr().out
    for row, line in zip(rows(table), lines, strict=True):
        assert [row[f"nearest_{rank}"] for rank in range(1, 5)] == [
            each["object_number"] for each in line["nearest"]
        ]
        assert (
            row["nearest_1_labels"]
            .split("; ")[0]
            .startswith(f"{line['nearest'][0]['catalogued'][0]['task']}: ")
        )


def test_features_of_arttl_features_serve_and_those_of_another_network_do_not(
    model: Path, small_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [str(small_shards), "--stages", "last", "--backbone"]
    own, other = tmp_path / "own", tmp_path / "other"
    assert run_command("features", [*common, "test_resnet", "--weights", str(model), "--out", str(own)]) == 0
    assert (
        run_command(
            "features", [*common, "resnet10t", "--weights", "none", "--input-size", "64", "--out", str(other)]
        )
        == 0
    )
    assert predict(model, small_shards, tmp_path / "a.jsonl", "--neighbours", str(own)) == 0
    assert predict(model, small_shards, tmp_path / "b.jsonl", "--neighbours", str(small_shards)) == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    capsys.readouterr()
    assert predict(model, small_shards, tmp_path / "c.jsonl", "--neighbours", str(other)) == 2
    assert "holds features of another network than --model" in capsys.readouterr().err
    assert predict(model, small_shards, tmp_path / "c.jsonl", "--neighbours", str(tmp_path)) == 2
    assert "is neither a folder of shards nor of features" in capsys.readouterr().err


def test_photographs_of_one_object_are_one_neighbour(small_shards: Path) -> None:
    manifest = Manifest.read(small_shards)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(len(manifest), 8, generator=generator)
    numbers = manifest.object_numbers
    (found,) = Neighbours(manifest, features).of(features[:1], [("", "")], 5)
    assert found[0].object_number == numbers[0] and found[0].similarity == pytest.approx(1, abs=1e-5)
    assert len({each.object_number for each in found}) == 5


def test_features_of_each_precision_are_kept(
    model: Path, small_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--neighbours", str(small_shards), "--mixed-precision")
    for number, precision in enumerate(("no", "bf16", "no")):
        assert predict(model, small_shards, tmp_path / f"{number}.jsonl", *given, precision) == 0
    assert "holds them already" in capsys.readouterr().out
    tables = [(tmp_path / f"{number}.jsonl").read_bytes() for number in range(3)]
    assert tables[0] == tables[2] != tables[1]
