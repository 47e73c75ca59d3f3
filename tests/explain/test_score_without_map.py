"""`arttl explain score` on a network whose maps are empty: figures that no map has are missing, and the rest stays."""

from __future__ import annotations

import math

import torch

from arttl.explain.score import ScoreSettings, score
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.tasks import Task, TaskSet, Vocabulary


def test_a_deviation_of_figures_that_are_missing_is_missing(small_shards, tmp_path):
    torch.manual_seed(0)
    tasks = TaskSet([Task("type", "single-label", Vocabulary(("print", "vase"), (1, 1), (0,)))])
    model = MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=64))
    for parameter in model.head_of("type").parameters():
        torch.nn.init.zeros_(parameter)  # no position speaks for a class: every class map is empty
    model.save(tmp_path / "model")
    settings = ScoreSettings(
        model=tmp_path / "model",
        shards=small_shards,
        count=1,
        steps=1,
        randomised=1,
        drawn=0,
        seeds=2,
        methods=("class-map", "visual-backprop"),
    )
    scores = score(settings)
    assert all(map(math.isnan, scores["randomised"]["class-map"]))
    assert all(map(math.isnan, scores["randomised_deviation"]["class-map"]))
    assert scores["randomised_deviation"]["visual-backprop"][0] == 0
    assert scores["randomised_deviation"]["visual-backprop"][-1] > 0
