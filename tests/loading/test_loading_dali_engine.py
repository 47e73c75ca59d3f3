"""DALI's one pipeline: how long it serves, and what happens where it fails."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from loading_pictures import COUNT, jpeg, read_number, textured, write_shards
from PIL import Image

from arttl.errors import ArttlError
from arttl.loading import Augment, Batch, Loader, Preprocess, open_loader
from arttl.loading.dali_settings import DaliSettings
from arttl.loading.shard_files import ShardFiles
from arttl.shards.manifest import Manifest

pytest.importorskip("nvidia.dali", reason="DALI is not installed")
from arttl.loading import dali_engine

SPEC = Preprocess(size=32, crop_pct=1.0)
WHOLE = Preprocess(size=48, fit="squash", crop_pct=1.0, filter="bilinear")


def opened(shards: Manifest, engine: str = "dali-cpu", **options: object) -> Loader:
    settings = {
        "preprocess": SPEC,
        "threads": 2,
        "device": "cpu",
        "batch_size": 2,
        "shuffle": False,
        **options,
    }
    return open_loader(shards, engine=engine, **settings)  # type: ignore[arg-type]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The settings of each pipeline that is built."""
    pipelines: list[Any] = []
    build = dali_engine._pipeline

    def counted(reading: Any, settings: DaliSettings, feed: Any) -> Any:
        pipelines.append(settings)
        return build(reading, settings, feed)

    monkeypatch.setattr(dali_engine, "_pipeline", counted)
    return pipelines


def assert_painted(batches: list[Batch], manifest: Manifest) -> None:
    """Every picture is that of its row."""
    for batch in batches:
        for square, row in zip(WHOLE.denormalise(batch.images), batch.rows.tolist(), strict=True):
            assert read_number(square) == int(manifest.keys[row][1:])


def test_one_pipeline_serves_all_epochs(painted_collection: Manifest, built: list[Any]) -> None:
    loader = opened(painted_collection, preprocess=WHOLE, shuffle=True, batch_size=5)
    for epoch in range(3):
        batches = list(loader)
        assert_painted(batches, painted_collection)
        assert sum(int(batch.valid.sum()) for batch in batches) == COUNT
        for taken in range(epoch + 1):  # given up with batches on the way
            abandoned = iter(loader)
            assert_painted([next(abandoned) for _ in range(taken)], painted_collection)
            del abandoned
    state = loader.state_dict()
    loader.load_state_dict({**state, "batch": 7})
    assert len(list(loader)) == len(loader) - 7
    assert len(built) == 1


def test_iterations_at_once_have_a_pipeline_each(painted_collection: Manifest, built: list[Any]) -> None:
    loader = opened(painted_collection, preprocess=WHOLE, batch_size=5)
    both = [batch for pair in zip(loader, loader, strict=True) for batch in pair]
    assert_painted(both, painted_collection)
    assert all(torch.equal(a.rows, b.rows) for a, b in zip(both[::2], both[1::2], strict=True))
    assert len(built) == 2
    list(loader)
    assert len(built) == 2


def test_parts_of_a_collection_share_the_pipeline(painted_collection: Manifest, built: list[Any]) -> None:
    loader = opened(painted_collection, preprocess=WHOLE, batch_size=5)
    for first in (0, 20, 7):
        rows = loader.rows[first : first + 13]
        batches = list(loader.of_rows(rows))
        assert_painted(batches, painted_collection)
        assert torch.cat([batch.rows[batch.valid] for batch in batches]).tolist() == rows.tolist()
    list(loader)
    assert len(built) == 1


def with_stray_marker(data: bytes) -> bytes:
    """A JPEG that DALI's parser fails at and libjpeg does not: TEM (ITU-T T.81, table B.1) in its header."""
    return data[:2] + b"\xff\x01" + data[2:]


@pytest.fixture
def odd(tmp_path: Path) -> Manifest:
    """Twelve samples: DALI fails on the fourth, everything on the eighth; the tenth ends early."""
    pictures = [jpeg(textured(number, 60, 60)) for number in range(12)]
    pictures[3] = with_stray_marker(pictures[3])
    pictures[7] = pictures[7][:2] + b"\x00\x12" + pictures[7][2:]
    pictures[9] = pictures[9][:1500]
    return write_shards(tmp_path / "shards", pictures, [(60, 60)] * 12)


def test_where_dali_fails_and_libjpeg_does_not_the_run_goes_on(
    odd: Manifest, built: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    loader = opened(odd, on_bad_sample="skip")
    for _epoch in range(3):
        with caplog.at_level(logging.WARNING, "arttl.loading"):
            batches = list(loader)
        images, valid = (
            torch.cat([getattr(batch, name) for batch in batches]) for name in ("images", "valid")
        )
        assert (~valid).nonzero().flatten().tolist() == [7, 9]
        for number in valid.nonzero().flatten().tolist():
            picture = Image.open(io.BytesIO(jpeg(textured(number, 60, 60))))
            expected = np.asarray(picture.resize((32, 32), Image.Resampling.BICUBIC)).astype(int)
            square = SPEC.denormalise(images[number : number + 1])[0].astype(int)
            assert np.abs(square - expected).mean() < 1
    assert sorted(loader.bad_samples) == [7, 9]
    assert sorted(loader.read_instead) == [2, 3]  # DALI does not say which of its batch
    instead = [record.getMessage() for record in caplog.records if "cpu engine" in record.getMessage()]
    assert (
        len(instead) == 1
        and "in place of DALI, 2 pictures so far" in instead[0]
        and "sample 's2' (row 2)" in instead[0]
    )
    assert len(built) == 1


def test_such_a_picture_ends_no_run(odd: Manifest) -> None:
    batches = list(opened(odd, rows=np.arange(6)))
    assert all(batch.valid.all() for batch in batches)
    with pytest.raises(ArttlError, match=r"sample 's7' \(row 7\) cannot be decoded"):
        list(opened(odd))


def test_a_picture_that_dali_names_is_left_out_from_then_on(
    painted_collection: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = opened(painted_collection, preprocess=WHOLE, batch_size=5)
    expected = list(loader)
    row = int(expected[2].rows[3])
    outputs = dali_engine._Running.next
    failures = []

    def fails(self: Any, rows: np.ndarray) -> tuple[torch.Tensor | None, str]:
        result = outputs(self, rows)
        if row in rows and 3 not in self.feed.left_out[0]:
            failures.append(rows)
            return (
                None,
                "Error in\nFailed to decode sample #3 : \nCurrent pipeline object is no longer valid.",
            )
        return result

    monkeypatch.setattr(dali_engine._Running, "next", fails)
    for _epoch in range(3):
        assert_painted(list(loader), painted_collection)
    assert len(failures) == 1 and list(loader.read_instead) == [row]
    assert "(Failed to decode sample #3" in loader.read_instead[row]


def test_damage_that_dali_does_not_notice_is_found(odd: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of two scans; libjpeg notices the first, a single bit of the second nobody but the digest."""
    tar = odd.directory / "train-00000.tar"
    data = bytearray(tar.read_bytes())
    for row, offset, damage in ((0, 800, bytes(range(100, 140))), (2, 600, b"\x10")):
        picture = jpeg(textured(row, 60, 60))
        start = data.index(picture) + picture.index(b"\xff\xda") + offset
        part = data[start : start + len(damage)]
        data[start : start + len(damage)] = bytes(a ^ b for a, b in zip(part, damage, strict=True))
    tar.write_bytes(data)

    def read() -> tuple[Loader, list[bool]]:
        loader = opened(odd, rows=np.arange(3), batch_size=3, on_bad_sample="skip")
        (batch,) = loader
        return loader, batch.valid.tolist()

    loader, valid = read()
    assert valid == [False, True, True] and list(loader.bad_samples) == [0]
    assert list(loader.read_instead) == [2] and "sample 's2' (row 2): it is not as" in loader.read_instead[2]
    monkeypatch.setattr(ShardFiles, "is_as_packed", lambda *arguments: True)
    loader, valid = read()
    assert valid == [True, True, True] and not loader.read_instead  # or this test could not fail


def test_what_is_not_whole_never_reaches_dali(odd: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU's decoder may show the part that is there: on the CPU, DALI would fail."""

    def forbidden(*arguments: object) -> None:
        raise AssertionError("DALI was given a truncated picture")

    monkeypatch.setattr(dali_engine.DaliEngine, "_after_failure", forbidden)
    loader = opened(odd, rows=np.array([8, 9, 10, 11]), on_bad_sample="skip")
    assert torch.cat([batch.valid for batch in loader]).tolist() == [True, False, True, True]
    with pytest.raises(AssertionError, match="truncated"):  # or this test could not fail
        list(opened(odd, rows=np.array([2, 3])))


@pytest.mark.parametrize("prefetch", [1, 2, 5])
def test_any_number_of_batches_ahead(painted_collection: Manifest, prefetch: int, built: list[Any]) -> None:
    for count in (1, 2, 3, 9):
        rows = opened(painted_collection).rows[: 5 * count]
        loader = opened(
            painted_collection,
            preprocess=WHOLE,
            batch_size=5,
            rows=rows,
            dali=DaliSettings(prefetch=prefetch),
        )
        for _epoch in range(2):
            batches = list(loader)
            assert_painted(batches, painted_collection)
            assert torch.cat([batch.rows[batch.valid] for batch in batches]).tolist() == rows.tolist()
    assert {settings.prefetch for settings in built} == {prefetch}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hw_decoder_load": 1.1}, "--hw-decoder-load must be between 0 and 1, not 1.1"),
        ({"prefetch": 0}, "--prefetch 0 is out of range"),
        ({"preallocated_side": -1}, "--preallocated-side -1 is out of range"),
    ],
)
def test_settings_have_constraints(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArttlError) as caught:
        DaliSettings(**settings)
    assert message in str(caught.value)


def test_a_gpu_s_decoder_is_given_the_settings(odd: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as that can be seen without a GPU: the graph, which is not built."""
    given: dict[str, object] = {}
    decoder = dali_engine.fn.decoders.image

    def recorded(*inputs: object, **arguments: object) -> object:
        given.update(arguments)
        return decoder(*inputs, **arguments)

    monkeypatch.setattr(dali_engine.fn.decoders, "image", recorded)
    settings = DaliSettings(hw_decoder_load=0.9, preallocated_side=48)
    loader = opened(odd, engine="dali-gpu", device="cuda:0", dali=settings)
    with pytest.raises(ArttlError, match=r"DALI cannot be started \(.*\); choose --engine cpu"):
        list(loader)
    assert given["device"] == "mixed" and given["jpeg_fancy_upsampling"] is True
    assert given["hw_decoder_load"] == 0.9 and given["adjust_orientation"] is False
    assert given["preallocate_width_hint"] == given["preallocate_height_hint"] == 48


@pytest.mark.slow
def test_memory_stays_flat(painted_collection: Manifest) -> None:
    spec = Preprocess(size=96, augment=Augment())
    loader = opened(painted_collection, preprocess=spec, batch_size=8, shuffle=True)

    def resident(epochs: int) -> Iterator[int]:
        for _ in range(epochs):
            for _batch in loader:
                pass
            yield psutil.Process().memory_info().rss >> 20

    list(resident(10))
    least, *_, most = sorted(resident(50))
    assert most - least < 64
