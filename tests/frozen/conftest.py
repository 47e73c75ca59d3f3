from __future__ import annotations

from pathlib import Path

import pytest
import torch
from frozen_features import features_of

from arttl.frozen.store import FeatureStore


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch):
    """Small work: threads would wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def two_stores(
    small_shards: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[FeatureStore, FeatureStore]:
    """The drawn collection seen by two tiny random networks."""
    folder = tmp_path_factory.mktemp("features")
    return (
        features_of(small_shards, folder / "resnet"),
        features_of(small_shards, folder / "efficientnet", backbone="test_efficientnet", input_size=48),
    )
