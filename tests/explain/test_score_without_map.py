"""`arttl explain score` on a network whose maps are empty: figures that no map has are missing, and the rest stays."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from arttl.cli import run_command
from arttl.explain.score import ScoreSettings, run, score
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.tasks import Task, TaskSet, Vocabulary


def without_maps(folder: Path) -> Path:
    torch.manual_seed(0)
    tasks = TaskSet([Task("type", "single-label", Vocabulary(("print", "vase"), (1, 1), (0,)))])
    model = MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=64))
    for parameter in model.head_of("type").parameters():
        torch.nn.init.zeros_(parameter)  # no position speaks for a class: every class map is empty
    model.save(folder / "model")
    return folder / "model"


def settings_of(folder: Path, shards: Path, **changes: Any) -> ScoreSettings:
    """The least work."""
    few = {"count": 1, "steps": 1, "randomised": 1, "drawn": 0}
    return ScoreSettings(**{"model": without_maps(folder), "shards": shards, **few, **changes})


def test_missing_figures_are_dashes(small_shards, tmp_path, capsys):
    argv = ["score", "--model", str(without_maps(tmp_path)), "--shards", str(small_shards), "--count", "1"]
    argv += ["--steps", "1", "--randomised", "1", "--drawn", "1", "--methods", "class-map"]
    assert run_command("explain", [*argv, "--json", str(tmp_path / "scores.json")]) == 0
    shown = capsys.readouterr().out
    assert "nan" not in shown and shown.count("–") > 3

    def refused(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    figures = json.loads((tmp_path / "scores.json").read_text(), parse_constant=refused)
    assert figures["pointing"]["class-map"]["mass_inside"] is None


def test_figures_are_kept_where_the_tables_cannot_be_printed(small_shards, tmp_path, monkeypatch):
    def broken(*arguments) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("arttl.explain.score._table", broken)
    settings = settings_of(tmp_path, small_shards, methods=("noise",), json=tmp_path / "scores.json")
    with pytest.raises(BrokenPipeError):
        run(settings)
    assert "noise" in (tmp_path / "scores.json").read_text()


def test_a_deviation_of_figures_that_are_missing_is_missing(small_shards, tmp_path):
    settings = settings_of(tmp_path, small_shards, seeds=2, methods=("class-map", "visual-backprop"))
    scores = score(settings)
    assert all(map(math.isnan, scores["randomised"]["class-map"]))
    assert all(map(math.isnan, scores["randomised_deviation"]["class-map"]))
    assert scores["randomised_deviation"]["visual-backprop"][0] == 0
    assert scores["randomised_deviation"]["visual-backprop"][-1] > 0
