"""The compiled JPEG decoder against libjpeg-turbo, bit by bit.

Where coefficients overflow, libjpeg-turbo has other pixels on each kind of processor, and those of x86-64 count.
"""

from __future__ import annotations

import hashlib
import io
import platform
import struct
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from loading_pictures import jpeg, textured
from PIL import Image

from arttl.pictures.decoding import DEFAULT_MAX_PIXELS, decode_jpeg, jpeg_header
from arttl.pictures.jpeg_parts import REDUCTIONS, decode_part

X86_64 = platform.machine().lower() in ("x86_64", "amd64")
SUBSAMPLINGS = ("444", "422", "440", "420", "Gray")


def by_libjpeg(data: bytes, size: tuple[int, int], reduction: int = 1) -> np.ndarray:
    height, width = (-(-side // reduction) for side in size)
    return np.asarray(simplejpeg.decode_jpeg(data, min_height=height, min_width=width, min_factor=reduction))


def scales_of(size: tuple[int, int]) -> list[int]:
    """Those at which simplejpeg cannot take another scale for the one that is asked for."""
    return [each for each in REDUCTIONS if each == 1 or min(size) >= 2 * each]


def encoded(random: np.random.Generator, size: tuple[int, int]) -> bytes:
    """A JPEG of any kind that is decoded here: flat to noisy, of any quality, sampling and restart interval."""
    height, width = size
    coarse = random.integers(0, 256, (*random.integers(1, 12, 2), 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    noise = random.normal(0, random.choice([0, 3, 60]), (height, width, 3))
    pixels = (smooth + noise).clip(0, 255).astype(np.uint8)
    quality = int(random.integers(1, 101))
    if random.integers(2):
        sampling = str(random.choice(SUBSAMPLINGS))
        if sampling == "Gray":
            return bytes(simplejpeg.encode_jpeg(pixels[..., :1].copy(), quality, "GRAY", "Gray"))
        return bytes(simplejpeg.encode_jpeg(pixels, quality, "RGB", sampling))
    picture = Image.fromarray(pixels)
    kind = random.integers(6)
    if kind == 0:
        picture = picture.convert("L")
    restarts = str(random.choice(["restart_marker_blocks", "restart_marker_rows"]))
    return jpeg(
        picture,
        quality=quality,
        optimize=bool(random.integers(2)) and height * width < 15_000,  # Pillow's buffer for it has 64 KiB
        subsampling=0 if kind == 1 else int(random.integers(3)),
        keep_rgb=kind == 1,
        **{restarts: int(random.integers(0, 12))},
    )


def part_of(random: np.random.Generator, picture: np.ndarray) -> tuple[int, int, int, int]:
    """A part of a picture that is not empty."""
    height, width = picture.shape[:2]
    top, left = int(random.integers(height)), int(random.integers(width))
    return top, left, int(random.integers(top, height)) + 1, int(random.integers(left, width)) + 1


@given(height=st.integers(1, 200), width=st.integers(1, 200), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_every_bit_is_libjpegs(height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    data = encoded(random, (height, width))
    for reduction in scales_of((height, width)):
        expected = by_libjpeg(data, (height, width), reduction)
        whole = decode_part(data, (height, width), reduction)
        assert whole is not None and np.array_equal(whole, expected), reduction
        top, left, bottom, right = part = part_of(random, expected)
        actual = decode_part(data, (height, width), reduction, part)
        assert actual is not None and np.array_equal(actual, expected[top:bottom, left:right]), part


@pytest.mark.parametrize("sampling", SUBSAMPLINGS)
def test_every_size_of_a_few_blocks(sampling: str) -> None:
    """All remainders of blocks and of interpolation, at every scale."""
    random = np.random.default_rng(5)
    for height, width in product((1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 31, 33), repeat=2):
        pixels = random.integers(0, 256, (height, width, 1 if sampling == "Gray" else 3), dtype=np.uint8)
        colours = "GRAY" if sampling == "Gray" else "RGB"
        data = bytes(simplejpeg.encode_jpeg(pixels, 90, colours, sampling))
        for reduction in scales_of((height, width)):
            actual = decode_part(data, (height, width), reduction)
            expected = by_libjpeg(data, (height, width), reduction)
            assert actual is not None and np.array_equal(actual, expected), (height, width, reduction)


def extreme(coarse: int, quantum: int) -> bytes:
    """A JPEG whose coefficients lie far beyond those of any picture: its quantisation table is exchanged."""
    pixels = np.random.default_rng(coarse).integers(0, 2, (40, 56, 3), dtype=np.uint8) * 255
    data = bytearray(simplejpeg.encode_jpeg(pixels, 100, "RGB", "420"))
    at = -1
    while (at := data.find(b"\xff\xdb", at + 1)) >= 0:
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        data[at + 5 : at + 2 + length] = bytes([quantum]) * (length - 3)
    return bytes(data)


@pytest.mark.parametrize(
    ("quantum", "digest"),
    [(2, "e603292ff16b0798"), (17, "d8d84c4d5277f9e0"), (90, "6c1e77a3ebf0afa2"), (255, "f7cf0ac69d54d888")],
)
def test_coefficients_beyond_all_pictures_overflow_alike(quantum: int, digest: str) -> None:
    """On every processor as libjpeg-turbo on x86-64, whose pixels have these digests."""
    pixels = hashlib.sha256()
    for coarse in range(4):
        data = extreme(coarse, quantum)
        for reduction in REDUCTIONS:
            actual = decode_part(data, (40, 56), reduction)
            assert actual is not None
            pixels.update(actual.tobytes())
            if X86_64:
                assert np.array_equal(actual, by_libjpeg(data, (40, 56), reduction))
    assert pixels.hexdigest().startswith(digest)


def test_other_kinds_are_left_to_libjpeg() -> None:
    picture = textured(3, 60, 70)
    kinds = {
        "progressive": jpeg(picture, progressive=True),
        "inks": jpeg(picture.convert("CMYK")),
        "a quarter of the colours in a line": bytes(
            simplejpeg.encode_jpeg(np.array(picture), 90, "RGB", "411")
        ),
    }
    assert [name for name, data in kinds.items() if decode_part(data, (60, 70)) is not None] == []


def test_a_file_of_another_size_is_left_to_libjpeg() -> None:
    data = jpeg(textured(3, 60, 70))
    assert decode_part(data, (60, 70)) is not None
    assert decode_part(data, (60, 71)) is None and decode_part(data, (70, 60)) is None


def test_a_part_outside_the_picture_is_refused() -> None:
    data = jpeg(textured(3, 60, 70))
    for part in ((0, 0, 61, 70), (0, 0, 60, 71), (-1, 0, 3, 3), (5, 5, 5, 9)):
        with pytest.raises(ValueError, match="lies outside"):
            decode_part(data, (60, 70), 1, part)
    with pytest.raises(ValueError, match="lies outside"):
        decode_part(data, (60, 70), 2, (0, 0, 31, 35))
    with pytest.raises(ValueError, match="a reduction is one of"):
        decode_part(data, (60, 70), 3)


def mutated(random: np.random.Generator, data: bytes) -> bytes:
    """A file with a few bytes changed, cut out, repeated or put in, most of them in its header."""
    changed = bytearray(data)
    for _ in range(int(random.integers(1, 4))):
        if len(changed) < 2:
            break
        limit = min(len(changed), 700) if random.integers(3) else len(changed)
        at, length = int(random.integers(limit)), int(random.integers(1, 9))
        kind = random.integers(6)
        if kind == 0:
            del changed[at : at + length]
        elif kind == 1:
            changed[at:at] = changed[at : at + length]
        elif kind == 2:
            changed[at:at] = random.bytes(length)
        elif kind == 3:
            del changed[at + 1 :]
        elif kind == 4:
            changed[at] = int(random.choice([0, 1, 0x11, 0x22, 0x7F, 0x80, 0xD0, 0xD9, 0xDA, 0xFE, 0xFF]))
        else:
            changed[at] ^= 1 << int(random.integers(8))
    return bytes(changed)


def size_in(data: bytes, otherwise: tuple[int, int]) -> tuple[int, int]:
    """The size that a damaged file says it has, where that is small."""
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return otherwise
    return (height, width) if 0 < height * width < 10**6 else otherwise


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_damage_is_left_to_libjpeg(seed: int) -> None:
    """What is decoded here is what libjpeg decodes without a word; of a part, unless the damage is behind it."""
    random = np.random.default_rng(seed)
    size = (int(random.integers(1, 80)), int(random.integers(1, 80)))
    whole = encoded(random, size)
    for _ in range(25):
        data = mutated(random, whole)
        stated = size_in(data, size)
        reduction = int(random.choice(scales_of(stated)))
        actual = decode_part(data, stated, reduction)
        if actual is None:
            continue
        if X86_64:  # damage makes any coefficients
            assert np.array_equal(actual, by_libjpeg(data, stated, reduction))
        top, left, bottom, right = part = part_of(random, actual)
        cut = decode_part(data, stated, reduction, part)
        assert cut is not None and np.array_equal(cut, actual[top:bottom, left:right])


def test_a_file_that_is_cut_off_anywhere_is_left_to_libjpeg() -> None:
    """Also where the part that is asked for is whole."""
    data = jpeg(textured(3, 60, 70), restart_marker_rows=1)
    for length in range(len(data)):
        assert decode_part(data[:length], (60, 70), 1, (0, 0, 1, 1)) is None
    assert decode_part(data, (60, 70), 1, (0, 0, 1, 1)) is not None
    assert decode_part(data + b"behind the end", (60, 70)) is not None


@pytest.mark.real
@pytest.mark.slow
def test_every_real_picture_is_libjpegs(real_data: Path) -> None:
    files = sorted(path for path in real_data.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    decoded = 0
    for path in files:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            size = (picture.height, picture.width)
        for reduction in scales_of(size):
            actual = decode_part(data, size, reduction)
            if actual is not None:
                assert np.array_equal(actual, by_libjpeg(data, size, reduction)), path
                decoded += 1
    assert decoded > len(files)


@pytest.mark.parametrize("cover", [0, 10, 40])
def test_picture_files_are_decoded_as_by_libjpeg(cover: int) -> None:
    random = np.random.default_rng(cover)
    for _ in range(60):
        height, width = random.integers(1, 200, 2).tolist()
        data = encoded(random, (height, width))
        header = jpeg_header(data, max_pixels=DEFAULT_MAX_PIXELS)
        scale = 1
        while cover and scale < 8 and max(height, width) >= 2 * scale * cover:
            scale *= 2
        expected = simplejpeg.decode_jpeg(
            data,
            "GRAY" if header.colour == "grey" else "RGB",
            min_height=-(-height // scale),
            min_width=-(-width // scale),
            strict=True,
        )
        found = np.asarray(decode_jpeg(data, header, cover=cover))
        assert np.array_equal(found, expected[..., 0] if found.ndim == 2 else expected)
