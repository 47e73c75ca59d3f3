"""Samples of any number of bits, against the levels that were written and the formula of their scale."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tiff_files import Page, deflate, page_of, tiff_bytes

from arttl.picture_headers.bad_pictures import BadPicture
from arttl.pictures.decoding import decode_picture


def _levels(shape: tuple[int, ...], bits: int, seed: int = 0) -> np.ndarray:
    levels = np.random.default_rng(seed).integers(0, 1 << bits, shape)
    levels.flat[0], levels.flat[-1] = 0, (1 << bits) - 1
    return levels


def _pixels(*pages: Page, order: str = "<", big: bool = False) -> np.ndarray:
    pixels = np.asarray(decode_picture(tiff_bytes(*pages, order=order, big=big)).picture)
    return pixels.reshape(*pixels.shape[:2], -1)


def _eight(levels: np.ndarray, white: int) -> np.ndarray:
    return np.floor(levels * 255 / white + 0.5)


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_grey_and_rgb_of_any_bits(data: st.DataObject) -> None:
    bits = data.draw(st.sampled_from([2, 3, 4, 7, 9, 10, 12, 14, 15, 16]))
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 50))
    samples, order = data.draw(st.sampled_from([1, 3])), data.draw(st.sampled_from("<>"))
    levels = _levels((height, width, samples), bits, seed=bits)
    page = page_of(
        levels,
        bits,
        order=order,
        rows=data.draw(st.integers(1, height)),
        tile=data.draw(st.sampled_from([(0, 0), (16, 16), (32, 16)])),
        planes=data.draw(st.booleans()),
        compress=data.draw(st.sampled_from([None, deflate])),
    )
    if bits == 16 and page.tags[259] != 1 and data.draw(st.booleans()):
        page = page_of(levels, bits, order=order, compress=deflate, predictor=True, tile=(16, 16))
    pixels = _pixels(page, order=order, big=data.draw(st.booleans()))
    # Of contiguous RGB of 16 bits Pillow keeps the upper eight.
    assert np.abs(pixels - levels * 255 / ((1 << bits) - 1)).max() <= (0.5 if bits < 16 else 1)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma"])
def test_files_of_another_writer(compression: str) -> None:
    levels = _levels((40, 50), 16)
    file = io.BytesIO()
    try:
        Image.fromarray(levels.astype(np.uint16)).save(file, "TIFF", compression=compression)
    except OSError:
        pytest.skip("this Pillow does not compress so")
    pixels = np.asarray(decode_picture(file.getvalue()).picture)
    assert np.array_equal(pixels, _eight(levels, 65535))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_white_is_zero(bits: int, order: str) -> None:
    levels = _levels((5, 7, 1), bits)
    pixels = _pixels(page_of(levels, bits, order=order, t262=0), order=order)
    assert np.array_equal(pixels, 255 - _eight(levels, (1 << bits) - 1))


def test_bits_in_reverse_order() -> None:
    levels = _levels((6, 8, 1), 12)
    page = page_of(levels, 12, t266=2)
    page.pieces = [_reversed(piece) for piece in page.pieces]
    assert np.array_equal(_pixels(page), _eight(levels, 4095))


def test_twelve_bits_in_words_of_sixteen_are_scaled_only_where_the_file_says_so() -> None:
    levels = _levels((6, 8, 1), 12)
    assert np.array_equal(_pixels(page_of(levels, 16, t281=4095)), _eight(levels, 4095))
    for nonsense in (4000, 0, 255):  # the highest level that occurs, nothing, and another nonsense
        assert np.array_equal(_pixels(page_of(levels, 16, t281=nonsense)), _eight(levels, 65535))
    above = levels.copy()
    above[0, 0] = 5000
    assert _pixels(page_of(above, 16, t281=4095))[0, 0] == 255


def test_a_predictor_without_a_compression_that_has_one_is_ignored() -> None:
    """As libtiff does, and so Pillow for 8 bits."""
    levels = _levels((6, 8, 1), 16)
    assert np.array_equal(_pixels(page_of(levels, 16, t317=2)), _eight(levels, 65535))


def test_missing_tags_have_their_defaults() -> None:
    levels = _levels((6, 8, 3), 16)
    page = page_of(levels, 16)
    del page.tags[278], page.tags[284]
    page.tags[258] = 16  # one number for all samples
    assert np.abs(_pixels(page) - levels / 257).max() <= 1
    page.tags[281] = 4095  # which goes the other way
    assert np.array_equal(_pixels(page), np.minimum(_eight(levels, 4095), 255))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("colours", [1, 3])
def test_premultiplied_alpha_against_straight(colours: int, planes: bool, bits: int) -> None:
    """Both files show the same on white: colour x alpha + white x (1 - alpha)."""
    white = (1 << bits) - 1
    colour = np.random.default_rng(1).uniform(0, 1, (9, 11, colours))
    alpha = np.random.default_rng(2).choice([0, 0.25, 0.5, 1], (9, 11, 1))
    expected = 255 * (colour * alpha + 1 - alpha)
    photometric = 1 if colours == 1 else 2
    for kind, first in ((1, colour * alpha), (2, colour)):
        levels = np.round(np.concatenate([first, alpha], axis=2) * white).astype(np.int64)
        page = page_of(levels, bits, planes=planes, t262=photometric, t338=kind)
        rgb = np.asarray(decode_picture(tiff_bytes(page)).upright_rgb())
        assert np.abs(rgb - expected).max() <= 2.5, kind


@pytest.mark.parametrize("bits", [8, 16])
def test_samples_that_are_not_alpha_are_left_out(bits: int) -> None:
    levels = _levels((6, 8, 4), bits)
    for planes in (False, True):
        pixels = _pixels(page_of(levels, bits, planes=planes, t338=0))
        assert np.abs(pixels - _eight(levels[:, :, :3], (1 << bits) - 1)).max() <= 1


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_cmyk_with_a_fifth_sample(kind: int, bits: int) -> None:
    """A spot ink is left out; alpha puts the inks on white paper, which has none."""
    inks = np.random.default_rng(3).uniform(0, 1, (6, 8, 4))
    fifth = np.random.default_rng(4).choice([0, 0.5, 1], (6, 8, 1))
    stored = inks * fifth if kind == 1 else inks
    levels = np.round(np.concatenate([stored, fifth], axis=2) * ((1 << bits) - 1)).astype(np.int64)
    pixels = _pixels(page_of(levels, bits, t262=5, t338=kind))
    assert np.abs(pixels - 255 * (inks if kind == 0 else inks * fifth)).max() <= 1.1


def test_plain_pictures_do_not_take_this_way() -> None:
    """8-bit pictures are what Pillow makes of them."""
    levels = _levels((20, 30, 3), 8)
    for page in (page_of(levels, 8), page_of(levels, 8, planes=True), page_of(levels, 8, tile=(16, 16))):
        data = tiff_bytes(page)
        assert np.array_equal(
            np.asarray(decode_picture(data).picture), np.asarray(Image.open(io.BytesIO(data)))
        )
        assert np.array_equal(_pixels(page), levels)


def _reversed(data: bytes) -> bytes:
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_eight_bits_in_every_arrangement(data: st.DataObject) -> None:
    photometric, colours = data.draw(st.sampled_from([(0, 1), (1, 1), (2, 3), (5, 4)]))
    extra = data.draw(st.sampled_from([(), (0,), (1,), (2,), (0, 0), (2, 0)]))
    order, big = data.draw(st.sampled_from("<>")), data.draw(st.booleans())
    levels = _levels((20, 23, colours + len(extra)), 8)
    if extra and extra[0]:
        levels[:, :, colours] = 255
    page = page_of(
        levels,
        8,
        order=order,
        tile=data.draw(st.sampled_from([(0, 0), (16, 16)])),
        planes=data.draw(st.booleans()),
        compress=data.draw(st.sampled_from([None, deflate])),
        t262=photometric,
        **({"t338": list(extra)} if extra else {}),
    )
    if data.draw(st.booleans()):
        page.tags[266], page.pieces = 2, [_reversed(piece) for piece in page.pieces]
    expected = 255 - levels if photometric == 0 else levels
    pixels = _pixels(page, order=order, big=big)
    assert np.abs(pixels[:, :, :colours].astype(int) - expected[:, :, :colours]).max() <= 1


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_fewer_bits_in_every_arrangement(data: st.DataObject) -> None:
    """Right, or unsupported where Pillow cannot: palettes in reverse order, or in BigTIFF with the high byte first."""
    bits, photometric = data.draw(st.sampled_from([1, 2, 4])), data.draw(st.sampled_from([0, 1, 3]))
    order, big, in_reverse = (
        data.draw(st.sampled_from("<>")),
        data.draw(st.booleans()),
        data.draw(st.booleans()),
    )
    levels = _levels((20, 23, 1), bits)
    palette = np.random.default_rng(0).integers(0, 256, (3, 1 << bits))
    page = page_of(
        levels,
        bits,
        order=order,
        tile=data.draw(st.sampled_from([(0, 0), (16, 16)])),
        planes=data.draw(st.booleans()),
        compress=data.draw(st.sampled_from([None, deflate])),
        t262=photometric,
        **({"t320": (palette * 257).ravel().tolist()} if photometric == 3 else {}),
    )
    if in_reverse:
        page.tags[266], page.pieces = 2, [_reversed(piece) for piece in page.pieces]
    try:
        rgb = np.asarray(decode_picture(tiff_bytes(page, order=order, big=big)).upright_rgb())
    except BadPicture as error:
        assert error.reason == "unsupported-format"
        assert photometric == 3
        assert (big and order == ">") or in_reverse
        return
    white = (1 << bits) - 1
    grey = np.repeat((white - levels if photometric == 0 else levels) * 255 / white, 3, axis=2)
    assert np.abs(rgb - (palette.T[levels[:, :, 0]] if photometric == 3 else grey)).max() <= 1


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (page_of(_levels((4, 4, 2), 8), 8, t262=1, t258=[8, 16]), "grey TIFF of 8 + 16 bits"),
        (page_of(_levels((4, 4, 3), 16), 16, t262=8), "CIELab TIFF of 16 + 16 + 16 bits"),
        (page_of(_levels((4, 4, 1), 16), 16, t262=3), "palette TIFF of 16 bits"),
        (page_of(_levels((4, 4, 9), 16), 16, t262=2), "RGB TIFF of 16 +"),
        (page_of(_levels((4, 4, 9), 8), 8, t262=2), "RGB TIFF of 8 +"),
        (page_of(_levels((4, 4, 1), 12), 12, compress=deflate, t317=2), "grey TIFF of 12 bits"),
    ],
)
def test_other_samples_are_unsupported_or_damaged_if_cut(page: Page, words: str) -> None:
    for offsets, reason in (({}, "unsupported-format"), ({273: 10_000}, "damaged")):
        with pytest.raises(BadPicture) as caught:
            decode_picture(tiff_bytes(Page({**page.tags, **offsets}, page.pieces)))
        assert caught.value.reason == reason
        assert reason == "damaged" or words in caught.value.detail


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_damage_raises_anything_else(data: st.DataObject) -> None:
    bits = data.draw(st.sampled_from([10, 16]))
    page = page_of(
        _levels((12, 20, 3), bits),
        bits,
        planes=data.draw(st.booleans()),
        tile=data.draw(st.sampled_from([(0, 0), (16, 16)])),
    )
    whole = bytearray(tiff_bytes(page, big=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 3))):
        # The directory is at the end.
        whole[data.draw(st.integers(max(0, len(whole) - 300), len(whole) - 1))] = data.draw(
            st.integers(0, 255)
        )
    try:
        picture = decode_picture(bytes(whole), max_pixels=100_000).picture
    except BadPicture:
        return
    assert picture.width * picture.height <= 100_000
