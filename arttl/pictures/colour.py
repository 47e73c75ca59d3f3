"""Any kind of pixels to 8-bit sRGB."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from arttl.picture_headers.bad_pictures import UnsupportedPixels

_PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
_SRGB_TOLERANCE = 2  # grey levels over a grid of colours; makers' sRGB profiles differ by one or two


def to_eight_bit(picture: Image.Image) -> Image.Image:
    """Any of Pillow's modes to L, LA, RGB, RGBA, CMYK or LAB, 8 bits per channel.

    Raises:
        UnsupportedPixels: for 32-bit and floating-point pixels, whose white is unknown.
    """
    mode = picture.mode
    if mode.startswith("I;16") or (mode == "I" and picture.format == "PNG"):
        levels = np.asarray(picture).astype(np.uint32)
        return Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))
    if mode in ("I", "F"):
        raise UnsupportedPixels("32-bit pixels, whose white is unknown")
    if mode in ("LA", "La"):
        return picture if mode == "LA" else picture.convert("LA")
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    if mode in ("L", "RGB", "CMYK", "LAB"):
        return picture
    return picture.convert("L" if mode == "1" else "RGB")


def to_srgb(picture: Image.Image, icc: bytes | None) -> Image.Image:
    """A picture in one of the modes of `to_eight_bit` to RGB in the sRGB colour space.

    Transparent parts become white, as on a page. A profile that cannot be read, or is of another kind than the
    pixels, is ignored, as browsers do; pixels without a profile count as sRGB (CMYK: Pillow's plain conversion).
    """
    if picture.mode in ("LA", "RGBA"):
        page = Image.new("RGBA", picture.size, "white")
        page.alpha_composite(picture.convert("RGBA"))
        picture = page.convert("RGB") if picture.mode == "RGBA" else page.getchannel("R")
    if picture.mode == "L" and icc:
        table = _grey_to_srgb(icc)
        return Image.merge("RGB", [picture.point(table)] * 3) if table else picture.convert("RGB")
    transform = _lab_to_srgb() if picture.mode == "LAB" else icc and _profile_to_srgb(icc, picture.mode)
    if transform:
        return transform.apply(picture)
    return picture.convert("RGB")


@lru_cache(maxsize=16)
def is_srgb(icc: bytes) -> bool:
    """Whether an RGB profile says no more than sRGB: a grid of colours stays as it is."""
    transform = _profile_to_srgb(icc, "RGB")
    if transform is None:
        return False
    steps = np.linspace(0, 255, 6).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(6, 36, 3)
    moved = np.asarray(transform.apply(Image.fromarray(grid))).astype(np.int16)
    return int(np.abs(moved - grid).max()) <= _SRGB_TOLERANCE


def is_changed_by_profile(icc: bytes, mode: str) -> bool | None:
    """Whether a profile changes pixels of one of the modes of `to_eight_bit`; None where it cannot be used for them."""
    mode = mode.removesuffix("A")
    if mode == "LAB":  # has a profile of its own
        return False
    if _profile_to_srgb(icc, mode) is None:
        return None
    if mode == "L":
        table = _grey_to_srgb(icc) or []
        return any(abs(level - changed) > _SRGB_TOLERANCE for level, changed in enumerate(table))
    return mode != "RGB" or not is_srgb(icc)


@lru_cache(maxsize=16)
def _profile_to_srgb(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform of a profile for pixels of one mode; None where the profile is not for them."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if _PROFILE_MODES.get(profile.profile.xcolor_space.strip()) != mode:
            return None
        return _transform(profile, mode)
    except Exception:  # ImageCms raises PyCMSError, OSError and more on damaged profiles
        return None


@lru_cache(maxsize=16)
def _grey_to_srgb(icc: bytes) -> list[int] | None:
    """What each of the 256 levels becomes; None where the profile is not for grey.

    LittleCMS makes a coarse table of a grey profile, which is up to ten levels off in the shadows, unless it is told
    not to; of one row, that costs nothing.
    """
    transform = _profile_to_srgb(icc, "L")
    if transform is None:
        return None
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    return np.asarray(transform.apply(ramp))[0, :, 1].tolist()


@lru_cache(maxsize=1)
def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    return _transform(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")


def _transform(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.ImageCmsTransform(
        profile,
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        mode,
        "RGB",
        intent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION | (ImageCms.Flags.NOOPTIMIZE if mode == "L" else 0),
    )
