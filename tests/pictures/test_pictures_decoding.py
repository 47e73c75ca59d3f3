from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from arttl.errors import ArttlError
from arttl.pictures.decoding import BadPicture, decode_picture, read_image, read_picture
from arttl.pictures.picture_file import PictureFile
from arttl.pictures.reducing import AllowedScale
from arttl.shards.rejects import REASONS

Make = Callable[..., Image.Image]

# How Pillow's ImageOps names what each orientation needs; written out here as array operations instead.
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def _save(picture: Image.Image, path: Path, **options: object) -> Path:
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp", "a.jp2"])
def test_lossless_formats_come_back_exactly(name: str, tmp_path: Path, soft_picture: Make) -> None:
    picture = soft_picture()
    options = {"a.webp": {"lossless": True}, "a.jp2": {"irreversible": False}}.get(name, {})
    pixels = read_picture(_save(picture, tmp_path / name, **options))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.asarray(picture))
    pixels[0, 0] = 0  # the caller's own, to write to


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_equals_pillow_s(progressive: bool, tmp_path: Path, soft_picture: Make) -> None:
    path = _save(soft_picture(), tmp_path / "a.jpg", progressive=progressive, quality=90)
    difference = np.abs(read_picture(path).astype(int) - np.asarray(Image.open(path)).astype(int))
    assert difference.max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_orientation_is_applied(orientation: int, suffix: str, tmp_path: Path, soft_picture: Make) -> None:
    picture = soft_picture(24, 16)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"webp": {"lossless": True}, "jpg": {"quality": 95, "subsampling": 0}}.get(
        suffix, {}
    )
    path = _save(picture, tmp_path / f"a.{suffix}", exif=exif, **options)
    expected = _UPRIGHT[orientation](np.asarray(picture)).astype(int)
    pixels = read_picture(path)
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).mean() < 2
    decoded = decode_picture(path.read_bytes())
    upright = (decoded.height, decoded.width) if decoded.orientation < 5 else (decoded.width, decoded.height)
    assert upright == expected.shape[:2]


def test_grey_and_palette_and_one_bit(tmp_path: Path, soft_picture: Make) -> None:
    picture = soft_picture()
    grey = picture.convert("L")
    for name, saved in (("l.png", grey), ("p.png", picture.quantize(64)), ("1.png", grey.convert("1"))):
        pixels = read_picture(_save(saved, tmp_path / name))
        assert np.array_equal(pixels, np.asarray(saved.convert("RGB"))), name
    jpeg = read_picture(_save(grey, tmp_path / "l.jpg", quality=95))
    assert np.array_equal(jpeg[..., 0], jpeg[..., 1])
    assert np.abs(jpeg[..., 0].astype(int) - np.asarray(grey)).max() <= 8


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_keep_the_upper_eight(name: str, tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 48 * 32).round().astype(np.uint16).reshape(32, 48)
    pixels = read_picture(_save(Image.fromarray(levels), tmp_path / name))
    assert np.abs(pixels.astype(float) - levels[..., None] / 257).max() <= 0.5
    assert pixels.min() == 0
    assert pixels.max() == 255


def test_white_is_zero_in_sixteen_bits(tmp_path: Path) -> None:
    levels = np.array([[0, 65535]], np.uint16)
    path = _save(Image.fromarray(levels), tmp_path / "a.tif", tiffinfo={262: 0})
    assert read_picture(path)[0, :, 0].tolist() == [255, 0]


def test_transparent_parts_become_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (4, 1))
    for x, pixel in enumerate([(200, 40, 0, 255), (200, 40, 0, 0), (0, 0, 0, 128), (0, 0, 0, 0)]):
        picture.putpixel((x, 0), pixel)
    pixels = read_picture(_save(picture, tmp_path / "a.png"))
    assert pixels[0].tolist() == [[200, 40, 0], [255, 255, 255], [127, 127, 127], [255, 255, 255]]
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    assert read_picture(_save(palette, tmp_path / "p.png", transparency=1))[0].tolist() == [
        [10, 20, 30],
        [255] * 3,
    ]


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_equals_pillow_s_conversion(name: str, tmp_path: Path, soft_picture: Make) -> None:
    path = _save(soft_picture().convert("CMYK"), tmp_path / name)
    expected = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert np.abs(read_picture(path) - expected).max() <= 1
    assert np.abs(expected - np.asarray(soft_picture()).astype(int)).mean() < 6  # and not its negative


def test_the_first_of_several_pages(tmp_path: Path, soft_picture: Make) -> None:
    first, second = soft_picture(seed=1), soft_picture(seed=2)
    for name, options in (("a.tif", {}), ("a.webp", {"lossless": True})):
        path = _save(first, tmp_path / name, save_all=True, append_images=[second], **options)
        assert np.array_equal(read_picture(path), np.asarray(first)), name


def test_covering_decode_stays_above_what_was_asked(
    soft_picture: Make, jpeg_bytes: Callable[..., bytes]
) -> None:
    picture = soft_picture(1000, 600)
    data = jpeg_bytes(picture)
    for cover, expected in (
        (0, 1000),
        (1000, 1000),
        (501, 1000),
        (500, 500),
        (260, 500),
        (250, 250),
        (1, 125),
    ):
        decoded = decode_picture(data, allowed=AllowedScale(cover))
        assert decoded.picture.width == expected
        assert (decoded.width, decoded.height) == (1000, 600)


def _reason(path: Path, **limits: int) -> tuple[str, str]:
    with pytest.raises(BadPicture) as caught:
        read_picture(path, **limits)
    assert caught.value.reason in REASONS
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value).replace(str(path), "")
    assert isinstance(caught.value, ArttlError)
    return caught.value.reason, caught.value.detail


def _bytes_of(kind: str, soft_picture: Make) -> bytes:
    file = io.BytesIO()
    soft_picture(200, 150).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><title>404</title>", "not-a-picture"),
        (b"\n  <?xml version='1.0'?>", "not-a-picture"),
        (b"just text, longer than any signature", "not-a-picture"),
        (b"\0" * 100, "not-a-picture"),
        (b"GIF89a" + bytes(20), "unsupported-format"),
        (b"%PDF-1.7" + bytes(20), "unsupported-format"),
        (b"\0\0\0\x18ftypisom" + bytes(20), "unsupported-format"),
        (b"\xff\xd8\xff", "damaged"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"II*\0" + bytes(40), "damaged"),
        (b"RIFF\x40\0\0\0WEBPVP8 " + bytes(60), "damaged"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), "damaged"),
    ],
)
def test_bytes_that_are_no_picture(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(data)
    assert _reason(path)[0] == reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.97])
def test_truncated_files(kind: str, kept: float, tmp_path: Path, soft_picture: Make) -> None:
    data = _bytes_of(kind, soft_picture)
    path = tmp_path / "a"
    path.write_bytes(data[: int(len(data) * kept)])
    assert _reason(path)[0] == "damaged"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_damage_raises_anything_else(data: st.DataObject, soft_picture: Make) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "TIFF", "WEBP", "JPEG2000"]))
    file = io.BytesIO()
    soft_picture(40, 30).save(file, kind)
    changed = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, min(len(changed), 400) - 1))
        changed[place] = data.draw(st.integers(0, 255))
    try:
        pixels = np.asarray(decode_picture(bytes(changed), max_pixels=100_000).upright_rgb())
    except BadPicture as error:
        assert error.reason in REASONS
    else:
        assert pixels.ndim == 3
        assert pixels.shape[0] * pixels.shape[1] <= 100_000


def test_overwritten_scan_is_an_error_though_pillow_decodes_it(tmp_path: Path, soft_picture: Make) -> None:
    data = bytearray(_bytes_of("JPEG", soft_picture))
    middle = len(data) * 2 // 3
    data[middle : middle + 60] = b"\x5a" * 60
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    Image.open(path).load()
    assert _reason(path)[0] == "damaged"


def test_bombs_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = _save(Image.new("1", (9_460, 9_460)), tmp_path / "bomb.png")
    assert path.stat().st_size < 100_000
    assert _reason(path) == ("too-large", "9460 x 9460 pixels are more than --max-pixels 89,478,485")
    small = _save(Image.new("RGB", (30, 20)), tmp_path / "a.jpg")
    assert _reason(small, max_pixels=599)[0] == "too-large"
    assert read_picture(small, max_pixels=600).shape == (20, 30, 3)


def test_a_lying_size_is_refused(tmp_path: Path, soft_picture: Make) -> None:
    data = _bytes_of("JPEG", soft_picture)
    frame = data.index(b"\xff\xc0")
    taller = data[: frame + 5] + (3000).to_bytes(2, "big") + data[frame + 7 :]
    path = tmp_path / "a.jpg"
    path.write_bytes(taller)
    assert _reason(path)[0] == "damaged"


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _reason(tmp_path / "none.jpg")[0] == "missing"
    assert _reason(tmp_path)[0] == "unreadable"
    (tmp_path / "link.jpg").symlink_to("nowhere.jpg")
    assert _reason(tmp_path / "link.jpg")[0] == "missing"
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert _reason(tmp_path / "loop.jpg")[0] == "unreadable"
    os.mkfifo(tmp_path / "pipe.jpg")
    assert _reason(tmp_path / "pipe.jpg")[0] == "unreadable"
    with pytest.raises(BadPicture, match="missing"):
        read_image(PictureFile(tmp_path / "nul\0.jpg"))

    def refuse(self: Path, *_: object, **__: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "secret.jpg").write_bytes(b"x")
    monkeypatch.setattr(Path, "open", refuse)
    assert _reason(tmp_path / "secret.jpg") == ("unreadable", "Permission denied")


def test_pixels_without_a_known_white(tmp_path: Path) -> None:
    path = _save(Image.fromarray(np.ones((4, 4), np.float32)), tmp_path / "a.tif")
    assert _reason(path)[0] == "unsupported-format"


def test_extreme_shapes(tmp_path: Path) -> None:
    for size in ((1, 1), (30_000, 1), (1, 3000)):
        path = _save(Image.new("RGB", size, (250, 0, 0)), tmp_path / "a.png")
        assert read_picture(path).shape == (size[1], size[0], 3)


def test_orientation_twin_of_this_test_is_pillow_s() -> None:
    for orientation, upright in _UPRIGHT.items():
        picture = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
        picture.getexif()[0x0112] = orientation
        assert np.array_equal(np.asarray(ImageOps.exif_transpose(picture)), upright(np.asarray(picture)))
