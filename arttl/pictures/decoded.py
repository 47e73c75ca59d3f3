"""A picture as its file has it, and what is still to be done to it."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from arttl.pictures.bad_pictures import BadPicture
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
    """

    picture: Image.Image
    icc: bytes | None
    orientation: int
    width: int
    height: int
    remarks: tuple[str, ...] = ()

    def upright_rgb(self) -> Image.Image:
        """Mode RGB, in sRGB, orientation applied."""
        rgb = to_srgb(self.picture, self.icc)
        return rgb.transpose(TRANSPOSE[self.orientation]) if self.orientation in TRANSPOSE else rgb


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Check a size before memory is allocated for it.

    Raises:
        BadPicture: if it is more than `max_pixels`.
    """
    if width * height > max_pixels:
        raise BadPicture("too-large", f"{width} x {height} pixels are more than --max-pixels {max_pixels:,}")
