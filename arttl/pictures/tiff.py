"""The directories of a TIFF: which of them is the picture, and what its pixels are.

Pillow reads the first directory, whatever it is. TIFF 6.0, and its supplement for SubIFDs; BigTIFF; the walk is
bounded, since offsets may lead anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from arttl.picture_headers.bad_pictures import UnsupportedPixels
from arttl.picture_headers.file_bytes import Bytes, whole
from arttl.pictures.remarks import FIRST_PAGE, LATER_PAGE, REDUCED

_MOST_DIRECTORIES, _MOST_ENTRIES, _MOST_SUB_DIRECTORIES, _MOST_VALUES = 500, 4096, 64, 64

# Tags.
NEW_SUBFILE_TYPE, SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = (
    254,
    255,
    256,
    257,
    258,
    259,
    262,
)
FILL_ORDER, STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 266, 273, 274, 277, 278, 279
MAX_SAMPLE_VALUE, PLANAR, PAGE_NUMBER, PREDICTOR, TILE_WIDTH, TILE_HEIGHT = 281, 284, 297, 317, 322, 323
TILE_OFFSETS, TILE_BYTES, SUB_DIRECTORIES, INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT = (
    324,
    325,
    330,
    332,
    338,
    339,
)
ICC_PROFILE = 34675

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4, 16: 8, 17: 8, 18: 8}  # bytes, by type
_RATIONALS = {5: 8, 10: 8, 11: 4, 12: 8}  # and floating-point numbers
_REDUCED, _PAGE, _MASK = 1, 2, 4  # bits of NewSubfileType
_CAMERA_PHOTOMETRIC = (32803, 34892)  # colour filter array, linear raw
_CAMERA_COMPRESSION = (32767, 32770, 34713, 65000, 65535)  # Sony, Samsung, Nikon, Kodak, Pentax
_COMPRESSIONS = {
    32766: "NeXT",
    32809: "ThunderScan",
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34676: "SGI LogLuv",
    34677: "SGI LogLuv",
    34712: "JPEG 2000",
    34887: "LERC",
    34934: "JPEG XR",
    22610: "JPEG XR",
    50001: "WebP",
    52546: "JPEG XL",
}
# None, CCITT, LZW, JPEG (old and new), deflate, PackBits, LZMA, Zstandard: those of Pillow's libtiff.
_READ_COMPRESSIONS = (1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000)
_PHOTOMETRICS = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr", 8: "CIELab"}
_FORMATS = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
_REMEDY = "export it as 8-bit TIFF or JPEG"
_SAME_SHAPE = (
    1.5  # how much larger a later directory of the same shape is, at least, if the first is its preview
)
_AMBIGUOUS = 4  # how many times as many pixels a later page has, where the first is no obvious choice


@dataclass(frozen=True, slots=True)
class Directory:
    """One image file directory.

    Attributes:
        data: the whole file, in memory or on disk.
        order: of its bytes.
        is_big: whether it is a BigTIFF.
        page: its number in the file, from 1; the same for its SubIFDs.
        entries: tag to type, count, and offset of the values.
    """

    data: Bytes
    order: Literal["little", "big"]
    is_big: bool
    offset: int
    page: int
    entries: dict[int, tuple[int, int, int]]

    def values(self, tag: int) -> tuple[int, ...]:
        """The first values of a tag, 64 at most; none where it is missing, no integer, or outside of the file."""
        return tuple(self.array(tag, _MOST_VALUES).tolist())

    def value(self, tag: int, default: int) -> int:
        """The first value of a tag."""
        values = self.values(tag)
        return values[0] if values else default

    def array(self, tag: int, most: int | None = None) -> npt.NDArray[np.uint64]:
        """All values of a tag, as `values`."""
        kind, count, start = self.entries.get(tag, (0, 0, 0))
        size = _SIZES.get(kind)
        if size is None or start + size * count > len(self.data):
            return np.zeros(0, np.uint64)
        count = count if most is None else min(count, most)
        code = f"{'<' if self.order == 'little' else '>'}u{size}"
        return np.frombuffer(self.data[start : start + size * count], code).astype(np.uint64)

    def content(self, tag: int) -> bytes:
        """The bytes of a tag."""
        return self.array(tag).astype(np.uint8).tobytes()

    @property
    def width(self) -> int:
        """In pixels."""
        return self.value(WIDTH, 0)

    @property
    def height(self) -> int:
        """In pixels."""
        return self.value(HEIGHT, 0)

    @property
    def is_reduced(self) -> bool:
        """Whether it says of itself that it is a smaller version of another."""
        return bool(self.value(NEW_SUBFILE_TYPE, 0) & _REDUCED) or self.value(SUBFILE_TYPE, 1) == 2

    @property
    def is_page(self) -> bool:
        """Whether it says of itself that it is one page of several."""
        number = self.values(PAGE_NUMBER)
        return bool(self.value(NEW_SUBFILE_TYPE, 0) & _PAGE) or (len(number) == 2 and number[1] > 1)

    @property
    def bits(self) -> tuple[int, ...]:
        """Per sample of a pixel."""
        bits, samples = self.values(BITS) or (1,), self.value(SAMPLES, 1)
        return bits * min(samples, _MOST_VALUES) if len(bits) == 1 else bits[:samples]

    def check_whole(self) -> None:
        """Check that all strips or tiles lie in the file.

        Raises:
            ValueError: if not.
        """
        tag = TILE_OFFSETS if TILE_OFFSETS in self.entries else STRIP_OFFSETS
        offsets, sizes = self.array(tag), self.array(TILE_BYTES if tag == TILE_OFFSETS else STRIP_BYTES)
        if not len(offsets):
            raise ValueError("the TIFF has no pixels")
        sizes = sizes if len(sizes) == len(offsets) else np.ones_like(offsets)
        if offsets.max() > len(self.data) or (offsets + np.minimum(sizes, 2**62)).max() > len(self.data):
            raise ValueError("the TIFF is cut off")


class Choice(NamedTuple):
    """The directory that is the picture, and the one that should be a smaller version of it without saying so.

    Attributes:
        picture, preview: these two.
        remarks: on which of several directories it is.
    """

    picture: Directory
    preview: Directory | None
    remarks: tuple[str, ...]


def picture_directory(data: Bytes) -> Choice:
    """The directory to read: the first page, at its full resolution.

    A directory that is said to be reduced (NewSubfileType) or a mask is none, SubIFDs count as the page's own, and
    where the second directory has the shape of the first and is at least one and a half times as large, the first is
    a preview, unless they say that they are pages.

    Raises:
        ValueError: if the TIFF is damaged.
        UnsupportedPixels: for raw data of cameras, and where the second page is much larger and of another shape.
    """
    every = list(directories(data))
    for directory in every:
        if (
            directory.value(PHOTOMETRIC, 0) in _CAMERA_PHOTOMETRIC
            or directory.value(COMPRESSION, 1) in _CAMERA_COMPRESSION
        ):
            every[0].check_whole()
            raise UnsupportedPixels("a camera's raw file; export it as TIFF or JPEG")
    pictures = [
        directory
        for directory in every
        if directory.width and directory.height and not directory.value(NEW_SUBFILE_TYPE, 0) & _MASK
    ]
    if not pictures:
        raise ValueError("the TIFF has no picture")
    full = [directory for directory in pictures if not directory.is_reduced]
    if not full:
        return Choice(max(pictures, key=_pixels), None, (REDUCED,))
    first, *later = full
    has_pages = any(directory.is_page for directory in full)
    if has_pages:
        later = [directory for directory in later if directory.page == first.page]
    versions = [other for other in later if _is_version(first, other)]
    preview = first if later and later[0] in versions else None
    picture = max(versions, key=_pixels) if preview else first
    others = [other for other in full if other.page not in (first.page, picture.page)]
    is_first = any(has_pages or not _is_version(other, picture) for other in others)
    remarks = ((FIRST_PAGE,) if is_first else ()) + ((LATER_PAGE,) if picture is not every[0] else ())
    if preview:
        return Choice(picture, preview, remarks)
    if later and _pixels(later[0]) >= _AMBIGUOUS * _pixels(first):
        raise ambiguous(first, later[0])
    return Choice(first, None, remarks)


def ambiguous(first: Directory, other: Directory) -> UnsupportedPixels:
    """The error of a file of which no directory is the obvious one."""
    return UnsupportedPixels(
        f"page {first.page} has {first.width} x {first.height} pixels and page {other.page} {other.width} x "
        f"{other.height}; save the one that is meant as a file of its own"
    )


def check_kind(directory: Directory) -> None:
    """Check that the pixels are of a kind that is read.

    Raises:
        ValueError: if the TIFF is damaged.
        UnsupportedPixels: for any other kind.
    """
    photometric, compression = directory.value(PHOTOMETRIC, 0), directory.value(COMPRESSION, 1)
    sample_format, bits = directory.values(SAMPLE_FORMAT) or (1,), directory.bits
    kind = ""
    if compression not in _READ_COMPRESSIONS:
        kind = f"TIFF compressed with {_COMPRESSIONS.get(compression, f'compression {compression}')}"
    elif photometric not in _PHOTOMETRICS:
        kind = f"TIFF with PhotometricInterpretation {photometric}"
    elif set(sample_format) & set(_FORMATS):
        kind = f"TIFF of {_FORMATS.get(max(sample_format), 'mixed')} samples"
    elif max(bits, default=0) > 16:
        kind = f"TIFF of {max(bits)} bits per sample"
    elif photometric == 5 and directory.value(INK_SET, 1) != 1:
        kind = "TIFF of inks other than CMYK"
    if kind:
        directory.check_whole()
        raise UnsupportedPixels(f"{kind}; {_REMEDY}")


def description(directory: Directory) -> str:
    """The pixels of a directory in words."""
    name = _PHOTOMETRICS.get(directory.value(PHOTOMETRIC, 0), "other")
    bits = " + ".join(str(count) for count in directory.bits)
    return f"{name} TIFF of {bits} bits per pixel"


def starting_with(directory: Directory) -> bytes:
    """The file with this directory as its first, and one plane where there is one sample.

    Pillow does not invert a picture in planes in which white is zero.
    """
    data, order = whole(directory.data), directory.order
    if len(directory.bits) == 1 and directory.value(PLANAR, 1) == 2:
        kind, _, start = directory.entries[PLANAR]
        size = _SIZES[kind]
        data = data[:start] + (1).to_bytes(size, order) + data[start + size :]
    start, size = (8, 8) if directory.is_big else (4, 4)
    offset = directory.offset.to_bytes(size, order)
    if data[start : start + size] == offset:
        return data
    return b"".join((data[:start], offset, memoryview(data)[start + size :]))


def without_pixel_limit(opened: TiffImageFile) -> TiffImageFile:
    """The same picture, with memory for its pixels: Pillow has a limit of its own where there is none yet.

    Ours is checked before, and a directory that calls samples pixels has several times as many.
    """
    size = getattr(opened, "_tile_size", opened.size)  # which is not upright
    opened.im = Image.core.new(opened.mode, size)  # type: ignore[attr-defined]
    return opened


def bytes_of(kind: int) -> int:
    """Of a value of a type; 0 for one that TIFF has not."""
    return (_SIZES | _RATIONALS).get(kind, 0)


def _pixels(directory: Directory) -> int:
    return directory.width * directory.height


def _is_version(small: Directory, large: Directory) -> bool:
    """Whether one directory has the shape of the other but for rounding, and is clearly larger."""
    difference = abs(small.width * large.height - small.height * large.width)
    return large.width >= _SAME_SHAPE * small.width and difference <= max(large.width, large.height)


def directories(data: Bytes) -> Iterator[Directory]:
    """The directories, each followed by its SubIFDs; up to the first that is not within the file."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    is_big = int.from_bytes(data[2:4], order) == 43
    at, size = (8, 8) if is_big else (4, 4)
    offset, page, seen = int.from_bytes(data[at : at + size], order), 0, set[int]()
    while offset and offset not in seen and len(seen) < _MOST_DIRECTORIES:
        page += 1
        seen.add(offset)
        read = _directory(data, order, is_big, offset, page)
        if read is None:
            if page == 1:
                raise ValueError("the TIFF's directory is cut off or damaged")
            return
        directory, offset = read
        yield directory
        for start in directory.values(SUB_DIRECTORIES)[:_MOST_SUB_DIRECTORIES]:
            while start and start not in seen and len(seen) < _MOST_DIRECTORIES:
                seen.add(start)
                read = _directory(data, order, is_big, start, page)
                if read is None:
                    break
                yield read[0]
                start = read[1]


def _directory(
    data: Bytes, order: Literal["little", "big"], is_big: bool, offset: int, page: int
) -> tuple[Directory, int] | None:
    """A directory and the offset of the next; None where it is not within the file."""
    count_size, entry_size, size = (8, 20, 8) if is_big else (2, 12, 4)

    count = int.from_bytes(data[offset : offset + count_size], order)
    start = offset + count_size
    length = entry_size * count
    if not 0 < count <= _MOST_ENTRIES or start + length > len(data):
        return None
    table = data[start : start + length + size]  # read at once, with the offset of the next

    def number(at: int, length: int) -> int:
        return int.from_bytes(table[at : at + length], order)

    entries: dict[int, tuple[int, int, int]] = {}
    for at in range(0, length, entry_size):
        kind, values, inline = number(at + 2, 2), number(at + 4, size), at + 4 + size
        is_inline = _SIZES.get(kind, size + 1) * values <= size
        entries.setdefault(
            number(at, 2), (kind, values, start + inline if is_inline else number(inline, size))
        )
    return Directory(data, order, is_big, offset, page, entries), number(length, size)
