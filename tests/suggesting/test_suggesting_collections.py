"""Collections of pictures, read in parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from arttl.loading import Loader, Preprocess
from arttl.shards.manifest import Manifest
from arttl.suggesting import collections
from arttl.suggesting.collections import HowToRead, ShardCollection


def test_all_parts_are_read_by_one_loader(small_shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which keeps DALI's pipeline, and has one engine, though a part may be too small for a choice of its own."""
    opened = []
    open_loader = collections.open_loader

    def recorded(*arguments: object, **options: object) -> Loader:
        opened.append(options)
        return open_loader(*arguments, **options)  # type: ignore[arg-type]

    how = HowToRead(
        preprocesses=[Preprocess(size=32)], batch_size=4, device=torch.device("cpu"), engine="auto", threads=1
    )
    manifest = Manifest.read(small_shards)
    collection = ShardCollection(manifest, "all", how)
    monkeypatch.setattr(collections, "open_loader", recorded)
    batches = list(collection.read({3: range(5), 1: range(7, 8)}, how))
    assert [(batch.part, batch.items) for batch in batches] == [(3, [0, 1, 2, 3]), (3, [4]), (1, [7])]
    assert len(opened) == 1
    alone = next(
        iter(open_loader(manifest, "all", labelled=False, preprocess=Preprocess(size=32), batch_size=8))
    )
    assert torch.equal(torch.cat([batch.images[0] for batch in batches]), alone.images[[0, 1, 2, 3, 4, 7]])
