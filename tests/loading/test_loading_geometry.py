from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms.v2 import functional

from arttl.loading.geometry import UNIFORMS, centre_geometry, random_geometry, uniform_numbers

sides = st.integers(1, 400)


@given(height=sides, width=sides, size=st.integers(1, 64), extra=st.integers(0, 32))
@settings(max_examples=150, deadline=None)
def test_the_middle_is_where_torchvision_finds_it(height: int, width: int, size: int, extra: int) -> None:
    if max(height, width) > 4 * min(height, width):
        return
    geometry = centre_geometry(np.array([[height, width]]), size, size + extra, squash=False)
    resized = functional.resize(torch.zeros(1, height, width, dtype=torch.uint8), [size + extra])
    assert geometry.resized[0].tolist() == list(resized.shape[1:])
    indices = torch.arange(resized.numel()).reshape(resized.shape)
    first = int(functional.center_crop(indices, [size])[0, 0, 0])
    assert geometry.offset[0].tolist() == list(divmod(first, resized.shape[2]))
    assert geometry.source[0].tolist() == [0, 0, height, width]
    assert not geometry.flip[0]


def test_squashing_uses_the_whole_picture() -> None:
    geometry = centre_geometry(np.array([[100, 900]]), 40, 50, squash=True)
    assert geometry.source.tolist() == [[0, 0, 100, 900]]
    assert geometry.resized.tolist() == [[50, 50]]
    assert geometry.offset.tolist() == [[5, 5]]


def test_a_very_long_picture_is_trimmed_to_its_middle() -> None:
    geometry = centre_geometry(np.array([[1, 30_000], [30_000, 100]]), 224, 256, squash=False)
    assert geometry.source.tolist() == [[0, 14_998, 1, 4], [14_800, 0, 400, 100]]
    assert geometry.resized.max() <= 4 * 256


@given(
    height=st.integers(1, 5000),
    width=st.integers(1, 5000),
    size=st.integers(1, 300),
    low=st.floats(0.01, 1),
    high=st.floats(0.01, 1),
    seed=st.integers(0, 2**63 - 1),
)
@settings(deadline=None)
def test_crops_lie_in_the_picture_and_reductions_cover_twice(
    height: int, width: int, size: int, low: float, high: float, seed: int
) -> None:
    sizes = np.tile([height, width], (20, 1))
    uniforms = uniform_numbers(seed, 0, np.arange(20), UNIFORMS)
    scale = (min(low, high), max(low, high))
    geometry = random_geometry(sizes, size, scale, (3 / 4, 4 / 3), 0.5, uniforms)
    top, left, used_height, used_width = geometry.source.T
    assert (top >= 0).all() and (left >= 0).all() and (used_height >= 1).all() and (used_width >= 1).all()
    assert (top + used_height <= height).all() and (left + used_width <= width).all()
    for reduction, *part in zip(geometry.reduction.tolist(), top, left, used_height, used_width, strict=True):
        assert reduction in (1, 2, 4, 8)
        assert part[0] % reduction == 0 and part[1] % reduction == 0
        assert reduction == 1 or min(part[2], part[3]) >= 2 * reduction * size
        assert reduction == 8 or min(part[2], part[3]) < 4 * reduction * size


def test_crops_are_drawn_as_torchvision_draws_them() -> None:
    """Means and spreads of area, shape and place, over 6000 crops each."""
    height, width, count, scale, ratio = 300, 500, 6000, (0.1, 0.9), (0.5, 2.0)
    uniforms = uniform_numbers(3, 1, np.arange(count), UNIFORMS)
    ours = random_geometry(np.tile([height, width], (count, 1)), 224, scale, ratio, 0.3, uniforms)
    torch.manual_seed(0)
    picture = torch.zeros(1, height, width)
    theirs = np.array([RandomResizedCrop.get_params(picture, list(scale), list(ratio)) for _ in range(count)])
    for of in (
        lambda source: source[:, 2] * source[:, 3] / (height * width),
        lambda source: np.log(source[:, 3] / source[:, 2]),
        lambda source: source[:, 0] / (height - source[:, 2] + 1),
        lambda source: source[:, 1] / (width - source[:, 3] + 1),
    ):
        a, b = of(ours.source), of(theirs)
        assert abs(a.mean() - b.mean()) < 5 * np.hypot(a.std(), b.std()) / np.sqrt(count)
        assert a.std() == pytest.approx(b.std(), rel=0.05)
    assert ours.flip.mean() == pytest.approx(0.3, abs=0.03)


def test_a_crop_that_never_fits_falls_back_to_the_middle_as_in_torchvision() -> None:
    for height, width in ((10, 1000), (1000, 10), (100, 100)):
        scale, ratio = (1.0, 1.0), (1.2, 1.3)
        geometry = random_geometry(
            np.array([[height, width]]), 8, scale, ratio, 0.0, uniform_numbers(0, 0, np.arange(1), UNIFORMS)
        )
        expected = RandomResizedCrop.get_params(torch.zeros(1, height, width), list(scale), list(ratio))
        assert np.abs(geometry.source[0] - expected).max() <= 1


def test_random_numbers_depend_on_seed_epoch_and_row_alone() -> None:
    rows = np.array([3, 70_000, 12, 12])
    numbers = uniform_numbers(5, 2, rows, 23)
    assert np.array_equal(numbers[1:2], uniform_numbers(5, 2, rows[1:2], 23))
    assert np.array_equal(numbers[2], numbers[3])
    assert np.array_equal(numbers[:, :4], uniform_numbers(5, 2, rows, 4))
    others = [
        uniform_numbers(5, 3, rows, 23),
        uniform_numbers(6, 2, rows, 23),
        uniform_numbers(2, 5, rows, 23),
    ]
    for other in others:
        assert not np.isin(other, numbers).any()


def test_random_numbers_are_uniform_and_independent() -> None:
    count = 40_000
    numbers = uniform_numbers(0, 0, np.arange(count), 3)
    next_epoch = uniform_numbers(0, 1, np.arange(count), 1)
    for column in numbers.T:  # Kolmogorov-Smirnov; 1.95 / sqrt(n) is exceeded once in a thousand draws
        steps = np.arange(1, count + 1) / count
        assert np.abs(np.sort(column) - steps).max() < 1.95 / np.sqrt(count)
    pairs = [
        (numbers[:, 0], numbers[:, 1]),
        (numbers[:, 1], numbers[:, 2]),
        (numbers[:-1, 0], numbers[1:, 0]),
        (numbers[:, 0], next_epoch[:, 0]),
    ]
    for a, b in pairs:
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(count)


@pytest.mark.parametrize("squash", [False, True])
def test_the_middle_of_a_reduced_picture_has_twice_the_squares_side(squash: bool) -> None:
    """Not of the whole that it is cut from: a scan of 947 pixels is halved for a square of 224 out of 256."""
    sizes = np.array([[895, 2000], [896, 2000], [1791, 4000], [1792, 1792], [5000, 3584], [947, 1256]])
    geometry = centre_geometry(sizes, 224, 256, squash=squash)
    assert geometry.reduction.tolist() == [1, 2, 2, 4, 8, 2]
    full = centre_geometry(sizes, 224, 256, squash=squash, reduce=False)
    assert full.reduction.tolist() == [1] * 6


def test_without_reduction_crops_stay_where_they_were_drawn() -> None:
    uniforms = uniform_numbers(0, 0, np.arange(50), UNIFORMS)
    sizes = np.tile([3001, 2003], (50, 1))
    arguments = (sizes, 100, (0.1, 1), (3 / 4, 4 / 3), 0.5, uniforms)
    reduced, full = random_geometry(*arguments), random_geometry(*arguments, reduce=False)
    assert (full.reduction == 1).all() and (reduced.reduction > 1).any()
    moved = full.source[:, :2] - reduced.source[:, :2]
    assert (moved >= 0).all() and (moved < reduced.reduction[:, None]).all()
    assert np.array_equal(full.source[:, 2:], reduced.source[:, 2:])
