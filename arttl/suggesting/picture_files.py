"""Picture files of any kind to a network's input: read, decoded and cut by several threads, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from PIL import Image

from arttl.loading.preprocess import Preprocess
from arttl.loading.resample import SquareWriter, cuts
from arttl.pictures.decoded import Decoded
from arttl.pictures.decoding import (
    DEFAULT_MAX_PIXELS,
    BadPicture,
    decode_jpeg,
    decode_picture,
    is_plain_jpeg,
    jpeg_header,
    read_image,
    upright_rgb,
)
from arttl.pictures.formats import picture_format
from arttl.pictures.jpeg import JpegHeader
from arttl.pictures.picture_file import PictureFile

_BATCHES_AHEAD = 2
# EXIF orientations in which height and width change places, the first row is at the bottom, or at the right.
_TURNED, _UPSIDE_DOWN, _MIRRORED = (5, 6, 7, 8), (3, 4, 7, 8), (2, 3, 6, 7)


@dataclass(frozen=True)
class FileBatch:
    """Some files to read.

    Attributes:
        part: that they are of.
        files: item to its file, or to a picture that is in memory, or to what is wrong with it.
    """

    part: int
    files: Mapping[int, PictureFile | Image.Image | str]


def read_batches(
    batches: Iterable[FileBatch],
    preprocesses: Sequence[Preprocess],
    threads: int,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Iterator[tuple[FileBatch, tuple[torch.Tensor, ...], dict[int, str]]]:
    """Read files, up to two batches ahead of the caller.

    Args:
        batches: any number of them.
        preprocesses: the evaluation transform of each input.
        threads: that decode.
        max_pixels: the most pixels of a file.

    Yields:
        Each batch; for each input [B, 3, size, size] of its readable files in their order, nothing where there is none;
        and item to what is wrong with it, of the others.
    """
    distinct = list(dict.fromkeys(preprocesses))
    inputs = [distinct.index(preprocess) for preprocess in preprocesses]
    cutters = [_Cutter(preprocess) for preprocess in distinct]

    def squares(file: PictureFile | Image.Image) -> list[torch.Tensor] | str:
        try:
            return _squares(file, cutters, max_pixels)
        except BadPicture as error:
            return f"{error.reason}: {error.detail}"

    waiting: deque[tuple[FileBatch, dict[int, Future[list[torch.Tensor] | str]]]] = deque()
    remaining = iter(batches)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="arttl-decode")
    try:
        while True:
            for batch in islice(remaining, _BATCHES_AHEAD + 1 - len(waiting)):
                futures = {
                    item: pool.submit(squares, file)
                    for item, file in batch.files.items()
                    if not isinstance(file, str)
                }
                waiting.append((batch, futures))
            if not waiting:
                return
            batch, futures = waiting.popleft()
            read: list[list[torch.Tensor]] = []
            problems = {}
            for item, file in batch.files.items():
                result = file if isinstance(file, str) else futures[item].result()
                if isinstance(result, str):
                    problems[item] = result
                else:
                    read.append(result)
            images = [torch.stack([picture[index] for picture in read]) for index in inputs] if read else []
            yield batch, tuple(images), problems
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _squares(
    file: PictureFile | Image.Image, cutters: Sequence[_Cutter], max_pixels: int
) -> list[torch.Tensor]:
    """A file, read once, as each network's input.

    Raises:
        BadPicture: if the file is none, damaged, or too large.
    """
    if isinstance(file, Image.Image):
        pixels = np.array(upright_rgb(file))
        return [cutter.preprocess.apply(pixels) for cutter in cutters]
    data = read_image(file, max_pixels=max_pixels)
    if picture_format(data) == "JPEG":
        header = jpeg_header(data, max_pixels=max_pixels)
        return [cutter.of_jpeg(data, header) for cutter in cutters]
    pixels = np.array(decode_picture(data, max_pixels=max_pixels).upright_rgb())
    return [cutter.preprocess.apply(pixels) for cutter in cutters]


class _Cutter:
    """Cuts one input's square [3, size, size], channels last in memory, from JPEGs decoded at a reduced scale."""

    def __init__(self, preprocess: Preprocess) -> None:
        self.preprocess = spec = preprocess
        self._writer = SquareWriter(spec.size, spec.filter, spec.mean, spec.std, torch.float32)

    def of_jpeg(self, data: bytes, header: JpegHeader) -> torch.Tensor:
        size = np.array([header.height, header.width])
        upright = size[::-1] if header.orientation in _TURNED else size
        geometry = self.preprocess.geometry(upright[None])
        reduction = int(geometry.reduction[0])
        picture = decode_jpeg(data, header, cover=int(size.max()) // reduction if reduction > 1 else 0)
        if not is_plain_jpeg(header):
            picture = Decoded(picture, header.icc, header.orientation, *picture.size).upright_rgb()
        pixels = np.asarray(picture)
        cut = cuts(geometry)
        # The decoded size is rounded up, at the file's right and bottom: turned, that is before the first pixel.
        for axis, turned in enumerate((_UPSIDE_DOWN, _MIRRORED)):
            if header.orientation in turned:
                cut.start[0][axis] += pixels.shape[axis] - upright[axis] / reduction
        square = torch.empty((self.preprocess.size, self.preprocess.size, 3))
        self._writer.write(pixels, cut, 0, square.data_ptr())
        return square.permute(2, 0, 1)
