"""What happens with a picture that cannot be decoded, with each engine."""

from __future__ import annotations

import io
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from loading_pictures import jpeg, textured, write_shards
from PIL import Image

from arttl.errors import ArttlError
from arttl.loading import Preprocess, open_loader
from arttl.shards.manifest import Manifest
from arttl.shards.writer import ShardWriter

SPEC = Preprocess(size=32, crop_pct=1.0)
OPTIONS = {"preprocess": SPEC, "threads": 2, "device": "cpu", "shuffle": False, "batch_size": 2}


@pytest.fixture
def damaged(tmp_path: Path) -> Manifest:
    """Twelve samples, of which the second, sixth, seventh and twelfth do not decode."""
    pictures = [jpeg(textured(number, 60, 60)) for number in range(12)]
    for number, length in ((1, 1500), (5, 300), (6, 0), (11, 1500)):
        pictures[number] = pictures[number][:length]
    return write_shards(tmp_path / "shards", pictures, [(60, 60)] * 12)


def test_bad_samples_are_skipped_counted_and_named(
    damaged: Manifest,
    engine: str,
    caplog: pytest.LogCaptureFixture,
    left_behind: Callable[[], list[str]],
) -> None:
    loader = open_loader(damaged, engine=engine, on_bad_sample="skip", **OPTIONS)
    for _epoch in range(2):
        with caplog.at_level(logging.WARNING, "arttl.loading"):
            batches = list(loader)
        assert [row for batch in batches for row in batch.rows.tolist()] == list(range(12))
        valid = torch.cat([batch.valid for batch in batches])
        assert (~valid).nonzero().flatten().tolist() == [1, 5, 6, 11]
        images = torch.cat([batch.images for batch in batches])
        assert not images[~valid].any()
        for number in valid.nonzero().flatten().tolist():
            picture = Image.open(io.BytesIO(jpeg(textured(number, 60, 60))))
            expected = picture.resize((32, 32), Image.Resampling.BICUBIC)
            square = SPEC.denormalise(images[number : number + 1])[0].astype(int)
            assert np.abs(square - np.asarray(expected)).mean() < 1
    assert sorted(loader.bad_samples) == [1, 5, 6, 11]
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 4  # each once, however often it comes
    assert "skipped, 1 so far" in messages[0] and "train-00000.tar: sample 's1' (row 1)" in messages[0]
    del loader
    assert left_behind() == []


def test_bad_samples_are_skipped_in_inference_mode(damaged: Manifest, engine: str) -> None:
    """As in validation: the mode is that of the thread that asks for batches, and not of those that decode."""
    with torch.inference_mode():
        batches = list(open_loader(damaged, engine=engine, on_bad_sample="skip", **OPTIONS))
    valid = torch.cat([batch.valid for batch in batches])
    assert (~valid).nonzero().flatten().tolist() == [1, 5, 6, 11]
    assert not torch.cat([batch.images for batch in batches])[~valid].any()


def test_without_it_the_first_ends_the_run(damaged: Manifest, engine: str) -> None:
    with pytest.raises(ArttlError, match=r"sample 's1' \(row 1\) cannot be decoded"):
        list(open_loader(damaged, engine=engine, **OPTIONS))


def test_skipping_does_not_hide_a_shard_that_is_gone(damaged: Manifest, engine: str) -> None:
    loader = open_loader(damaged, engine=engine, on_bad_sample="skip", **OPTIONS)
    (damaged.directory / "train-00001.tar").unlink()
    with pytest.raises(ArttlError) as caught:
        list(loader)
    assert str(damaged.directory) in str(caught.value) and "\n" not in str(caught.value)


def test_other_answers_are_refused(damaged: Manifest) -> None:
    with pytest.raises(ArttlError, match="--on-bad-sample 'ignore' is unknown; choose raise or skip"):
        open_loader(damaged, on_bad_sample="ignore", **OPTIONS)  # type: ignore[arg-type]


def test_a_shard_of_another_packing_is_named(tmp_path: Path, engine: str) -> None:
    """The same pictures and sizes, other samples: no index and no number tells, only the names inside."""
    data = jpeg(textured(0, 60, 60))
    manifest = write_shards(tmp_path / "shards", [data] * 4, [(60, 60)] * 4)
    writer = ShardWriter(tmp_path, "train-00000", tmp_path)
    for row in range(4):
        writer.add(f"t{row}", data, b"{}", row)
    writer.close()
    loader = open_loader(manifest, engine=engine, on_bad_sample="skip", **OPTIONS)
    shutil.copy(tmp_path / "train-00000.tar", manifest.directory)
    with pytest.raises(ArttlError, match=r"holds 't0\.jpg' where the manifest has 's0': it was replaced"):
        list(loader)


@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_is_read_as_dali_reads_it(tmp_path: Path, adobe: bool) -> None:
    """Packing converts it, but shards of others may hold some."""
    pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    inks = [jpeg(textured(number, 200, 260).convert("CMYK"), quality=95) for number in range(3)]
    if not adobe:
        inks = [_without_adobe(data) for data in inks]
    manifest = write_shards(tmp_path / "shards", inks, [(200, 260)] * 3)
    spec = Preprocess(size=48)
    options = {**OPTIONS, "preprocess": spec, "batch_size": 3}
    (ours,), (theirs,) = (open_loader(manifest, engine=name, **options) for name in ("cpu", "dali-cpu"))
    squares = [spec.denormalise(batch.images).astype(int) for batch in (ours, theirs)]
    assert np.abs(squares[0] - squares[1]).mean(axis=(1, 2, 3)).max() < 1.0
    if adobe:  # the others Pillow takes for Adobe's, too
        picture = Image.open(io.BytesIO(inks[0])).convert("RGB")
        sides = (55 * 260 // 200, 55)
        left, top = (round((side - 48) / 2) for side in sides)
        box = (left, top, left + 48, top + 48)
        expected = np.asarray(picture.resize(sides, Image.Resampling.BICUBIC).crop(box)).astype(int)
        assert np.abs(squares[0][0] - expected).mean() < 1.0


def _without_adobe(data: bytes) -> bytes:
    offset = data.index(b"\xff\xee")
    return data[:offset] + data[offset + 2 + int.from_bytes(data[offset + 2 : offset + 4], "big") :]


def test_a_stranger_s_picture_is_refused_before_it_is_decoded(
    tmp_path: Path, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One of too many scans, and one of as many pixels as its header and the manifest agree on."""
    scans = io.BytesIO()
    Image.open(io.BytesIO(jpeg(textured(0, 60, 60)))).save(scans, "JPEG", progressive=True)
    data = scans.getvalue()
    last = data.rindex(b"\xff\xda")
    many = data[:last] + data[last:-2] * 10_000 + data[-2:]
    large = bytearray(jpeg(textured(1, 60, 60)))
    frame = large.index(b"\xff\xc0")
    large[frame + 5 : frame + 9] = (40_000).to_bytes(2, "big") * 2
    sizes = [(60, 60), (60, 60), (40_000, 40_000), (60, 60)]
    good = jpeg(textured(2, 60, 60))
    manifest = write_shards(tmp_path / "shards", [many, good, bytes(large), good], sizes)
    loader = open_loader(manifest, engine=engine, on_bad_sample="skip", **OPTIONS)
    started = time.process_time()
    with caplog.at_level(logging.WARNING, "arttl.loading"):
        valid = torch.cat([batch.valid for batch in loader])
    assert time.process_time() - started < 2
    assert valid.tolist() == [False, True, False, True]
    assert "scans are more than 100" in caplog.text and "40000x40000 pixels are more than" in caplog.text
