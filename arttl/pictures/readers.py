"""Pictures other than JPEG to pixels, by Pillow: each reader completes what Pillow leaves out for its format."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import ExifTags, Image, ImageFile, features
from PIL.TiffImagePlugin import TiffImageFile

from arttl.picture_headers.bad_pictures import UnsupportedPixels
from arttl.picture_headers.file_bytes import Bytes, whole
from arttl.picture_headers.heif import read_heif_header
from arttl.picture_headers.jpeg2000 import Jpeg2000Header, read_jpeg2000_header, with_plain_colours
from arttl.picture_headers.png import PngHeader, read_png_header
from arttl.pictures import png_rows, tiff, tiff_reduced
from arttl.pictures.colour import to_eight_bit
from arttl.pictures.decoded import TRANSPOSE, Decoded, check_pixels
from arttl.pictures.formats import REMEDY
from arttl.pictures.reducing import FULL_SCALE, AllowedScale, extended
from arttl.pictures.remarks import ALPHA, FIRST_PAGE, GAMMA, MORE_BITS
from arttl.pictures.tiff_samples import is_for_samples, read_samples

_UNKNOWN_TO_PILLOW = ("unknown pixel mode", "unknown data organization", "unknown raw mode")
# Two versions of a picture, as squares of this side: mean difference in grey levels, and correlation.
_SIDE, _NEAR, _ALIKE = 32, 20, 0.9


def _read_png(data: Bytes, max_pixels: int, allowed: AllowedScale = FULL_SCALE) -> Decoded:
    header = read_png_header(data)
    check_pixels(header.width, header.height, max_pixels)
    factors = allowed.factors((header.width, header.height))
    if factors != (1, 1) and (reduced := png_rows.reduced(data, header, factors, _read_png_whole)):
        return reduced
    return _read_png_whole(whole(data), header)


def _read_png_whole(data: bytes, header: PngHeader) -> Decoded:
    max_pixels = header.width * header.height
    opened = _opened(data, "PNG", max_pixels)
    if header.transparent:
        opened.info.pop("transparency", None)
    orientation = _loaded(opened)
    picture = to_eight_bit(opened)
    if header.transparent:
        picture = _with_transparent_colour(picture, opened, header, data)
    if header.is_grey and picture.mode == "RGBA":  # as Pillow has grey of 16 bits with alpha
        picture = Image.merge("LA", (picture.getchannel("R"), picture.getchannel("A")))
    icc = opened.info.get("icc_profile") if header.uses_embedded else None
    # A text chunk may have that name.
    embedded = icc if isinstance(icc, bytes) and icc else None
    remarks = _remarks(opened, header.bits, header.profile)
    return Decoded(picture, header.profile or embedded, orientation, *opened.size, remarks)


def _with_transparent_colour(
    picture: Image.Image, opened: Image.Image, header: PngHeader, data: bytes
) -> Image.Image:
    """The picture with alpha: 0 where a pixel has the transparent colour in all bits that the file gives it."""
    key = np.array(header.transparent)
    if header.is_grey:
        levels = np.asarray(opened.convert("L") if opened.mode == "1" else opened)[..., None]
        if header.bits < 8:
            key = key * 255 // ((1 << header.bits) - 1)
    else:
        levels = np.asarray(opened)
        if header.bits == 16:  # Pillow keeps the upper byte; in the other order it gives the lower
            again = _opened(data, "PNG", opened.width * opened.height)
            # A plain tuple, as in every version of Pillow.
            again.tile = [(*tile[:3], "RGB;16L") for tile in again.tile]  # type: ignore[misc]
            again.load()
            levels = levels.astype(np.uint16) << 8 | np.asarray(again)
    alpha = np.where((levels == key).all(axis=-1), 0, 255).astype(np.uint8)
    picture = picture.copy()
    picture.putalpha(Image.fromarray(alpha))
    return picture


def _read_webp(data: bytes, max_pixels: int, allowed: AllowedScale) -> Decoded:
    opened = _opened(data, "WEBP", max_pixels)
    orientation = _loaded(opened)
    icc = opened.info.get("icc_profile") or None
    return Decoded(to_eight_bit(opened), icc, orientation, *opened.size, _remarks(opened))


def _read_jpeg2000(data: bytes, max_pixels: int, allowed: AllowedScale) -> Decoded:
    header = read_jpeg2000_header(data)
    check_pixels(header.width, header.height, max_pixels)
    reduce = 0
    longest = max(header.width, header.height)
    while allowed.cover and reduce < header.levels and longest >= allowed.cover << reduce + 1:
        reduce += 1
    scale = 1 << reduce
    opened = _opened(with_plain_colours(data, header.colours), "JPEG2000", max_pixels)
    if reduce:  # not by Pillow's property, which rounds sizes that the format rounds up
        name, _, offset, arguments = opened.tile[0]
        assert isinstance(arguments, tuple)
        opened._size = (-(-header.width // scale), -(-header.height // scale))
        arguments = (arguments[0], reduce, *arguments[2:])
        # A plain tuple, as in every version of Pillow.
        opened.tile = [(name, (0, 0, *opened.size), offset, arguments)]  # type: ignore[list-item]
    orientation = _loaded(opened)
    remarks = _remarks(opened, max(header.bits))
    picture = _jpeg2000_colours(opened, header)
    # A low-pass sample of the wavelets stands for the surroundings of the first of its pixels, not of their middle.
    origin = (scale - 1) / (2 * scale)
    if reduce:
        picture = extended(picture, (picture.width + 1, picture.height + 1))
    size = (header.width, header.height)
    return Decoded(picture, header.icc, orientation, *size, remarks, (scale, scale), (origin, origin))


def _jpeg2000_colours(opened: Image.Image, header: Jpeg2000Header) -> Image.Image:
    """What the header says of the components, where Pillow took it for something else."""
    if header.has_palette:
        if opened.mode != "P":
            raise UnsupportedPixels(f"JPEG 2000 with a palette; {REMEDY}")
        return to_eight_bit(opened)
    bands = list(opened.split())
    if len(bands) != len(header.bits):
        raise ValueError("the file has other components than its header says")
    for index, bits in enumerate(header.bits):
        if bits < 8:  # shifted to the upper bits, so that white is too dark
            white = ((1 << bits) - 1) << (8 - bits)
            bands[index] = bands[index].point([min(255, round(level * 255 / white)) for level in range(256)])
    colours = {"grey": 1, "RGB": 3, "CMYK": 4}[header.colours]
    if opened.mode == "I;16":
        return to_eight_bit(opened)
    mode = {"grey": "L", "RGB": "RGB", "CMYK": "CMYK"}[header.colours]
    if header.alpha == "unstated" and any(band.getextrema() != (255, 255) for band in bands[colours:]):
        raise UnsupportedPixels(f"JPEG 2000 whose last component has no stated meaning; {REMEDY}")
    if header.alpha in ("none", "unstated") or len(bands) == colours:
        return Image.merge(mode, bands[:colours])
    whole = Image.merge(f"{mode}A", bands)
    if header.alpha == "straight":
        return whole
    return Image.frombytes(f"{mode}a", whole.size, whole.tobytes()).convert(f"{mode}A")


def _read_tiff(data: Bytes, max_pixels: int, allowed: AllowedScale) -> Decoded:
    directory, preview, remarks = tiff.picture_directory(data)
    check_pixels(directory.width, directory.height, max_pixels)
    decoded = _read_level(directory, max_pixels, allowed) if allowed.cover else None
    decoded = decoded or _read_directory(directory, max_pixels, allowed)
    if preview:
        small = _read_directory(preview, max_pixels, allowed)
        if not _looks_alike(decoded.upright_rgb(), small.upright_rgb()):
            raise tiff.ambiguous(preview, directory)
    more_bits = (MORE_BITS,) if max(directory.bits) > 8 else ()
    return replace(decoded, remarks=(*remarks, *more_bits, *decoded.remarks))


def _read_level(directory: tiff.Directory, max_pixels: int, allowed: AllowedScale) -> Decoded | None:
    """A level of a pyramid in place of the picture; None where there is none, or it looks different."""
    smallest = tiff_reduced.level_of(directory, allowed.cover)
    if smallest is None:
        return None
    level, scale = smallest
    directory.check_whole()
    tiff.check_kind(directory)
    full = (directory.width, directory.height)
    decoded = _read_directory(tiff_reduced.alone(level), max_pixels, allowed, full)
    across, down = scale * decoded.scale[0], scale * decoded.scale[1]
    # Halves are often rounded down, without the last row or column.
    picture = extended(decoded.picture, (-(-full[0] // across), -(-full[1] // down)))
    decoded = replace(decoded, picture=picture, scale=(across, down))
    compared = tiff_reduced.compared_tiles(directory, decoded.picture, decoded.scale, _read_whole)
    icc, orientation = tiff_reduced.colours_of(directory)
    versions = [Decoded(picture, icc, 1, *picture.size).upright_rgb() for picture in compared or ()]
    if not versions or not _looks_alike(*versions):
        return None
    return replace(decoded, icc=icc, orientation=orientation, width=full[0], height=full[1])


def _read_directory(
    directory: tiff.Directory, max_pixels: int, allowed: AllowedScale, full: tuple[int, int] | None = None
) -> Decoded:
    """The picture of a directory, reduced where that is allowed; `full` is the size of what it is a version of."""
    check_pixels(directory.width, directory.height, max_pixels)
    tiff.check_kind(directory)
    factors = allowed.factors((directory.width, directory.height), full)
    if factors != (1, 1) and (decoded := tiff_reduced.reduced(directory, factors, _read_whole)):
        return decoded
    return _read_whole(directory)


def _read_whole(directory: tiff.Directory) -> Decoded:
    if not is_for_samples(directory):
        try:
            opened = _opened(tiff.starting_with(directory), "TIFF", directory.width * directory.height)
            if isinstance(opened, TiffImageFile):
                tiff.without_pixel_limit(opened)
            orientation = _loaded(opened)
            icc = opened.info.get("icc_profile") or None
            return Decoded(to_eight_bit(opened), icc, orientation, *opened.size)
        except (SyntaxError, ValueError) as error:
            if not any(words in str(error) for words in _UNKNOWN_TO_PILLOW):
                raise
    picture, was_transparent = read_samples(directory)
    remarks = (ALPHA,) if was_transparent else ()
    return Decoded(picture, *tiff_reduced.colours_of(directory), *picture.size, remarks)


def _looks_alike(large: Image.Image, small: Image.Image) -> bool:
    """Whether one picture is a smaller version of the other: the same colours, and the same shapes if there are any."""
    first, second = (
        np.asarray(version.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float64)
        for version in (large, small)
    )
    if np.abs(first - second).mean() > _NEAR:
        return False
    first, second = first - first.mean(axis=(0, 1)), second - second.mean(axis=(0, 1))
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return size < first.size or float((first * second).sum()) / size >= _ALIKE  # a flat one has no shapes


def _read_avif(data: bytes, max_pixels: int, allowed: AllowedScale) -> Decoded:
    if not features.check("avif"):
        raise UnsupportedPixels("AVIF needs Pillow 11.3 or newer: pip install -U pillow")
    return _read_iso_media(data, "AVIF", max_pixels)


def _read_heif(data: bytes, max_pixels: int, allowed: AllowedScale) -> Decoded:
    try:
        import pillow_heif
    except ImportError as error:
        raise UnsupportedPixels("HEIC; pip install 'arttl[heif]', or export it as TIFF or JPEG") from error
    pillow_heif.register_heif_opener()
    return _read_iso_media(data, "HEIF", max_pixels)


def _read_iso_media(data: bytes, kind: str, max_pixels: int) -> Decoded:
    header = read_heif_header(data)
    check_pixels(header.width, header.height, max_pixels)
    opened = _opened(data, kind, max_pixels)
    orientation = _loaded(opened)
    icc = header.profile or opened.info.get("icc_profile") or None
    remarks = _remarks(opened, header.bits, header.profile)
    return Decoded(to_eight_bit(opened), icc, orientation, *opened.size, remarks)


def _remarks(
    opened: ImageFile.ImageFile, bits: int = 8, made_profile: bytes | None = None
) -> tuple[str, ...]:
    is_first = getattr(opened, "n_frames", 1) > 1
    remarks = {FIRST_PAGE: is_first, MORE_BITS: bits > 8, GAMMA: made_profile is not None}
    return tuple(remark for remark, applies in remarks.items() if applies)


READERS: dict[str, Callable[..., Decoded]] = {
    "PNG": _read_png,
    "WEBP": _read_webp,
    "JPEG2000": _read_jpeg2000,
    "TIFF": _read_tiff,
    "AVIF": _read_avif,
    "HEIF": _read_heif,
}


def _opened(data: bytes, kind: str, max_pixels: int) -> ImageFile.ImageFile:
    """The picture before its pixels are decoded, by the plugin itself: Image.open has a pixel limit of its own."""
    Image.init()
    opened = Image.OPEN[kind][0](io.BytesIO(data), "")
    check_pixels(*opened.size, max_pixels)
    return opened


def _loaded(opened: ImageFile.ImageFile) -> int:
    """Decode the pixels; the orientation that is still to be applied."""
    opened.load()
    orientation = opened.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation if orientation in TRANSPOSE else 1
