"""The kernel that scales pictures down, against Pillow: every byte."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from arttl.pictures import resizing
from arttl.pictures.resizing import resized

SIDE = st.integers(1, 90)


def noise(width: int, height: int, seed: int, *, extreme: bool) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if extreme:  # overshoots of the filter reach beyond both ends
        pixels = np.where(pixels < 128, np.uint8(0), np.uint8(255))
    return Image.fromarray(pixels)


def by_pillow(picture: Image.Image, size: tuple[int, int], box: tuple[float, float]) -> bytes:
    """One axis after the other, since Pillow's versions differ in which it takes first."""
    lines = picture.resize(
        (size[0], picture.height), Image.Resampling.BICUBIC, box=(0, 0, box[0], picture.height)
    )
    return lines.resize(size, Image.Resampling.BICUBIC, box=(0, 0, size[0], box[1])).tobytes()


@settings(deadline=None, max_examples=300)
@given(SIDE, SIDE, SIDE, SIDE, st.floats(0, 1), st.floats(0, 1), st.integers(0, 9), st.booleans())
def test_every_byte_is_pillows(
    width: int,
    height: int,
    new_width: int,
    new_height: int,
    less: float,
    lower: float,
    seed: int,
    extreme: bool,
) -> None:
    picture = noise(width, height, seed, extreme=extreme)
    box = (max(width - less, 0.5), max(height - lower, 0.5))
    size = (new_width, new_height)
    assert resizing._resized_rgb(np.asarray(picture), size, box).tobytes() == by_pillow(picture, size, box)


def test_the_kernel_does_it_for_photographs_at_a_reduced_scale(monkeypatch) -> None:
    done = []
    kernel = resizing._resized_rgb
    monkeypatch.setattr(resizing, "_resized_rgb", lambda *a: done.append(a) or kernel(*a))
    picture = noise(634, 480, 0, extreme=False)
    box = (2536 / 4, 1917 / 4)
    assert resized(picture, (512, 387), box).tobytes() == by_pillow(picture, (512, 387), box)
    assert len(done) == 1
    assert resized(picture.convert("L"), (512, 387), box).mode == "L"
    assert len(done) == 1  # other modes are Pillow's


def test_means_of_whole_pixels_come_first_for_larger_pictures() -> None:
    picture = noise(634, 480, 0, extreme=False)
    box = (2536 / 4, 1917 / 4)
    expected = by_pillow(picture.reduce((3, 3)), (100, 75), (box[0] / 3, box[1] / 3))
    assert resized(picture, (100, 75), box).tobytes() == expected
    grey = picture.convert("L")
    by_pillows_gap = grey.resize((100, 75), Image.Resampling.BICUBIC, box=(0, 0, *box), reducing_gap=2.0)
    assert resized(grey, (100, 75), box).tobytes() == by_pillows_gap.tobytes()
