from __future__ import annotations

from pathlib import Path

import pytest

from arttl.training.settings import TrainSettings


@pytest.fixture
def settings(small_shards: Path, tmp_path: Path) -> TrainSettings:
    """A run of a second: a tiny network from scratch, two tasks, two epochs."""
    return TrainSettings.of(
        shards=small_shards,
        tasks=("type", "material"),
        multi_label=("material",),
        backbone="test_resnet",
        mode="scratch",
        input_size=32,
        epochs=2,
        out=tmp_path / "run",
        threads=1,  # small work: threads would wait for one another
        maps=0,
    )
