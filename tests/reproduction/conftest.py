from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import save_file

from arttl.models import Backbone
from arttl.reproduction.settings import ReproduceSettings


@pytest.fixture(scope="module")
def other_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second collection: the same kinds of objects, fewer, without materials."""
    from arttl.packing.pack import pack
    from arttl.packing.settings import PackSettings
    from arttl.sources.synthetic import synthetic_artworks

    folder = tmp_path_factory.mktemp("second")
    artworks = list(synthetic_artworks(folder / "images", count=120, seed=5))
    for artwork in artworks:
        artwork.labels.pop("material", None)
    pack(artworks, PackSettings(out=folder / "shards", tasks=("type", "artist"), workers=1))
    return folder / "shards"


@pytest.fixture
def settings(small_shards: Path, other_shards: Path, tmp_path: Path) -> ReproduceSettings:
    weights = tmp_path / "weights.safetensors"
    save_file(Backbone("test_resnet").network.state_dict(), weights)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "epochs: 1\ninput_size: 32\nthreads: 1\nlearning_rate: 1e-3\nhead_learning_rate: 1e-2\n"
    )
    return ReproduceSettings(
        source=small_shards,
        target=other_shards,
        out=tmp_path / "out",
        source_tasks=("type", "material"),
        backbones=("test_resnet",),
        weights=(f"test_resnet={weights}",),
        recipe=recipe,
        classes="train",
    )
