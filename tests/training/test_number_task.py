"""A number, such as the year, beside a task with classes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import arttl
from arttl.inference.predictions import Predictions
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest
from arttl.sources.synthetic import synthetic_artworks
from arttl.training.train import train


@pytest.fixture(scope="module")
def dated_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn objects with a year that their type decides, some years missing and some that say nothing."""
    folder = tmp_path_factory.mktemp("dated")
    artworks = list(synthetic_artworks(folder / "images", count=160))
    types = sorted({artwork.labels["type"][0] for artwork in artworks if "type" in artwork.labels})
    dated = []
    for number, artwork in enumerate(artworks):
        labels = dict(artwork.labels)
        if "type" in labels and number % 5:
            year = 1500 + 40 * types.index(labels["type"][0])
            labels["year"] = (f"ca. {year}",) if number % 2 else (f"{year - 5} - {year + 5}",)
        elif number % 10 == 0:
            labels["year"] = ("undated",)
        dated.append(replace(artwork, labels=labels))
    pack(dated, PackSettings(out=folder / "shards", tasks=("type", "year"), workers=1))
    return folder / "shards"


@pytest.mark.parametrize("mode", ["scratch", "off-the-shelf"])
def test_a_year_is_learnt_beside_a_type(settings, dated_shards, mode: str, capsys) -> None:
    run = settings.replace(
        shards=dated_shards, tasks=("type", "year"), multi_label=(), number=("year",), epochs=6
    )
    metrics = train(run)
    undated = sum(labels == ("undated",) for labels in Manifest.read(dated_shards).labels("year"))
    assert (
        f" with a value, {undated} of them not read as a number (such as 'undated'; see docs/numbers.md); "
        in capsys.readouterr().out
    )
    if mode == "off-the-shelf":
        run = run.replace(
            mode=mode, weights=str(run.run.out), out=run.run.out.with_name("frozen"), epochs=None
        )
        metrics = train(run)
    year = metrics["year"]
    if mode == "scratch":  # on features of a network of six epochs there is not much to find
        assert year.values["mean_absolute_error"] < year.baseline["mean_absolute_error"]
    found = Predictions.read(run.run.out)
    labels = np.array([np.nan if label is None else 0.0 for label in found.catalogued["year"]])
    targets = found.targets["year"]
    assert np.isnan(targets).sum() > np.isnan(labels).sum()  # the undated
    said = arttl.load_model(run.run.out).tasks["year"].statistics.restore(found.logits["year"][:, 0])
    error = np.abs(said - targets)[~np.isnan(targets)].mean()
    assert year.values["mean_absolute_error"] == pytest.approx(error, rel=1e-4)
    assert json.loads((run.run.out / "test.json").read_text())["tasks"]["year"]["kind"] == "number"
    assert (run.run.out / "classes.csv").read_text().startswith("task,")
