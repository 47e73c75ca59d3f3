from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from arttl.artworks import sample_key
from arttl.frozen.extract import FeatureSettings, compute_features
from arttl.frozen.store import FeatureStore
from arttl.pictures.near_duplicates import NEAR_DUPLICATES_FILE
from arttl.shards.manifest import Manifest, manifest_schema


@pytest.fixture(autouse=True)
def one_thread():
    """Small work: threads would wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def two_audited_stores(small_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> list[FeatureStore]:
    """The drawn collection seen by two tiny random networks."""
    folder = tmp_path_factory.mktemp("audited")
    return [
        compute_features(
            FeatureSettings(
                shards=small_shards,
                out=folder / name,
                backbone=name,
                weights="none",
                input_size=size,
                threads=1,
            )
        )
        for name, size in (("test_resnet", 32), ("test_efficientnet", 48))
    ]


@pytest.fixture
def make_manifest(tmp_path: Path) -> Callable[..., Manifest]:
    """A manifest of photographs in memory; near duplicates in its folder."""

    def make(
        numbers: Sequence[str],
        near: Sequence[Sequence[int]] = ((),),
        institutions: Sequence[str | None] | None = None,
        **labels: Sequence[tuple[str, ...] | None],
    ) -> Manifest:
        count = len(numbers)
        keys = [f"{sample_key(number)}-{row}" for row, number in enumerate(numbers)]
        columns = {
            "key": keys,
            "object_number": list(numbers),
            "split": ["train"] * count,
            "shard": ["train-00000.tar"] * count,
            **dict.fromkeys(("width", "height", "original_width", "original_height"), [8] * count),
            **dict.fromkeys(("sha256", "stored_sha256"), [""] * count),
            "group": [None] * count,
            "institution": institutions or [None] * count,
            **{f"labels.{task}": rows for task, rows in labels.items()},
        }
        lines = [
            f"{group},{keys[row]},{numbers[row]},train,0" for group, rows in enumerate(near) for row in rows
        ]
        (tmp_path / NEAR_DUPLICATES_FILE).write_text(
            "\n".join(["group,key,object_number,split,distance", *lines]) + "\n"
        )
        return Manifest(tmp_path, pa.table(columns, manifest_schema(tuple(labels))), {})

    return make
