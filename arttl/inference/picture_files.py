"""Picture files of any kind to a network's input: read, decoded and cut by several threads, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
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
    waiting: deque[_Waiting] = deque()
    remaining = iter(batches)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="arttl-decode")
    try:
        while True:
            for batch in islice(remaining, _BATCHES_AHEAD + 1 - len(waiting)):
                waiting.append(_Waiting.start(batch, cutters, pool, max_pixels))
            if not waiting:
                return
            batch, images, problems = waiting.popleft().finish()
            yield batch, tuple(images[index] for index in inputs) if images else (), problems
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class _Waiting:
    """A batch that is being read.

    Attributes:
        batch: its files.
        squares: for each distinct input [N, size, size, 3], of the N files that are no text, in their order.
        futures: what is wrong with each of these; None: nothing.
    """

    batch: FileBatch
    squares: list[npt.NDArray[np.float32]]
    futures: dict[int, Future[str | None]]

    @classmethod
    def start(
        cls, batch: FileBatch, cutters: Sequence[_Cutter], pool: ThreadPoolExecutor, max_pixels: int
    ) -> _Waiting:
        files = {item: file for item, file in batch.files.items() if not isinstance(file, str)}
        sizes = [cutter.preprocess.size for cutter in cutters]
        # Written in place, in the order of memory that the network takes: no copy of a batch is made.
        squares = [np.empty((len(files), size, size, 3), np.float32) for size in sizes]

        def read(file: PictureFile | Image.Image, index: int) -> str | None:
            try:
                _cut(file, cutters, [of_input[index] for of_input in squares], max_pixels)
            except BadPicture as error:
                return f"{error.reason}: {error.detail}"
            return None

        futures = {item: pool.submit(read, file, index) for index, (item, file) in enumerate(files.items())}
        return cls(batch, squares, futures)

    def finish(self) -> tuple[FileBatch, list[torch.Tensor], dict[int, str]]:
        problems = {item: file for item, file in self.batch.files.items() if isinstance(file, str)}
        readable = []
        for index, (item, future) in enumerate(self.futures.items()):
            problem = future.result()
            if problem is None:
                readable.append(index)
            else:
                problems[item] = problem
        images = [torch.from_numpy(each).permute(0, 3, 1, 2) for each in self.squares] if readable else []
        if len(readable) < len(self.futures):
            images = [of_input[readable] for of_input in images]
        return self.batch, images, problems


def _cut(
    file: PictureFile | Image.Image,
    cutters: Sequence[_Cutter],
    squares: Sequence[npt.NDArray[np.float32]],
    max_pixels: int,
) -> None:
    """Read a file once, and write each network's input [size, size, 3].

    Raises:
        BadPicture: if the file is none, damaged, or too large.
    """
    if isinstance(file, PictureFile):
        data = read_image(file, max_pixels=max_pixels)
        if picture_format(data) == "JPEG":
            header = jpeg_header(data, max_pixels=max_pixels)
            for cutter, square in zip(cutters, squares, strict=True):
                cutter.of_jpeg(data, header, square)
            return
        picture = decode_picture(data, max_pixels=max_pixels).upright_rgb()
    else:
        picture = upright_rgb(file)
    pixels = np.array(picture)
    for cutter, square in zip(cutters, squares, strict=True):
        square[:] = cutter.preprocess.apply(pixels).permute(1, 2, 0).numpy()


class _Cutter:
    """Cuts one input's square [size, size, 3] from JPEGs decoded at a reduced scale."""

    def __init__(self, preprocess: Preprocess) -> None:
        self.preprocess = spec = preprocess
        self._writer = SquareWriter(spec.size, spec.filter, spec.mean, spec.std, torch.float32)

    def of_jpeg(self, data: bytes, header: JpegHeader, square: npt.NDArray[np.float32]) -> None:
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
        self._writer.write(pixels, cut, 0, square.__array_interface__["data"][0])
