"""The means of boxes of pixels, compared with Pillow's `reduce` of the whole picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from arttl.picture_headers.bad_pictures import BadPicture
from arttl.picture_headers.file_bytes import FileBytes, part, sha256_of, whole
from arttl.pictures.decoding import opened_image, read_image
from arttl.pictures.picture_file import PictureFile
from arttl.pictures.reducing import AllowedScale, PictureReducer, Reducer
from arttl.pictures.resizing import resized

SIDE = st.integers(1, 70)
FACTOR = st.integers(1, 40)


@settings(deadline=None, max_examples=300)
@given(st.integers(1, 4), SIDE, SIDE, FACTOR, FACTOR, st.integers(1, 30), st.booleans(), st.integers(0, 9))
def test_means_are_those_of_pillow(
    channels: int, height: int, width: int, along: int, down: int, at_once: int, upper: bool, seed: int
) -> None:
    """Rows come a few at a time, and where `upper` as the upper bytes of samples of 16 bits in a wider array."""
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, 256, (height, width + 3, channels, 2), dtype=np.uint8)
    if seed == 0:
        samples[:] = 255
    rows = samples[:, :width, :, 1] if upper else np.ascontiguousarray(samples[:, :width, :, 1])
    reducer = Reducer((along, down))
    for top in range(0, height, at_once):
        reducer.add(rows[top : top + at_once])
    bands = [
        Image.fromarray(np.ascontiguousarray(rows[..., c])).reduce((along, down)) for c in range(channels)
    ]
    assert np.array_equal(reducer.means(), np.stack([np.asarray(band) for band in bands], axis=-1))


def test_boxes_of_more_rows_than_16_bits_can_sum() -> None:
    rows = np.full((700, 6, 3), 255, np.uint8)
    rows[::3] = 254
    reducer = Reducer((5, 600))
    reducer.add(rows)
    assert np.array_equal(reducer.means(), np.asarray(Image.fromarray(rows).reduce((5, 600))))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "LAB"])
def test_pictures_in_parts(mode: str) -> None:
    rng = np.random.default_rng(1)
    size = (41, 37)
    picture = Image.frombytes(mode, size, rng.integers(0, 256, 41 * 37 * len(mode), dtype=np.uint8).tobytes())
    reducer = PictureReducer((3, 4))
    for top in range(0, 37, 10):
        reducer.add(picture.crop((0, top, 41, min(37, top + 10))))
    assert reducer.picture().mode == mode
    assert reducer.picture().tobytes() == picture.reduce((3, 4)).tobytes()


def test_how_many_pixels_become_one() -> None:
    assert AllowedScale().factors((12000, 10559)) == (1, 1)
    assert AllowedScale(max_side=512).factors((12000, 10559)) == (11, 11)
    assert AllowedScale(max_side=512).factors((2047, 1023)) == (1, 1)
    assert AllowedScale(max_side=512).factors((6000, 5279), (12000, 10559)) == (5, 5)


def test_transparent_colours_do_not_leak_into_means() -> None:
    pixels = np.zeros((400, 400, 4), np.uint8)
    pixels[:, ::2] = (255, 0, 0, 255)
    pixels[:, 1::2] = (0, 255, 0, 0)
    small = np.asarray(resized(Image.fromarray(pixels), (50, 50), (400, 400)))
    assert small.min(axis=(0, 1)).tolist() == [255, 0, 0, 128]


def test_large_tiffs_and_pngs_stay_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arttl.pictures.decoding._MOST_IN_MEMORY", 100)
    data = b"II*\0" + bytes(range(256)) * 5
    (tmp_path / "a").write_bytes(b"before" + data + b"after")
    (tmp_path / "b").write_bytes(b"\xff\xd8" + data)
    inside = PictureFile(tmp_path / "a", (6, len(data)))
    with opened_image(inside) as opened:
        assert isinstance(opened, FileBytes)
        assert len(opened) == len(data)
        for place in (slice(None), slice(3, 9), slice(1000, 5000), slice(-4, None), slice(5, 2)):
            assert opened[place] == data[place]
        assert sha256_of(opened) == sha256_of(data)
        assert part(opened, 10, 6, np.empty(9, np.uint8)).tobytes() == data[10:16]
        assert part(data, 10, 6, np.empty(9, np.uint8)).tobytes() == data[10:16]
        for source in (opened, data):
            with pytest.raises(ValueError, match="cut off"):
                part(source, len(data) - 2, 3, np.empty(9, np.uint8))
        (tmp_path / "a").write_bytes(b"before" + data[:500])
        with pytest.raises(ValueError, match="shorter while it was read"):
            part(opened, 400, 200, np.empty(300, np.uint8))
    assert read_image(PictureFile(tmp_path / "b")) == whole(b"\xff\xd8" + data)
    with opened_image(PictureFile(tmp_path / "b")) as opened:
        assert isinstance(opened, bytes)


def test_a_disk_that_gives_no_more_bytes() -> None:
    class Broken(io.RawIOBase):
        def seek(self, *place: int) -> int:
            raise OSError(5, "Input/output error")

    with pytest.raises(BadPicture) as caught:
        FileBytes(Broken(), 0, 100)[3:5]  # type: ignore[arg-type]
    assert (caught.value.reason, caught.value.detail) == ("unreadable", "Input/output error")
