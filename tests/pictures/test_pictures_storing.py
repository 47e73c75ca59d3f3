from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from arttl.pictures.decoding import BadPicture
from arttl.pictures.storing import capped, stored_picture

Make = Callable[..., Image.Image]
Encode = Callable[..., bytes]
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _store(data: bytes, max_side: int = 512) -> tuple[Image.Image, tuple[int, int]]:
    stored = stored_picture(data, max_side=max_side, max_pixels=10**8)
    picture = Image.open(io.BytesIO(stored.jpeg))
    picture.load()
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (stored.width, stored.height))
    assert picture.getexif().get(0x0112, 1) == 1
    return picture, (stored.original_width, stored.original_height)


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"icc_profile": _SRGB}, {"exif": _exif(1)}, {"subsampling": 0}],
    ids=["baseline", "progressive", "srgb", "exif", "444"],
)
@pytest.mark.parametrize("max_side", [96, 512, 0])
def test_plain_jpegs_are_stored_byte_for_byte(
    options: dict[str, object], max_side: int, soft_picture: Make, jpeg_bytes: Encode
) -> None:
    data = jpeg_bytes(soft_picture(96, 64), **options)
    stored = stored_picture(data, max_side=max_side, max_pixels=10**8)
    assert stored.jpeg == data
    assert (stored.width, stored.height, stored.original_width, stored.original_height) == (96, 64, 96, 64)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_turned_jpegs_are_stored_upright(orientation: int, soft_picture: Make, jpeg_bytes: Encode) -> None:
    picture = soft_picture(96, 64)
    stored, original = _store(jpeg_bytes(picture, exif=_exif(orientation)))
    assert stored.size == original == ((96, 64) if orientation < 5 else (64, 96))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_jpegs_become_rgb_of_the_same_size(mode: str, soft_picture: Make, jpeg_bytes: Encode) -> None:
    picture = soft_picture(96, 64).convert(mode)
    stored, original = _store(jpeg_bytes(picture))
    assert stored.size == original == (96, 64)
    assert simplejpeg.decode_jpeg_header(_encode(stored_picture, jpeg_bytes(picture)))[2:] == ("YCbCr", "444")
    expected = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(np.asarray(stored) - expected).mean() < 4


def _encode(store: Callable, data: bytes) -> bytes:
    return store(data, max_side=512, max_pixels=10**8).jpeg


@pytest.mark.parametrize("size", [(1300, 700), (700, 1300), (513, 100), (2600, 1900)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_are_scaled_as_a_full_antialiased_resize_would(
    size: tuple[int, int], kind: str, soft_picture: Make
) -> None:
    picture = soft_picture(*size)
    file = io.BytesIO()
    picture.save(file, kind, **({"quality": 95} if kind == "JPEG" else {"compress_level": 1}))
    stored, original = _store(file.getvalue())
    assert original == size
    assert max(stored.size) == 512
    assert abs(stored.width / stored.height - size[0] / size[1]) / (size[0] / size[1]) < 0.01
    whole = Image.open(file).convert("RGB").resize(stored.size, Image.Resampling.BICUBIC)
    difference = np.abs(np.asarray(stored).astype(int) - np.asarray(whole))
    assert difference.mean() < 1.0
    assert simplejpeg.decode_jpeg_header(_encode(stored_picture, file.getvalue()))[3] == "420"


def test_fine_detail_does_not_alias(jpeg_bytes: Encode) -> None:
    """A pattern finer than the stored pixels averages to grey, and does not come out as moiré."""
    columns = np.arange(2048)
    stripes = np.broadcast_to(
        np.where(columns % 3 < 1, 255, 0).astype(np.uint8)[None, :, None], (1024, 2048, 3)
    )
    stored, _ = _store(jpeg_bytes(Image.fromarray(np.ascontiguousarray(stripes)), quality=95))
    assert stripes.std() > 100
    assert np.asarray(stored).std() < 0.1 * stripes.std()


def test_turned_and_scaled(soft_picture: Make, jpeg_bytes: Encode) -> None:
    stored, original = _store(jpeg_bytes(soft_picture(1200, 600), exif=_exif(6)), max_side=300)
    assert original == (600, 1200)
    assert stored.size == (150, 300)
    expected = soft_picture(1200, 600).rotate(-90, expand=True).resize((150, 300))
    assert np.abs(np.asarray(stored).astype(int) - np.asarray(expected)).mean() < 3


def test_damage_is_found_on_every_path(soft_picture: Make, jpeg_bytes: Encode) -> None:
    for size in ((96, 64), (1400, 900)):
        data = jpeg_bytes(soft_picture(*size))
        for broken in (data[: len(data) // 2], data[:-2]):
            with pytest.raises(BadPicture, match="damaged"):
                stored_picture(broken, max_side=512, max_pixels=10**8)


def test_thin_pictures(soft_picture: Make) -> None:
    file = io.BytesIO()
    soft_picture(30_000, 1).save(file, "PNG")
    assert _store(file.getvalue())[0].size == (512, 1)
    long = io.BytesIO()
    Image.new("RGB", (66_000, 1)).save(long, "PNG")
    with pytest.raises(BadPicture, match="65,500"):
        stored_picture(long.getvalue(), max_side=0, max_pixels=10**8)


@given(width=st.integers(1, 10_000), height=st.integers(1, 10_000), max_side=st.integers(0, 2000))
@settings(max_examples=200)
def test_capped_sizes(width: int, height: int, max_side: int) -> None:
    found = capped(width, height, max_side)
    if not max_side or max(width, height) <= max_side:
        assert found == (width, height)
        return
    assert max(found) == max_side
    assert min(found) >= 1
    exact = min(width, height) * max_side / max(width, height)
    assert abs(min(found) - exact) <= 0.5 or min(found) == 1
