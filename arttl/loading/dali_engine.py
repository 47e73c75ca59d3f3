"""The DALI engine: one graph that decodes on the GPU (mixed) or, without one, on the CPU.

Importing this module imports DALI; where DALI is missing, that raises an ArttlError that says what to install.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, fields, replace
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch

from arttl.errors import ArttlError
from arttl.loading import cpu_engine
from arttl.loading.color import ColorChange
from arttl.loading.reading import BadSampleError, Pictures, Reading
from arttl.loading.shard_files import ShardFiles
from arttl.pictures.jpeg import check_stored

try:
    from nvidia.dali import Pipeline, fn, types
except ImportError as error:
    raise ArttlError(
        'DALI is not installed: pip install "arttl[dali]" (CUDA 13) or "arttl[dali-cuda12]", or choose'
        " --engine cpu"
    ) from error

_FILTERS = {"bilinear": types.INTERP_LINEAR, "bicubic": types.INTERP_CUBIC, "nearest": types.INTERP_NN}
_COLOR = [field.name for field in fields(ColorChange)]  # color_twist's arguments have the same names
_PREFETCH = 2  # batches
_ROWS_PER_TASK = 256
_verdicts: WeakKeyDictionary[ShardFiles, dict[int, bool]] = (
    WeakKeyDictionary()
)  # row to whether DALI may decode it


def read(reading: Reading) -> Iterator[Pictures]:
    """Read batches; DALI decodes up to two ahead of the caller.

    Each call builds a new pipeline, on index files that list exactly the rows to read. A bad sample breaks the
    pipeline: where these are skipped, the CPU engine reads its batch, and a new pipeline continues after it. The same
    is done with a picture that takes more memory or time than it may, which DALI would decode: every picture is read
    once to find these.

    Raises:
        ArttlError: for a sample that cannot be read, or (unless these are skipped) decoded.
    """
    reading.files.fetch_all(reading.rows)
    number, count = 0, len(reading.rows)
    refused = [*np.flatnonzero(~_may_be_decoded(reading)).tolist(), count]
    while number < count:
        end = next(batch for batch in refused if batch >= number)
        try:
            for pictures in _run(_batches(reading, number, end)) if number < end else ():
                number += 1
                yield pictures
        except BadSampleError:
            if reading.on_bad_sample == "raise":
                raise
        if number < count:
            yield from cpu_engine.read(
                _batches(reading, number, number + 1), cpu_engine.batch_memory(reading)
            )
            number += 1


def _may_be_decoded(reading: Reading) -> npt.NDArray[np.bool_]:
    """For each batch, whether all its pictures are within the limits."""
    verdicts = _verdicts.setdefault(reading.files, {})
    rows = np.unique(reading.rows)
    unknown = [row for row in rows.tolist() if row not in verdicts]
    tasks = [unknown[first : first + _ROWS_PER_TASK] for first in range(0, len(unknown), _ROWS_PER_TASK)]
    pool = ThreadPoolExecutor(reading.threads, thread_name_prefix="arttl-check")
    try:
        for task, allowed in zip(tasks, pool.map(partial(_check, reading), tasks), strict=True):
            verdicts |= zip(task, allowed, strict=True)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # Ctrl-C does not wait for all shards
    return np.array([all(verdicts[row] for row in batch) for batch in reading.rows.tolist()], dtype=np.bool_)


def _check(reading: Reading, rows: list[int]) -> list[bool]:
    """For each row, whether its picture is within the limits."""
    allowed = []
    for row in rows:
        height, width = reading.sizes[row].tolist()
        try:
            check_stored(reading.files.jpeg(row), width, height)
        except ValueError:
            allowed.append(False)
        else:
            allowed.append(True)
    return allowed


def _batches(reading: Reading, first: int, end: int) -> Reading:
    return replace(reading, rows=reading.rows[first:end], visits=reading.visits[first:end])


def _run(reading: Reading) -> Iterator[Pictures]:
    pipeline = _build(reading)
    on_gpu = reading.device.type == "cuda"
    try:
        for number, rows in enumerate(reading.rows):
            failure = None
            try:
                images, stored = pipeline.run(torch.cuda.current_stream(reading.device) if on_gpu else None)
            except RuntimeError as error:
                failure = str(error)  # the error itself would keep the pipeline and its threads alive
            if failure is not None:
                raise _explained(failure, reading, number)
            _compare_rows(stored.as_array()[:, 0], rows, reading)
            squares = torch.utils.dlpack.from_dlpack(images.as_tensor()).permute(0, 3, 1, 2)
            yield Pictures(squares.to(reading.dtype), {})
    finally:
        del pipeline  # ends its threads


def _build(reading: Reading) -> Any:
    # DALI reads the index files while the pipeline is built; they are removed at once.
    with tempfile.TemporaryDirectory(prefix="arttl-index-") as folder:
        pipeline = _pipeline(reading, Path(folder))
        try:
            pipeline.build()
            size = pipeline.epoch_size("shards")
        except RuntimeError as error:
            raise _explained(str(error), reading, 0) from error
    assert size == reading.rows.size, (size, reading.rows.size)
    return pipeline


def _pipeline(reading: Reading, folder: Path) -> Any:
    paths: list[str] = []
    indices: list[str] = []
    for tar, text in reading.files.runs(reading.rows.ravel()):
        index = folder / f"{len(indices)}.idx"
        index.write_text(text, encoding="ascii")
        paths.append(str(tar))
        indices.append(str(index))
    preprocess = reading.preprocess
    on_gpu = reading.device.type == "cuda"
    pipeline = Pipeline(
        batch_size=reading.rows.shape[1],
        num_threads=reading.threads,
        device_id=(reading.device.index or 0) if on_gpu else None,
        prefetch_queue_depth=_PREFETCH,
        exec_dynamic=True,  # whose outputs torch may keep without a copy
    )
    with pipeline:
        shards: Any = fn.readers.webdataset  # its stub says that it returns nothing
        jpegs, rows = shards(
            name="shards",
            paths=paths,
            index_paths=indices,
            ext=["jpg", "row"],
            dtypes=[types.UINT8, types.INT64],
            missing_component_behavior="error",
            random_shuffle=False,
        )
        start, end, flip, *color = fn.external_source(
            source=_regions(reading), num_outputs=3 + (len(_COLOR) if preprocess.varies_color else 0)
        )
        pictures = fn.decoders.image(
            jpegs,
            device="mixed" if on_gpu else "cpu",
            output_type=types.RGB,
            adjust_orientation=False,  # stored upright
        )
        squares = fn.resize(
            pictures,
            size=[preprocess.size, preprocess.size],
            roi_start=start,
            roi_end=end,
            interp_type=_FILTERS[preprocess.filter],
            antialias=preprocess.filter != "nearest",
        )
        if preprocess.varies_color:
            squares = fn.color_twist(squares, **dict(zip(_COLOR, color, strict=True)))
        images = fn.crop_mirror_normalize(
            squares,
            mirror=flip,
            mean=[255 * value for value in preprocess.mean],
            std=[255 * value for value in preprocess.std],
            dtype=types.FLOAT,
            output_layout="HWC",
        )
        pipeline.set_outputs(images, rows)
    return pipeline


def _regions(reading: Reading) -> Iterator[tuple[np.ndarray, ...]]:
    """Crops of each batch in turn, and its colours where they vary; at their end DALI stops reading ahead."""
    for batch in range(len(reading.rows)):
        geometry = reading.geometry(batch)
        crop = (*geometry.region(reading.preprocess.size), geometry.flip.astype(np.int32))
        color = reading.color_change(batch)
        yield crop if color is None else (*crop, *astuple(color))


def _compare_rows(stored: np.ndarray, expected: np.ndarray, reading: Reading) -> None:
    """Compare the rows stored beside the pictures of a batch with those that were to be read."""
    for wrong in np.flatnonzero(stored != expected):
        raise ArttlError(
            f"{reading.files.describe(int(expected[wrong]))} holds row {stored[wrong]}: shards and manifest are of"
            " different packings, so pack the collection anew with arttl shards"
        )


def _explained(failure: str, reading: Reading, batch: int) -> ArttlError:
    """DALI's error of many lines, which often names no sample, as one sentence that does."""
    for row in reading.rows[batch : batch + 1 + _PREFETCH].ravel().tolist():
        try:
            cpu_engine.decode(reading, row, reduction=1)
        except ArttlError as error:
            return error
    lines = [line for line in failure.splitlines() if line and "pipeline" not in line]
    return ArttlError(
        f"DALI cannot read {reading.files.directory} ({lines[-1] if lines else failure}); choose --engine cpu"
    )
