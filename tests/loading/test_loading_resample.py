from __future__ import annotations

import io

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from loading_pictures import jpeg, textured
from PIL import Image

from arttl.loading.geometry import UNIFORMS, centre_geometry, random_geometry, uniform_numbers
from arttl.loading.resample import cut_square, normalise

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@given(
    height=st.integers(20, 300),
    width=st.integers(20, 300),
    seed=st.integers(0, 10_000),
    filter=st.sampled_from(["bilinear", "bicubic"]),
)
@settings(max_examples=40, deadline=None)
def test_random_squares_equal_pillows(height: int, width: int, seed: int, filter: str) -> None:
    picture = textured(seed, height, width)
    uniforms = uniform_numbers(seed, 0, np.arange(1), UNIFORMS)
    geometry = random_geometry(np.array([[height, width]]), 48, (0.1, 1), (0.5, 2), 0.5, uniforms)
    top, left, used_height, used_width = geometry.source[0].tolist()
    expected = picture.crop((left, top, left + used_width, top + used_height)).resize(
        (48, 48), FILTERS[filter]
    )
    if geometry.flip[0]:
        expected = expected.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    found = cut_square(np.array(picture), geometry, 0, 48, filter, reduction=1)
    difference = np.abs(found.astype(int) - np.asarray(expected).astype(int))
    assert difference.max() <= 2 and difference.mean() < 0.5  # each of the two passes rounds to bytes


@given(height=st.integers(40, 300), width=st.integers(40, 300), seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_region_is_the_same_square_in_one_step(height: int, width: int, seed: int) -> None:
    """What DALI is told: Pillow's resize of the region equals the resize of the whole and the cut."""
    picture = textured(seed, height, width)
    geometry = centre_geometry(np.array([[height, width]]), 36, 40, squash=False)
    start, end = geometry.region(36)
    square = picture.resize((36, 36), FILTERS["bicubic"], box=(*start[0, ::-1], *end[0, ::-1]))
    found = cut_square(np.array(picture), geometry, 0, 36, "bicubic", reduction=1)
    difference = np.abs(found.astype(int) - np.asarray(square).astype(int))
    assert difference.max() <= 2 and difference.mean() < 0.5


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
    found = cut_square(reduced, geometry, 0, 36, "bicubic", reduction)
    resized = picture.resize(geometry.resized[0, ::-1].tolist(), FILTERS["bicubic"])
    left, top = geometry.offset[0, ::-1].tolist()
    expected = resized.crop((left, top, left + 36, top + 36))
    assert np.abs(found.astype(int) - np.asarray(expected).astype(int)).mean() < 0.8


def test_mirroring() -> None:
    picture = np.array(textured(3, 60, 70))
    geometry = centre_geometry(np.array([[60, 70]]), 32, 36, squash=False)
    plain = cut_square(picture, geometry, 0, 32, "bicubic", 1)
    geometry.flip[0] = True
    assert np.array_equal(cut_square(picture, geometry, 0, 32, "bicubic", 1), plain[:, ::-1])
    assert not np.array_equal(plain, plain[:, ::-1])


def test_normalise_equals_double_precision() -> None:
    square = np.random.default_rng(0).integers(0, 256, (17, 17, 3), dtype=np.uint8)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    out = np.full((17, 17, 3), np.nan, np.float32)
    normalise(square, mean, std, out)
    assert np.abs(out - (square / 255 - np.array(mean)) / np.array(std)).max() < 2e-6
