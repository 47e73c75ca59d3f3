"""How colours are changed, against torchvision, colorsys and double precision."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loading_pictures import textured
from torchvision.transforms.v2 import functional as F

from arttl.loading import Augment, Preprocess, _torch_twin
from arttl.loading.color import COLOR_UNIFORMS, ColorChange, random_color
from arttl.loading.geometry import UNIFORMS, uniform_numbers

PIXELS = np.random.default_rng(0).integers(0, 256, (500, 3)).astype(np.float64)


def changed(
    pixels: np.ndarray, brightness: float = 1, contrast: float = 1, saturation: float = 1, hue: float = 0
) -> np.ndarray:
    change = ColorChange(
        *(np.array([value], np.float32) for value in (brightness, contrast, saturation, hue))
    )
    (matrix,) = change.matrices().astype(np.float64)
    return pixels @ matrix[:, :3].T + matrix[:, 3]


def test_no_change_is_none() -> None:
    assert changed(PIXELS) == pytest.approx(PIXELS, abs=1e-4)


@given(factor=st.floats(0, 2))
@settings(deadline=None)
def test_brightness_and_saturation_are_torchvisions(factor: float) -> None:
    """Its saturation blends with the grey of luma 0.2989, 0.587, 0.114; ours, as DALI, rounds YIQ to three digits."""
    picture = torch.from_numpy(PIXELS.T[:, None] / 255).float()
    actual = [changed(PIXELS, brightness=factor), changed(PIXELS, saturation=factor)]
    expected = [F.adjust_brightness(picture, factor), F.adjust_saturation(picture, factor)]
    for ours, theirs in zip(actual, expected, strict=True):
        assert np.abs(ours.clip(0, 255) - 255 * theirs[:, 0].T.numpy()).max() < 0.8


@given(factor=st.floats(0, 2), brightness=st.floats(0, 2))
@settings(deadline=None)
def test_contrast_is_about_middle_grey(factor: float, brightness: float) -> None:
    expected = ((PIXELS - 128) * factor + 128) * brightness
    assert changed(PIXELS, brightness, factor) == pytest.approx(expected, abs=1e-3)


@given(angle=st.floats(-180, 180))
@settings(deadline=None)
def test_hue_turns_colours_and_leaves_greys_and_luma(angle: float) -> None:
    greys = np.repeat(np.arange(0.0, 256.0, 5)[:, None], 3, axis=1)
    assert changed(greys, hue=angle) == pytest.approx(greys, abs=1.5)
    luma = np.array([0.299, 0.587, 0.114])
    assert changed(PIXELS, hue=angle) @ luma == pytest.approx(PIXELS @ luma, abs=1e-3)
    back = changed(changed(PIXELS, hue=angle), hue=-angle)
    assert back == pytest.approx(PIXELS, abs=1e-3)


def test_hue_turns_the_way_of_the_colour_circle() -> None:
    """Red by a third of a turn is green, as HSV has it; YIQ's circle is not HSV's, so only the winner is compared."""
    assert changed(np.array([[200.0, 40, 40]]), hue=120).argmax() == np.argmax(
        colorsys.hsv_to_rgb(1 / 3, 0.8, 200 / 255)
    )
    assert changed(np.array([[200.0, 40, 40]]), hue=-120).argmax() == 2  # blue


def test_draws_are_uniform_between_their_ends() -> None:
    uniforms = uniform_numbers(0, 0, np.arange(20_000), UNIFORMS + COLOR_UNIFORMS)[:, UNIFORMS:]
    change = random_color(0.4, 0.2, 1.5, 0.1, uniforms)
    for values, low, high in (
        (change.brightness, 0.6, 1.4),
        (change.contrast, 0.8, 1.2),
        (change.saturation, 0.0, 2.5),
        (change.hue, -36.0, 36.0),
    ):
        assert low <= values.min() and values.max() <= high
        shares = np.histogram(values, 10, (low, high))[0] / len(values)
        assert np.abs(shares - 0.1).max() < 0.01
    pairs = np.corrcoef([change.brightness, change.contrast, change.saturation, change.hue])
    assert np.abs(pairs - np.eye(4)).max() < 0.03


def test_what_is_not_asked_for_does_not_vary() -> None:
    uniforms = uniform_numbers(0, 0, np.arange(100), COLOR_UNIFORMS)
    assert Preprocess().color_change(uniforms) is None
    assert Preprocess(augment=Augment()).color_change(uniforms) is None
    change = Preprocess(augment=Augment(contrast=0.3)).color_change(uniforms)
    assert change is not None
    assert set(change.brightness) == set(change.saturation) == {1.0} and set(change.hue) == {0.0}
    assert len(set(change.contrast.tolist())) == 100


def test_the_twin_changes_colours_after_the_resize_and_cuts_off() -> None:
    picture = torch.from_numpy(np.array(textured(1, 40, 40)))
    change = random_color(0.5, 0.5, 0.5, 0.2, np.full((1, COLOR_UNIFORMS), 0.95))
    color = change.matrices().reshape(-1).tolist()
    grey = ((0.0,) * 3, (1 / 255,) * 3, torch.float64)
    square = ([0, 0, 40, 40], [0.0, 0.0], [2.0, 2.0], 20, "bicubic", False)
    plain = _torch_twin.crop_resize_normalise(picture, *square, [], *grey).reshape(-1, 3).numpy()
    actual = _torch_twin.crop_resize_normalise(picture, *square, color, *grey).reshape(-1, 3).numpy()
    matrix = np.array(color).reshape(3, 4)
    expected = plain @ matrix[:, :3].T + matrix[:, 3]
    assert (expected > 255).any() and (expected < 0).any()
    assert actual == pytest.approx(expected.clip(0, 255), abs=1e-6)
