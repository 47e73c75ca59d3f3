from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from arttl.pictures import jpeg as jpeg_module
from arttl.pictures.decoding import BadPicture, read_picture
from arttl.pictures.jpeg import MOST_SCANS, check_scans, read_jpeg_header

_PICTURE = Image.linear_gradient("L").resize((40, 24))


def _jpeg(**options: object) -> bytes:
    file = io.BytesIO()
    _PICTURE.convert("RGB").save(file, "JPEG", **options)
    return file.getvalue()


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


@pytest.mark.parametrize(
    ("mode", "colour"), [("RGB", "YCbCr"), ("L", "grey"), ("CMYK", "CMYK")], ids=["rgb", "grey", "cmyk"]
)
@pytest.mark.parametrize("progressive", [False, True])
def test_header(mode: str, colour: str, progressive: bool, jpeg_bytes: Callable[..., bytes]) -> None:
    header = read_jpeg_header(jpeg_bytes(_PICTURE.convert(mode), progressive=progressive))
    assert (header.width, header.height, header.precision, header.colour) == (40, 24, 8, colour)
    assert header.coding == ("progressive" if progressive else "baseline")
    assert header.is_huffman
    assert header.orientation == 1
    assert header.icc is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert read_jpeg_header(_jpeg(exif=exif)).orientation == orientation


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_nonsense_orientation_counts_as_upright(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert read_jpeg_header(_jpeg(exif=exif)).orientation == 1


def test_damaged_exif_counts_as_upright() -> None:
    data = _jpeg()
    assert (
        read_jpeg_header(data[:2] + _segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff") + data[2:]).orientation
        == 1
    )


def test_profile_in_several_segments() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    long = profile + bytes(70_000)  # a segment holds less than 65,536
    assert read_jpeg_header(_jpeg(icc_profile=long)).icc == long


def test_adobe_marker_without_transform_means_rgb() -> None:
    data = _jpeg()
    start = data.index(b"\xff\xe0")
    length = int.from_bytes(data[start + 2 : start + 4], "big")
    without_jfif = data[:start] + data[start + 2 + length :]
    adobe = _segment(0xEE, b"Adobe" + bytes((0, 100, 0, 0, 0, 0, 0)))
    assert read_jpeg_header(without_jfif).colour == "YCbCr"
    assert read_jpeg_header(without_jfif[:2] + adobe + without_jfif[2:]).colour == "RGB"


@pytest.mark.parametrize(
    ("marker", "coding"), [(0xC9, "arithmetic-coded"), (0xC3, "lossless or hierarchical")]
)
def test_other_codings_are_told(marker: int, coding: str) -> None:
    header = read_jpeg_header(_jpeg().replace(b"\xff\xc0", bytes((0xFF, marker)), 1))
    assert header.coding == coding
    assert not header.is_huffman


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_bytes_break_the_parser(data: st.DataObject) -> None:
    whole = _jpeg()
    noise = data.draw(st.binary(max_size=80))
    start = data.draw(st.integers(2, len(whole)))
    for attempt in (
        noise,
        whole[:start],
        whole[:start] + noise,
        b"\xff\xd8" + noise,
        whole[:start] + noise + whole[start:],
    ):
        try:
            header = read_jpeg_header(attempt)
        except ValueError:
            continue
        assert header.width > 0
        assert header.height > 0


def _with_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = _jpeg(progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * (count - data.count(b"\xff\xda") + 1) + data[-2:]


@settings(max_examples=100, deadline=None)
@given(data=st.lists(st.sampled_from(b"\xff\xda\x00"), max_size=12).map(bytes))
def test_scans_are_counted_at_any_offset(data: bytes) -> None:
    expected = data.count(b"\xff\xda")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jpeg_module, "MOST_SCANS", expected)
        check_scans(data)
        patch.setattr(jpeg_module, "MOST_SCANS", expected - 1)
        with pytest.raises(ValueError, match=f"^{expected} scans are more than"):
            check_scans(data)


def test_more_scans_than_anyone_writes_are_refused_before_decoding(tmp_path: Path) -> None:
    """A file of two megabytes with 150,000 scans took more than a minute."""
    check_scans(_with_scans(MOST_SCANS))
    path = tmp_path / "a.jpg"
    path.write_bytes(_with_scans(150_000))
    started = time.process_time()
    with pytest.raises(BadPicture, match="150,000 scans are more than 100") as refused:
        read_picture(path)
    assert refused.value.reason == "too-large"
    assert time.process_time() - started < 1
