from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.nn.functional as F

from arttl.loading import Augment, Preprocess, open_loader
from arttl.loading.views import Views


def test_a_picture_is_prepared_once_for_all_inputs_that_want_it_alike(small_shards: Path) -> None:
    opened = []

    def open_view(preprocess: Preprocess):
        opened.append(preprocess)
        return open_loader(small_shards, "val", preprocess=preprocess, threads=1, engine="cpu")

    small, large = Preprocess(size=32), Preprocess(size=48)
    views = Views.open([small, large, Preprocess(size=32)], open_view)
    assert opened == [small, large]
    for small_view, large_view, again in views:
        assert again is small_view and again.images.shape[-1] == 32 and large_view.images.shape[-1] == 48


def test_views_are_of_the_same_pictures_cut_alike(small_shards: Path) -> None:
    augment = Augment((0.35, 1.0), brightness=0.2)
    loaders = [
        open_loader(
            small_shards,
            tasks=("type",),
            preprocess=Preprocess(size=size, augment=augment),
            batch_size=8,
            threads=1,
            engine="cpu",
        )
        for size in (32, 64)
    ]
    views = Views(loaders, (1, 0, 1))
    batches = list(views)
    assert len(batches) == len(views) and len(batches[0]) == 3
    for large, small, again in batches:
        assert again is large
        assert torch.equal(large.rows, small.rows)
        halved = F.interpolate(large.images, size=32, mode="area")
        assert (halved - small.images).abs().mean() < 0.15 * small.images.std()
    views.set_epoch(1)
    expected = list(views)
    views.set_epoch(1)
    iteration = iter(views)
    next(iteration)
    state = json.loads(json.dumps(views.state_dict()))
    other = Views(
        [
            open_loader(small_shards, tasks=("type",), preprocess=loader.preprocess, batch_size=8)
            for loader in loaders
        ],
        (1, 0),
    )
    other.load_state_dict(state)
    for (large, small), (theirs, mine, _) in zip(other, expected[1:], strict=True):
        assert torch.equal(large.images, theirs.images) and torch.equal(small.images, mine.images)
