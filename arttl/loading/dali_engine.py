"""The DALI engine: one pipeline per loader that decodes on the GPU (mixed) or, without one, on the CPU.

Importing this module imports DALI; where DALI is missing, that raises an ArttlError that says what to install.
"""

from __future__ import annotations

import contextlib
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg
import torch

from arttl.errors import ArttlError, one_line
from arttl.loading import cpu_engine
from arttl.loading.color import ColorChange
from arttl.loading.reading import Pictures, Reading
from arttl.loading.settings import DaliSettings
from arttl.pictures.jpeg import check_stored, is_finished

try:
    from nvidia.dali import Pipeline, fn, types
except ImportError as error:
    raise ArttlError(
        'DALI is not installed: pip install "arttl[dali]" (CUDA 13) or "arttl[dali-cuda12]", or choose'
        " --engine cpu"
    ) from error

_FILTERS = {"bilinear": types.INTERP_LINEAR, "bicubic": types.INTERP_CUBIC, "nearest": types.INTERP_NN}
_COLOR = [field.name for field in fields(ColorChange)]  # color_twist's arguments have the same names
_SAMPLES_PER_TASK = 8
_CULPRIT = re.compile(r"Failed to decode sample #(\d+)")

# Given to DALI in place of a picture that it must not decode; the sample is then read by the CPU engine.
_STAND_IN = np.frombuffer(simplejpeg.encode_jpeg(np.zeros((8, 8, 3), np.uint8)), np.uint8)
_STAND_IN_SIDE = 8


class DaliEngine:
    """The pipeline of one loader, kept over epochs, iterations that were given up, and pictures that do not decode.

    DALI is given the bytes of the JPEGs, in the order of the epoch, and opens no file. They are read and checked by
    threads of our own, as the CPU engine reads them: a shard that shrinks while it is mapped would end the process.
    """

    def __init__(self, settings: DaliSettings) -> None:
        self._settings = settings
        self._idle: _Running | None = None
        self._unfit: set[int] = set()  # rows on which DALI failed

    def read(self, reading: Reading) -> Iterator[Pictures]:
        """Read batches, `DaliSettings.prefetch` of which DALI has at a time.

        Pictures that take more memory or time than they may, or that end before their end, are not given to DALI; they
        and the batches on which it fails are read by the CPU engine.

        Raises:
            ArttlError: for a shard that cannot be read, or (unless these are skipped) a sample that cannot be decoded.
        """
        readers = ThreadPoolExecutor(reading.threads, thread_name_prefix="arttl-read")
        try:
            with self._running(reading) as running:
                running.feed.start(reading, readers, self._settings.prefetch, self._unfit)
                for number, rows in enumerate(reading.rows):
                    images, failure = running.next(rows)
                    left_out = running.feed.left_out.popleft()
                    if images is None:
                        yield self._after_failure(reading, number, failure)
                    else:
                        yield _completed(images, reading, number, left_out)
        finally:
            readers.shutdown(wait=True, cancel_futures=True)

    @contextlib.contextmanager
    def _running(self, reading: Reading) -> Iterator[_Running]:
        """The pipeline for an iteration; a second one while another iteration has the first."""
        running, self._idle = self._idle or _Running(reading, self._settings), None
        try:
            yield running
        except GeneratorExit:
            self._keep(running)
            raise
        except BaseException:  # Ctrl-C within DALI may leave it in any state
            running.free()
            raise
        self._keep(running)

    def _keep(self, running: _Running) -> None:
        running.finish()
        self._idle = running

    def _after_failure(self, reading: Reading, number: int, failure: str) -> Pictures:
        """A batch on which DALI failed, read by the CPU engine."""
        rows = reading.rows[number].tolist()
        pictures = _by_cpu_engine(reading, number, list(range(len(rows))))
        culprit = _CULPRIT.search(failure)
        named = [int(culprit[1])] if culprit and int(culprit[1]) < len(rows) else []
        self._unfit |= {rows[index] for index in (*named, *pictures.bad)}
        reason = one_line(_reason(failure))
        if named:
            sentence = f"DALI fails on {reading.files.describe(rows[named[0]])} ({reason})"
        else:
            named = [] if pictures.bad else list(range(len(rows)))
            sentence = f"DALI fails on a batch that begins with {reading.files.describe(rows[0])} ({reason})"
        return replace(pictures, instead={index: sentence for index in named if index not in pictures.bad})


class _Feed:
    """The batches that DALI is to be given.

    DALI's pipeline refers to this object, which therefore must not refer to the pipeline: that, with its threads, would
    outlive its loader.

    Attributes:
        left_out: for each batch that DALI was given, in order, the indices of pictures that it was not.
        error: why there is no further batch, where the epoch has not ended.
    """

    def __init__(self) -> None:
        self.left_out: deque[list[int]] = deque()
        self.error: ArttlError | None = None
        self._batches: Iterator[tuple[Any, ...]] = iter(())

    def __call__(self) -> tuple[Any, ...]:
        """The inputs of the next batch, which DALI asks for ahead of time; StopIteration at the end."""
        return next(self._batches)

    def start(self, reading: Reading, readers: ThreadPoolExecutor, ahead: int, unfit: set[int]) -> None:
        """Begin with the first batch of `reading`, whose JPEGs are read some batches ahead."""
        self._batches = self._inputs(reading, readers, ahead, unfit)

    def stop(self) -> None:
        """Have no further batch."""
        self._batches = iter(())
        self.left_out.clear()
        self.error = None

    def _inputs(
        self, reading: Reading, readers: ThreadPoolExecutor, ahead: int, unfit: set[int]
    ) -> Iterator[tuple[Any, ...]]:
        tasks: deque[list[Future[list[npt.NDArray[np.uint8] | None]]]] = deque()
        for number in range(len(reading.rows) + ahead):
            if number < len(reading.rows):
                rows = reading.rows[number].tolist()
                parts = [rows[k : k + _SAMPLES_PER_TASK] for k in range(0, len(rows), _SAMPLES_PER_TASK)]
                tasks.append([readers.submit(_jpegs, reading, part) for part in parts])
            if number >= ahead:
                try:
                    jpegs = [jpeg for task in tasks.popleft() for jpeg in task.result()]
                except ArttlError as error:  # the batches before it are still to come
                    self.error = error
                    return
                yield self._input(reading, number - ahead, jpegs, unfit)

    def _input(
        self, reading: Reading, number: int, jpegs: list[npt.NDArray[np.uint8] | None], unfit: set[int]
    ) -> tuple[Any, ...]:
        """The inputs of `_pipeline` for one batch."""
        rows = reading.rows[number]
        left_out = [index for index, row in enumerate(rows.tolist()) if jpegs[index] is None or row in unfit]
        geometry = reading.geometry(number)
        start, end = geometry.region(reading.preprocess.size)
        for index in left_out:
            jpegs[index] = _STAND_IN
            start[index], end[index] = 0, _STAND_IN_SIDE
        self.left_out.append(left_out)
        color = reading.color_change(number)
        return (rows, jpegs, start, end, geometry.flip.astype(np.int32), *(astuple(color) if color else ()))


class _Running:
    """A pipeline that is built, and what it is fed from."""

    def __init__(self, reading: Reading, settings: DaliSettings) -> None:
        self.feed = _Feed()
        self._device = reading.device
        self._pipeline = _pipeline(reading, settings, self.feed)
        try:
            self._pipeline.build()
        except RuntimeError as error:
            raise ArttlError(
                f"DALI cannot be started ({one_line(_reason(str(error)))}); choose --engine cpu"
            ) from error

    def next(self, rows: npt.NDArray[np.int64]) -> tuple[torch.Tensor | None, str]:
        """The pictures of the next batch, [B, 3, size, size] float32; or none, and DALI's message on its failure.

        Raises:
            ArttlError: for a shard that cannot be read.
        """
        with self._on_device() as stream:
            try:
                self._pipeline.schedule_run()  # whose errors are ours: they are not about a picture
                # The outputs are ordered before what this stream runs next; nothing waits for the device.
                images, numbers = self._pipeline.outputs(stream)
            except StopIteration:
                assert self.feed.error is not None
                raise self.feed.error from None
            except RuntimeError as error:
                return None, str(error)  # the error itself would keep the pipeline and its threads alive
            # DALI says after a failure that its pipeline can no longer be used. It can; but the order must be ours.
            assert np.array_equal(numbers.as_array().ravel(), rows), "DALI returned another batch"
            return torch.utils.dlpack.from_dlpack(images.as_tensor()).permute(0, 3, 1, 2), ""

    def finish(self) -> None:
        """Wait for batches that nobody has taken, and be ready for the first of another epoch."""
        self.feed.stop()
        while True:
            try:
                self._pipeline.schedule_run()
                self._pipeline.outputs()
            except StopIteration:
                break
            except RuntimeError:
                continue  # a picture that is no longer needed
        self._pipeline.reset()

    def free(self) -> None:
        """End the pipeline's threads now: an error's frames may refer to this object for a long time."""
        del self._pipeline

    @contextlib.contextmanager
    def _on_device(self) -> Iterator[torch.cuda.Stream | None]:
        """The loader's device as the current one: the default stream has no device of its own."""
        if self._device.type == "cpu":
            yield None
            return
        with torch.cuda.device(self._device):
            yield torch.cuda.current_stream(self._device)


def _pipeline(reading: Reading, settings: DaliSettings, feed: _Feed) -> Any:
    preprocess = reading.preprocess
    on_gpu = reading.device.type == "cuda"
    pipeline = Pipeline(
        batch_size=reading.rows.shape[1],
        num_threads=reading.threads,
        device_id=(reading.device.index or 0) if on_gpu else None,
        prefetch_queue_depth=settings.prefetch,
        exec_dynamic=True,  # whose outputs torch may keep without a copy
    )
    with pipeline:
        rows, jpegs, start, end, flip, *color = fn.external_source(
            source=feed, num_outputs=5 + (len(_COLOR) if preprocess.varies_color else 0)
        )
        pictures = fn.decoders.image(
            jpegs,
            output_type=types.RGB,
            adjust_orientation=False,  # stored upright
            **(_on_gpu(reading, settings) if on_gpu else {"device": "cpu"}),
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


def _on_gpu(reading: Reading, settings: DaliSettings) -> dict[str, Any]:
    """The decoder's arguments where it decodes on a GPU."""
    height, width = reading.sizes.max(axis=0).clip(max=settings.preallocated_side).tolist()
    return {
        "device": "mixed",
        "hw_decoder_load": settings.hw_decoder_load,
        "jpeg_fancy_upsampling": settings.fancy_upsampling,
        "preallocate_height_hint": height,
        "preallocate_width_hint": width,
    }


def _jpegs(reading: Reading, rows: list[int]) -> list[npt.NDArray[np.uint8] | None]:
    """The JPEGs of some rows; none in place of one that DALI must not be given.

    DALI has no limit of its own for what a picture takes, and decoders on GPUs may show the part of a picture that is
    there.
    """
    jpegs: list[npt.NDArray[np.uint8] | None] = []
    for row in rows:
        data = reading.files.jpeg(row)
        height, width = reading.sizes[row].tolist()
        try:
            check_stored(data, width, height)
        except ValueError:
            jpegs.append(None)
        else:
            jpegs.append(np.frombuffer(data, np.uint8) if is_finished(data) else None)
    return jpegs


def _completed(images: torch.Tensor, reading: Reading, number: int, left_out: list[int]) -> Pictures:
    """A batch of DALI's, in which the CPU engine reads what DALI was not given.

    Args:
        images: [B, 3, size, size] float32, with anything at these indices.
        reading: what is read.
        number: of the batch.
        left_out: indices in the batch.
    """
    images = images.to(reading.dtype)
    if not left_out:
        return Pictures(images, {})
    pictures = _by_cpu_engine(reading, number, left_out)
    for index, image in zip(left_out, pictures.images, strict=True):
        images[index] = image  # one by one: a list of indices would be copied to the device, and waited for
    return Pictures(images, {left_out[index]: sentence for index, sentence in pictures.bad.items()})


def _by_cpu_engine(reading: Reading, number: int, indices: list[int]) -> Pictures:
    """Some pictures of one batch, read by the CPU engine.

    Raises:
        ArttlError: as `cpu_engine.read`.
    """
    part = replace(
        reading, rows=reading.rows[number, None, indices], visits=reading.visits[number, None, indices]
    )
    (pictures,) = cpu_engine.read(part, cpu_engine.batch_memory(part))
    return pictures


def _reason(failure: str) -> str:
    """What DALI's message of many lines says."""
    lines = [line for line in failure.splitlines() if line and "pipeline" not in line]
    return lines[-1] if lines else failure
