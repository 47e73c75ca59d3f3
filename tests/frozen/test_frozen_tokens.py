from __future__ import annotations

import numpy as np
import pytest
import torch
from frozen_features import features_of

from arttl.errors import ArttlError
from arttl.frozen.tokens import Tokens, same_collection, store_names
from arttl.splits.redraw import redraw_split
from arttl.tasks import TaskSet


def test_tokens_have_length_one_on_the_training_split(two_stores) -> None:
    manifest = two_stores[0].manifest
    draw = redraw_split(manifest, ("type",), 1)
    tokens = Tokens(two_stores, draw, torch.device("cpu"))
    tasks = TaskSet.from_manifest(draw, ("type",))
    samples = tokens.samples(tasks["type"])
    train = draw.rows("train")
    for place, (store, stage) in enumerate(tokens.names):
        raw = two_stores[store].values(stage).double().numpy()
        mean, std = raw[train].mean(0), raw[train].std(0, ddof=1)
        alive = std > 1e-6
        expected = np.where(alive, (raw - mean) / np.where(alive, std, 1), 0) / raw.shape[1] ** 0.5
        found = samples["test"]
        assert np.abs(found.tokens[place].numpy() - expected[found.rows.numpy()]).max() < 1e-4
        assert (expected[train] ** 2).sum(1).mean() == pytest.approx(alive.mean(), rel=0.02)
    labels = manifest.labels("type")
    assert sum(len(one.rows) for one in samples.values()) <= sum(found is not None for found in labels)
    assert all(labels[row] is not None for one in samples.values() for row in one.rows.tolist())


def test_stores_of_other_shards_do_not_mix(two_stores, tmp_path) -> None:
    from arttl.packing.pack import pack
    from arttl.packing.settings import PackSettings
    from arttl.sources.synthetic import synthetic_artworks

    artworks = synthetic_artworks(tmp_path / "images", count=24)
    pack(artworks, PackSettings(out=tmp_path / "shards", tasks=("type",), workers=1))
    other = features_of(tmp_path / "shards", tmp_path / "other")
    same_collection(two_stores)
    with pytest.raises(ArttlError, match=r"other and .*resnet are features of different shards"):
        same_collection([two_stores[0], other])
    with pytest.raises(ArttlError, match="are the same features; give one of them"):
        same_collection([two_stores[0], two_stores[1], two_stores[0]])


def test_names_tell_stores_apart(two_stores) -> None:
    assert store_names(two_stores) == ["resnet", "efficientnet"]
    assert store_names(two_stores[:1]) == ["test_resnet"]
    assert store_names([two_stores[0], two_stores[0]]) == ["resnet (resnet)"] * 2
