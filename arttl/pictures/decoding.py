"""Photographs of any origin to pixels: checked by a full decode, sized before memory is allocated, nothing trusted."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from arttl.errors import one_line
from arttl.pictures.bad_pictures import BadPicture as BadPicture
from arttl.pictures.bad_pictures import UnsupportedPixels
from arttl.pictures.colour import is_srgb, to_eight_bit
from arttl.pictures.decoded import Decoded, check_pixels
from arttl.pictures.formats import REMEDY, picture_format
from arttl.pictures.jpeg import DEFAULT_MAX_PIXELS as DEFAULT_MAX_PIXELS
from arttl.pictures.jpeg import JpegHeader, check_scans, is_finished, read_jpeg_header
from arttl.pictures.jpeg_parts import decode_part
from arttl.pictures.picture_file import PictureFile
from arttl.pictures.readers import READERS
from arttl.pictures.remarks import FIRST_PAGE

# No uncompressed picture needs more than eight bytes per pixel, and the rest is a generous share for metadata.
_ORIENTATION = 0x0112  # of EXIF
_BYTES_PER_PIXEL, _BYTES_OF_METADATA = 8, 64 * 2**20


def read_picture(path: str | Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> npt.NDArray[np.uint8]:
    """Decode a photograph: JPEG, PNG, TIFF, WebP, JPEG 2000, AVIF or, with `arttl[heif]`, HEIC.

    Of several pages the first is read, at its full resolution; `docs/sources.md` says what is refused.

    Args:
        path: the file.
        max_pixels: the most pixels to decode.

    Returns:
        [H, W, 3] uint8, RGB in sRGB, upright; transparent parts white.

    Raises:
        BadPicture: if it is missing, damaged, too large, or no such picture; its message names the file.
    """
    try:
        decoded = decode_picture(
            read_image(PictureFile(Path(path)), max_pixels=max_pixels), max_pixels=max_pixels
        )
    except BadPicture as error:
        raise BadPicture(error.reason, error.detail, str(path)) from error
    return np.array(decoded.upright_rgb())


def upright_rgb(picture: Image.Image) -> Image.Image:
    """A picture that Pillow has opened, as `read_picture` would read its file: RGB in sRGB, upright.

    Raises:
        BadPicture: if it is damaged, or of an unsupported kind.
    """
    try:
        orientation = int(picture.getexif().get(_ORIENTATION, 1))
        decoded = Decoded(to_eight_bit(picture), picture.info.get("icc_profile"), orientation, *picture.size)
        return decoded.upright_rgb()
    except UnsupportedPixels as error:
        raise BadPicture("unsupported-format", one_line(error)) from error
    except Exception as error:  # Pillow's plugins raise nearly anything on damaged files
        raise BadPicture("damaged", one_line(error)) from error


def read_image(image: PictureFile, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> bytes:
    """The bytes of a picture, if there can be at most `max_pixels` in them.

    Raises:
        BadPicture: if there is no such file, or it is empty, unreadable, or too large.
    """
    try:
        size = image.size()  # before opening: opening a pipe waits for ever
        if size > max_pixels * _BYTES_PER_PIXEL + _BYTES_OF_METADATA:
            raise BadPicture("too-large", f"{size:,} bytes; see --max-pixels")
        data = image.read()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise BadPicture("missing", "no such file") from error
    except OSError as error:
        raise BadPicture("unreadable", error.strerror or str(error)) from error
    if not data:
        raise BadPicture("empty", "the file has no bytes")
    return data


def decode_picture(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS, cover: int = 0) -> Decoded:
    """Decode the whole of a picture.

    Args:
        data: the file's bytes.
        max_pixels: the most pixels to decode.
        cover: where above 0, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as its longest side
            stays at least this long. The whole file is read and checked at any scale.

    Raises:
        BadPicture: if the bytes are not a picture, damaged, too large, or of an unsupported kind.
    """
    kind = picture_format(data)
    if kind == "JPEG":
        header = jpeg_header(data, max_pixels=max_pixels)
        pixels = decode_jpeg(data, header, cover=cover)
        return Decoded(
            pixels, header.icc, header.orientation, header.width, header.height, remarks_on_file(header)
        )
    try:
        # A warning would reach a terminal without the file's name; damage that matters raises.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return READERS[kind](data, max_pixels)
    except BadPicture:
        raise
    except UnsupportedPixels as error:
        raise BadPicture("unsupported-format", one_line(error)) from error
    except Image.DecompressionBombError as error:
        raise BadPicture("too-large", one_line(error)) from error
    except Exception as error:  # Pillow's plugins raise nearly anything on damaged files
        raise BadPicture("damaged", one_line(error)) from error


def looks_like_a_picture(image: PictureFile) -> bool:
    """Whether the first bytes are those of a supported format."""
    try:
        picture_format(image.read(0, 64))
    except (OSError, BadPicture):
        return False
    return True


def jpeg_header(data: bytes, *, max_pixels: int) -> JpegHeader:
    """The header of a JPEG that can be decoded within `max_pixels`.

    Raises:
        BadPicture: if there is no such header.
    """
    try:
        header = read_jpeg_header(data)
    except ValueError as error:
        raise BadPicture("damaged", one_line(error)) from error
    check_pixels(header.width, header.height, max_pixels)
    try:
        check_scans(data)
    except ValueError as error:
        raise BadPicture("too-large", str(error)) from error
    if not header.is_decodable:
        if not is_finished(data):
            raise BadPicture("damaged", "the file is cut off")
        raise BadPicture(
            "unsupported-format",
            f"a {header.precision}-bit {header.coding} JPEG ({header.colour} colours or subsampling); {REMEDY}",
        )
    return header


def decode_jpeg(data: bytes, header: JpegHeader, *, cover: int = 0) -> Image.Image:
    """Decode a JPEG with every warning of libjpeg as an error.

    Args:
        data: the file's bytes.
        header: of `jpeg_header`.
        cover: as for `decode_picture`.

    Returns:
        Mode L, RGB or CMYK, orientation not yet applied.

    Raises:
        BadPicture: if the file is damaged.
    """
    scale = 1
    # Of libjpeg-turbo's scales only these are vectorised.
    while cover and scale < 8 and max(header.width, header.height) >= 2 * scale * cover:
        scale *= 2
    mode, space = {"grey": ("L", "GRAY"), "CMYK": ("CMYK", "CMYK"), "YCCK": ("CMYK", "CMYK")}.get(
        header.colour, ("RGB", "RGB")
    )
    if mode == "RGB" and (own := decode_part(data, (header.height, header.width), scale)) is not None:
        return Image.fromarray(own)
    try:
        pixels = simplejpeg.decode_jpeg(
            data,
            space,
            min_height=-(-header.height // scale),
            min_width=-(-header.width // scale),
            strict=True,
        )
    except (ValueError, MemoryError) as error:
        raise BadPicture("damaged", one_line(error)) from error
    if mode == "L":
        return Image.fromarray(pixels[:, :, 0])
    if mode == "CMYK":
        # Nearly every CMYK JPEG is stored inverted, as Adobe does it, with or without its marker; browsers and
        # Pillow read all of them so.
        return Image.frombytes("CMYK", pixels.shape[1::-1], (255 - pixels).tobytes())
    return Image.fromarray(pixels)


def remarks_on_file(header: JpegHeader) -> tuple[str, ...]:
    """What is said of a JPEG before its colours are looked at."""
    return (FIRST_PAGE,) if header.has_further else ()


def is_plain_jpeg(header: JpegHeader) -> bool:
    """Whether a JPEG can be stored as it is: upright, YCbCr, 8-bit, Huffman-coded, and sRGB."""
    return (
        header.is_huffman
        and header.colour == "YCbCr"
        and header.orientation == 1
        and (header.icc is None or is_srgb(header.icc))
    )
