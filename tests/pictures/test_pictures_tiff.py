"""Which directory of a TIFF is the picture, and which kinds are refused by name."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from refused_pictures import refused
from tiff_files import Page, page_of, picture_page, tiff_bytes

from arttl.picture_headers.bad_pictures import BadPicture
from arttl.pictures.decoding import decode_picture
from arttl.pictures.tiff import picture_directory

Make = Callable[..., Image.Image]


def _pixels(*pages: Page, **options: object) -> np.ndarray:
    return np.asarray(decode_picture(tiff_bytes(*pages, **options)).picture)


@pytest.fixture
def full(soft_picture: Make) -> np.ndarray:
    return np.asarray(soft_picture(96, 64))


@pytest.fixture
def preview(soft_picture: Make) -> np.ndarray:
    return np.asarray(soft_picture(96, 64).resize((24, 16), Image.Resampling.BOX))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_a_first_directory_that_is_a_preview(
    full: np.ndarray, preview: np.ndarray, order: str, big: bool
) -> None:
    for tags in ({"t254": 1}, {"t255": 2}, {}):  # new and old way to say so, and none
        pages = (picture_page(preview, **tags), picture_page(full))
        assert np.array_equal(_pixels(*pages, order=order, big=big), full), tags
    inside = picture_page(preview, t254=1)
    inside.sub = [picture_page(full)]
    assert np.array_equal(_pixels(inside, order=order, big=big), full)


def test_the_full_picture_s_own_orientation_and_profile_count(full: np.ndarray, preview: np.ndarray) -> None:
    pages = picture_page(preview, t254=1, t274=6), picture_page(full, t274=3, t34675=b"profile of the second")
    decoded = decode_picture(tiff_bytes(*pages))
    assert decoded.icc == b"profile of the second"
    assert np.array_equal(np.asarray(decoded.upright_rgb()), full[::-1, ::-1])


def test_a_preview_that_is_another_picture_is_refused(full: np.ndarray, soft_picture: Make) -> None:
    other = np.asarray(soft_picture(24, 16, seed=5))
    reason, detail = refused(tiff_bytes(picture_page(other), picture_page(full)))
    assert reason == "unsupported-format"
    assert detail.startswith("page 1 has 24 x 16 pixels and page 2 96 x 64; save the one that is meant")


def test_a_flat_page_is_no_preview_of_another_colour() -> None:
    red, blue = np.zeros((20, 20, 3), np.uint8), np.zeros((60, 60, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    assert refused(tiff_bytes(picture_page(red), picture_page(blue)))[0] == "unsupported-format"
    assert np.array_equal(_pixels(picture_page(blue[:20, :20]), picture_page(blue)), blue)


def test_a_much_larger_page_of_another_shape_is_refused(full: np.ndarray, preview: np.ndarray) -> None:
    square = picture_page(preview[:16, :16])
    assert refused(tiff_bytes(square, picture_page(full)))[0] == "unsupported-format"


def test_pyramids_take_the_largest_level(full: np.ndarray, preview: np.ndarray) -> None:
    half = np.asarray(Image.fromarray(full).resize((48, 32), Image.Resampling.BOX))
    levels = [picture_page(level, t254=1) for level in (half, preview)]
    assert np.array_equal(_pixels(picture_page(full), *levels), full)
    assert np.array_equal(_pixels(*levels[::-1], picture_page(full)), full)
    unmarked = [picture_page(level) for level in (preview, half, full)]
    assert np.array_equal(_pixels(*unmarked), full)
    assert np.array_equal(_pixels(*unmarked[::-1]), full)
    inside = picture_page(full)
    inside.sub = levels
    assert np.array_equal(_pixels(inside), full)
    assert np.array_equal(_pixels(*levels), half)  # nothing but reduced ones


def test_of_several_pages_the_first(full: np.ndarray, soft_picture: Make) -> None:
    others = [np.asarray(soft_picture(*size, seed=seed)) for seed, size in ((1, (96, 64)), (2, (99, 63)))]
    assert np.array_equal(_pixels(*map(picture_page, (full, *others))), full)
    # Pages that say that they are pages may have any size, and each may come behind its own preview.
    large = np.asarray(soft_picture(480, 320, seed=3))
    assert np.array_equal(_pixels(picture_page(full, t254=2), picture_page(large, t254=2)), full)
    numbered = picture_page(full, t297=[0, 2]), picture_page(large, t297=[1, 2])
    assert np.array_equal(_pixels(*numbered), full)
    same_size_first = picture_page(full), picture_page(others[0]), picture_page(large)
    assert np.array_equal(_pixels(*same_size_first), full)
    small = [picture_page(page[::4, ::4], t254=1) for page in (full, others[0])]
    pages = small[0], picture_page(full), small[1], picture_page(others[0])
    assert np.array_equal(_pixels(*pages), full)


def test_a_mask_is_no_picture(full: np.ndarray) -> None:
    mask = picture_page(np.zeros((256, 384), np.uint8), t254=4, t262=4)
    assert np.array_equal(_pixels(picture_page(full), mask), full)
    assert np.array_equal(_pixels(mask, picture_page(full)), full)


@pytest.mark.parametrize("photometric", [32803, 34892])
def test_raw_files_of_cameras_are_refused(photometric: int, full: np.ndarray, preview: np.ndarray) -> None:
    """A NEF and a DNG have a preview first and the sensor's data in a SubIFD; others have them in the first."""
    raw = Page({256: 96, 257: 64, 258: 16, 259: 1, 262: photometric, 277: 1, 278: 64}, [bytes(96 * 64 * 2)])
    nef = picture_page(preview, t254=1)
    nef.sub = [raw, picture_page(full, t254=1)]
    for pages in ([nef], [raw]):
        assert refused(tiff_bytes(*pages)) == (
            "unsupported-format",
            "a camera's raw file; export it as TIFF or JPEG",
        )
    compressed = picture_page(full, t259=34713)
    assert refused(tiff_bytes(compressed))[1] == "a camera's raw file; export it as TIFF or JPEG"


_KINDS = [
    ({262: 8, 258: 32, 339: 3}, "floating-point"),
    ({258: 16, 339: 3}, "floating-point"),
    ({258: 64, 339: 3}, "floating-point"),
    ({258: 8, 339: 2}, "signed"),
    ({258: 16, 339: 2}, "signed"),
    ({258: 32}, "32 bits"),
    ({258: 64, 339: 6}, "complex"),
    ({262: 4, 258: 1}, "PhotometricInterpretation 4"),
    ({262: 9}, "PhotometricInterpretation 9"),
    ({262: 32845, 259: 34677}, "SGI LogLuv"),
    ({262: 5, 258: [8] * 4, 277: 4, 332: 2}, "inks other than CMYK"),
    ({259: 34712}, "JPEG 2000"),
    ({259: 34887}, "LERC"),
    ({259: 34661}, "JBIG"),
    ({259: 50001}, "WebP"),
    ({259: 52546}, "JPEG XL"),
    ({259: 12345}, "compression 12345"),
]


@pytest.mark.parametrize(("tags", "words"), _KINDS, ids=[words for _, words in _KINDS])
def test_kinds_that_are_not_read(tags: dict[int, int], words: str) -> None:
    page = Page({256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 277: 1, 278: 8, **tags}, [bytes(8 * 8 * 16)])
    reason, detail = refused(tiff_bytes(page))
    assert reason == "unsupported-format"
    assert words in detail
    assert "export it as 8-bit TIFF or JPEG" in detail
    page.tags[273] = 10_000
    assert refused(tiff_bytes(page))[0] == "damaged"


def test_old_style_jpeg(full: np.ndarray, jpeg_bytes: Callable[..., bytes]) -> None:
    """A whole JPEG that the directory names (TIFF 6.0, 22), right behind the header."""
    jpeg = jpeg_bytes(Image.fromarray(full), quality=95, subsampling=0)
    tags = {
        258: [8] * 3,
        259: 6,
        262: 6,
        277: 3,
        278: 64,
        284: 1,
        512: 1,
        513: 8,
        514: len(jpeg),
        530: [1, 1],
    }
    found = _pixels(Page({256: 96, 257: 64, **tags}, [jpeg]))
    assert np.abs(found.astype(int) - full).mean() < 2


def test_a_float_picture_of_another_writer() -> None:
    file = io.BytesIO()
    Image.fromarray(np.ones((4, 4), np.float32)).save(file, "TIFF")
    assert refused(file.getvalue())[0] == "unsupported-format"


def test_directories_in_circles_and_by_the_thousand(full: np.ndarray) -> None:
    data = bytearray(tiff_bytes(picture_page(full)))
    start = int.from_bytes(data[4:8], "little")
    data[-4:] = start.to_bytes(4, "little")  # the next directory is the same
    assert np.array_equal(np.asarray(decode_picture(bytes(data)).picture), full)
    pages = [picture_page(full[:2, :3]) for _ in range(1500)]
    assert picture_directory(tiff_bytes(*pages)).picture.page == 1
    # A later directory outside of the file is as good as none.
    data[-4:] = (len(data) + 100).to_bytes(4, "little")
    assert np.array_equal(np.asarray(decode_picture(bytes(data)).picture), full)


def test_a_size_is_checked_before_pixels_are_read(full: np.ndarray, preview: np.ndarray) -> None:
    data = tiff_bytes(picture_page(preview, t254=1), picture_page(full))
    with pytest.raises(BadPicture, match="too-large"):
        decode_picture(data, max_pixels=96 * 64 - 1)
    assert decode_picture(data, max_pixels=96 * 64).picture.size == (96, 64)


@pytest.mark.parametrize("bits", [8, 16])
def test_pillow_s_own_pixel_limit_does_not_count(
    bits: int, full: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise 16-bit RGB of more than 30 million pixels, or any TIFF of twice its limit, would count as damaged."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for orientation in (1, 6):
        page = page_of(full.astype(np.int64) * (257 if bits == 16 else 1), bits, t274=orientation)
        rgb = np.asarray(decode_picture(tiff_bytes(page)).upright_rgb())
        assert np.array_equal(rgb, full if orientation == 1 else full.swapaxes(0, 1)[:, ::-1])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bits", [8, 16])
def test_orientation(orientation: int, bits: int, full: np.ndarray) -> None:
    """As the array operations of TIFF 6.0's table: where the first row and column are."""
    page = page_of(full.astype(np.int64) * (257 if bits == 16 else 1), bits, t274=orientation)
    expected = full.swapaxes(0, 1) if orientation > 4 else full
    expected = expected[::-1] if orientation in (3, 4, 7, 8) else expected
    expected = expected[:, ::-1] if orientation in (2, 3, 6, 7) else expected
    assert np.array_equal(np.asarray(decode_picture(tiff_bytes(page)).upright_rgb()), expected)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_damage_raises_anything_else(data: st.DataObject, soft_picture: Make) -> None:
    small = np.asarray(soft_picture(12, 8))
    first = picture_page(small[::2, ::2], t254=1)
    first.sub = [picture_page(small)]
    whole = bytearray(tiff_bytes(first, picture_page(small), order=data.draw(st.sampled_from("<>"))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = decode_picture(bytes(whole), max_pixels=100_000).picture
    except BadPicture:
        return
    assert picture.width * picture.height <= 100_000
