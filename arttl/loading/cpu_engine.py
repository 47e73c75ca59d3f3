"""The CPU engine: JPEGs read by offset and decoded at a reduced scale by a pool of threads, without DALI.

A thread makes one call per batch, which takes picture after picture, reads it, decodes the part that is used and writes
its normalised square, all without the interpreter lock. The call returns early for a picture that is not decoded so
(progressive, in inks, damaged): libjpeg decodes it, or says what is wrong with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import simplejpeg
import torch

from arttl.loading.batch_memory import BatchMemory
from arttl.loading.reading import BadSampleError, Pictures, Reading
from arttl.loading.resample import SquareWriter, cuts
from arttl.loading.stored_batch import StoredBatch, UnreadBatch
from arttl.pictures.jpeg import check_stored
from arttl.pictures.jpeg_parts import decode_part

_BATCHES_AHEAD = 2


def batch_memory(reading: Reading) -> BatchMemory:
    """Memory for `read`, kept by a loader from epoch to epoch."""
    size = reading.preprocess.size
    shape = (reading.rows.shape[1], size, size, 3)
    return BatchMemory(shape, reading.dtype, pinned=reading.device.type == "cuda")


def read(reading: Reading, memory: BatchMemory) -> Iterator[Pictures]:
    """Read batches, up to two ahead of the caller.

    Args:
        reading: the batches.
        memory: for the images.

    Raises:
        ArttlError: naming the first sample that cannot be read, or (unless these are skipped) decoded.
    """
    spec = reading.preprocess
    writer = SquareWriter(spec.size, spec.filter, spec.mean, spec.std, reading.dtype)
    copies = _Copies(reading.device)
    pool = ThreadPoolExecutor(reading.threads, thread_name_prefix="arttl-decode")
    pending: deque[_PendingBatch] = deque()
    try:
        for number in range(len(reading.rows)):
            pending.append(_PendingBatch(reading, number, memory.take()))
            pending[-1].start(pool, writer)
            if len(pending) > _BATCHES_AHEAD:
                yield copies.to_device(pending.popleft().finish())
        while pending:
            yield copies.to_device(pending.popleft().finish())
    finally:
        for batch in pending:
            batch.stop()
        pool.shutdown(wait=True, cancel_futures=True)


class _Copies:
    """Copies batches to the device, and keeps each block of host memory until its copy has ended."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._running: deque[tuple[torch.cuda.Event, torch.Tensor]] = deque()

    def to_device(self, pictures: Pictures) -> Pictures:
        if self._device.type == "cpu":
            return pictures
        images = pictures.images.to(self._device, non_blocking=True)
        if self._device.type == "cuda":
            event = torch.cuda.Event()
            event.record(torch.cuda.current_stream(self._device))
            self._running.append((event, pictures.images))
            while self._running[0][0].query() and len(self._running) > 1:
                self._running.popleft()
        return Pictures(images, pictures.bad)


@dataclass
class _PendingBatch:
    """A batch that is being filled by threads."""

    reading: Reading
    number: int
    images: torch.Tensor  # [B, size, size, 3], filled by the threads
    bad: dict[int, str] = field(default_factory=dict)
    tasks: list[Future[None]] = field(default_factory=list)
    pictures: StoredBatch | UnreadBatch = field(default_factory=lambda: UnreadBatch(0))

    def start(self, pool: ThreadPoolExecutor, writer: SquareWriter) -> None:
        reading, rows = self.reading, self.reading.rows[self.number]
        geometry = reading.geometry(self.number)
        cut = cuts(geometry, reading.color_change(self.number))
        first, bytes_each = self.images.data_ptr(), self.images[0].nbytes
        members = reading.files.members(rows)
        if members is None:
            pictures: StoredBatch | UnreadBatch = UnreadBatch(len(rows))
        else:
            pictures = StoredBatch(members, reading.sizes[rows], geometry.reduction, cut, writer, first)

        def fill() -> None:
            while (index := pictures.fill()) >= 0:
                try:
                    picture = decode(reading, int(rows[index]), int(geometry.reduction[index]))
                except BadSampleError as error:
                    if reading.on_bad_sample == "raise":
                        raise
                    self.bad[index] = str(error)
                    self.images[index] = 0
                else:
                    writer.write(picture, cut, index, first + index * bytes_each)

        self.pictures = pictures
        self.tasks = [pool.submit(fill) for _ in range(min(reading.threads, len(rows)))]

    def finish(self) -> Pictures:
        try:
            for task in self.tasks:
                task.result()
        finally:
            self.stop()
        return Pictures(self.images.permute(0, 3, 1, 2), self.bad)

    def stop(self) -> None:
        """Let the threads end after their current samples."""
        self.pictures.stop()


def decode(reading: Reading, row: int, reduction: int) -> npt.NDArray[np.uint8]:
    """One stored picture at 1/reduction of its size, rounded up.

    Returns:
        [H, W, 3] uint8.

    Raises:
        BadSampleError: naming the sample, if it cannot be decoded.
        ArttlError: if its shard cannot be read.
    """
    data = reading.files.jpeg(row)
    height, width = reading.sizes[row].tolist()
    try:
        inks = check_stored(data, width, height) in ("CMYK", "YCCK")
        if (decoded := decode_part(data, (height, width), reduction)) is not None:
            return decoded
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data,
            colorspace="CMYK" if inks else "RGB",
            # The minimum size determines the scale. libjpeg has fast code for 1/2, 1/4 and 1/8 only.
            min_height=-(-height // reduction),
            min_width=-(-width // reduction),
            min_factor=reduction,
        )
        return _rgb_of_inks(pixels, data) if inks else pixels
    except ValueError as error:
        raise BadSampleError(
            f"{reading.files.describe(row)} cannot be decoded ({error}); pack the collection anew with"
            " arttl shards, or copy the shard again"
        ) from error


def _rgb_of_inks(cmyk: npt.NDArray[np.uint8], jpeg: bytes) -> npt.NDArray[np.uint8]:
    """CMYK [H, W, 4] to RGB as DALI does it; packing stores none, but other people's shards may hold some."""
    inks = cmyk.astype(np.uint16)
    if b"\xff\xee\x00\x0eAdobe" not in jpeg:  # Adobe stores 255 minus the ink, others the ink
        inks = 255 - inks
    return ((inks[..., :3] * inks[..., 3:] + 127) // 255).astype(np.uint8)
