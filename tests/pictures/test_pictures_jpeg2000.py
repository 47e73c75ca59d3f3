"""The header of JPEG 2000: files of Pillow's with header boxes of our own, against LittleCMS and formulas."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from refused_pictures import refused

from arttl.picture_headers.bad_pictures import BadPicture
from arttl.picture_headers.boxes import boxes
from arttl.picture_headers.jpeg2000 import read_jpeg2000_header
from arttl.picture_headers.profiles import SRGB, grey_profile, rgb_profile
from arttl.pictures.decoding import decode_picture
from arttl.pictures.reducing import AllowedScale
from arttl.pictures.resizing import resized

Make = Callable[..., Image.Image]

_ADOBE = rgb_profile(2.19921875, SRGB._replace(green=(0.21, 0.71))) or b""


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def _enumerated(number: int) -> bytes:
    return _box(b"colr", bytes((1, 0, 0)) + struct.pack(">I", number))


def _embedded(icc: bytes, method: int = 2) -> bytes:
    return _box(b"colr", bytes((method, 0, 0)) + icc)


def _channels(*channels: tuple[int, int, int]) -> bytes:
    """Channel, type (0 colour, 1 opacity, 2 premultiplied opacity) and what it belongs to."""
    return _box(
        b"cdef", struct.pack(">H", len(channels)) + b"".join(struct.pack(">3H", *entry) for entry in channels)
    )


def _codestream(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG2000", irreversible=False, no_jp2=True, **options)
    return file.getvalue()


def _jp2(codestream: bytes, *header_boxes: bytes) -> bytes:
    """A file of one codestream and the given boxes in its header."""
    size = codestream[4:]
    right, bottom, left, top = struct.unpack_from(">4I", size, 4)
    count, depth = struct.unpack_from(">HB", size, 36)
    image = _box(b"ihdr", struct.pack(">IIHBBBB", bottom - top, right - left, count, depth, 7, 0, 0))
    return (
        b"\0\0\0\x0cjP  \r\n\x87\n"
        + _box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + _box(b"jp2h", image + b"".join(header_boxes))
        + _box(b"jp2c", codestream)
    )


def _rgb(data: bytes) -> np.ndarray:
    return np.asarray(decode_picture(data).upright_rgb()).astype(int)


@pytest.mark.parametrize("method", [2, 3])
def test_a_profile_is_applied(method: int, soft_picture: Make) -> None:
    picture = soft_picture()
    found = _rgb(_jp2(_codestream(picture), _embedded(_ADOBE, method)))
    srgb = ImageCms.createProfile("sRGB")
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    adobe = ImageCms.ImageCmsProfile(io.BytesIO(_ADOBE))
    expected = ImageCms.profileToProfile(
        picture, adobe, srgb, renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, flags=flags
    )
    assert np.abs(found - np.asarray(expected)).max() <= 1
    assert np.abs(found - np.asarray(picture)).mean() > 4


def test_a_grey_profile_is_applied() -> None:
    ramp = Image.linear_gradient("L")
    found = _rgb(_jp2(_codestream(ramp), _embedded(grey_profile(1.0) or b"")))
    light = np.asarray(ramp) / 255
    expected = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(found - expected[..., None]).max() <= 1.5


def test_enumerated_colours(soft_picture: Make) -> None:
    picture = soft_picture()
    assert np.array_equal(_rgb(_jp2(_codestream(picture), _enumerated(16))), np.asarray(picture))
    grey = picture.convert("L")
    assert np.array_equal(_rgb(_jp2(_codestream(grey), _enumerated(17)))[:, :, 0], np.asarray(grey))
    # sYCC is the YCbCr of JPEG (IEC 61966-2-1, annex G).
    as_rgb = Image.merge("RGB", picture.convert("YCbCr").split())
    assert np.abs(_rgb(_jp2(_codestream(as_rgb), _enumerated(18))) - np.asarray(picture)).max() <= 3


def test_the_first_specification_of_a_known_method_counts(soft_picture: Make) -> None:
    picture = soft_picture()
    vendor = _box(b"colr", bytes((4, 0, 0)) + bytes(16))
    data = _jp2(_codestream(picture), vendor, _enumerated(16), _embedded(_ADOBE))
    assert np.array_equal(_rgb(data), np.asarray(picture))


@pytest.mark.parametrize("by_profile", [False, True])
def test_cmyk(by_profile: bool, soft_picture: Make) -> None:
    inks = soft_picture().convert("CMYK")
    codestream = _codestream(Image.merge("RGBA", inks.split()))
    header = _embedded(b"\0" * 16 + b"CMYK" + b"\0" * 200, 3) if by_profile else _enumerated(12)
    decoded = decode_picture(_jp2(codestream, header))
    assert decoded.picture.mode == "CMYK"
    assert np.array_equal(np.asarray(decoded.picture), np.asarray(inks))


def test_alpha_is_what_the_channel_definition_says(soft_picture: Make) -> None:
    alpha = Image.linear_gradient("L").resize((96, 64))
    picture = soft_picture()
    share = np.asarray(alpha)[..., None] / 255
    on_white = np.asarray(picture) * share + 255 * (1 - share)
    rgba = Image.merge("RGBA", (*picture.split(), alpha))
    colours = [(index, 0, index + 1) for index in range(3)]
    straight = _jp2(_codestream(rgba), _enumerated(16), _channels(*colours, (3, 1, 0)))
    assert np.abs(_rgb(straight) - on_white).max() <= 1.5
    ignored = _jp2(_codestream(rgba), _enumerated(16), _channels(*colours, (3, 65535, 65535)))
    assert np.array_equal(_rgb(ignored), np.asarray(picture))
    unstated = _jp2(_codestream(rgba), _enumerated(16))
    assert refused(unstated)[1].startswith("JPEG 2000 whose last component has no stated meaning")
    opaque = _jp2(_codestream(picture.convert("RGBA")), _enumerated(16))
    assert np.array_equal(_rgb(opaque), np.asarray(picture))
    multiplied = Image.fromarray(np.round(np.asarray(picture) * share).astype(np.uint8))
    codestream = _codestream(Image.merge("RGBA", (*multiplied.split(), alpha)))
    premultiplied = _jp2(codestream, _enumerated(16), _channels(*colours, (3, 2, 0)))
    assert np.abs(_rgb(premultiplied) - on_white).max() <= 2.5
    grey = Image.merge("LA", (picture.convert("L"), alpha))
    data = _jp2(_codestream(grey), _enumerated(17), _channels((0, 0, 1), (1, 1, 0)))
    expected = np.asarray(grey.getchannel(0))[..., None] * share + 255 * (1 - share)
    assert np.abs(_rgb(data) - expected).max() <= 1.5


def test_pictures_as_pillow_writes_them_keep_their_alpha(soft_picture: Make) -> None:
    picture = soft_picture().convert("RGBA")
    picture.putalpha(0)
    file = io.BytesIO()
    picture.save(file, "JPEG2000")
    assert (_rgb(file.getvalue()) == 255).all()


@pytest.mark.parametrize("bits", [1, 2, 4, 7])
def test_white_of_few_bits_is_white(bits: int) -> None:
    """The depth in the codestream of levels that fit in it is lowered by hand; its pixels stay shifted as they are."""
    levels = np.arange(1 << bits, dtype=np.uint8).reshape(1, -1)
    codestream = bytearray(_codestream(Image.fromarray(np.repeat(levels, 8, axis=0))))
    # DC level shift is 2 ** (bits - 1): the stored levels are moved by the difference of the two.
    codestream[42] = bits - 1
    moved = levels.astype(int) - 128 + (1 << (bits - 1))
    found = _rgb(_jp2(bytes(codestream), _enumerated(17)))[0, :, 0]
    expected = np.round(np.clip(moved[0], 0, (1 << bits) - 1) * 255 / ((1 << bits) - 1))
    assert np.abs(found - expected).max() <= 1


def test_sixteen_bit_grey() -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (20, 30)).astype(np.uint16)
    found = _rgb(_jp2(_codestream(Image.fromarray(levels)), _enumerated(17)))
    assert np.abs(found - levels[..., None] / 257).max() <= 0.5


@pytest.mark.parametrize(
    ("number", "words"), [(14, "CIELab"), (21, "ROMM-RGB"), (9, "PhotoYCC"), (999, "colour space 999")]
)
def test_other_colour_spaces_are_refused(number: int, words: str, soft_picture: Make) -> None:
    data = _jp2(_codestream(soft_picture()), _enumerated(number))
    reason, detail = refused(data)
    assert reason == "unsupported-format"
    assert words in detail
    assert refused(data[: len(data) // 2])[0] == "damaged"


def test_components_without_a_meaning_are_refused(soft_picture: Make) -> None:
    rgba = _codestream(soft_picture().convert("RGBA"))
    assert refused(rgba) == (
        "unsupported-format",
        "JPEG 2000 of 4 components that does not state its colours; export it as TIFF or JPEG",
    )
    assert refused(_jp2(rgba, _enumerated(17)))[0] == "unsupported-format"
    lab = _embedded(b"\0" * 16 + b"Lab " + b"\0" * 200)
    assert refused(_jp2(_codestream(soft_picture()), lab))[0] == "unsupported-format"
    plain = _codestream(soft_picture())
    assert np.array_equal(_rgb(plain), np.asarray(soft_picture()))


def test_the_size_of_the_codestream_counts(soft_picture: Make) -> None:
    codestream = bytearray(_codestream(soft_picture()))
    codestream[8:12] = (20_000).to_bytes(4, "big")
    codestream[12:16] = (20_000).to_bytes(4, "big")
    assert refused(_jp2(bytes(codestream), _enumerated(16)))[0] == "too-large"


def test_a_wrong_length_around_a_whole_codestream(soft_picture: Make) -> None:
    data = _jp2(_codestream(soft_picture()), _enumerated(16))
    start = data.index(b"jp2c") - 4
    longer = data[:start] + (len(data) - start + 7).to_bytes(4, "big") + data[start + 4 :]
    assert np.array_equal(_rgb(longer), np.asarray(soft_picture()))
    assert refused(longer[:-2])[0] == "damaged"


def test_boxes_are_counted_and_stay_inside() -> None:
    with pytest.raises(ValueError, match="more than 10,000 boxes"):
        list(boxes(_box(b"free", b"") * 10_001))
    with pytest.raises(ValueError, match="cut off"):
        list(boxes(struct.pack(">I4s", 9, b"free")))
    assert [box.kind for box in boxes(struct.pack(">I4s", 0, b"free") + b"rest")] == [b"free"]
    long = struct.pack(">I4sQ", 1, b"free", 20) + bytes(4)
    assert [(box.start, box.end) for box in boxes(long)] == [(16, 20)]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_damage_raises_anything_else(data: st.DataObject, soft_picture: Make) -> None:
    boxes_of_header = data.draw(
        st.lists(
            st.one_of(
                st.sampled_from([_enumerated(16), _embedded(_ADOBE), _channels((0, 0, 1), (3, 1, 0))]),
                st.tuples(
                    st.sampled_from([b"colr", b"cdef", b"pclr", b"res ", b"cmap"]), st.binary(max_size=30)
                ).map(lambda parts: _box(*parts)),
            ),
            max_size=4,
        )
    )
    whole = bytearray(_jp2(_codestream(soft_picture(20, 16)), *boxes_of_header))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(12, min(len(whole), 400) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = decode_picture(bytes(whole), max_pixels=100_000).picture
    except BadPicture:
        return
    assert picture.width * picture.height <= 100_000


@pytest.mark.parametrize(
    "options", [{}, {"tile_size": (64, 64)}, {"num_resolutions": 3}, {"irreversible": True}]
)
@pytest.mark.parametrize("size", [(257, 190), (256, 192), (261, 187)])
def test_a_coarser_resolution(options: dict[str, object], size: tuple[int, int], soft_picture: Make) -> None:
    """Compared with the whole picture scaled down, also where its low-pass samples lie."""
    whole = soft_picture(*size, seed=4)
    file = io.BytesIO()
    whole.save(file, "JPEG2000", **options)
    for cover, scale in ((size[0], 1), (size[0] // 2 + 1, 1), (size[0] // 2, 2), (size[0] // 4, 4), (33, 4)):
        decoded = decode_picture(file.getvalue(), allowed=AllowedScale(cover=cover))
        assert decoded.scale == (scale, scale), cover
        assert (decoded.width, decoded.height) == size
    small = (43, round(43 * size[1] / size[0]))
    expected, found, shifted = (
        np.asarray(resized(picture, small, box, origin), float)
        for picture, box, origin in (
            (whole, size, (0.0, 0.0)),
            (decoded.picture, decoded.box, decoded.origin),
            (decoded.picture, (decoded.box[0], decoded.box[1]), (0.0, 0.0)),
        )
    )
    assert np.abs(found - expected).mean() < 1.5
    assert np.abs(found - expected).mean() < 0.6 * np.abs(shifted - expected).mean()


def test_resolutions_that_are_not_for_use(soft_picture: Make) -> None:
    file = io.BytesIO()
    soft_picture(200, 100).save(file, "JPEG2000", no_jp2=True)
    data = bytearray(file.getvalue())
    assert read_jpeg2000_header(bytes(data)).levels == 5
    coding = data.index(b"\xff\x52")
    component = data[:coding] + b"\xff\x53\0\x09\0\0\x02\x04\x04\0\0" + data[coding:]
    assert read_jpeg2000_header(bytes(component)).levels == 0  # a component has levels of its own
    moved = bytearray(data)
    moved[6 + 2 + 4 + 4 + 3] = 1  # the picture begins at the second column
    moved[6 + 2 + 3] += 1
    assert read_jpeg2000_header(bytes(moved)).levels == 0
    subsampled = bytearray(data)
    subsampled[6 + 36 + 3 + 1] = 2
    assert read_jpeg2000_header(bytes(subsampled)).levels == 0


@pytest.mark.parametrize(("right", "bottom"), [(0, 100), (200, 0), (3, 100)])
def test_a_side_of_no_pixels_is_damage(soft_picture: Make, right: int, bottom: int) -> None:
    data = bytearray(_codestream(soft_picture(200, 100)))
    left = 5 * (right == 3)  # to the right of where it ends
    struct.pack_into(">4I", data, 8, right, bottom, left, 0)
    with pytest.raises(BadPicture, match=f"damaged.*a picture of {right - left} x {bottom} pixels has none"):
        decode_picture(bytes(data))
