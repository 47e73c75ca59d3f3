"""Colours and transparent colours of PNG, against the formulas of its specification."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from arttl.picture_headers.bad_pictures import BadPicture
from arttl.picture_headers.png import read_png_header
from arttl.pictures.decoding import decode_picture

_SRGB_CHROMATICITIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
_ADOBE_CHROMATICITIES = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
# IEC 61966-2-1 and Adobe RGB (1998), 4.3.5.3, both relative to D65.
_SRGB = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_ADOBE = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(levels: np.ndarray, bits: int, colour_type: int, **chunks: bytes) -> bytes:
    """Levels [H, W, S] with the given chunks before the pixels."""
    height, width = levels.shape[:2]
    if bits == 16:
        rows = levels.astype(">u2").reshape(height, -1).view(np.uint8)
    else:
        single = (levels.reshape(height, -1)[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        rows = np.packbits(single.reshape(height, -1).astype(np.uint8), axis=-1)
    pixels = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    between = b"".join(_chunk(kind.encode(), body) for kind, body in chunks.items())
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + between
        + _chunk(b"IDAT", zlib.compress(pixels))
        + _chunk(b"IEND", b"")
    )


def _rgb(data: bytes) -> np.ndarray:
    return np.asarray(decode_picture(data).upright_rgb()).astype(int)


def _gamma(value: float) -> bytes:
    return struct.pack(">I", round(value * 100_000))


def _curve(light: np.ndarray) -> np.ndarray:
    """sRGB's, from linear light, in levels."""
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


_RAMP = np.arange(256).reshape(1, 256, 1)
_COLOURS = np.random.default_rng(0).integers(0, 256, (8, 32, 3))


@pytest.mark.parametrize("exponent", [1.0, 1.4, 1.8, 2.6])
def test_gamma_is_applied(exponent: float) -> None:
    expected = _curve((_RAMP / 255) ** exponent)
    grey = _rgb(_png(_RAMP, 8, 0, gAMA=_gamma(1 / exponent)))
    assert np.abs(grey - expected).max() <= 1.5
    rgb = _rgb(_png(np.repeat(_RAMP, 3, axis=2), 8, 2, gAMA=_gamma(1 / exponent)))
    assert np.abs(rgb - expected).max() <= 1.5
    assert np.abs(expected - _RAMP).max() > 15  # levels; it was not a no-op


def test_gamma_is_applied_to_grey_with_alpha_and_to_palettes() -> None:
    expected = _curve((_RAMP / 255) ** 1.0)
    with_alpha = np.concatenate([_RAMP, np.full_like(_RAMP, 255)], axis=2)
    assert np.abs(_rgb(_png(with_alpha, 8, 4, gAMA=_gamma(1))) - expected).max() <= 1.5
    deep = with_alpha * 257
    assert np.abs(_rgb(_png(deep, 16, 4, gAMA=_gamma(1))) - expected).max() <= 1.5
    palette = bytes(level for level in range(256) for _ in range(3))
    assert np.abs(_rgb(_png(_RAMP, 8, 3, gAMA=_gamma(1), PLTE=palette)) - expected).max() <= 1.5
    transparent = _rgb(_png(with_alpha * [1, 0], 8, 4, gAMA=_gamma(1)))
    assert (transparent == 255).all()


@pytest.mark.parametrize("gamma", [0.45455, 0.45, 0.4762, 0.0, 900.0])
def test_the_gamma_of_srgb_and_nonsense_change_nothing(gamma: float) -> None:
    """0.45455 is what writers give beside sRGB pixels, and what libpng takes for no difference."""
    assert np.array_equal(_rgb(_png(_COLOURS, 8, 2, gAMA=_gamma(gamma))), _COLOURS)
    chromaticities = struct.pack(">8I", *_SRGB_CHROMATICITIES)
    assert np.array_equal(_rgb(_png(_COLOURS, 8, 2, gAMA=_gamma(gamma), cHRM=chromaticities)), _COLOURS)


def test_a_power_of_2_2_is_never_far_from_srgb_s_curve() -> None:
    """What leaving the difference out costs, where a file does mean the power: up to 9 grey levels in the shadows."""
    difference = np.abs(_curve((_RAMP / 255) ** 2.2) - _RAMP).ravel()
    assert difference.max() < 9
    assert difference[100:].max() < 2


def test_chromaticities_are_applied() -> None:
    chromaticities = struct.pack(">8I", *_ADOBE_CHROMATICITIES)
    found = _rgb(_png(_COLOURS, 8, 2, gAMA=_gamma(1 / 2.19921875), cHRM=chromaticities))
    light = (_COLOURS / 255) ** 2.19921875
    expected = _curve(light @ _ADOBE.T @ np.linalg.inv(_SRGB).T)
    assert np.abs(found - expected).max() <= 2
    assert np.abs(found - _COLOURS).mean() > 4
    without_gamma = _rgb(_png(_COLOURS, 8, 2, cHRM=chromaticities))
    assert np.abs(without_gamma - found).mean() < 2  # sRGB's curve, which is near


@pytest.mark.parametrize(
    "values",
    [
        (0,) * 8,
        (31270, 0, 1, 0, 1, 0, 1, 0),
        (30000, 30000) * 4,
        (30000, 30000, 30001, 30000, 30000, 30001, 29999, 29999),  # whose matrix can be inverted
        (31270, 32900, 64000, 33000, 15000, 6000, 39500, 19500),  # primaries in a line
        (2**31,) * 8,
    ],
)
def test_impossible_chromaticities_change_nothing(values: tuple[int, ...]) -> None:
    data = _png(_COLOURS, 8, 2, gAMA=_gamma(0.45455), cHRM=struct.pack(">8I", *values))
    assert np.array_equal(_rgb(data), _COLOURS)


def test_which_chunk_counts() -> None:
    """The precedence of the specification: code points, profile, sRGB, then gamma and chromaticities."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = {"iCCP": b"name\0\0" + zlib.compress(srgb)}
    linear = {"gAMA": _gamma(1)}
    assert np.abs(_rgb(_png(_COLOURS, 8, 2, **profile, **linear)) - _COLOURS).max() <= 1
    assert np.array_equal(_rgb(_png(_COLOURS, 8, 2, sRGB=b"\0", **linear)), _COLOURS)
    points = {"cICP": bytes((1, 8, 0, 1))}  # sRGB's primaries, linear
    expected = _curve(_COLOURS / 255)
    assert np.abs(_rgb(_png(_COLOURS, 8, 2, **points, **profile, sRGB=b"\0")) - expected).max() <= 1.5
    assert np.array_equal(_rgb(_png(_COLOURS, 8, 2, cICP=bytes((1, 13, 0, 1)), **linear)), _COLOURS)


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_is_refused(transfer: int) -> None:
    with pytest.raises(BadPicture, match="high dynamic range") as caught:
        decode_picture(_png(_COLOURS, 8, 2, cICP=bytes((9, transfer, 0, 1))))
    assert caught.value.reason == "unsupported-format"


def test_a_text_chunk_is_no_profile() -> None:
    texts = {"tEXt": b"icc_profile\0nonsense"}
    assert np.array_equal(_rgb(_png(_COLOURS, 8, 2, **texts)), _COLOURS)
    assert np.array_equal(_rgb(_png(_COLOURS, 8, 2, tEXt=b"gamma\0nonsense")), _COLOURS)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_transparent_grey_is_white_and_no_other_level(bits: int) -> None:
    levels = np.arange(1 << bits).reshape(1, -1, 1)
    for key in {0, (1 << bits) // 2, (1 << bits) - 2}:
        found = _rgb(_png(levels, bits, 0, tRNS=struct.pack(">H", key)))[0, :, 0]
        expected = levels[0, :, 0] * 255 / ((1 << bits) - 1)
        expected[key] = 255
        assert np.abs(found - expected).max() <= 0.5, key


@pytest.mark.parametrize("bits", [8, 16])
def test_transparent_rgb_is_white_and_no_other_colour(bits: int) -> None:
    factor = 1 if bits == 8 else 257
    levels = np.array([[[10, 20, 30], [10, 20, 31], [10, 21, 30], [200, 100, 50]]]) * factor
    near = levels.copy()
    near[0, 1] = [10 * factor, 20 * factor, 30 * factor + 1]  # in 16 bits the same upper byte
    for pixels in (levels, near):
        found = _rgb(_png(pixels, bits, 2, tRNS=struct.pack(">3H", *levels[0, 0].tolist())))
        assert found[0, 0].tolist() == [255] * 3
        assert np.abs(found[0, 1:] - pixels[0, 1:] / factor).max() <= 1


@pytest.mark.parametrize(("colour_type", "samples"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits(colour_type: int, samples: int) -> None:
    levels = np.random.default_rng(1).integers(0, 65536, (9, 13, samples))
    found = _rgb(_png(levels, 16, colour_type))
    colour = levels[:, :, : 1 if samples < 3 else 3] / 257
    alpha = levels[:, :, -1:] / 65535 if samples in (2, 4) else 1.0
    assert np.abs(found - (colour * alpha + 255 * (1 - alpha))).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    expected = _COLOURS.swapaxes(0, 1) if orientation > 4 else _COLOURS
    expected = expected[::-1] if orientation in (3, 4, 7, 8) else expected
    expected = expected[:, ::-1] if orientation in (2, 3, 6, 7) else expected
    assert np.array_equal(_rgb(_png(_COLOURS, 8, 2, eXIf=body)), expected)


def test_chunks_are_counted() -> None:
    data = _png(_COLOURS, 8, 2)
    many = data[:33] + _chunk(b"zzZz", b"") * 200_001 + data[33:]
    with pytest.raises(ValueError, match="more than 200,000 chunks"):
        read_png_header(many)


def _soft() -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((40, 24)).save(file, "PNG")
    return file.getvalue()


@settings(max_examples=100, deadline=None)
@given(offset=st.integers(8, len(_soft()) - 1), byte=st.integers(1, 255))
def test_every_changed_byte_is_noticed(offset: int, byte: int) -> None:
    whole = _soft()
    read_png_header(whole)
    changed = bytearray(whole)
    changed[offset] ^= byte
    for damaged in (bytes(changed), whole[:offset]):
        with pytest.raises(ValueError, match="PNG"):
            read_png_header(damaged)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_chunk_raises_anything_else(data: st.DataObject, soft_picture: Callable[..., Image.Image]) -> None:
    """Chunks of any content with the right checksum."""
    kinds = ["gAMA", "cHRM", "sRGB", "iCCP", "cICP", "tRNS", "eXIf", "tEXt", "PLTE", "sBIT", "acTL", "fcTL"]
    chunks = data.draw(st.dictionaries(st.sampled_from(kinds), st.binary(max_size=40)))
    colour_type, samples = data.draw(st.sampled_from([(0, 1), (2, 3), (4, 2), (6, 4)]))
    bits = data.draw(st.sampled_from([8, 16]))
    levels = np.random.default_rng(0).integers(0, 1 << bits, (3, 4, samples))
    try:
        rgb = decode_picture(_png(levels, bits, colour_type, **chunks)).upright_rgb()
    except BadPicture:
        return
    assert rgb.size == (4, 3)
