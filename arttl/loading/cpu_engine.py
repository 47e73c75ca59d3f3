"""The CPU engine: JPEGs read by offset, decoded at a reduced scale by a pool of threads, no DALI.

Reading, decoding, resizing and normalising all release the interpreter lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import simplejpeg
import torch

from arttl.errors import ArttlError
from arttl.loading.geometry import Geometry
from arttl.loading.reading import Reading
from arttl.loading.resample import cut_square, normalise

_BATCHES_AHEAD = 2


def read(reading: Reading) -> Iterator[torch.Tensor]:
    """Read batches, up to two ahead of the caller.

    Yields:
        [B, 3, size, size] float32, channels last, on the device.

    Raises:
        ArttlError: naming the first sample that cannot be read or decoded.
    """
    pool = ThreadPoolExecutor(reading.threads, thread_name_prefix="arttl-decode")
    pending: deque[_PendingBatch] = deque()
    try:
        for batch in range(len(reading.rows)):
            pending.append(_start(pool, reading, batch))
            if len(pending) > _BATCHES_AHEAD:
                yield _finish(pending.popleft(), reading.device)
        while pending:
            yield _finish(pending.popleft(), reading.device)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class _PendingBatch:
    images: torch.Tensor  # [B, size, size, 3], filled by the samples
    samples: list[Future[None]]


def _start(pool: ThreadPoolExecutor, reading: Reading, batch: int) -> _PendingBatch:
    size = reading.preprocess.size
    rows = reading.rows[batch].tolist()
    images = torch.empty((len(rows), size, size, 3), pin_memory=reading.device.type == "cuda")
    geometry = reading.geometry(batch)
    lines = images.numpy()
    samples = [pool.submit(_sample, reading, row, geometry, i, lines[i]) for i, row in enumerate(rows)]
    return _PendingBatch(images, samples)


def _finish(batch: _PendingBatch, device: torch.device) -> torch.Tensor:
    for sample in batch.samples:
        sample.result()
    return batch.images.permute(0, 3, 1, 2).to(device, non_blocking=True)


def _sample(reading: Reading, row: int, geometry: Geometry, index: int, out: np.ndarray) -> None:
    """Read one sample into its place in the batch, `out` [size, size, 3]."""
    preprocess = reading.preprocess
    reduction = int(geometry.reduction[index])
    picture = decode(reading, row, reduction)
    square = cut_square(picture, geometry, index, preprocess.size, preprocess.filter, reduction)
    normalise(square, preprocess.mean, preprocess.std, out)


def decode(reading: Reading, row: int, reduction: int) -> np.ndarray:
    """One stored picture at one over `reduction` of its size.

    Returns:
        [H, W, 3] uint8.

    Raises:
        ArttlError: naming the sample, if it cannot be read or decoded.
    """
    data = reading.files.jpeg(row)
    height, width = reading.sizes[row].tolist()
    try:
        found = simplejpeg.decode_jpeg_header(data)[:2]
        if found != (height, width):  # before a header from nowhere decides how much memory is taken
            raise ValueError(f"it is {found[1]}x{found[0]} pixels and the manifest says {width}x{height}")
        return simplejpeg.decode_jpeg(
            data,
            # The scale is given by the least size that is wanted. libjpeg has fast code for 1/2, 1/4 and 1/8
            # only.
            min_height=-(-height // reduction),
            min_width=-(-width // reduction),
            min_factor=reduction,
        )
    except ValueError as error:
        raise ArttlError(
            f"{reading.files.describe(row)} cannot be decoded ({error}); pack the collection anew with"
            " scripts/make_shards.py, or copy the shard again"
        ) from error
