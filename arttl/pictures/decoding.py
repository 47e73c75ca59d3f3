"""Photographs of any origin to pixels: checked by a full decode, sized before memory is allocated, nothing trusted."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from arttl.errors import one_line
from arttl.picture_headers.bad_pictures import BadPicture as BadPicture
from arttl.picture_headers.bad_pictures import UnsupportedPixels
from arttl.picture_headers.file_bytes import Bytes, FileBytes, whole
from arttl.pictures.colour import is_srgb, to_eight_bit
from arttl.pictures.decoded import Decoded, check_pixels
from arttl.pictures.formats import FIRST_BYTES, REMEDY, picture_format
from arttl.pictures.jpeg import DEFAULT_MAX_PIXELS as DEFAULT_MAX_PIXELS
from arttl.pictures.jpeg import JpegHeader, check_scans, is_finished, read_jpeg_header
from arttl.pictures.jpeg_parts import decode_part
from arttl.pictures.picture_file import PictureFile
from arttl.pictures.readers import READERS
from arttl.pictures.reducing import FULL_SCALE, AllowedScale
from arttl.pictures.remarks import FIRST_PAGE

# No uncompressed picture needs more than eight bytes per pixel, and the rest is a generous share for metadata.
_ORIENTATION = 0x0112  # of EXIF
_BYTES_PER_PIXEL, _BYTES_OF_METADATA = 8, 64 * 2**20
_MOST_IN_MEMORY = 32 * 2**20
_READ_IN_PLACE = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\x89PNG")


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
    with opened_image(image, max_pixels=max_pixels) as data:
        return whole(data)


@contextmanager
def opened_image(image: PictureFile, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Iterator[Bytes]:
    """The bytes of a picture as `read_image` gives them; those of a large TIFF or PNG stay in the file until then.

    Raises:
        BadPicture: as `read_image`.
    """
    try:
        size = image.size()  # before opening: opening a pipe waits for ever
        if size > max_pixels * _BYTES_PER_PIXEL + _BYTES_OF_METADATA:
            raise BadPicture("too-large", f"{size:,} bytes; see --max-pixels")
        in_place = size > _MOST_IN_MEMORY and image.read(0, 4).startswith(_READ_IN_PLACE)
        data = None if in_place else image.read()
        file = image.path.open("rb", buffering=0) if in_place else None
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise BadPicture("missing", "no such file") from error
    except OSError as error:
        raise BadPicture("unreadable", error.strerror or str(error)) from error
    if file is not None:
        with file:
            yield FileBytes(file, image.span[0] if image.span else 0, size)
        return
    if not data:
        raise BadPicture("empty", "the file has no bytes")
    yield data


def decode_picture(
    data: Bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS, allowed: AllowedScale = FULL_SCALE
) -> Decoded:
    """Decode a picture.

    Args:
        data: the file's bytes.
        max_pixels: the most pixels that it may have.
        allowed: how small it may be decoded. The whole file is read and checked at any scale, but for a pyramid, of
            which one level is, and for the finer resolutions of JPEG 2000.

    Raises:
        BadPicture: if the bytes are not a picture, damaged, too large, or of an unsupported kind.
    """
    kind = picture_format(data if isinstance(data, bytes) else data[:FIRST_BYTES])
    if kind == "JPEG":
        data = whole(data)
        header = jpeg_header(data, max_pixels=max_pixels)
        scale = _jpeg_scale(header, allowed.cover)
        pixels = decode_jpeg(data, header, cover=allowed.cover)
        size, remarks = (header.width, header.height), remarks_on_file(header)
        return Decoded(pixels, header.icc, header.orientation, *size, remarks, (scale, scale))
    try:
        # A warning would reach a terminal without the file's name; damage that matters raises.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return READERS[kind](data, max_pixels, allowed)
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
        cover: as in `AllowedScale`.

    Returns:
        Mode L, RGB or CMYK, orientation not yet applied.

    Raises:
        BadPicture: if the file is damaged.
    """
    scale = _jpeg_scale(header, cover)
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


def _jpeg_scale(header: JpegHeader, cover: int) -> int:
    """How many pixels become one, across and down: of libjpeg-turbo's scales only these are vectorised."""
    scale = 1
    while cover and scale < 8 and max(header.width, header.height) >= 2 * scale * cover:
        scale *= 2
    return scale


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
