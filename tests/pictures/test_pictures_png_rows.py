"""PNGs that are reduced while they are decompressed: to the bit what reducing the whole picture gives."""

from __future__ import annotations

import builtins
import importlib
import io
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from arttl.picture_headers.bad_pictures import BadPicture
from arttl.pictures import inflate, png_rows
from arttl.pictures.decoding import decode_picture, opened_image
from arttl.pictures.picture_file import PictureFile
from arttl.pictures.reducing import AllowedScale

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_BITS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_KINDS = [(colour_type, bits) for colour_type, several in _BITS.items() for bits in several]


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_rows, "_AT_ONCE", 1000)
    monkeypatch.setattr(png_rows, "_COMPRESSED_AT_ONCE", 300)
    monkeypatch.setattr(inflate, "_AT_ONCE", 700)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _filtered(rows: np.ndarray, pixel: int, filters: np.ndarray) -> bytes:
    """Rows [H, n] with the filter of each before it, by the formulas of the specification's clause 9.2."""
    out = []
    above = np.zeros(rows.shape[1], int)
    for row, kind in zip(rows.astype(int), filters.tolist(), strict=True):
        left = np.concatenate([np.zeros(pixel, int), row])[: len(row)]
        corner = np.concatenate([np.zeros(pixel, int), above])[: len(row)]
        p = left + above - corner
        to = np.abs(np.stack([p - left, p - above, p - corner]))
        paeth = np.choose(to.argmin(axis=0), [left, above, corner])
        guess = [np.zeros_like(row), left, above, (left + above) // 2, paeth][kind]
        out.append(bytes([kind]) + ((row - guess) % 256).astype(np.uint8).tobytes())
        above = row
    return b"".join(out)


def _png(
    width: int, height: int, colour_type: int, bits: int, seed: int, chunk: int, *before: tuple[bytes, bytes]
) -> bytes:
    """A picture of noise with random filters, in chunks of so many bytes."""
    rng = np.random.default_rng(seed)
    samples = width * _SAMPLES[colour_type]
    rows = rng.integers(0, 256, (height, (samples * bits + 7) // 8), dtype=np.uint8)
    pixel = max(1, _SAMPLES[colour_type] * bits // 8)
    data = zlib.compress(_filtered(rows, pixel, rng.integers(0, 5, height)), seed % 10)
    pixels = [_chunk(b"IDAT", data[start : start + chunk]) for start in range(0, len(data), chunk)]
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    palette = rng.integers(0, 256, 3 << bits, dtype=np.uint8).tobytes() if colour_type == 3 else b""
    chunks = [(b"IHDR", header), *([(b"PLTE", palette)] if palette else []), *before]
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", *(_chunk(*each) for each in chunks), *pixels, _chunk(b"IEND", b"")]
    )


def _same(data: bytes, max_side: int) -> None:
    whole, small = decode_picture(data), decode_picture(data, allowed=AllowedScale(max_side=max_side))
    factors = AllowedScale(max_side=max_side).factors((whole.width, whole.height))
    assert small.scale == factors
    assert small.picture.mode == whole.picture.mode
    assert small.picture.tobytes() == whole.picture.reduce(factors).tobytes()
    assert (small.icc, small.orientation, small.remarks) == (whole.icc, whole.orientation, whole.remarks)
    assert (small.width, small.height) == (whole.width, whole.height)


@settings(deadline=None, max_examples=200)
@given(
    st.integers(8, 80), st.integers(8, 80), st.sampled_from(_KINDS), st.integers(0, 99), st.integers(1, 2000),
    st.integers(1, 4), st.booleans(),
)  # fmt: skip
def test_every_kind(
    width: int, height: int, kind: tuple[int, int], seed: int, chunk: int, max_side: int, transparent: bool
) -> None:
    before = []
    if transparent and kind[0] in (0, 2, 3):
        before.append(
            (
                b"tRNS",
                bytes(range(1, 3)) if kind[0] == 3 else struct.pack(">3H", 1, 1, 1)[: 2 * _SAMPLES[kind[0]]],
            )
        )
    _same(_png(width, height, *kind, seed, chunk, *before), max_side)


def test_what_the_file_says_beside_its_pixels() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "a comment")
    for options in ({"exif": exif}, {"icc_profile": b"a profile"}, {"pnginfo": text}):
        file = io.BytesIO()
        picture.save(file, "PNG", **options)
        _same(file.getvalue(), 20)
    _same(_png(70, 90, 2, 16, 0, 999, (b"gAMA", struct.pack(">I", 100_000))), 20)


def test_interlaced_and_animated_files_are_decoded_whole() -> None:
    header = struct.pack(">IIBBBBB", 70, 90, 8, 0, 0, 0, 1)
    passes = [
        (8, 8, 0, 0),
        (8, 8, 4, 0),
        (4, 8, 0, 4),
        (4, 4, 2, 0),
        (2, 4, 0, 2),
        (2, 2, 1, 0),
        (1, 2, 0, 1),
    ]
    levels = np.random.default_rng(0).integers(0, 256, (90, 70), dtype=np.uint8)
    rows = b"".join(
        b"\0" + row.tobytes() for across, down, x, y in passes for row in levels[y::down, x::across]
    )
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, body)
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )
    decoded = decode_picture(data, allowed=AllowedScale(max_side=20))
    assert decoded.scale == (1, 1)
    assert np.array_equal(np.asarray(decoded.picture), levels)
    file = io.BytesIO()
    frames = [Image.fromarray(levels), Image.fromarray(255 - levels)]
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    assert decode_picture(file.getvalue(), allowed=AllowedScale(max_side=20)).scale == (1, 1)


@pytest.mark.parametrize("kind", [(2, 8), (6, 8), (3, 4)])
def test_damage(kind: tuple[int, int]) -> None:
    allowed = AllowedScale(max_side=5)

    def reason(rows: bytes, stream: bytes | None = None) -> str:
        header = struct.pack(">IIBBBBB", 40, 40, kind[1], kind[0], 0, 0, 0)
        stream = zlib.compress(rows) if stream is None else stream
        chunks = [(b"IHDR", header), (b"PLTE", bytes(48)), (b"IDAT", stream), (b"IEND", b"")]
        with pytest.raises(BadPicture) as caught:
            decode_picture(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*c) for c in chunks), allowed=allowed)
        return caught.value.reason

    row = bytes(1 + 40 * _SAMPLES[kind[0]] * kind[1] // 8)
    assert reason(row * 39) == "damaged"  # a row too few
    assert reason(row * 20 + b"\x05" + row[1:] + row * 19) == "damaged"  # no such filter
    assert reason(b"", b"") == "damaged"
    compressed = zlib.compress(
        np.random.default_rng(0).integers(0, 2, len(row) * 40, dtype=np.uint8).tobytes()
    )
    assert reason(b"", compressed[: len(compressed) // 2]) == "damaged"
    assert reason(b"", compressed[:30] + bytes(40) + compressed[70:]) == "damaged"


def test_limits() -> None:
    with pytest.raises(BadPicture) as caught:
        decode_picture(_png(40, 40, 2, 8, 0, 99), max_pixels=1599, allowed=AllowedScale(max_side=5))
    assert caught.value.reason == "too-large"


def test_from_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arttl.pictures.decoding._MOST_IN_MEMORY", 100)
    monkeypatch.setattr("arttl.picture_headers.png._READ_AT_ONCE", 500)
    for kind, chunk in (((2, 8), 100), ((2, 8), 10_000), ((4, 16), 499)):
        data = _png(60, 50, *kind, 1, chunk)
        (tmp_path / "a.png").write_bytes(data)
        for allowed in (AllowedScale(), AllowedScale(max_side=12)):
            with opened_image(PictureFile(tmp_path / "a.png")) as opened:
                assert not isinstance(opened, bytes)
                decoded, expected = (decode_picture(source, allowed=allowed) for source in (opened, data))
                assert decoded.picture.tobytes() == expected.picture.tobytes()


def test_a_stream_of_much_more_than_the_picture_is_not_unpacked() -> None:
    made = 0
    bomb = zlib.compress(bytes(50_000_000))
    for piece in inflate.inflated([bomb], 5000):
        made += len(piece)
        assert len(piece) <= 700
    assert made == 5000


@pytest.mark.parametrize("library", ["isal", "zlib"])
def test_both_libraries_give_the_same(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if library == "isal":
        pytest.importorskip("isal")
    else:
        real = builtins.__import__

        def without(name: str, *rest: Any) -> Any:
            if name.startswith("isal"):
                raise ImportError(name)
            return real(name, *rest)

        monkeypatch.setattr(builtins, "__import__", without)
    module = importlib.util.module_from_spec(importlib.util.find_spec("arttl.pictures.inflate"))
    module.__spec__.loader.exec_module(module)
    monkeypatch.undo()
    assert module.zlib.__name__ == {"isal": "isal.isal_zlib", "zlib": "zlib"}[library]
    assert sys.modules["arttl.pictures.inflate"] is inflate
    plain = np.random.default_rng(0).integers(0, 9, 3_000_000, dtype=np.uint8).tobytes()
    stream = zlib.compress(plain)
    pieces = [stream[start : start + 5000] for start in range(0, len(stream), 5000)]
    assert b"".join(module.inflated(pieces, 10**9)) == plain
    assert b"".join(module.inflated([*pieces, b"more"], 10**9)) == plain
    assert b"".join(module.inflated(pieces, 1234)) == plain[:1234]


@pytest.mark.parametrize(("width", "height"), [(2**31 - 1, 0), (0, 2**31 - 1)])
def test_a_side_of_no_pixels_takes_no_memory(width: int, height: int) -> None:
    """Its pixels are none, which no limit of pixels refuses, and one row would be 2 GiB."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(b""))
        + _chunk(b"IEND", b"")
    )
    with pytest.raises(BadPicture, match=f"damaged.*a picture of {width} x {height} pixels has none"):
        decode_picture(data, allowed=AllowedScale(max_side=512))
