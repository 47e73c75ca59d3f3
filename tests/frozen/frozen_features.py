"""Passes small enough for tests."""

from __future__ import annotations

from pathlib import Path

from arttl.frozen.extract import FeatureSettings, compute_features
from arttl.frozen.store import FeatureStore


def features_of(shards: Path, out: Path, **changes: object) -> FeatureStore:
    """The features of a tiny random network at 32 pixels."""
    made = {"backbone": "test_resnet", "weights": "none", "input_size": 32, "threads": 1, "block_size": 64}
    return compute_features(FeatureSettings(shards=shards, out=out, **{**made, **changes}))  # type: ignore[arg-type]
