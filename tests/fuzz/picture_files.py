"""Parsers of pictures: per format, small valid files, and what reads them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import tiff_files as tiff
from fuzzing import Parser
from metadata import write
from PIL import Image, ImageCms

from arttl.pictures.decoding import read_picture
from arttl.pictures.storing import stored_picture

MOST_PIXELS = 16_000_000
"""Memory grows with `--max-pixels` by design; at the default a sound picture takes more than the limit here."""
_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture(width: int = 40, height: int = 30, seed: int = 0) -> Image.Image:
    cells = np.random.RandomState(seed).randint(0, 256, (5, 7, 3)).astype(np.uint8)
    return Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)


def encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    picture().convert(mode).save(file, kind, **options)
    return file.getvalue()


def _encoded_in(kind: str, suffix: str, **modes: dict[str, Any]) -> Callable[[Path], None]:
    """Pictures of a format; the options of each, among them its mode."""

    def make(folder: Path) -> None:
        for name, options in modes.items():
            write(folder, f"{name}/file.{suffix}", encoded(kind, **options))

    return make


def _tiffs(folder: Path) -> None:
    levels = np.asarray(picture(20, 12)).astype(np.int64)
    grey = levels[..., :1]
    pages = {
        "strips": tiff.page_of(levels, 8, rows=5),
        "tiles": tiff.page_of(levels, 8, tile=(16, 16), compress=tiff.deflate, predictor=True),
        "planes": tiff.page_of(levels * 16, 12, planes=True),
        "sixteen": tiff.page_of(grey * 257, 16, order=">", compress=tiff.deflate),
        "bits": tiff.page_of(grey // 16, 4),
    }
    pages["strips"].sub.append(tiff.page_of(grey[:6], 8))
    halved = levels.reshape(6, 2, 10, 2, 3).mean(axis=(1, 3)).astype(np.int64)
    pyramid = tiff.page_of(levels, 8, tile=(4, 4))
    pyramid.sub.append(tiff.page_of(halved, 8, t254=1))
    write(folder, "pyramid/file.tif", tiff.tiff_bytes(pyramid))
    for name, page in pages.items():
        data = tiff.tiff_bytes(page, page, order=">" if name == "sixteen" else "<", big=name == "tiles")
        write(folder, f"{name}/file.tif", data)
    for name in ("jpeg", "tiff_lzw", "packbits", "group4"):
        write(
            folder, f"{name}/file.tif", encoded("TIFF", "1" if name == "group4" else "RGB", compression=name)
        )


def _other_pictures(folder: Path) -> None:
    pillow_heif.register_heif_opener()
    for name, kind, mode in (
        *(("avif", "AVIF", "RGB"), ("avif-alpha", "AVIF", "RGBA")),
        *(("webp", "WEBP", "RGBA"), ("heif", "HEIF", "RGB")),
    ):
        write(folder, f"{name}/file.{kind.lower()}", encoded(kind, mode, icc_profile=_PROFILE))


def _decode(folder: Path, scratch: Path) -> None:
    pixels = read_picture(next(folder.glob("file.*")), max_pixels=MOST_PIXELS)
    assert pixels.ndim == 3 and pixels.shape[2] == 3


def _store(folder: Path, scratch: Path) -> None:
    data = next(folder.glob("file.*")).read_bytes()
    for max_side in (32, 5):  # scaled down by the filter alone, and in parts or from a level first
        stored = stored_picture(data, max_side=max_side, max_pixels=MOST_PIXELS)
        with Image.open(io.BytesIO(stored.jpeg)) as again:
            assert again.size == (stored.width, stored.height)


_EXIF = Image.Exif()
_EXIF[274] = 6
_PIXELS = (_decode, _store)
PARSERS = {
    "jpeg": Parser(
        _encoded_in(
            *("JPEG", "jpg"),
            plain={},
            progressive={"progressive": True, "exif": _EXIF, "icc_profile": _PROFILE},
            cmyk={"mode": "CMYK", "restart_marker_blocks": 1},
            grey={"mode": "L"},
        ),
        _PIXELS,
    ),
    "png": Parser(
        _encoded_in(
            *("PNG", "png"),
            rgb={"icc_profile": _PROFILE},
            p={"mode": "P", "transparency": 0},
            **{mode: {"mode": mode} for mode in ("RGBA", "I;16", "1", "LA")},
        ),
        _PIXELS,
    ),
    "tiff": Parser(_tiffs, _PIXELS),
    "jpeg2000": Parser(
        _encoded_in(
            *("JPEG2000", "jp2"),
            stream={"no_jp2": True},
            **{m: {"mode": m} for m in ("RGB", "LA", "L", "RGBA")},
        ),
        _PIXELS,
    ),
    "avif-webp-heic": Parser(_other_pictures, _PIXELS),
}
