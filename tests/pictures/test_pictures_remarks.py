"""What is said of pictures whose files hold more than is taken, or other colours than sRGB."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin, features
from tiff_files import Page, page_of, picture_page, tiff_bytes

from arttl.picture_headers.profiles import grey_profile, rgb_profile
from arttl.pictures.remarks import (
    ALPHA,
    FIRST_PAGE,
    GAMMA,
    INKS,
    LATER_PAGE,
    MORE_BITS,
    NO_PROFILE,
    PROFILE,
    REDUCED,
    sentences,
)
from arttl.pictures.storing import stored_picture

Make = Callable[..., Image.Image]
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
_LINEAR, _LINEAR_GREY = rgb_profile(1.0, None), grey_profile(1.0)


def remarks(data: bytes, max_side: int = 40) -> tuple[str, ...]:
    return stored_picture(data, max_side=max_side, max_pixels=10**8).remarks


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def test_tiff_directories(soft_picture: Make) -> None:
    full = np.asarray(soft_picture(96, 64))
    small = np.asarray(soft_picture(96, 64).resize((24, 16), Image.Resampling.BOX))
    other = np.asarray(soft_picture(96, 64, seed=1))

    def of(*pages: Page) -> tuple[str, ...]:
        return remarks(tiff_bytes(*pages))

    with_sub = picture_page(small, t254=1)
    with_sub.sub = [picture_page(full)]
    assert of(picture_page(full)) == ()
    assert of(picture_page(full), picture_page(other)) == (FIRST_PAGE,)
    assert of(*(picture_page(each, t297=(page, 2)) for page, each in enumerate((full, small)))) == (
        FIRST_PAGE,
    )
    assert of(picture_page(full), picture_page(small, t254=1)) == ()  # a pyramid, with and without a mark
    assert of(picture_page(full), picture_page(small)) == ()
    assert of(picture_page(small), picture_page(full)) == (LATER_PAGE,)
    assert of(picture_page(small, t254=1), picture_page(full)) == (LATER_PAGE,)
    assert of(with_sub) == (LATER_PAGE,)
    assert of(with_sub, picture_page(other)) == (FIRST_PAGE, LATER_PAGE)
    assert of(picture_page(small, t254=1)) == (REDUCED,)
    assert of(page_of(full.astype(np.uint16) * 257, 16)) == (MORE_BITS,)


def test_frames(soft_picture: Make) -> None:
    pictures = [soft_picture(96, 64, seed=seed) for seed in range(2)]
    kinds = ["WEBP", "PNG", *(["AVIF"] if features.check("avif") else [])]
    for kind in kinds:
        assert remarks(saved(pictures[0], kind, save_all=True, append_images=pictures[1:])) == (
            FIRST_PAGE,
        ), kind
        assert remarks(saved(pictures[0], kind)) == (), kind


@pytest.mark.parametrize("max_side", [0, 40])
def test_further_pictures_of_a_jpeg(max_side: int, soft_picture: Make) -> None:
    pictures = [soft_picture(96, 64, seed=seed) for seed in range(3)]
    for count, expected in ((1, ()), (2, (FIRST_PAGE,)), (3, (FIRST_PAGE,))):
        data = bytearray(saved(pictures[0], "MPO", save_all=True, append_images=pictures[1:count]))
        assert remarks(bytes(data), max_side) == expected
    # A camera's preview of the picture: image type 0x010002, a large thumbnail.
    data = bytearray(saved(pictures[0], "MPO", save_all=True, append_images=pictures[1:2]))
    second = data.index(b"MPF\0") + 4 + 66
    with Image.open(io.BytesIO(data)) as opened:
        entries = opened.mpinfo[0xB002]  # type: ignore[attr-defined]
    start = data.index(struct.pack("<I", entries[1]["Size"]), data.index(b"MPF\0")) - 4
    assert abs(start - second) < 16  # within the index
    data[start : start + 4] = struct.pack("<I", 0x010002)
    assert remarks(bytes(data), max_side) == ()


@pytest.mark.parametrize("premultiplied", [True, False])
def test_transparent_inks(premultiplied: bool, soft_picture: Make) -> None:
    inks = np.asarray(soft_picture(96, 64).convert("CMYK"))
    for cover, expected in ((255, (INKS,)), (128, (ALPHA, INKS))):
        alpha = np.full((64, 96, 1), 255, np.uint8)
        alpha[:32] = cover
        page = page_of(np.concatenate([inks, alpha], 2), 8, t262=5, t338=1 if premultiplied else 2)
        assert remarks(tiff_bytes(page)) == expected


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG2000"])
def test_transparent_parts(kind: str, soft_picture: Make) -> None:
    picture = soft_picture(96, 64).convert("RGBA")
    assert remarks(saved(picture, kind)) == ()  # opaque
    picture.putalpha(Image.linear_gradient("L").resize((96, 64)))
    assert remarks(saved(picture, kind)) == (ALPHA,)
    if kind in ("PNG", "TIFF"):
        assert remarks(saved(picture.convert("LA"), kind)) == (ALPHA,)


@pytest.mark.parametrize("max_side", [0, 40])
def test_colours(max_side: int, soft_picture: Make, jpeg_bytes: Callable[..., bytes]) -> None:
    picture = soft_picture(96, 64)
    for data, expected in (
        (jpeg_bytes(picture), ()),
        (jpeg_bytes(picture, icc_profile=_SRGB), ()),
        (jpeg_bytes(picture, icc_profile=_LINEAR), (PROFILE,)),
        (jpeg_bytes(picture, icc_profile=b"no profile"), (NO_PROFILE,)),
        (jpeg_bytes(picture, icc_profile=_LINEAR_GREY), (NO_PROFILE,)),
        (jpeg_bytes(picture.convert("L"), icc_profile=_LINEAR_GREY), (PROFILE,)),
        (jpeg_bytes(picture.convert("L")), ()),
        (jpeg_bytes(picture.convert("CMYK")), (INKS,)),
        (saved(picture.convert("CMYK"), "TIFF", icc_profile=_LINEAR), (INKS, NO_PROFILE)),
        (saved(picture, "PNG", icc_profile=_LINEAR), (PROFILE,)),
    ):
        assert remarks(data, max_side) == expected


def test_gamma_and_bits_of_png(soft_picture: Make) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", struct.pack(">I", 100_000))
    assert remarks(saved(soft_picture(96, 64), "PNG", pnginfo=chunks)) == (GAMMA,)
    assert remarks(saved(Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64)), "PNG")) == (
        MORE_BITS,
    )


def test_heic(soft_picture: Make) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    levels = np.asarray(soft_picture(96, 64)).astype(np.uint16) * 257
    deep = pillow_heif.from_bytes(mode="RGB;16", size=(96, 64), data=levels.tobytes())
    several = pillow_heif.HeifFile()
    for seed in range(2):
        several.add_from_pillow(soft_picture(96, 64, seed=seed))
    for heif, expected in ((deep, (MORE_BITS,)), (several, (FIRST_PAGE,))):
        file = io.BytesIO()
        heif.save(file, quality=90)
        assert remarks(file.getvalue()) == expected


def test_sentences() -> None:
    counted = {ALPHA: {"pictures": 1, "example": "a.png"}, INKS: {"pictures": 1234, "example": "b/c.tif"}}
    assert list(sentences(counted)) == [
        "transparent parts were made white: 1 picture, such as a.png",
        "inks (CMYK) were converted to sRGB: 1,234 pictures, such as b/c.tif",
    ]
