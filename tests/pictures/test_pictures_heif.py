"""AVIF and HEIC: what Pillow and libheif read, and the colours and orientation that they leave to us."""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from arttl.picture_headers.bad_pictures import BadPicture
from arttl.picture_headers.heif import read_heif_header
from arttl.picture_headers.profiles import PRIMARIES, rgb_profile
from arttl.pictures.decoding import decode_picture

Make = Callable[..., Image.Image]
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")


def _avif(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "AVIF", **{"quality": 95, "subsampling": "4:4:4", "speed": 9, **options})
    return file.getvalue()


def _heic(picture: Image.Image, **options: object) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    file = io.BytesIO()
    picture.save(file, "HEIF", **{"quality": 95, "chroma": 444, **options})
    return file.getvalue()


def _with_points(data: bytes, primaries: int, transfer: int) -> bytes:
    start = data.index(b"colrnclx") + 8
    return data[:start] + struct.pack(">HH", primaries, transfer) + data[start + 4 :]


def _rgb(data: bytes) -> np.ndarray:
    return np.asarray(decode_picture(data).upright_rgb()).astype(int)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    pixels = pixels.swapaxes(0, 1) if orientation > 4 else pixels
    pixels = pixels[::-1] if orientation in (3, 4, 7, 8) else pixels
    return pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels


@needs_avif
def test_avif(soft_picture: Make) -> None:
    assert np.abs(_rgb(_avif(soft_picture())) - np.asarray(soft_picture())).mean() < 2
    transparent = soft_picture().convert("RGBA")
    transparent.putalpha(0)
    assert (_rgb(_avif(transparent)) == 255).all()
    with pytest.raises(BadPicture, match="too-large"):
        decode_picture(_avif(soft_picture()), max_pixels=96 * 64 - 1)
    large = bytearray(_avif(soft_picture()))
    size = large.index(b"ispe") + 8
    large[size : size + 8] = struct.pack(">II", 17_000, 17_000)  # which libavif refuses to open
    with pytest.raises(BadPicture, match="too-large"):
        decode_picture(bytes(large))
    whole = _avif(soft_picture())
    for kept in (0.3, 0.7):
        with pytest.raises(BadPicture, match="damaged"):
            decode_picture(whole[: int(len(whole) * kept)])


@needs_avif
@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_once(orientation: int, soft_picture: Make) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = _rgb(_avif(soft_picture(40, 24), exif=exif))
    expected = _upright(np.asarray(soft_picture(40, 24)).astype(int), orientation)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 3


@needs_avif
def test_avif_s_code_points_are_applied(soft_picture: Make) -> None:
    plain = _avif(soft_picture())
    assert read_heif_header(plain).profile is None
    wide = _with_points(plain, 12, 13)
    assert read_heif_header(wide).profile == rgb_profile(None, PRIMARIES[12])
    assert np.abs(_rgb(wide) - _rgb(plain)).mean() > 2
    for transfer in (16, 18):
        with pytest.raises(BadPicture, match="high dynamic range") as caught:
            decode_picture(_with_points(plain, 9, transfer))
        assert caught.value.reason == "unsupported-format"
    embedded = _with_points(_avif(soft_picture(), icc_profile=rgb_profile(1.0, None)), 12, 13)
    assert read_heif_header(embedded).profile is None
    assert decode_picture(embedded).icc == rgb_profile(1.0, None)


def test_heic(soft_picture: Make) -> None:
    assert np.abs(_rgb(_heic(soft_picture())) - np.asarray(soft_picture())).mean() < 2
    with pytest.raises(BadPicture, match="too-large"):
        decode_picture(_heic(soft_picture()), max_pixels=96 * 64 - 1)
    whole = _heic(soft_picture())
    for kept in (0.3, 0.7):
        with pytest.raises(BadPicture, match="damaged"):
            decode_picture(whole[: int(len(whole) * kept)])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_is_turned_once(orientation: int, soft_picture: Make) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = _rgb(_heic(soft_picture(64, 48), exif=exif.tobytes()))
    expected = _upright(np.asarray(soft_picture(64, 48)).astype(int), orientation)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 3


def test_heic_without_the_extra_names_the_remedy(soft_picture: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    data = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(40)
    with pytest.raises(BadPicture, match=r"arttl\[heif\]") as caught:
        decode_picture(data)
    assert caught.value.reason == "unsupported-format"


@pytest.mark.parametrize("encode", [pytest.param(_avif, marks=needs_avif), _heic])
def test_no_damage_raises_anything_else(encode: Callable[..., bytes], soft_picture: Make) -> None:
    small = encode(soft_picture(24, 16))

    @settings(max_examples=100, deadline=None)
    @given(data=st.data())
    def damage(data: st.DataObject) -> None:
        whole = bytearray(small)
        for _ in range(data.draw(st.integers(1, 3))):
            whole[data.draw(st.integers(12, len(whole) - 1))] = data.draw(st.integers(0, 255))
        try:
            picture = decode_picture(bytes(whole), max_pixels=100_000).picture
        except BadPicture:
            return
        assert picture.width * picture.height <= 100_000

    damage()
