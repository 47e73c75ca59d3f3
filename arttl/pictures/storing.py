"""The JPEG that is stored for a photograph: its own bytes where they can be kept, a rescaled one otherwise."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import simplejpeg
from PIL import Image

from arttl.picture_headers.file_bytes import Bytes
from arttl.pictures.decoding import (
    BadPicture,
    decode_jpeg,
    decode_picture,
    is_plain_jpeg,
    jpeg_header,
    remarks_on_file,
)
from arttl.pictures.formats import picture_format
from arttl.pictures.reducing import AllowedScale
from arttl.pictures.remarks import remarks_on
from arttl.pictures.resizing import capped, resized

QUALITY = 92
# How far a reduced scale must cover the target. On eleven photographs of paintings the result is then within 41 to 53
# dB of that of the full scale, where encoding with quality 92 leaves 33 to 38.
_SPARE = 1.2
PREVIEW = 32  # pixels; enough for a perceptual hash
_LONGEST_JPEG = 65_500  # libjpeg's limit


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture as it goes into a shard: upright RGB JPEG; all sizes in pixels, upright.

    Attributes:
        jpeg: the file.
        width, height: of it.
        original_width, original_height: of the source.
        pixels: the same picture decoded, at any scale of at least `PREVIEW` on its longest side.
        remarks: what was done to it because of what the file says, see `arttl.pictures.remarks`.
    """

    jpeg: bytes
    width: int
    height: int
    original_width: int
    original_height: int
    pixels: Image.Image
    remarks: tuple[str, ...] = ()


def stored_picture(data: Bytes, *, max_side: int, max_pixels: int) -> StoredPicture:
    """Check a photograph by decoding all of it, and make the JPEG to store.

    A JPEG that is upright, RGB, 8-bit, Huffman-coded, sRGB and small enough is stored byte for byte. Any other
    picture is converted and scaled down with antialiasing (bicubic; a JPEG, a pyramid or a JPEG 2000 is first decoded
    at a reduced scale that covers the target with a fifth to spare), and encoded with quality 92: with 4:2:0 chroma
    where it was scaled down, since its half-size chroma still has more detail than a network's input, with 4:4:4 where
    it kept its size.

    Args:
        data: the file's bytes.
        max_side: longest side in pixels; 0: no cap.
        max_pixels: the most pixels to decode.

    Raises:
        BadPicture: if it is not a usable picture.
    """
    if isinstance(data, bytes) and picture_format(data) == "JPEG":
        header = jpeg_header(data, max_pixels=max_pixels)
        if is_plain_jpeg(header) and (not max_side or max(header.width, header.height) <= max_side):
            pixels = decode_jpeg(data, header, cover=PREVIEW)  # the check: any scale reads the whole file
            size = (header.width, header.height)
            return StoredPicture(data, *size, *size, pixels, remarks_on_file(header))
    allowed = AllowedScale(cover=round(_SPARE * max_side), max_side=max_side)
    decoded = decode_picture(data, max_pixels=max_pixels, allowed=allowed)
    full = (decoded.width, decoded.height)
    target = capped(*full, max_side)
    if target != full:
        decoded = dataclasses.replace(
            decoded, picture=resized(decoded.picture, target, decoded.box, decoded.origin)
        )
    upright_rgb = decoded.upright_rgb()
    rgb = np.asarray(upright_rgb)
    height, width = rgb.shape[:2]
    if max(height, width) > _LONGEST_JPEG:
        raise BadPicture(
            "too-large", f"{width} x {height}: a JPEG has at most 65,500 pixels a side; see --max-side"
        )
    jpeg = simplejpeg.encode_jpeg(
        np.ascontiguousarray(rgb), quality=QUALITY, colorsubsampling="444" if target == full else "420"
    )
    upright = full if decoded.orientation < 5 else full[::-1]
    return StoredPicture(jpeg, width, height, *upright, upright_rgb, tuple(remarks_on(decoded)))
