"""The GPU engine against the CPU engine, on a card."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from arttl.artworks import Artwork
from arttl.loading import Augment, Preprocess, open_loader
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module", autouse=True)
def _dali() -> None:
    pytest.importorskip("nvidia.dali", reason="DALI is not installed")


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Thirty-seven pictures, every fourth progressive, every fifth grey at first."""
    folder = tmp_path_factory.mktemp("pictures")
    artworks = []
    for number in range(37):
        random = np.random.default_rng(number)
        coarse = random.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize(
            (400 + 9 * number, 300 + 5 * number), Image.Resampling.BICUBIC
        )
        if number % 5 == 0:
            picture = picture.convert("L")
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=92, progressive=number % 4 == 0)
        path = folder / f"{number}.jpg"
        path.write_bytes(file.getvalue())
        artworks.append(
            Artwork(f"n{number}", str(number), path, {"type": ("ab"[number % 2],)}, split="train")
        )
    settings = PackSettings(
        out=folder / "shards", tasks=("type",), split="column=split", shard_size=10, max_side=0, workers=1
    )
    return pack(artworks, settings)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "spec",
    [
        Preprocess(),
        Preprocess(filter="bilinear", augment=Augment(scale=(0.2, 1.0))),
        Preprocess(augment=Augment(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)),
        Preprocess(size=96, fit="squash", crop_pct=1.0, filter="nearest"),
    ],
    ids=str,
)
def test_pictures_equal_those_of_the_cpu_engine(
    collection: Manifest, spec: Preprocess, dtype: torch.dtype
) -> None:
    options = {"preprocess": spec, "batch_size": 8, "threads": 2, "seed": 3, "dtype": dtype}
    gpu = open_loader(collection, **options)
    cpu = open_loader(collection, engine="cpu", device="cpu", **options)
    assert gpu.engine == "dali-gpu"
    for ours, expected in zip(gpu, cpu, strict=True):
        assert ours.images.is_cuda and ours.images.dtype == dtype
        assert ours.images.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(ours.rows, expected.rows) and torch.equal(ours.valid.cpu(), expected.valid)
        squares = [spec.denormalise(batch.images).astype(int) for batch in (ours, expected)]
        assert np.abs(squares[0] - squares[1]).mean(axis=(1, 2, 3)).max() < 2.0


def test_the_cpu_engine_feeds_a_gpu_from_pinned_memory_without_mixing_batches(collection: Manifest) -> None:
    """Each block of memory is used again only when its copy to the card is done."""
    spec = Preprocess(size=64)
    options = {"preprocess": spec, "engine": "cpu", "batch_size": 4, "threads": 2, "shuffle": False}
    expected = [batch.images for batch in open_loader(collection, device="cpu", **options)]
    for _epoch in range(3):
        torch.cuda._sleep(200_000_000)  # the copies queue up behind this
        actual = [batch.images for batch in open_loader(collection, device="cuda", **options)]
        assert all(torch.equal(ours.cpu(), theirs) for ours, theirs in zip(actual, expected, strict=True))


def test_every_sample_comes_once_over_two_ranks(collection: Manifest) -> None:
    seen: Counter[int] = Counter()
    for rank in range(2):
        for batch in open_loader(collection, batch_size=5, rank=rank, world_size=2):
            assert batch.targets["type"].is_cuda and batch.valid.is_cuda
            seen.update(batch.rows[batch.valid.cpu()].tolist())
    assert seen == Counter(collection.rows("train").tolist())


def test_a_restored_loader_goes_on_with_the_same_batches(collection: Manifest) -> None:
    options = {"preprocess": Preprocess(size=64, augment=Augment()), "batch_size": 8, "threads": 2}
    loader, restored = open_loader(collection, **options), open_loader(collection, **options)
    batches = iter(loader)
    next(batches)
    restored.load_state_dict(loader.state_dict())
    for ours, theirs in zip(batches, restored, strict=True):
        assert torch.equal(ours.rows, theirs.rows) and torch.equal(ours.images, theirs.images)


def test_bad_samples_are_skipped(collection: Manifest, tmp_path: Path) -> None:
    """Noise in place of two pictures: DALI's pipeline breaks, and the epoch still has every other sample once."""

    folder = tmp_path / "shards"
    shutil.copytree(collection.directory, folder)
    index = (folder / "train-00001.idx").read_text().splitlines()[1:]
    tar = bytearray((folder / "train-00001.tar").read_bytes())
    for line in (index[0], index[7]):
        words = line.split()
        offset, size = int(words[words.index("jpg") + 1]), int(words[words.index("jpg") + 2])
        tar[offset : offset + size] = np.random.default_rng(0).bytes(size)
    (folder / "train-00001.tar").write_bytes(tar)
    loader = open_loader(folder, preprocess=Preprocess(size=64), batch_size=8, on_bad_sample="skip")
    seen = Counter(row for batch in loader for row in batch.rows[batch.valid.cpu()].tolist())
    assert len(loader.bad_samples) == 2
    assert seen == Counter(row for row in loader.rows.tolist() if row not in loader.bad_samples)
