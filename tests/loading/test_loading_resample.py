from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import simplejpeg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loading_pictures import jpeg, textured
from PIL import Image

from arttl.loading.geometry import UNIFORMS, Geometry, centre_geometry, random_geometry, uniform_numbers
from arttl.loading.resample import SquareWriter, cuts

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
GREY = ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))  # mean and std that leave grey levels


def square_of(
    picture: np.ndarray, geometry: Geometry, size: int, filter: str, reduction: int = 1
) -> np.ndarray:
    """The square as the CPU engine makes it of a picture decoded so, [size, size, 3] float32 grey levels."""
    out = np.full((size, size, 3), np.nan, np.float32)
    cut = cuts(replace(geometry, reduction=np.array([reduction])))
    SquareWriter(size, filter, *GREY, torch.float32).write(picture, cut, 0, out.ctypes.data)
    return out


@given(
    height=st.integers(20, 300),
    width=st.integers(20, 300),
    seed=st.integers(0, 10_000),
    filter=st.sampled_from(["bilinear", "bicubic"]),
)
@settings(max_examples=60, deadline=None)
def test_random_squares_equal_pillows(height: int, width: int, seed: int, filter: str) -> None:
    picture = textured(seed, height, width)
    uniforms = uniform_numbers(seed, 0, np.arange(1), UNIFORMS)
    geometry = random_geometry(np.array([[height, width]]), 48, (0.1, 1), (0.5, 2), 0.5, uniforms)
    top, left, used_height, used_width = geometry.source[0].tolist()
    part = picture.crop((left, top, left + used_width, top + used_height))
    once = part.resize((48, 48), FILTERS[filter])
    # Where a filter overshoots, it matters which of the two passes is cut off at 0 and 255 first; ours is the vertical.
    in_turn = part.resize((used_width, 48), FILTERS[filter]).resize((48, 48), FILTERS[filter])
    actual = square_of(np.array(picture), geometry, 48, filter)
    if geometry.flip[0]:
        actual = actual[:, ::-1]
    assert np.abs(actual - np.asarray(in_turn)).max() <= 2  # each of Pillow's two passes rounds
    assert np.abs(actual - np.asarray(once)).mean() < 0.5


@given(height=st.integers(40, 300), width=st.integers(40, 300), seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_region_is_the_same_square_in_one_step(height: int, width: int, seed: int) -> None:
    """What DALI is told: Pillow's resize of the region equals the resize of the whole and the cut."""
    picture = textured(seed, height, width)
    geometry = centre_geometry(np.array([[height, width]]), 36, 40, squash=False)
    start, end = geometry.region(36)
    square = picture.resize((36, 36), FILTERS["bicubic"], box=(*start[0, ::-1], *end[0, ::-1]))
    actual = square_of(np.array(picture), geometry, 36, "bicubic")
    difference = np.abs(actual - np.asarray(square))
    assert difference.max() <= 2.5 and difference.mean() < 0.5


@pytest.mark.parametrize("reduction", [2, 4, 8])
@pytest.mark.parametrize("odd", [0, 1])
def test_a_reduced_decode_gives_the_square_of_the_full_one(reduction: int, odd: int) -> None:
    """Also where the decoded size is rounded up; with the scale taken from that, the odd ones fail."""
    height, width = 2 * reduction * 40 + odd, 2 * reduction * 50 + 3 * odd
    data = jpeg(textured(7, height, width), quality=97, subsampling=0)
    picture = Image.open(io.BytesIO(data))
    geometry = centre_geometry(np.array([[height, width]]), 36, 40, squash=False)
    assert geometry.reduction[0] == reduction
    reduced = simplejpeg.decode_jpeg(
        data,
        min_height=-(-height // reduction),
        min_width=-(-width // reduction),
        min_factor=reduction,
    )
    assert reduced.shape[:2] == (-(-height // reduction), -(-width // reduction))
    actual = square_of(reduced, geometry, 36, "bicubic", reduction)
    resized = picture.resize(geometry.resized[0, ::-1].tolist(), FILTERS["bicubic"])
    left, top = geometry.offset[0, ::-1].tolist()
    expected = resized.crop((left, top, left + 36, top + 36))
    assert np.abs(actual - np.asarray(expected)).mean() < 0.8


def test_mirroring() -> None:
    picture = np.array(textured(3, 60, 70))
    geometry = centre_geometry(np.array([[60, 70]]), 32, 36, squash=False)
    for filter in FILTERS:
        geometry.flip[0] = False
        plain = square_of(picture, geometry, 32, filter)
        geometry.flip[0] = True
        assert np.array_equal(square_of(picture, geometry, 32, filter), plain[:, ::-1])
        assert not np.array_equal(plain, plain[:, ::-1])


@given(height=st.integers(1, 300), width=st.integers(1, 300), size=st.integers(1, 120))
@settings(max_examples=60, deadline=None)
def test_nearest_squashed_takes_pillows_very_pixels(height: int, width: int, size: int) -> None:
    picture = textured(height, height, width)
    geometry = centre_geometry(np.array([[height, width]]), size, size, squash=True, reduce=False)
    expected = np.asarray(picture.resize((size, size), Image.Resampling.NEAREST))
    assert np.array_equal(square_of(np.array(picture), geometry, size, "nearest"), expected)


def test_a_picture_smaller_than_it_should_be_is_not_read_beyond() -> None:
    geometry = centre_geometry(np.array([[60, 70]]), 32, 36, squash=False)
    with pytest.raises(AssertionError):
        square_of(np.zeros((59, 70, 3), np.uint8), geometry, 32, "bicubic")
