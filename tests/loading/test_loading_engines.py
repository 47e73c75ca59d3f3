"""Both engines, really reading: which pictures come, how they look, and what stays behind."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from loading_pictures import COUNT, jpeg, read_number, textured, write_shards
from PIL import Image

from arttl.errors import ArttlError
from arttl.loading import Augment, Loader, Preprocess, open_loader, stored_batch
from arttl.shards.manifest import Manifest

WHOLE = Preprocess(size=48, fit="squash", crop_pct=1.0, filter="bilinear")


def opened(shards: Manifest, engine: str, **options: object) -> Loader:
    return open_loader(shards, engine=engine, **{"batch_size": 5, "threads": 2, "device": "cpu", **options})


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_every_sample_comes_once_an_epoch_with_its_own_pixels(
    painted_collection: Manifest, engine: str, world_size: int
) -> None:
    for epoch in (0, 1):
        seen: Counter[str] = Counter()
        for rank in range(world_size):
            loader = opened(
                painted_collection, engine, preprocess=WHOLE, rank=rank, world_size=world_size, shuffle=True
            )
            loader.set_epoch(epoch)
            batches = list(loader)
            assert len(batches) == len(loader) == -(-COUNT // (5 * world_size))
            for batch in batches:
                squares = WHOLE.denormalise(batch.images)
                for square, row, valid in zip(
                    squares, batch.rows.tolist(), batch.valid.tolist(), strict=True
                ):
                    key = painted_collection.keys[row]
                    assert read_number(square) == int(key[1:])
                    seen[key] += valid
        assert seen == Counter(f"n{number}" for number in range(COUNT))


def test_batches_look_as_promised(painted_collection: Manifest, engine: str) -> None:
    for batch in opened(painted_collection, engine, preprocess=WHOLE):
        assert batch.images.shape == (5, 3, 48, 48) and batch.images.dtype == torch.float32
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
        assert batch.valid.shape == batch.rows.shape == batch.targets["type"].shape == (5,)
        assert (batch.valid.dtype, batch.rows.dtype) == (torch.bool, torch.int64)


@pytest.mark.parametrize("filter", ["bilinear", "bicubic"])
@pytest.mark.parametrize("fit", ["crop", "squash"])
def test_evaluation_pictures_equal_pillows(
    odd_collection: tuple[Manifest, list[Image.Image]], engine: str, filter: str, fit: str
) -> None:
    """Baseline, progressive, grey, tiny and large ones within a grey level of a full decode and resize."""
    manifest, pictures = odd_collection
    spec = Preprocess(size=112, filter=filter, fit=fit)  # type: ignore[arg-type]
    resample = Image.Resampling[filter.upper()]
    (batch,) = opened(manifest, engine, preprocess=spec, batch_size=len(manifest))
    for square, row in zip(spec.denormalise(batch.images), batch.rows.tolist(), strict=True):
        picture = pictures[row]
        shorter = min(picture.size)
        sides = [128, 128] if fit == "squash" else [128 * side // shorter for side in picture.size]
        left, top = (round((side - 112) / 2) for side in sides)
        expected = picture.resize(sides, resample).crop((left, top, left + 112, top + 112))
        difference = np.abs(square.astype(int) - np.asarray(expected).astype(int))
        assert difference.mean() < 1.0, (row, picture.size)


def test_both_engines_give_the_same_pictures(odd_collection: tuple[Manifest, list[Image.Image]]) -> None:
    pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    manifest, _ = odd_collection
    for spec in (
        Preprocess(size=112),
        Preprocess(size=112, filter="bilinear", augment=Augment(scale=(0.2, 1))),
        Preprocess(size=112, augment=Augment()),
        Preprocess(size=112, augment=Augment(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)),
        Preprocess(size=112, fit="squash", crop_pct=1.0, filter="nearest"),
        Preprocess(size=112, filter="nearest", augment=Augment(scale=(1, 1), saturation=1, hue=0.5)),
    ):
        for epoch in range(3):
            both = [
                opened(manifest, name, preprocess=spec, batch_size=3, seed=9) for name in ("cpu", "dali-cpu")
            ]
            for loader in both:
                loader.set_epoch(epoch)
            for ours, theirs in zip(*both, strict=True):
                assert torch.equal(ours.rows, theirs.rows) and torch.equal(ours.valid, theirs.valid)
                squares = [spec.denormalise(batch.images).astype(int) for batch in (ours, theirs)]
                difference = np.abs(squares[0] - squares[1]).mean(axis=(1, 2, 3))
                most = (
                    2.0 if spec.filter == "nearest" else 1.0
                )  # single pixels, at places that round differently
                assert difference.max() < most, (spec, ours.rows[difference.argmax()])


def test_random_crops_are_the_same_on_any_ranks_and_in_any_batch(
    painted_collection: Manifest, engine: str
) -> None:
    spec = Preprocess(size=24, augment=Augment(scale=(0.2, 1), brightness=0.3, hue=0.05))

    def pictures(epoch: int, **options: object) -> dict[int, torch.Tensor]:
        loader = opened(painted_collection, engine, preprocess=spec, **options)
        loader.set_epoch(epoch)
        return {
            row: image
            for batch in loader
            for row, image in zip(batch.rows.tolist(), batch.images, strict=True)
        }

    alone = pictures(1, batch_size=10)
    both = {**pictures(1, rank=0, world_size=2), **pictures(1, rank=1, world_size=2)}
    assert alone.keys() == both.keys()
    assert all(torch.equal(alone[row], both[row]) for row in alone)
    for other in (pictures(2), pictures(1, seed=1)):
        changed = [not torch.equal(alone[row], other[row]) for row in alone]
        assert sum(changed) > 0.9 * len(changed)


def test_pictures_stay_as_they_are_when_reading_goes_on(painted_collection: Manifest, engine: str) -> None:
    """No buffer is used again while somebody holds it."""
    kept = [
        (batch.images, batch.images.clone()) for batch in opened(painted_collection, engine, preprocess=WHOLE)
    ]
    assert all(torch.equal(images, copy) for images, copy in kept)


def test_bfloat16_batches_are_the_float32_ones_rounded(painted_collection: Manifest, engine: str) -> None:
    options = {"preprocess": Preprocess(size=24, augment=Augment()), "seed": 3}
    wide = opened(painted_collection, engine, **options)
    narrow = opened(painted_collection, engine, dtype=torch.bfloat16, **options)
    for ours, expected in zip(narrow, wide, strict=True):
        assert ours.images.dtype == torch.bfloat16
        assert ours.images.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(ours.images, expected.images.to(torch.bfloat16))
    with pytest.raises(ArttlError, match=r"torch\.float16 are not supported; choose torch\.float32"):
        opened(painted_collection, engine, dtype=torch.float16)


def test_the_kernel_is_what_makes_the_pictures(
    painted_collection: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Zeros:
        """In place of the compiled batch: it fills the pictures with zeros."""

        def __init__(self, _paths: list[bytes], names: list[str], address: int, _settings: object) -> None:
            ctypes.memset(address, 0, len(names) * 48 * 48 * 3 * 4)

        def fill(self) -> int:
            return -1

        def stop(self) -> None:
            pass

    replaced = SimpleNamespace(
        PictureBatch=Zeros, BatchSettings=lambda *_: None, BatchArrays=lambda *addresses: addresses[-1]
    )
    monkeypatch.setattr(stored_batch, "kernels", lambda: replaced)
    assert not any(batch.images.any() for batch in opened(painted_collection, "cpu", preprocess=WHOLE))
    monkeypatch.undo()
    assert all(batch.images.any() for batch in opened(painted_collection, "cpu", preprocess=WHOLE))


def test_nothing_is_left_running(
    painted_collection: Manifest, engine: str, left_behind: Callable[[], list[str]]
) -> None:
    """DALI's threads sleep until the next epoch, and end with the loader."""
    loader = opened(painted_collection, engine, preprocess=WHOLE)
    list(loader)
    asleep = left_behind()
    assert bool(asleep) == (engine == "dali-cpu") and all(name.startswith("[DALI]") for name in asleep)
    for _ in loader:
        break
    assert left_behind() == asleep
    dropped = iter(loader)
    next(dropped)
    assert len(left_behind()) > len(asleep)  # or this test could not fail
    del dropped
    assert left_behind() == asleep
    with pytest.raises(ZeroDivisionError):
        for batch in loader:
            _ = batch.rows[0].item() // 0
    assert left_behind() == asleep
    del loader
    assert left_behind() == []


@pytest.mark.parametrize("length", [300, 1500])  # in the header, of which DALI names no sample; in the scan
def test_a_picture_that_does_not_decode_is_named(
    tmp_path: Path, engine: str, length: int, left_behind: Callable[[], list[str]]
) -> None:
    good = [jpeg(textured(number, 60, 60)) for number in range(12)]
    good[6] = good[6][:length]
    manifest = write_shards(tmp_path / "shards", good, [(60, 60)] * 12)
    with pytest.raises(ArttlError, match=r"train-00001\.tar: sample 's6'") as caught:
        list(opened(manifest, engine, preprocess=WHOLE, shuffle=False, batch_size=2))
    assert "\n" not in str(caught.value)
    assert left_behind() == []


def test_a_header_that_contradicts_the_manifest_is_not_believed(tmp_path: Path) -> None:
    manifest = write_shards(tmp_path / "shards", [jpeg(textured(0, 60, 60))] * 4, [(60, 60)] * 3 + [(60, 61)])
    with pytest.raises(ArttlError, match=r"'s3'.*60x60 pixels and the manifest says 61x60"):
        list(opened(manifest, "cpu", preprocess=WHOLE))


def test_a_shard_that_vanishes_after_opening_is_one_sentence(tmp_path: Path, engine: str) -> None:
    manifest = write_shards(tmp_path / "shards", [jpeg(textured(0, 60, 60))] * 4, [(60, 60)] * 4)
    loader = opened(manifest, engine, preprocess=WHOLE)
    (manifest.directory / "train-00000.tar").unlink()
    with pytest.raises(ArttlError) as caught:
        list(loader)
    assert str(manifest.directory) in str(caught.value) and "\n" not in str(caught.value)
