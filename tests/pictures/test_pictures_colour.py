"""Colour profiles, against the arithmetic of ICC matrix profiles in double precision."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from arttl.pictures.colour import is_srgb, to_srgb
from arttl.pictures.decoding import read_picture
from arttl.pictures.storing import stored_picture

# Chromatically adapted (Bradford) to D50, rows X Y Z; Lindbloom's tables, http://brucelindbloom.com.
_ADOBE_RGB = np.array(
    [[0.6097559, 0.2052401, 0.1492240], [0.3111242, 0.6256560, 0.0632197], [0.0194811, 0.0608902, 0.7448387]]
)
_SRGB = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
_D50 = (0.9642, 1.0, 0.8249)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A version 2 display profile of the given tags (ICC.1:2001-04)."""
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", offset, len(data))
        body += data
        offset += len(data)
    header = struct.pack(">I4sI4s4s4s", offset, b"lcms", 0x02400000, b"mntr", space, b"XYZ ")
    header += struct.pack(
        ">6H4s4sII4s4sII", 2024, 1, 1, 0, 0, 0, b"acsp", bytes(4), 0, 0, bytes(4), bytes(4), 0, 0
    )
    header += bytes(68 - len(header)) + struct.pack(">I", 0) + _fixed(*_D50)
    return header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + table + body


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _gamma(exponent: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(exponent * 256))


def _text(text: str) -> bytes:
    return b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text.encode() + bytes(79)


def _rgb_profile(matrix: np.ndarray, exponent: float) -> bytes:
    tags = {
        b"desc": _text("test"),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + _fixed(*_D50),
    }
    for column, name in enumerate((b"r", b"g", b"b")):
        tags[name + b"XYZ"] = b"XYZ " + bytes(4) + _fixed(*matrix[:, column])
        tags[name + b"TRC"] = _gamma(exponent)
    return _profile(b"RGB ", tags)


def _grey_profile(exponent: float) -> bytes:
    return _profile(
        b"GRAY",
        {
            b"desc": _text("grey"),
            b"cprt": b"text" + bytes(4) + b"none\0",
            b"wtpt": b"XYZ " + bytes(4) + _fixed(*_D50),
            b"kTRC": _gamma(exponent),
        },
    )


def _expected(pixels: np.ndarray, matrix: np.ndarray, exponent: float) -> np.ndarray:
    """Linear light, to sRGB's primaries, to sRGB's curve (IEC 61966-2-1); out of gamut is clipped."""
    linear = (pixels / 255.0) ** exponent
    rgb = np.clip(linear @ matrix.T @ np.linalg.inv(_SRGB).T, 0, 1)
    return 255 * np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)


_ADOBE = _rgb_profile(_ADOBE_RGB, 2.19921875)


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_adobe_rgb_is_converted(
    suffix: str, tmp_path: Path, soft_picture: Callable[..., Image.Image]
) -> None:
    picture = soft_picture()
    options = {"lossless": True} if suffix == "webp" else {}
    picture.save(tmp_path / f"a.{suffix}", icc_profile=_ADOBE, **options)
    found = read_picture(tmp_path / f"a.{suffix}").astype(float)
    expected = _expected(np.asarray(picture), _ADOBE_RGB, 2.19921875)
    assert np.abs(found - expected).max() <= 2
    assert np.abs(found - np.asarray(picture)).mean() > 4  # it was not a no-op


def test_a_jpeg_s_profile_is_honoured(
    tmp_path: Path, soft_picture: Callable[..., Image.Image], jpeg_bytes: Callable[..., bytes]
) -> None:
    plain, tagged = tmp_path / "plain.jpg", tmp_path / "tagged.jpg"
    plain.write_bytes(jpeg_bytes(soft_picture()))
    tagged.write_bytes(jpeg_bytes(soft_picture(), icc_profile=_ADOBE))
    expected = _expected(read_picture(plain), _ADOBE_RGB, 2.19921875)
    assert np.abs(read_picture(tagged) - expected).max() <= 2


def test_a_jpeg_with_another_profile_is_stored_converted(
    soft_picture: Callable[..., Image.Image], jpeg_bytes: Callable[..., bytes]
) -> None:
    data = jpeg_bytes(soft_picture(), icc_profile=_ADOBE)
    stored = Image.open(io.BytesIO(stored_picture(data, max_side=512, max_pixels=10**8).jpeg))
    assert "icc_profile" not in stored.info
    expected = _expected(np.asarray(Image.open(io.BytesIO(data))), _ADOBE_RGB, 2.19921875)
    assert np.abs(np.asarray(stored) - expected).mean() < 2


def test_grey_profile(tmp_path: Path) -> None:
    ramp = Image.linear_gradient("L")
    ramp.save(tmp_path / "a.png", icc_profile=_grey_profile(1.75))
    found = read_picture(tmp_path / "a.png").astype(float)
    linear = (np.asarray(ramp) / 255.0) ** 1.75
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(found - expected[..., None]).max() <= 2
    assert np.abs(found - np.asarray(ramp)[..., None]).mean() > 8  # it was not a no-op


def test_lab_tiff(tmp_path: Path, soft_picture: Callable[..., Image.Image]) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(soft_picture(), srgb, lab, outputMode="LAB")
    converted.save(tmp_path / "a.tif")
    difference = np.abs(read_picture(tmp_path / "a.tif").astype(float) - np.asarray(soft_picture()))
    assert difference.mean() < 2  # 8-bit Lab is coarse


def test_what_counts_as_srgb() -> None:
    assert is_srgb(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert not is_srgb(_ADOBE)
    assert not is_srgb(_grey_profile(2.2))
    assert not is_srgb(b"nonsense")


@pytest.mark.parametrize(
    "profile", [b"nonsense", _ADOBE[:200], _grey_profile(1.0)], ids=["noise", "cut", "other"]
)
def test_profiles_that_do_not_fit_are_ignored(
    profile: bytes, soft_picture: Callable[..., Image.Image]
) -> None:
    assert np.array_equal(np.asarray(to_srgb(soft_picture(), profile)), np.asarray(soft_picture()))


def test_profiles_are_what_littlecms_reads() -> None:
    """The profiles of these tests are sound: another reader finds in them what was put in."""
    found = ImageCms.ImageCmsProfile(io.BytesIO(_ADOBE)).profile
    assert found.xcolor_space == "RGB "
    assert np.allclose(found.red_colorant[0], _ADOBE_RGB[:, 0], atol=1e-4)
