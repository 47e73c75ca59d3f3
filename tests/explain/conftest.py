"""What the tests of maps and their texts share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.tasks import Task, TaskSet, Vocabulary


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of an untrained model of two tasks."""
    torch.manual_seed(0)
    tasks = TaskSet(
        [
            Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,))),
            Task("material", "multi-label", Vocabulary(("c", "d"), (1, 1), (0,))),
        ]
    )
    MultiTaskModel(Backbone("test_resnet"), tasks, Preprocess(size=64)).save(tmp_path / "model")
    return tmp_path / "model"
