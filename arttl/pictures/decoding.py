"""Photographs of any origin to pixels: checked by a full decode, sized before memory is allocated, nothing trusted."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import ExifTags, Image

from arttl.errors import ArttlError, one_line
from arttl.pictures.colour import UnsupportedPixels, is_srgb, to_eight_bit, to_srgb
from arttl.pictures.jpeg import JpegHeader, png_chunks_are_whole, read_jpeg_header
from arttl.pictures.picture_file import PictureFile
from arttl.shards.rejects import Reason

# Pillow's own threshold: a picture of 256 MiB at three bytes per pixel.
DEFAULT_MAX_PIXELS = 89_478_485
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)
_REFUSED_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\0\0\x01\0", "icon"),
)
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# No uncompressed picture needs more than eight bytes per pixel, and the rest is a generous share for metadata.
_BYTES_PER_PIXEL, _BYTES_OF_METADATA = 8, 64 * 2**20


class BadPicture(ArttlError):
    """A file that is not a usable picture.

    Attributes:
        reason: from the fixed list `arttl.shards.rejects.REASONS`.
        detail: what exactly is wrong.
    """

    def __init__(self, reason: Reason, detail: str, file: str = "the picture") -> None:
        super().__init__(f"{file} cannot be used ({reason}): {detail}")
        self.reason: Reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture in its file's own colours and orientation.

    Attributes:
        picture: mode L, RGB, RGBA, CMYK or LAB; at a reduced scale where that was allowed.
        icc: the embedded colour profile.
        orientation: EXIF orientation still to be applied, 1 to 8.
        width, height: at full scale, before the orientation is applied.
    """

    picture: Image.Image
    icc: bytes | None
    orientation: int
    width: int
    height: int

    def upright_rgb(self) -> Image.Image:
        """Mode RGB, in sRGB, orientation applied."""
        rgb = to_srgb(self.picture, self.icc)
        return rgb.transpose(_TRANSPOSE[self.orientation]) if self.orientation in _TRANSPOSE else rgb


def read_picture(path: str | Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> npt.NDArray[np.uint8]:
    """Decode a photograph: JPEG, PNG, TIFF, WebP or JPEG 2000 (of several pages the first).

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
        return Decoded(pixels, header.icc, header.orientation, header.width, header.height)
    return _decode_with_pillow(data, kind, max_pixels)


def picture_format(data: bytes) -> str:
    """Pillow's name for the format, from the first bytes and not from the file's name.

    Raises:
        BadPicture: for other formats and for no picture at all.
    """
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    for signature, name in _REFUSED_SIGNATURES:
        if data.startswith(signature):
            raise BadPicture("unsupported-format", f"{name}; save it as JPEG, PNG, TIFF, WebP or JPEG 2000")
    if data[4:8] == b"ftyp":
        raise BadPicture(
            "unsupported-format", f"{data[8:12]!r}, such as HEIC, AVIF or video; save it as JPEG"
        )
    if data.lstrip()[:1] == b"<":
        raise BadPicture("not-a-picture", "HTML or XML, perhaps an error page saved under a picture's name")
    raise BadPicture("not-a-picture", f"the file starts with the bytes {data[:8].hex(' ')}")


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
    _check_pixels(header.width, header.height, max_pixels)
    if header.precision != 8 or header.coding.startswith("lossless") or header.colour == "other":
        raise BadPicture(
            "unsupported-format",
            f"a {header.precision}-bit {header.coding} JPEG ({header.colour} colours or subsampling)",
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


def is_plain_jpeg(header: JpegHeader) -> bool:
    """Whether a JPEG can be stored as it is: upright, YCbCr, 8-bit, Huffman-coded, and sRGB."""
    return (
        header.is_huffman
        and header.colour == "YCbCr"
        and header.orientation == 1
        and (header.icc is None or is_srgb(header.icc))
    )


def _decode_with_pillow(data: bytes, kind: str, max_pixels: int) -> Decoded:
    Image.init()
    try:
        # A warning would reach a terminal without the file's name; damage that matters raises.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kind == "PNG" and not png_chunks_are_whole(data):
                raise BadPicture("damaged", "a chunk of the PNG is cut off or damaged")
            # The plugin itself, since Image.open has a pixel limit of its own.
            opened = Image.OPEN[kind][0](io.BytesIO(data), "")
            _check_pixels(*opened.size, max_pixels)
            opened.load()
            orientation = opened.getexif().get(ExifTags.Base.Orientation, 1)
            picture = to_eight_bit(opened)
    except BadPicture:
        raise
    except UnsupportedPixels as error:
        raise BadPicture("unsupported-format", str(error)) from error
    except Exception as error:  # Pillow's plugins raise nearly anything on damaged files
        raise BadPicture("damaged", one_line(error)) from error
    icc = opened.info.get("icc_profile") or None
    return Decoded(picture, icc, orientation if orientation in _TRANSPOSE else 1, *opened.size)


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise BadPicture("too-large", f"{width} x {height} pixels are more than --max-pixels {max_pixels:,}")
