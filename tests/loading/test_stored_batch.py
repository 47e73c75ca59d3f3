"""The compiled batch against libjpeg and the kernel, picture by picture: the same bits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import simplejpeg
import torch
from loading_pictures import jpeg, textured, write_shards

from arttl.loading import Augment, Preprocess, open_loader, stored_batch
from arttl.loading.color import COLOR_UNIFORMS
from arttl.loading.geometry import UNIFORMS, Geometry, uniform_numbers
from arttl.loading.resample import Cuts, SquareWriter, cuts
from arttl.loading.shard_files import ShardFiles
from arttl.loading.stored_batch import StoredBatch
from arttl.shards.manifest import Manifest

SIZES = [(61, 70), (200, 333), (131, 64), (410, 300), (57, 57), (33, 200), (512, 384)]
SPECS = {
    "evaluation": Preprocess(size=32),
    "squashed": Preprocess(size=24, fit="squash", filter="bilinear"),
    "crops": Preprocess(size=32, augment=Augment(scale=(0.05, 1.0))),
    "colours": Preprocess(size=20, augment=Augment(scale=(0.3, 1.0), brightness=0.4, hue=0.1)),
    "nearest": Preprocess(size=40, filter="nearest", augment=Augment(scale=(0.2, 1.0))),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Of three samplings and grey, with and without restart markers."""
    options: list[dict[str, object]] = [
        {},
        {"subsampling": 0},
        {"subsampling": 1},
        {"restart_marker_rows": 1},
    ]
    jpegs = [
        jpeg(textured(number, *size).convert("L" if number == 4 else "RGB"), **options[number % 4])
        for number, size in enumerate(SIZES)
    ]
    return write_shards(tmp_path_factory.mktemp("stored") / "shards", jpegs, SIZES)


def batch_of(
    manifest: Manifest, spec: Preprocess, dtype: torch.dtype, seed: int
) -> tuple[StoredBatch, SquareWriter, Geometry, Cuts, torch.Tensor]:
    rows = np.arange(len(manifest))
    uniforms = uniform_numbers(seed, 0, rows, UNIFORMS + COLOR_UNIFORMS)
    geometry = spec.geometry(manifest.sizes, uniforms[:, :UNIFORMS])
    cut = cuts(geometry, spec.color_change(uniforms[:, UNIFORMS:]))
    writer = SquareWriter(spec.size, spec.filter, spec.mean, spec.std, dtype)
    out = torch.full((len(rows), spec.size, spec.size, 3), 9.0, dtype=dtype)
    members = ShardFiles(manifest, rows).members(rows)
    assert members is not None
    batch = StoredBatch(members, manifest.sizes, geometry.reduction, cut, writer, out.data_ptr())
    return batch, writer, geometry, cut, out


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_bit_is_that_of_a_full_decode_and_the_kernel(
    pictures: Manifest, spec: Preprocess, dtype: torch.dtype
) -> None:
    files = ShardFiles(pictures, np.arange(len(pictures)))
    for seed in range(6):
        batch, writer, geometry, cut, out = batch_of(pictures, spec, dtype, seed)
        assert batch.fill() == -1
        for row, (height, width) in enumerate(SIZES):
            by = int(geometry.reduction[row])
            decoded = simplejpeg.decode_jpeg(
                files.jpeg(row), min_height=-(-height // by), min_width=-(-width // by), min_factor=by
            )
            expected = torch.empty_like(out[row])
            writer.write(decoded, cut, row, expected.data_ptr())
            assert torch.equal(out[row], expected), (seed, row)


def test_what_is_not_decoded_so_is_given_back_untouched(tmp_path: Path) -> None:
    good = jpeg(textured(0, 60, 60))
    jpegs = [
        good,
        jpeg(textured(1, 60, 60), progressive=True),
        good[:700],
        b"",
        jpeg(textured(2, 60, 61)),  # not of the size that the manifest says
        good[:2] + b"\xff\xfe\x00\xfe" + 126 * b"\xff\xda" + good[2:],  # more scans than are allowed
        good,
    ]
    manifest = write_shards(tmp_path / "shards", jpegs, [(60, 60)] * len(jpegs))
    batch, *_, out = batch_of(manifest, Preprocess(size=16), torch.float32, 0)
    assert [batch.fill() for _ in range(6)] == [1, 2, 3, 4, 5, -1]
    assert (out[1:6] == 9).all() and not (out[[0, 6]] == 9).any()


def test_a_member_of_another_name_is_given_back(pictures: Manifest, tmp_path: Path) -> None:
    batch, writer, geometry, cut, out = batch_of(pictures, SPECS["evaluation"], torch.float32, 0)
    rows = np.arange(len(pictures))
    members = ShardFiles(pictures, rows).members(rows)
    assert members is not None
    members.names[2] = "s22.jpg"
    members.span[4] += 1  # and one that does not begin where it should
    members.paths.append(bytes(tmp_path / "gone.tar"))
    members.shard[5] = len(members.paths) - 1
    members.span[6, 1] = 10**7  # and one that ends behind its tar
    batch = StoredBatch(members, pictures.sizes, geometry.reduction, cut, writer, out.data_ptr())
    assert [batch.fill() for _ in range(5)] == [2, 4, 5, 6, -1]


def test_stopped_it_takes_no_further_picture(pictures: Manifest) -> None:
    batch, *_, out = batch_of(pictures, SPECS["evaluation"], torch.float32, 0)
    batch.stop()
    assert batch.fill() == -1 and (out == 9).all()


def test_many_threads_fill_each_picture_once(pictures: Manifest) -> None:
    batch, *_, expected = batch_of(pictures, SPECS["crops"], torch.float32, 3)
    batch.fill()
    for _ in range(20):
        batch, *_, out = batch_of(pictures, SPECS["crops"], torch.float32, 3)
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _, batch=batch: batch.fill(), range(8))) == [-1] * 8
        assert torch.equal(out, expected)


def test_a_thread_makes_one_call_per_batch(pictures: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no picture waits for the interpreter lock, however many threads there are."""
    calls: list[int] = []
    lock = threading.Lock()
    module = stored_batch.kernels()

    class Counted:
        def __init__(self, *arguments: object) -> None:
            self._batch = module.PictureBatch(*arguments)
            self.stop = self._batch.stop

        def fill(self) -> int:
            with lock:
                calls.append(1)
            return int(self._batch.fill())

    counted = SimpleNamespace(
        PictureBatch=Counted, BatchArrays=module.BatchArrays, BatchSettings=module.BatchSettings
    )
    monkeypatch.setattr(stored_batch, "kernels", lambda: counted)
    loader = open_loader(
        pictures, preprocess=SPECS["crops"], batch_size=7, threads=2, device="cpu", engine="cpu"
    )
    batches = sum(1 for _ in range(8) for _ in loader)
    assert batches == 8 and len(calls) == 2 * batches
