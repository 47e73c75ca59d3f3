"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import Browser, chromium
from loading_pictures import jpeg
from PIL import Image

from arttl.artworks import Artwork, sample_key

MakeArtworks = Callable[..., list[Artwork]]

_REPOSITORY = Path(__file__).resolve().parents[1]


# The files whose slow tests take longest, in this order: a worker that came to one last would work alone for minutes.
_LONGEST = (
    "test_faults_of_commands",
    "test_resume",
    "test_embedded",
    "test_tutorials",
    "test_export_onnx",
    "test_end_to_end",
    "test_on_a_card",
    "test_loading_real",
    "test_suggesting_processes",
    "test_reproduction_command",
    "test_readme_commands",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, and skip the tests for a card where there is none."""
    ranks = {name: rank for rank, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):  # `keywords` has the names of folders too
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Give each test the same random numbers, whichever tests this process has run before."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


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


@pytest.fixture(scope="session")
def soft_picture() -> Callable[..., Image.Image]:
    """A colourful picture without hard edges: JPEG and resampling change it little."""

    def make(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
        cells = np.random.RandomState(seed).randint(0, 256, (5, 7, 3)).astype(np.uint8)
        return Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)

    return make


@pytest.fixture
def make_artworks(tmp_path: Path, soft_picture: Callable[..., Image.Image]) -> MakeArtworks:
    """Artworks with two tasks, in the folder `images` of the test."""

    def make(count: int, **fields: str) -> list[Artwork]:
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        found = []
        for index in range(count):
            image = folder / f"{index}.jpg"
            soft_picture(40 + index % 5, 32, seed=index).save(image, quality=90)
            labels = {"type": (("vase", "bowl", "coin")[index % 3],)}
            if index % 2:
                labels["material"] = ("wood", "oil") if index % 4 == 1 else ("stone",)
            number = f"A.{index}"
            found.append(Artwork(sample_key(number), number, image, labels, **fields))
        return found

    return make


@pytest.fixture(scope="session")
def jpeg_bytes() -> Callable[..., bytes]:
    """A picture as the bytes of a JPEG."""
    return jpeg


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium for the tests of a file.

    Not of the session: tabs stay open as long as it runs, and what ends it fails the tests of one file alone.
    """
    with chromium() as running:
        yield running
