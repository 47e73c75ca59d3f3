"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

_REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests for a card where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real collections, $ARTTL_REAL_DATA or ../shared/data beside the repository."""
    folder = Path(os.environ.get("ARTTL_REAL_DATA", _REPOSITORY.parent / "shared" / "data"))
    if not (folder / "gallery" / "objects.csv").is_file():
        pytest.skip(f"no real collections in {folder}")
    return folder


@pytest.fixture(scope="session")
def small_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of shards of 160 drawn objects, with the tasks material, type and artist."""
    from arttl.packing.pack import pack
    from arttl.packing.settings import PackSettings
    from arttl.sources.synthetic import synthetic_artworks

    folder = tmp_path_factory.mktemp("synthetic")
    artworks = synthetic_artworks(folder / "images", count=160)
    pack(artworks, PackSettings(out=folder / "shards", tasks=("material", "type", "artist"), workers=1))
    return folder / "shards"
