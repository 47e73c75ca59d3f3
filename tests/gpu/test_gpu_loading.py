"""DALI against the CPU engine: on a card, and what needs none on DALI's CPU backend too."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from loading_pictures import jpeg, painted, read_number, textured, write_shards
from PIL import Image

from arttl.artworks import Artwork
from arttl.loading import Augment, Batch, Loader, Preprocess, open_loader
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest

on_a_card = pytest.mark.gpu

WHOLE = Preprocess(size=48, fit="squash", crop_pct=1.0, filter="bilinear")
_PAINTED = 61


@pytest.fixture(params=[pytest.param("dali-gpu", marks=on_a_card), "dali-cpu"])
def engine(request: pytest.FixtureRequest) -> str:
    pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    return str(request.param)


def opened(shards: Manifest | Path, engine: str, **options: object) -> Loader:
    device = "cuda" if engine == "dali-gpu" else "cpu"
    return open_loader(shards, engine=engine, **{"threads": 2, "device": device, **options})  # type: ignore[arg-type]


def drawn(number: int) -> bytes:
    """A JPEG of even areas and edges: baseline or progressive, with full or halved chroma."""
    random = np.random.default_rng(number)
    coarse = random.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    size = (400 + 9 * number, 300 + 5 * number)
    picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    return jpeg(picture, progressive=number % 4 == 0, subsampling="4:4:4" if number % 3 == 0 else "4:2:0")


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Thirty-seven drawn pictures, as packing stores them."""
    folder = tmp_path_factory.mktemp("drawn")
    for number in range(37):
        (folder / f"{number}.jpg").write_bytes(drawn(number))
    return packed([folder / f"{number}.jpg" for number in range(37)], folder / "shards", max_side=0)


def packed(images: list[Path], out: Path, max_side: int) -> Manifest:
    artworks = [
        Artwork(f"n{number}", str(number), image, {"type": ("ab"[number % 2],)}, split="train")
        for number, image in enumerate(images)
    ]
    settings = PackSettings(
        out=out, tasks=("type",), split="column=split", shard_size=10, max_side=max_side, workers=1
    )
    return pack(artworks, settings)


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Pictures with their rows painted into them, of three classes: one half, a third and a sixth."""
    sizes = [(60 + 3 * (number % 11), 90 + number % 7) for number in range(_PAINTED)]
    pictures = [jpeg(painted(number, *size), quality=95) for number, size in enumerate(sizes)]
    return write_shards(tmp_path_factory.mktemp("numbered") / "shards", pictures, sizes, "aaabbc")


def assert_alike(ours: list[Batch], theirs: list[Batch], spec: Preprocess, most: float = 1.0) -> None:
    """The same samples, and no picture that differs by more grey levels on average."""
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a.rows, b.rows) and torch.equal(a.valid.cpu(), b.valid.cpu())
        squares = [spec.denormalise(batch.images).astype(int) for batch in (a, b)]
        difference = np.abs(squares[0] - squares[1]).mean(axis=(1, 2, 3))
        assert difference.max() < most, (int(a.rows[difference.argmax()]), difference.max())


SPECS = (
    Preprocess(),
    Preprocess(filter="bilinear", augment=Augment(scale=(0.2, 1.0))),
    Preprocess(augment=Augment(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)),
    Preprocess(size=96, fit="squash", crop_pct=1.0, filter="nearest"),
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_pictures_equal_those_of_the_cpu_engine(
    collection: Manifest, engine: str, spec: Preprocess, dtype: torch.dtype
) -> None:
    options = {"preprocess": spec, "batch_size": 8, "seed": 3, "dtype": dtype}
    ours = list(opened(collection, engine, **options))
    for batch in ours:
        assert batch.images.is_cuda == (engine == "dali-gpu") and batch.images.dtype == dtype
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
    assert_alike(ours, list(opened(collection, "cpu", **options)), spec)


@pytest.mark.real
@pytest.mark.parametrize("max_side", [0, 512])
def test_so_do_those_of_scans(real_data: Path, engine: str, max_side: int, tmp_path: Path) -> None:
    """As scanned, where the CPU engine decodes at a reduced scale, and as packing stores them by default."""
    manifest = packed(sorted((real_data / "scans").glob("*.jpg")), tmp_path / "shards", max_side)
    for spec in SPECS[:2]:
        both = [list(opened(manifest, name, preprocess=spec, batch_size=4)) for name in (engine, "cpu")]
        assert_alike(*both, spec)


@pytest.mark.parametrize("kind", ["grey", "CMYK", "CMYK without Adobe's marker"])
def test_so_do_those_that_packing_would_not_store(kind: str, engine: str, tmp_path: Path) -> None:
    pictures = []
    for number in range(6):
        picture = textured(number, 200, 260).convert("L" if kind == "grey" else "CMYK")
        data = jpeg(picture, quality=95, progressive=kind == "grey" and number % 2 == 1)
        if "without" in kind:
            start = data.index(b"\xff\xee")
            data = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]
        pictures.append(data)
    manifest = write_shards(tmp_path / "shards", pictures, [(200, 260)] * 6)
    spec = Preprocess(size=96)
    both = [opened(manifest, name, preprocess=spec, batch_size=3) for name in (engine, "cpu")]
    assert_alike(list(both[0]), list(both[1]), spec)
    assert not both[0].read_instead and not both[0].bad_samples


@pytest.mark.parametrize("sampling", ["uniform", "balanced:type", "sqrt:type"])
def test_the_order_of_two_epochs(numbered: Manifest, engine: str, sampling: str) -> None:
    """Every picture is that of its row, and the rows those of the CPU engine, shuffled and sampled."""
    options = {"preprocess": WHOLE, "batch_size": 5, "sampling": sampling, "shuffle": True, "world_size": 2}
    orders = []
    for epoch in range(2):
        visited: Counter[int] = Counter()
        for rank in range(2):
            ours, theirs = (opened(numbered, name, rank=rank, **options) for name in (engine, "cpu"))
            for loader in (ours, theirs):
                loader.set_epoch(epoch)
            for a, b in zip(ours, theirs, strict=True):
                assert torch.equal(a.rows, b.rows) and torch.equal(a.valid.cpu(), b.valid)
                squares = WHOLE.denormalise(a.images)
                assert [read_number(square) for square in squares] == a.rows.tolist()
                visited.update(a.rows[a.valid.cpu()].tolist())
        assert visited.total() == _PAINTED
        orders.append(tuple(visited))
        assert (set(visited.values()) == {1}) == (sampling == "uniform")
    assert orders[0] != orders[1]


@pytest.mark.parametrize("batch_size", [3, 8, 13, 37])
def test_a_restored_loader_goes_on_with_the_same_batches(
    collection: Manifest, engine: str, batch_size: int
) -> None:
    """To the last bit, ten times: which part of a card decodes a picture is not ours to say."""
    spec = Preprocess(size=64, augment=Augment())
    loader = opened(collection, engine, preprocess=spec, batch_size=batch_size)
    states, batches = [loader.state_dict()], []
    for batch in loader:
        batches.append(batch)
        states.append(loader.state_dict())
    for repeat in range(10):
        done = repeat % len(states)
        restored = opened(collection, engine, preprocess=spec, batch_size=batch_size)
        restored.load_state_dict(states[done])
        for ours, theirs in zip(restored, batches[done:], strict=True):
            assert torch.equal(ours.rows, theirs.rows) and torch.equal(ours.images, theirs.images)


@contextmanager
def behind_other_work(device: torch.device) -> Iterator[None]:
    """What is queued on a card's current stream waits until the end."""
    if device.type == "cpu":
        yield
        return
    stream = torch.cuda.Stream(device)
    torch.cuda.synchronize(device)
    with torch.cuda.stream(stream):
        torch.cuda._sleep(1_000_000_000)
        yield
    stream.synchronize()


def test_batches_that_are_kept_are_not_written_again(numbered: Manifest, engine: str) -> None:
    """A whole epoch is drawn while the card is busy, and looked at when all of it is there."""
    for dtype in (torch.float32, torch.bfloat16):
        options = {"preprocess": WHOLE, "batch_size": 4, "dtype": dtype, "shuffle": True}
        ours, theirs = (opened(numbered, name, **options) for name in (engine, "cpu"))
        for _epoch in range(2):
            with behind_other_work(ours.device):
                kept = list(ours)
            for batch in kept:
                assert [
                    read_number(square) for square in WHOLE.denormalise(batch.images)
                ] == batch.rows.tolist()
            assert_alike(kept, list(theirs), WHOLE)


@on_a_card
def test_the_cpu_engine_feeds_a_gpu_from_pinned_memory_without_mixing_batches(collection: Manifest) -> None:
    """Each block of memory is used again only when its copy to the card is done."""
    spec = Preprocess(size=64)
    options = {"preprocess": spec, "engine": "cpu", "batch_size": 4, "threads": 2, "shuffle": False}
    expected = [batch.images for batch in open_loader(collection, device="cpu", **options)]
    for _epoch in range(3):
        torch.cuda._sleep(200_000_000)  # the copies queue up behind this
        actual = [batch.images for batch in open_loader(collection, device="cuda", **options)]
        assert all(torch.equal(ours.cpu(), theirs) for ours, theirs in zip(actual, expected, strict=True))


@on_a_card
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", ["dali-gpu", "cpu"])
def test_nothing_waits_for_the_card_in_an_epoch(collection: Manifest, name: str, dtype: torch.dtype) -> None:
    pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    loader = open_loader(
        collection, tasks=("type",), engine=name, device="cuda", batch_size=8, dtype=dtype, threads=2
    )
    list(loader)  # allocates
    torch.cuda.set_sync_debug_mode("error")
    try:
        batches = list(loader)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert sum(len(batch.real) for batch in batches) == len(loader.rows)


@on_a_card
def test_auto_measures_both_engines_and_keeps_the_result(
    collection: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    monkeypatch.setenv("ARTTL_CACHE", str(tmp_path))
    monkeypatch.setattr("arttl.loading.engine_speeds._FEWEST", 1)
    first, second = (open_loader(collection, batch_size=8, threads=2) for _ in range(2))
    assert "pictures per second" in first.engine_reason and first.engine_reason == second.engine_reason


def test_every_sample_comes_once_over_two_ranks(collection: Manifest, engine: str) -> None:
    seen: Counter[int] = Counter()
    for rank in range(2):
        for batch in opened(collection, engine, batch_size=5, rank=rank, world_size=2):
            assert batch.targets["type"].is_cuda == batch.valid.is_cuda == batch.images.is_cuda
            seen.update(batch.rows[batch.valid.cpu()].tolist())
    assert seen == Counter(collection.rows("train").tolist())


def test_damaged_pictures_are_skipped(collection: Manifest, engine: str, tmp_path: Path) -> None:
    """Noise in place of a picture, one whose end is missing, and one with a gap that no decoder need notice."""
    folder = tmp_path / "shards"
    shutil.copytree(collection.directory, folder)
    index = (folder / "train-00001.idx").read_text().splitlines()[1:]
    tar = bytearray((folder / "train-00001.tar").read_bytes())
    for line, part in (
        (index[0], slice(0, None)),
        (index[4], slice(-3000, None)),
        (index[7], slice(-3000, -1000)),
    ):
        words = line.split()
        offset, size = int(words[words.index("jpg") + 1]), int(words[words.index("jpg") + 2])
        positions = range(offset, offset + size)[part]
        noise = np.random.default_rng(0).bytes(len(positions)) if part.start == 0 else bytes(len(positions))
        tar[positions.start : positions.stop] = noise
    (folder / "train-00001.tar").write_bytes(tar)
    spec = Preprocess(size=64)
    options = {"preprocess": spec, "batch_size": 8, "on_bad_sample": "skip", "shuffle": False}
    ours, theirs = (opened(folder, name, **options) for name in (engine, "cpu"))
    for _epoch in range(2):
        assert_alike(list(ours), list(theirs), spec)
    assert len(ours.bad_samples) == 3 and ours.bad_samples == theirs.bad_samples


def test_where_dali_fails_the_cpu_engine_reads(engine: str, tmp_path: Path) -> None:
    """A marker that DALI's parser does not know; the pipeline still serves the batches after it."""
    pictures = [jpeg(textured(number, 60, 60)) for number in range(12)]
    pictures[5] = pictures[5][:2] + b"\xff\x01" + pictures[5][2:]
    manifest = write_shards(tmp_path / "shards", pictures, [(60, 60)] * 12)
    spec = Preprocess(size=32)
    both = [opened(manifest, name, preprocess=spec, batch_size=2, shuffle=False) for name in (engine, "cpu")]
    for _epoch in range(2):
        assert_alike(list(both[0]), list(both[1]), spec)
    assert not both[0].bad_samples and set(both[0].read_instead) <= {4, 5}


@pytest.mark.slow
def test_memory_stays_flat_over_twenty_epochs(collection: Manifest, engine: str) -> None:
    loader = opened(collection, engine, preprocess=Preprocess(size=96, augment=Augment()), batch_size=8)

    def used() -> tuple[int, int]:
        for _batch in loader:
            pass
        if engine == "dali-cpu":
            return psutil.Process().memory_info().rss >> 20, 0
        torch.cuda.synchronize()
        free, total = torch.cuda.mem_get_info()
        return psutil.Process().memory_info().rss >> 20, (total - free) >> 20

    for _epoch in range(5):
        used()
    for least, *_, most in map(sorted, zip(*(used() for _ in range(20)), strict=True)):
        assert most - least < 64
