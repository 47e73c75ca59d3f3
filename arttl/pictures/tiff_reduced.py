"""A TIFF of any size at a reduced one: a level of a pyramid, or the means of pixels while its parts are decoded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from PIL import Image

from arttl.pictures import tiff
from arttl.pictures.decoded import TRANSPOSE, Decoded
from arttl.pictures.reducing import PictureReducer, Reducer, picture_of
from arttl.pictures.tiff_pieces import Pieces, pieces_of
from arttl.pictures.tiff_rows import NotPlain, is_plain, rows_of
from arttl.pictures.tiff_samples import is_for_samples

Read = Callable[[tiff.Directory], Decoded]
"""Reads the whole of a directory whose size has been checked."""

_BYTES_AT_ONCE = 4 << 20  # of what a part is in memory, four bytes per pixel
_TILES_COMPARED = 8


def reduced(directory: tiff.Directory, factors: tuple[int, int], read: Read) -> Decoded | None:
    """The means of boxes of pixels, as `Image.reduce` takes them of the whole picture; None where that is needed.

    Args:
        directory: of a size and kind that have been checked.
        factors: how many pixels across and down become one.
        read: reads a part.
    """
    pieces = pieces_of(directory)
    if pieces is None:
        return None
    remarks: tuple[str, ...] = ()
    picture = _plain(pieces, factors)
    if picture is None:
        if pieces.down == 1:
            return None
        reducer = PictureReducer(factors)
        for part in _bands(pieces):
            decoded = read(part)
            reducer.add(decoded.picture)
            remarks = decoded.remarks or remarks
        picture = reducer.picture()
    return Decoded(picture, *colours_of(directory), directory.width, directory.height, remarks, factors)


def colours_of(directory: tiff.Directory) -> tuple[bytes | None, int]:
    """The profile and orientation of a directory."""
    orientation = directory.value(tiff.ORIENTATION, 1)
    return directory.content(tiff.ICC_PROFILE) or None, orientation if orientation in TRANSPOSE else 1


def alone(directory: tiff.Directory) -> tiff.Directory:
    """The same pixels in a TIFF of their own, without orientation and profile, where they can be decoded in parts."""
    pieces = pieces_of(directory)
    if pieces is None:
        return directory
    return pieces.file_of(range(pieces.across * pieces.down), (directory.width, directory.height))


def level_of(picture: tiff.Directory, cover: int) -> tuple[tiff.Directory, int] | None:
    """The smallest level of a pyramid whose longest side is at least `cover`, and what one of its pixels stands for.

    A level says that it is a reduced version, has the samples of the picture and a size that is the picture's halved
    several times, and is in the file's chain of directories or in the picture's SubIFDs. The picture is in tiles.
    """
    if tiff.TILE_OFFSETS not in picture.entries:
        return None
    every = list(tiff.directories(picture.data))
    has_pages = sum(not directory.is_reduced for directory in every) > 1
    levels = {}
    for level in every:
        if (
            level.is_reduced
            and level.width
            and level.height
            and (level.page == picture.page or not has_pages)
        ):
            scale = 2 ** round(math.log2(max(1, picture.width / level.width)))
            is_halved = all(
                abs(large - scale * small) < scale
                for large, small in ((picture.width, level.width), (picture.height, level.height))
            )
            same = all(
                level.values(tag) == picture.values(tag)
                for tag in (tiff.BITS, tiff.SAMPLES, tiff.PHOTOMETRIC, tiff.EXTRA_SAMPLES, tiff.SAMPLE_FORMAT)
            )
            if scale > 1 and is_halved and same and max(level.width, level.height) >= cover:
                levels[scale] = level
    return (levels[max(levels)], max(levels)) if levels else None


def compared_tiles(
    picture: tiff.Directory, level: Image.Image, scale: tuple[int, int], read: Read
) -> tuple[Image.Image, Image.Image] | None:
    """A few tiles of a picture side by side, and the same parts of a level; None where there are too few to compare.

    Args:
        picture: in tiles.
        level: the whole of a smaller version.
        scale: how many pixels of the picture one of its pixels stands for, across and down.
        read: reads the tiles.
    """
    pieces = pieces_of(picture)
    if pieces is None:
        return None
    across, down = picture.width // pieces.width, picture.height // pieces.height  # whole ones
    count = min(_TILES_COMPARED, across * down)
    if count < 2:
        return None
    # From the upper left corner to the lower right, and from side to side in between.
    places = [(down * n // count, across * (3 * n % count) // count) for n in range(count)]
    numbers = [row * pieces.across + column for row, column in places]
    tiles = read(pieces.file_of(numbers, (count * pieces.width, pieces.height))).picture
    parts = Image.new(level.mode, tiles.size)
    for n, (row, column) in enumerate(places):
        x, y = column * pieces.width, row * pieces.height
        box = (x, y, x + pieces.width, y + pieces.height)
        left, top, right, bottom = (
            min(side / factor, most)
            for side, factor, most in zip(box, scale * 2, level.size * 2, strict=True)
        )
        box_of_level = (left, top, right, bottom)
        tile = level.resize((pieces.width, pieces.height), Image.Resampling.BOX, box=box_of_level)
        parts.paste(tile, (n * pieces.width, 0))
    return tiles, parts


def _plain(pieces: Pieces, factors: tuple[int, int]) -> Image.Image | None:
    directory = pieces.directory
    if not is_plain(directory) or is_for_samples(directory):
        return None
    reducer = Reducer(factors)
    try:
        for rows in rows_of(pieces):
            reducer.add(rows)
    except NotPlain:
        return None
    return picture_of(reducer.means(), "L" if len(directory.bits) == 1 else "RGB")


def _bands(pieces: Pieces) -> Iterator[tiff.Directory]:
    """Some rows of strips or tiles at a time, as TIFFs."""
    width, height = pieces.directory.width, pieces.directory.height
    rows = max(1, _BYTES_AT_ONCE // (4 * width * pieces.height))
    for first in range(0, pieces.down, rows):
        last = min(first + rows, pieces.down)
        numbers = range(first * pieces.across, last * pieces.across)
        yield pieces.file_of(numbers, (width, min(height, last * pieces.height) - first * pieces.height))
