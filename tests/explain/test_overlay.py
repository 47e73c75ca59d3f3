"""Heat maps as pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from arttl.errors import ArttlError
from arttl.explain.overlay import brightness, colour_table, colourise, contour, difference, overlay

# How deuteranopes and protanopes see linear RGB (Viénot, Brettel and Mollon 1999).
DEUTERANOPIA = np.array([[0.29275, 0.70725, -0.02234], [0.29275, 0.70725, 0.02234], [-0.02233, 0.02233, 1.0]])
PROTANOPIA = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])


def lightness(rgb: np.ndarray, seen_through: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB colours, from the definition."""
    values = rgb / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    luminance = (linear @ seen_through.T).clip(0) @ [0.2126, 0.7152, 0.0722]
    return np.where(luminance > (6 / 29) ** 3, 116 * np.cbrt(luminance) - 16, luminance * (29 / 3) ** 3)


@pytest.mark.parametrize("seen_through", [np.eye(3), DEUTERANOPIA, PROTANOPIA])
def test_the_scale_gets_lighter_evenly_for_every_eye(seen_through):
    light = lightness(colour_table().astype(float), seen_through)
    eighths = np.diff(light[::32])
    assert light[-1] - light[0] > 90
    assert eighths.min() > 6 and eighths.max() < 20


def test_brightness_cuts_the_few_brightest():
    heat = np.linspace(1, 2, 1000).reshape(20, 50)
    heat[0, 0], heat[-1, -1] = 0, 100
    lit = brightness(heat)
    assert lit.dtype == np.float32 and lit.min() == 0 and lit.max() == 1
    assert (lit == 1).mean() == pytest.approx(0.01, abs=0.002)
    assert brightness(heat, brightest=100)[10, 10] < 0.02
    few = np.zeros((20, 20))
    few[3, 3] = 5  # less than the percent that is cut
    assert brightness(few)[3, 3] == 1 and brightness(few).sum() == 1
    assert (brightness(np.full((3, 3), 7.0)) == 0).all()


def test_colourise_maps_the_ends_of_the_scale():
    heat = np.array([[0.0, 0.5, 1.0]])
    colours = colourise(heat, brightest=100)
    assert colours.dtype == np.uint8 and colours.shape == (1, 3, 3)
    table = colour_table()
    assert (colours[0] == table[[0, 128, 255]]).all()


def test_overlay_shows_the_picture_in_grey_below_the_colours():
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    heat = np.zeros((40, 60))
    heat[:, 30:] = 1
    found = overlay(picture, heat, strength=1).astype(float)
    assert found.shape == picture.shape
    grey = np.asarray(Image.fromarray(picture).convert("L"), dtype=float)
    expected = 0.7 * grey[:, :30, None] + 0.3 * colour_table()[0]
    np.testing.assert_allclose(found[:, :30], expected, atol=0.51)
    np.testing.assert_allclose(found[:, 30:], np.broadcast_to(colour_table()[255], (40, 30, 3)), atol=0.51)
    assert (overlay(picture, heat, strength=0) == grey[:, :, None]).all()


def test_a_smaller_map_is_enlarged_in_place():
    heat = np.zeros((4, 6), dtype=np.float32)
    heat[1, 4] = 1
    found = overlay(np.zeros((80, 120, 3), np.uint8), heat).sum(2)
    assert found[30, 90] == found.max() > 400  # the middle of the map's pixel
    assert found[:9].max() < 10


def test_contours_run_around_what_was_looked_at_and_leave_the_rest():
    picture = np.random.default_rng(0).integers(60, 200, (200, 200, 3), dtype=np.uint8)
    y, x = np.mgrid[:200, :200] - 100
    distance = np.hypot(y, x)
    found = contour(picture, np.clip(1 - distance / 80, 0, 1), brightest=100)  # a cone
    changed = (found != picture).any(2)
    # The level v of the cone is a circle of radius 80 (1 - v): a ray from the middle crosses the three.
    crossings = np.flatnonzero(np.diff(changed[100, 100:].astype(int)) == 1) + 1
    np.testing.assert_allclose(crossings, [8, 32, 56], atol=5)
    assert not changed[distance > 64].any() and 0.01 < changed.mean() < 0.1
    assert (contour(picture, np.zeros((200, 200))) == picture).all()


def test_a_difference_has_a_colour_for_each_side():
    picture = np.full((20, 60, 3), 128, np.uint8)
    first, second = np.zeros((20, 60)), np.zeros((20, 60))
    first[:, :20] = second[:, 40:] = 1
    found = difference(picture, first, second, strength=1)
    left, middle, right = found[5, 5].astype(int), found[5, 30], found[5, 55].astype(int)
    assert left[2] > left[0] + 100 and right[0] > right[2] + 100  # blue, orange
    assert (middle == 128).all()
    light = [lightness(colour[None, None].astype(float), DEUTERANOPIA).item() for colour in (left, right)]
    assert abs(light[0] - light[1]) > 20  # told apart without hues


@pytest.mark.parametrize(
    ("picture", "heat", "sentence"),
    [
        (np.zeros((4, 4, 3)), np.zeros((4, 4)), "a picture must be .* not .4, 4, 3. float64"),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4)), "a picture must be"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4, 4)), "one finite map"),
        (np.zeros((4, 4, 3), np.uint8), np.full((4, 4), np.nan), "with 16 values that are not finite"),
    ],
)
def test_what_is_no_picture_or_map_is_one_sentence(picture, heat, sentence):
    with pytest.raises(ArttlError, match=sentence):
        overlay(picture, heat)
