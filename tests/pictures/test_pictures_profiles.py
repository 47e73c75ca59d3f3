"""Profiles made from chromaticities, against published matrices and LittleCMS."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ImageCms

from arttl.picture_headers.profiles import PRIMARIES, SRGB, grey_profile, of_code_points, rgb_profile
from arttl.pictures.colour import is_srgb

# Chromatically adapted (Bradford) to D50; Lindbloom's tables, http://brucelindbloom.com: ITU-R BT.2020 by his formula.
_ADOBE_RGB = [
    [0.6097559, 0.2052401, 0.1492240],
    [0.3111242, 0.6256560, 0.0632197],
    [0.0194811, 0.0608902, 0.7448387],
]


def test_matrix_of_adobe_rgb_is_the_published_one() -> None:
    colours = SRGB._replace(green=(0.21, 0.71))
    profile = rgb_profile(2.19921875, colours)
    assert profile is not None
    read = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    columns = [read.red_colorant[0], read.green_colorant[0], read.blue_colorant[0]]
    assert np.allclose(np.transpose(columns), _ADOBE_RGB, atol=5e-4)
    assert read.xcolor_space == "RGB "


def test_srgb_made_by_hand_is_srgb() -> None:
    assert rgb_profile(None, SRGB) is None
    assert rgb_profile(2.2, None) is None
    assert grey_profile(2.2) is None
    almost = rgb_profile(None, SRGB._replace(red=(0.645, 0.33)))
    assert almost is not None
    assert not is_srgb(rgb_profile(1.0, None) or b"")


@pytest.mark.parametrize("primaries", sorted(PRIMARIES))
def test_every_set_of_primaries_has_its_white(primaries: int) -> None:
    """The columns of the matrix sum up to D50, which is white in every profile."""
    profile = rgb_profile(1.0, PRIMARIES[primaries])
    assert profile is not None
    read = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    white = np.sum([read.red_colorant[0], read.green_colorant[0], read.blue_colorant[0]], axis=0)
    assert np.allclose(white, [0.9642, 1.0, 0.8249], atol=1e-3)


def test_code_points() -> None:
    assert of_code_points(1, 13) == (None, SRGB)
    assert of_code_points(2, 2) == (None, None)
    assert of_code_points(12, 4)[0] == 2.2
    for points in ((9, 16), (9, 18), (3, 13), (1, 12), (200, 13)):
        with pytest.raises(ValueError, match=r"high dynamic range|primaries|transfer"):
            of_code_points(*points)
