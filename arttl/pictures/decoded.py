"""A picture as its file has it, and what is still to be done to it."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from arttl.picture_headers.bad_pictures import BadPicture
from arttl.pictures.colour import to_srgb

TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture in its file's own colours and orientation.

    Attributes:
        picture: mode L, LA, RGB, RGBA, CMYK or LAB; at a reduced scale where that was allowed.
        icc: the colour profile, embedded or made from what the file says of its colours; None: sRGB.
        orientation: EXIF orientation still to be applied, 1 to 8.
        width, height: at full scale, before the orientation is applied.
        remarks: on which of the file's pixels these are, see `arttl.pictures.remarks`.
        scale: how many pixels across and down one of `picture` stands for; those at its ends may stand for fewer.
        origin: where in `picture` the whole begins, across and down, in its pixels.
    """

    picture: Image.Image
    icc: bytes | None
    orientation: int
    width: int
    height: int
    remarks: tuple[str, ...] = ()
    scale: tuple[int, int] = (1, 1)
    origin: tuple[float, float] = (0.0, 0.0)

    @property
    def box(self) -> tuple[float, float]:
        """Width and height of what the whole is in `picture`, in its pixels."""
        exact = (self.width / self.scale[0], self.height / self.scale[1])
        most = (self.picture.width - self.origin[0], self.picture.height - self.origin[1])
        return min(exact[0], most[0]), min(exact[1], most[1])

    def upright_rgb(self) -> Image.Image:
        """Mode RGB, in sRGB, orientation applied."""
        rgb = to_srgb(self.picture, self.icc)
        return rgb.transpose(TRANSPOSE[self.orientation]) if self.orientation in TRANSPOSE else rgb


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Check a size before memory is allocated for it.

    Raises:
        BadPicture: if it is more than `max_pixels`, or a side has none: rows without a height may be of any width.
    """
    if min(width, height) < 1:
        raise BadPicture("damaged", f"a picture of {width} x {height} pixels has none")
    if width * height > max_pixels:
        raise BadPicture("too-large", f"{width} x {height} pixels are more than --max-pixels {max_pixels:,}")
