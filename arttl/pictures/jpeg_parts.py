"""Parts of JPEGs, decoded by the compiled module: what libjpeg-turbo decodes, to the bit, in less time.

It decodes what packing and most cameras write, and leaves everything else to libjpeg, damage too, so that no file is
refused on its word. Coefficients that no picture has, as in a damaged file, overflow on every processor as they do in
libjpeg-turbo on x86-64; on ARM it has other pixels there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from arttl.compiled import kernels

REDUCTIONS = (1, 2, 4, 8)


def decode_part(
    data: bytes, size: tuple[int, int], reduction: int = 1, part: tuple[int, int, int, int] | None = None
) -> npt.NDArray[np.uint8] | None:
    """A part of a JPEG that is baseline or extended sequential, Huffman-coded, grey, YCbCr or RGB, and of one scan.

    Damage behind the last line of the part is not noticed, as far as the file's structure is whole: every restart
    marker and the end of the image in their places.

    Args:
        data: the file's bytes.
        size: height and width that the file must have.
        reduction: 1, 2, 4 or 8: the picture is decoded at 1/reduction of its size, rounded up.
        part: top, left, bottom and right, in pixels of the decoded picture; None: all of it.

    Returns:
        [bottom - top, right - left, 3] uint8, red, green and blue; None where libjpeg has to decide.

    Raises:
        ValueError: for a reduction or a part that no picture of this size has.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"a reduction is one of {REDUCTIONS}, not {reduction}")
    height, width = (-(-side // reduction) for side in size)
    top, left, bottom, right = part or (0, 0, height, width)
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise ValueError(f"the part {part} lies outside of {height} x {width} pixels")
    pixels = np.empty((bottom - top, right - left, 3), np.uint8)
    address = np.frombuffer(data, np.uint8).__array_interface__["data"][0] if data else 0
    decoded = kernels().decode_jpeg_cpu(
        address,
        len(data),
        size,
        reduction,
        (top, left, bottom, right),
        pixels.__array_interface__["data"][0],
    )
    return pixels if decoded else None
