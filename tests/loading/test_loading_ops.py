"""The loader's compiled kernel against its plain-torch twin, and the operator against torch's own checks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loading_pictures import textured

from arttl.loading import _torch_twin as twin
from arttl.loading import ops

HALF, GREY = (0.5, 0.5, 0.5), ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))


def noise(seed: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=generator)


@st.composite
def squares(draw: st.DrawFn) -> tuple[object, ...]:
    """A picture of noise, some part of it, and a square in the part."""
    sides = [draw(st.integers(1, 150)), draw(st.integers(1, 150))]
    corner = [draw(st.integers(0, side - 1)) for side in sides]
    end = [draw(st.integers(first + 1, side)) for first, side in zip(corner, sides, strict=True)]
    size = draw(st.integers(1, 70))
    start, step = [], []
    for first, last in zip(corner, end, strict=True):
        share, position = draw(st.floats(0.05, 1)), draw(st.floats(0, 1))
        start.append(first + (1 - share) * position * (last - first))
        step.append(share * (last - first) / size)
    picture = noise(draw(st.integers(0, 99)), *sides)
    filter = draw(st.sampled_from(["nearest", "bilinear", "bicubic"]))
    color = draw(st.just([]) | st.lists(st.floats(-3, 3), min_size=12, max_size=12))
    return (
        picture,
        [*corner, *end],
        start,
        step,
        size,
        filter,
        draw(st.booleans()),
        color,
        *GREY,
        torch.float32,
    )


@given(squares())
@settings(max_examples=200, deadline=None)
def test_any_square_equals_the_twins(square: tuple) -> None:
    actual, expected = ops.crop_resize_normalise(*square), twin.crop_resize_normalise(*square)
    assert actual.shape == expected.shape and actual.dtype == torch.float32 and actual.is_contiguous()
    difference = (actual - expected).abs()
    if square[5] == "nearest":  # centres on the line between two pixels may fall to either side
        assert (difference > 0.01).float().mean() < 0.2
    else:
        gain = max((sum(map(abs, square[7][4 * c : 4 * c + 3])) for c in range(3) if square[7]), default=1.0)
        assert difference.max() < 0.1 * max(gain, 1)  # grey levels: weights in 1/16384


@pytest.mark.parametrize("filter", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", [(473, 628), (901, 900), (200, 9000), (7000, 3), (20, 20)])
def test_large_and_long_pictures_equal_the_twins(filter: str, shape: tuple[int, int]) -> None:
    """Whole stripes and chunks of bytes, hundreds of taps, and lines of more bytes than a stripe."""
    picture = torch.from_numpy(np.array(textured(1, *shape)))
    step = [side / 61 for side in shape]
    arguments = (picture, [0, 0, *shape], [0.0, 0.0], step, 61, filter, True, [], *GREY, torch.float32)
    difference = (ops.crop_resize_normalise(*arguments) - twin.crop_resize_normalise(*arguments)).abs()
    assert difference.max() < 0.2


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255])
def test_a_flat_picture_stays_flat(value: int) -> None:
    picture = torch.full((333, 517, 3), value, dtype=torch.uint8)
    for filter in ops.FILTERS:
        actual = ops.crop_resize_normalise(
            picture, [3, 5, 330, 500], [3.0, 5.0], [1.7, 2.3], 190, filter, False, [], *GREY, torch.float32
        )
        assert (actual - value).abs().max() < 1e-4


@given(seed=st.integers(0, 1000), size=st.integers(1, 80))
@settings(max_examples=30, deadline=None)
def test_bfloat16_is_the_float32_rounded(seed: int, size: int) -> None:
    picture = noise(seed, 90, 100)
    arguments = (picture, [0, 0, 90, 100], [0.0, 0.0], [90 / size, 100 / size], size, "bicubic", False, [])
    colours = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    exact = ops.crop_resize_normalise(*arguments, *colours, torch.float32)
    assert torch.equal(
        ops.crop_resize_normalise(*arguments, *colours, torch.bfloat16), exact.to(torch.bfloat16)
    )


def test_nothing_outside_the_part_is_read() -> None:
    inside = noise(0, 63, 79)  # no centre of 24 lies between two pixels
    framed = torch.full((84, 110, 3), 255, dtype=torch.uint8)
    framed[10:73, 15:94] = inside
    for filter in ops.FILTERS:
        rest = (24, filter, False, [], *GREY, torch.float32)
        alone = ops.crop_resize_normalise(inside, [0, 0, 63, 79], [0.0, 0.0], [63 / 24, 79 / 24], *rest)
        actual = ops.crop_resize_normalise(framed, [10, 15, 73, 94], [10.0, 15.0], [63 / 24, 79 / 24], *rest)
        torch.testing.assert_close(actual, alone)


def test_a_view_that_is_not_contiguous_is_read_right() -> None:
    picture = noise(3, 50, 120)
    rest = ([0, 0, 50, 60], [0.0, 0.0], [2.0, 2.0], 25, "bilinear", False, [], *GREY, torch.float32)
    view = picture[:, ::2]
    assert torch.equal(
        ops.crop_resize_normalise(view, *rest), ops.crop_resize_normalise(view.contiguous(), *rest)
    )


def test_opcheck() -> None:
    for dtype in ops.DTYPES:
        arguments = (
            noise(0, 40, 50),
            [0, 0, 40, 50],
            [0.0, 0.0],
            [2.0, 2.5],
            20,
            "bicubic",
            True,
            [0.5] * 12,
            HALF,
            HALF,
        )
        torch.library.opcheck(ops.crop_resize_normalise, (*arguments, dtype))


@pytest.mark.parametrize(
    "change",
    [
        {"picture": torch.zeros(40, 50, 3)},
        {"picture": torch.zeros(40, 50, 4, dtype=torch.uint8)},
        {"part": [0, 0, 41, 50]},
        {"part": [-1, 0, 40, 50]},
        {"part": [5, 0, 5, 50]},
        {"start": [-3.0, 0.0]},
        {"start": [float("nan"), 0.0]},
        {"step": [2.5, 2.5]},
        {"step": [-1.0, 2.5]},
        {"size": 0},
        {"filter": "lanczos"},
        {"dtype": torch.float16},
        {"color": [1.0] * 9},
    ],
)
def test_what_the_kernel_cannot_do_is_refused(change: dict[str, object]) -> None:
    arguments = {
        "picture": noise(0, 40, 50),
        "part": [0, 0, 40, 50],
        "start": [0.0, 0.0],
        "step": [2.0, 2.5],
        "size": 20,
        "filter": "bicubic",
        "flip": False,
        "color": [],
        "mean": HALF,
        "std": HALF,
        "dtype": torch.float32,
    }
    ops.run_crop_resize_normalise(**arguments)
    with pytest.raises(ValueError, match=r"picture|square|colours"):
        ops.run_crop_resize_normalise(**{**arguments, **change})


@given(
    part=st.lists(st.sampled_from([-(2**63), -1, 0, 1, 7, 9, 2**31, 2**64]), min_size=4, max_size=4),
    start=st.lists(st.floats(-2, 12) | st.floats(), min_size=2, max_size=2),
    step=st.lists(st.floats(0, 9) | st.floats(), min_size=2, max_size=2),
    size=st.sampled_from([-1, 0, 1, 2, 20]),
    filter=st.sampled_from(["nearest", "bilinear", "bicubic"]),
)
@settings(max_examples=200, deadline=None)
def test_any_square_is_computed_or_refused(
    part: list[int], start: list[float], step: list[float], size: int, filter: str
) -> None:
    """Never an address outside the picture; run with the sanitisers as well."""
    for given_part in (part, [0, 0, 7, 9]):
        arguments = (noise(0, 7, 9), given_part, start, step, size, filter, False, [], *GREY, torch.float32)
        try:
            square = ops.run_crop_resize_normalise(*arguments)
        except (ValueError, TypeError):
            continue
        assert square.isfinite().all()
