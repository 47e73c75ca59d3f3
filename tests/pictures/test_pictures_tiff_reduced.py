"""TIFFs that are reduced while they are decoded: to the bit what reducing the whole picture gives."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from tiff_files import Page, deflate, page_of, picture_page, tiff_bytes

from arttl.picture_headers.bad_pictures import BadPicture
from arttl.pictures import tiff_pieces, tiff_reduced, tiff_rows
from arttl.pictures.decoded import Decoded
from arttl.pictures.decoding import decode_picture, opened_image
from arttl.pictures.picture_file import PictureFile
from arttl.pictures.reducing import AllowedScale
from arttl.pictures.resizing import resized

Make = Callable[..., Image.Image]


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_rows, "_AT_ONCE", 2000)
    monkeypatch.setattr(tiff_reduced, "_BYTES_AT_ONCE", 4000)
    monkeypatch.setattr(tiff_pieces, "_BYTES_OF_A_STRIP", 4000)


@pytest.fixture
def reduced_in_parts(monkeypatch: pytest.MonkeyPatch) -> list[Decoded]:
    """What was reduced while it was decoded."""
    done: list[Decoded] = []
    reduced = tiff_reduced.reduced

    def watched(*arguments: Any) -> Decoded | None:
        decoded = reduced(*arguments)
        done.extend([decoded] if decoded else [])
        return decoded

    monkeypatch.setattr(tiff_reduced, "reduced", watched)
    return done


def _same(data: bytes, max_side: int) -> Decoded:
    """Compare what is decoded in parts with the whole, and give it back."""
    whole, small = decode_picture(data), decode_picture(data, allowed=AllowedScale(max_side=max_side))
    factors = AllowedScale(max_side=max_side).factors((whole.width, whole.height))
    picture = small.picture if small.scale != (1, 1) else small.picture.reduce(factors)
    assert picture.mode == whole.picture.mode
    assert picture.tobytes() == whole.picture.reduce(factors).tobytes()
    assert (small.icc, small.orientation, small.remarks) == (whole.icc, whole.orientation, whole.remarks)
    assert (small.width, small.height) == (whole.width, whole.height)
    return small


@pytest.mark.parametrize(
    "compression", ["raw", "tiff_lzw", "packbits", "tiff_deflate", "jpeg", "group4", "lzma", "zstd"]
)
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "LAB"])
def test_every_kind_that_pillow_writes(
    mode: str, compression: str, soft_picture: Make, reduced_in_parts: list[Decoded]
) -> None:
    if (compression == "group4") != (mode == "1") or (compression == "jpeg" and mode in ("P", "RGBA", "LAB")):
        return
    picture = soft_picture(203, 151, seed=2)
    picture = picture.convert("L").convert(mode) if mode == "LAB" else picture.convert(mode)
    if mode == "RGBA":
        picture.putalpha(soft_picture(203, 151, seed=3).convert("L"))
    if mode == "LAB":
        picture = Image.frombytes("LAB", (203, 151), soft_picture(203, 151).tobytes())
    file = io.BytesIO()
    picture.save(file, "TIFF", compression=compression, strip_size=1000, icc_profile=b"profile")
    _same(file.getvalue(), 40)
    assert len(reduced_in_parts) == 1


@settings(deadline=None, max_examples=150)
@given(
    st.integers(20, 90),
    st.integers(20, 90),
    st.sampled_from([1, 4, 8, 12, 16]),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from(["", "deflate", "differences"]),
    st.integers(1, 40),
    st.booleans(),
    st.sampled_from("<>"),
    st.booleans(),
    st.sampled_from([0, 1, 2]),
    st.integers(3, 18),
)
def test_every_layout(
    width: int, height: int, bits: int, samples: int, planes: bool, compression: str, rows: int, tiled: bool,
    order: str, big: bool, extra: int, max_side: int,
) -> None:  # fmt: skip
    levels = np.random.default_rng(rows).integers(0, 1 << bits, (height, width, samples))
    tags: dict[str, Any] = (
        {"t338": [extra] * (samples - (3 if samples > 3 else 1))} if samples not in (1, 3) else {}
    )
    page = page_of(
        levels,
        bits,
        order=order,
        rows=0 if tiled else rows,
        tile=(16 * (1 + rows % 2), 16) if tiled else (0, 0),
        planes=planes,
        compress=deflate if compression else None,
        predictor=compression == "differences" and bits in (8, 16),
        **tags,
    )
    data = tiff_bytes(page, order=order, big=big)
    try:
        decode_picture(data)
    except BadPicture:
        with pytest.raises(BadPicture):
            decode_picture(data, allowed=AllowedScale(max_side=max_side))
        return
    _same(data, max_side)


def test_in_one_strip(soft_picture: Make, reduced_in_parts: list[Decoded]) -> None:
    for seed, options in enumerate(({"compress": deflate}, {"compress": deflate, "predictor": True}, {})):
        _same(tiff_bytes(picture_page(np.asarray(soft_picture(203, 151, seed=seed)), **options)), 40)
    assert len(reduced_in_parts) == 3


def test_gaps_between_strips(soft_picture: Make, reduced_in_parts: list[Decoded]) -> None:
    """Strips that do not lie behind one another, in another order, and the same strip twice."""
    pixels = np.array(soft_picture(203, 160))
    pixels[32:48] = pixels[:16]
    page = picture_page(pixels, rows=16)
    content = b"".join(page.pieces)
    offsets = {number: 1000 + 3 * number + number * 203 * 3 * 16 for number in range(10)} | {2: 1000}
    file = bytearray(1000 + len(content) + 100)
    for number, piece in enumerate(page.pieces):
        file[offsets[number] : offsets[number] + len(piece)] = piece
    behind = tiff_bytes(Page({**page.tags, 273: list(offsets.values())}, [b""] * 10))
    data = bytearray(behind.ljust(1000, b"\0") + file[1000:])
    sizes = np.array([203 * 3 * 16] * 10, "<u4").tobytes()
    entry = data.index(bytes((279 % 256, 279 // 256, 4, 0)))
    place = int.from_bytes(data[entry + 8 : entry + 12], "little")
    data[place : place + 40] = sizes
    assert len(behind) < 1000
    small = _same(bytes(data), 40)
    assert np.array_equal(np.asarray(small.picture), np.asarray(Image.fromarray(pixels).reduce(2)))
    assert len(reduced_in_parts) == 1


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "raw", "packbits"])
def test_damage_is_damage_in_parts_too(compression: str, soft_picture: Make) -> None:
    file = io.BytesIO()
    soft_picture(203, 151).save(file, "TIFF", compression=compression, strip_size=203 * 3 * 16)
    data = file.getvalue()
    with pytest.raises(BadPicture) as caught:
        decode_picture(data[: len(data) // 2], allowed=AllowedScale(max_side=40))
    assert caught.value.reason == "damaged"
    if compression.startswith("tiff_"):
        (directory,) = tiff_reduced.tiff.directories(data)
        start, size = (directory.values(tag)[4] for tag in (273, 279))
        broken = data[: start + 20] + bytes(size - 20) + data[start + size :]
        with pytest.raises(BadPicture) as caught:
            decode_picture(broken, allowed=AllowedScale(max_side=40))
        assert caught.value.reason == "damaged"


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400), st.integers(0, 60), st.integers(0, 2000))
def test_lzw_of_any_bytes(noise: bytes, at: int, size: int) -> None:
    """Either what libtiff makes of it, or left to libtiff; a sound beginning lets codes refer to something."""
    file = io.BytesIO()
    Image.fromarray(np.arange(2000, dtype=np.uint8).reshape(50, 40) // 7).save(
        file, "TIFF", compression="tiff_lzw"
    )
    (directory,) = tiff_reduced.tiff.directories(file.getvalue())
    start, count = directory.value(273, 0), directory.value(279, 0)
    compressed = file.getvalue()[start : start + count][:at] + noise
    height = max(1, size // 40)
    page = Page({256: 40, 257: height, 258: 8, 259: 5, 262: 1, 277: 1, 278: height}, [compressed])
    pieces = tiff_reduced.pieces_of(next(tiff_reduced.tiff.directories(tiff_bytes(page))))
    try:
        rows = np.concatenate(list(tiff_rows.rows_of(pieces)))[..., 0] if pieces else None
    except tiff_rows.NotPlain:
        return
    if rows is not None:
        assert np.array_equal(rows, np.asarray(decode_picture(tiff_bytes(page)).picture))


def _pyramid(full: np.ndarray, **tags: Any) -> list[Page]:
    """A picture in tiles, and its halves; the other levels by the means of four pixels, rounded down in size."""
    pages = [picture_page(full, tile=(32, 32), compress=zlib.compress, **tags)]
    level = full
    while min(level.shape[:2]) > 16:
        level = level[: level.shape[0] // 2 * 2, : level.shape[1] // 2 * 2].astype(int)
        level = (level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2] + 2) // 4
        pages.append(picture_page(level, tile=(32, 32), t254=1))
    return pages


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_to_what_was_reduced(orientation: int, soft_picture: Make) -> None:
    pages = [
        picture_page(np.asarray(soft_picture(204, 152)), rows=16, **tags)
        for tags in ({}, {"t274": orientation})
    ]
    plain, turned = (decode_picture(tiff_bytes(page), allowed=AllowedScale(max_side=40)) for page in pages)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    plain.picture.save(file, "PNG", exif=exif)
    assert turned.upright_rgb().tobytes() == ImageOps.exif_transpose(Image.open(file)).tobytes()


@pytest.fixture
def full(soft_picture: Make) -> np.ndarray:
    return np.asarray(soft_picture(515, 386))


def test_a_level_of_a_pyramid(full: np.ndarray) -> None:
    pages = _pyramid(full, t274=6, t34675=b"profile")
    inside = pages[0]
    for data in (tiff_bytes(*pages), tiff_bytes(pages[0], *pages[:0:-1])):
        for cover, scale in ((515, 1), (258, 1), (257, 2), (128, 4), (90, 4)):
            decoded = decode_picture(data, allowed=AllowedScale(cover=cover))
            assert decoded.scale == (scale, scale), cover
            assert decoded.upright_rgb().height >= decoded.upright_rgb().width * 1.3, cover
            assert decoded.icc == b"profile"
    assert (decoded.width, decoded.height, decoded.orientation) == (515, 386, 6)
    assert decoded.picture.size == (129, 97)  # the level's 128 x 96, and what it leaves out
    assert decoded.box == (128.75, 96.5)
    decoded = decode_picture(data, allowed=AllowedScale(cover=128, max_side=30))
    assert decoded.scale == (8, 8)
    assert decoded.picture.size == (65, 49)
    inside.sub = pages[1:]
    assert decode_picture(tiff_bytes(inside), allowed=AllowedScale(cover=128)).scale == (4, 4)
    assert decode_picture(tiff_bytes(*pages), allowed=AllowedScale(max_side=30)).scale == (8, 8)
    assert decode_picture(tiff_bytes(*pages)).upright_rgb().size == (386, 515)


def test_a_level_looks_like_the_picture(full: np.ndarray) -> None:
    allowed = AllowedScale(cover=100, max_side=100)
    data = tiff_bytes(*_pyramid(full))
    plain, level = (decode_picture(data, allowed=how) for how in (AllowedScale(max_side=100), allowed))
    assert (plain.scale, level.scale) == ((2, 2), (4, 4))
    first, second = (
        np.asarray(resized(decoded.picture, (100, 75), decoded.box), int) for decoded in (plain, level)
    )
    assert np.abs(first - second).mean() <= 0.5
    assert np.abs(first - second).max() <= 16  # at the edges of colours


def test_what_is_no_level(full: np.ndarray, soft_picture: Make) -> None:
    pages = _pyramid(full)
    allowed = AllowedScale(cover=100)
    other = np.asarray(soft_picture(128, 96, seed=7))
    small = np.asarray(Image.fromarray(full).resize((128, 96)))
    grey = small[..., 0]
    for name, level in {
        "of another picture": picture_page(other, tile=(32, 32), t254=1),
        "upside down": picture_page(small[::-1], tile=(32, 32), t254=1),
        "of another shape": picture_page(small[:90], tile=(32, 32), t254=1),
        "in grey": picture_page(grey, tile=(32, 32), t254=1),
        "a page": picture_page(small, tile=(32, 32)),
    }.items():
        assert decode_picture(tiff_bytes(pages[0], level), allowed=allowed).scale == (1, 1), name
    # Of several pages, none knows whose level it is; and a picture that is not in tiles is decoded whole.
    several = tiff_bytes(*pages, picture_page(full[::-1], tile=(32, 32), t254=2))
    assert decode_picture(several, allowed=allowed).scale == (1, 1)
    assert decode_picture(tiff_bytes(picture_page(full), *pages[1:]), allowed=allowed).scale == (1, 1)


def test_a_pyramid_without_all_of_its_picture_is_damaged(full: np.ndarray) -> None:
    pages = _pyramid(full)
    pages[0].tags[324] = [10**6] * len(pages[0].pieces)
    with pytest.raises(BadPicture) as caught:
        decode_picture(tiff_bytes(*pages), allowed=AllowedScale(cover=100))
    assert (caught.value.reason, caught.value.detail) == ("damaged", "the TIFF is cut off")


def test_limits_are_those_of_the_whole_picture(full: np.ndarray) -> None:
    for data in (tiff_bytes(*_pyramid(full)), tiff_bytes(picture_page(full, rows=16))):
        with pytest.raises(BadPicture) as caught:
            decode_picture(data, max_pixels=515 * 386 - 1, allowed=AllowedScale(cover=100, max_side=100))
        assert caught.value.reason == "too-large"


def test_tiles_that_all_name_the_whole_file_are_not_put_together(full: np.ndarray) -> None:
    page = picture_page(full, tile=(32, 32))
    pieces = tiff_reduced.pieces_of(next(tiff_reduced.tiff.directories(tiff_bytes(page))))
    assert pieces is not None
    data = bytearray(tiff_bytes(page))
    entry = data.index(bytes((325 % 256, 325 // 256, 4, 0)))
    place = int.from_bytes(data[entry + 8 : entry + 12], "little")
    data[place : place + 4 * len(page.pieces)] = np.full(len(page.pieces), len(data) // 2, "<u4").tobytes()
    assert tiff_reduced.pieces_of(next(tiff_reduced.tiff.directories(bytes(data)))) is None


def test_from_the_disk(tmp_path: Path, full: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arttl.pictures.decoding._MOST_IN_MEMORY", 100)
    for pages in (
        _pyramid(full),
        [picture_page(full, rows=16)],
        [picture_page(full, planes=True, tile=(32, 32))],
    ):
        data = tiff_bytes(*pages)
        (tmp_path / "a.tif").write_bytes(data)
        for allowed in (AllowedScale(), AllowedScale(cover=100), AllowedScale(max_side=100)):
            with opened_image(PictureFile(tmp_path / "a.tif")) as opened:
                assert not isinstance(opened, bytes)
                decoded, expected = (decode_picture(source, allowed=allowed) for source in (opened, data))
                assert decoded.picture.tobytes() == expected.picture.tobytes()
                assert decoded.scale == expected.scale
