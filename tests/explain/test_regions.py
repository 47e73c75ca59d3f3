"""Boxes of maps, in the pixels of pictures that were turned, scaled and cropped before they were mapped."""

from __future__ import annotations

import io
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from arttl.explain.regions import region_on, same_proportions, strongest_box
from arttl.loading import Preprocess
from arttl.pictures.decoding import decode_picture
from arttl.pictures.storing import stored_picture

# What a reader does to a file with an EXIF orientation; the inverse turns an upright picture into such a file.
_INVERSE = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def file_of(upright: Image.Image, orientation: int) -> bytes:
    """A JPEG that shows the picture once its orientation is applied."""
    turned = upright if _INVERSE[orientation] is None else upright.transpose(_INVERSE[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = io.BytesIO()
    turned.save(data, "JPEG", quality=95, subsampling=0, exif=exif)
    return data.getvalue()


def visible(length: int, other: int, preprocess: Preprocess) -> tuple[float, float]:
    """What of an axis the network sees, by the words of `Preprocess`: the middle of the picture."""
    side = length if preprocess.fit == "squash" else min(length, other)
    seen = side * preprocess.size / preprocess.resize_to
    return (length - seen) / 2, (length + seen) / 2


@settings(max_examples=150, deadline=None)
@given(
    width=st.integers(60, 900),
    height=st.integers(60, 900),
    orientation=st.integers(1, 8),
    corners=st.tuples(*[st.floats(0.0, 1.0)] * 4),
    size=st.sampled_from([32, 64, 97, 224]),
    crop_pct=st.sampled_from([0.5, 0.875, 0.95, 1.0]),
    fit=st.sampled_from(["crop", "squash"]),
    max_side=st.sampled_from([0, 120, 200]),
    enlarged=st.sampled_from([0.5, 1.0, 3.7]),
)
def test_a_region_is_where_the_box_is_in_the_upright_picture(
    width, height, orientation, corners, size, crop_pct, fit, max_side, enlarged
) -> None:
    preprocess = Preprocess(size=size, crop_pct=crop_pct, fit=fit, filter="bilinear")
    seen = [visible(width, height, preprocess), visible(height, width, preprocess)]
    drawn = []
    for (first, last), length, pair in zip(seen, (width, height), (corners[:2], corners[2:]), strict=True):
        low, high = sorted(pair)
        span = (last - first) * (0.3 + 0.5 * (high - low))
        begin = first + (last - first - span) * low
        drawn.append((max(0, round(begin)), min(length, round(begin + span))))
    (left, right), (top, bottom) = drawn
    picture = Image.new("RGB", (width, height))
    picture.paste((255, 255, 255), (left, top, right, bottom))
    data = file_of(picture, orientation)
    if max_side:  # as packing stores it
        data = stored_picture(data, max_side=max_side, max_pixels=10**7).jpeg
    read = decode_picture(data).upright_rgb()
    assume(min(read.size) >= 40)  # else the box may be less than a pixel
    assert same_proportions((width, height), (round(width * enlarged), round(height * enlarged)))

    square = preprocess.denormalise(preprocess.apply(np.array(read))[None])[0].mean(2) > 127
    rows, columns = np.flatnonzero(square.any(1)), np.flatnonzero(square.any(0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    target = round(width * enlarged), round(height * enlarged)
    region = region_on(target, read.size, preprocess, square.shape, box)
    for axis, (begin, length) in enumerate(((region.x, region.width), (region.y, region.height))):
        assert 0 <= begin < begin + length <= target[axis]
        cell = (seen[axis][1] - seen[axis][0]) / size * enlarged  # of the map, in units of the target
        stored = (width, height)[axis] / read.size[axis] * enlarged  # a pixel of the stored picture, likewise
        expected = np.clip(np.array(drawn[axis]) * enlarged, 0, target[axis])
        assert np.abs(np.array([begin, begin + length]) - expected).max() <= 1.5 * cell + 1.5 * stored + 2


def test_the_whole_map_of_a_picture_that_is_not_cropped_is_the_whole_target() -> None:
    whole = region_on(
        (4000, 2500), (400, 250), Preprocess(size=64, crop_pct=1.0, fit="squash"), (64, 64), (0, 0, 64, 64)
    )
    assert (whole.x, whole.y, whole.width, whole.height) == (0, 0, 4000, 2500)


def parts_by_hand(values: np.ndarray, weakest: float) -> list[set[tuple[int, int]]]:
    """Connected cells of at least a value, corners included."""
    remaining = {cell for cell in product(*map(range, values.shape)) if values[cell] >= weakest}
    parts = []
    while remaining:
        part, edge = set(), [remaining.pop()]
        while edge:
            y, x = edge.pop()
            part.add((y, x))
            near = {(y + dy, x + dx) for dy, dx in product((-1, 0, 1), repeat=2)} & remaining
            remaining -= near
            edge += near
        parts.append(part)
    return parts


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    height=st.integers(3, 24),
    width=st.integers(3, 24),
    mass=st.floats(0.05, 0.95),
)
def test_the_strongest_part_against_its_definition(seed: int, height: int, width: int, mass: float) -> None:
    heat = np.random.default_rng(seed).integers(0, 6, (height, width)).astype(np.float32)
    if not heat.any():
        assert strongest_box(heat, mass) is None
        return
    smooth = gaussian_filter(heat.astype(np.float64), max(heat.shape) / 50, mode="nearest")
    total, held = smooth.sum(), 0.0
    for value in sorted(smooth.ravel(), reverse=True):
        held += value
        if held >= mass * total:
            break
    parts = parts_by_hand(smooth, value)
    sums = [sum(smooth[cell] for cell in part) for part in parts]
    best = parts[int(np.argmax(sums))]
    if sorted(sums)[-2:] != [max(sums)] * 2:
        ys, xs = zip(*best, strict=True)
        assert strongest_box(heat, mass) == (min(xs), min(ys), max(xs) + 1, max(ys) + 1)


def test_the_larger_of_two_parts_and_no_part_of_nothing() -> None:
    heat = np.zeros((100, 100), np.float32)
    heat[10:30, 60:90] = 1
    heat[70:80, 5:15] = 1
    left, top, right, bottom = strongest_box(heat, 0.9)
    assert max(abs(left - 60), abs(right - 90), abs(top - 10), abs(bottom - 30)) <= 2
    assert strongest_box(np.zeros((4, 4), np.float32), 0.5) is None


@pytest.mark.parametrize(
    ("picture", "target", "same"),
    [
        ((400, 250), (4000, 2500), True),
        ((512, 341), (6000, 4000), True),  # 341.33, rounded when it was stored
        ((400, 250), (2500, 4000), False),  # turned
        ((400, 250), (4000, 2700), False),  # with a colour chart
        ((3, 1000), (300, 100000), True),
        ((61, 103), (30, 52), True),  # half of it, both sides rounded
        ((61, 103), (30, 55), False),
    ],
)
def test_whether_a_target_shows_the_same(picture, target, same: bool) -> None:
    assert same_proportions(picture, target) is same
