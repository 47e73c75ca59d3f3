"""Collections of pictures, read in parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from arttl.loading import Loader, Preprocess
from arttl.shards.manifest import Manifest
from arttl.suggesting import collections
from arttl.suggesting.collections import HowToRead, ShardCollection


def test_all_parts_are_read_by_the_engine_that_was_chosen_for_the_whole(
    small_shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU, a part may be too small for a choice of its own."""
    engines = []
    open_loader = collections.open_loader

    def recorded(*arguments: object, **options: object) -> Loader:
        engines.append(options["engine"])
        return open_loader(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(collections, "open_loader", recorded)
    how = HowToRead(
        preprocesses=[Preprocess(size=32)], batch_size=4, device=torch.device("cpu"), engine="auto", threads=1
    )
    collection = ShardCollection(Manifest.read(small_shards), "all", how)
    batches = list(collection.read({0: range(5), 1: range(5, 8)}, how))
    assert [item for batch in batches for item in batch.items] == list(range(8))
    assert engines == ["auto", "cpu", "cpu"]
