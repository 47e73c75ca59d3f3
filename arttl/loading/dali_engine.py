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
from arttl.loading.dali_settings import DaliSettings
from arttl.loading.reading import Pictures, Reading
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
_Jpeg = npt.NDArray[np.uint8] | str  # its bytes, or why DALI must not be given them
_CULPRIT = re.compile(r"Failed to decode sample #(\d+)")

# Given to DALI in place of a picture that it must not decode; the sample is then read by the CPU engine.
_STAND_IN = np.frombuffer(simplejpeg.encode_jpeg(np.zeros((8, 8, 3), np.uint8)), np.uint8)
_STAND_IN_SIDE = 8


class DaliEngine:
    """The pipeline of one loader, kept over epochs, iterations that were given up, and pictures that do not decode.

    DALI is given the bytes of the JPEGs, in the order of the epoch, and opens no file. Threads of our own read them, as
    the CPU engine does, and do not map the shards: one that shrinks meanwhile would end the process without a word.
    """

    def __init__(self, settings: DaliSettings, count: int) -> None:
        """An engine without a pipeline, which the first iteration builds.

        Args:
            settings: of DALI.
            count: of the rows in the manifest.
        """
        self._settings = settings
        self._idle: _Running | None = None
        self._intact = np.zeros(count, dtype=np.bool_)  # rows whose JPEGs are as they were packed
        self._fails = set[int]()  # rows on which DALI failed

    def read(self, reading: Reading) -> Iterator[Pictures]:
        """Read batches, `DaliSettings.prefetch` of which DALI has at a time.

        Pictures that take more memory or time than they may, are cut off, or are not as they were packed are not given
        to DALI; they and the batches on which it fails are read by the CPU engine.

        Raises:
            ArttlError: for a shard that cannot be read, or (unless these are skipped) a sample that cannot be decoded.
        """
        readers = ThreadPoolExecutor(reading.threads, thread_name_prefix="arttl-read")
        try:
            with self._running(reading) as running:
                running.feed.start(self._inputs(reading, readers, running.feed))
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
        self._fails |= {rows[index] for index in (*named, *pictures.bad)}
        reason = one_line(_reason(failure))
        if named:
            sentence = f"DALI fails on {reading.files.describe(rows[named[0]])} ({reason})"
        else:
            named = [] if pictures.bad else list(range(len(rows)))
            sentence = f"DALI fails on a batch that begins with {reading.files.describe(rows[0])} ({reason})"
        return replace(pictures, instead={index: sentence for index in named if index not in pictures.bad})

    def _inputs(
        self, reading: Reading, readers: ThreadPoolExecutor, feed: _Feed
    ) -> Iterator[tuple[Any, ...]]:
        """The inputs of each batch, whose JPEGs are read some batches ahead."""
        ahead = self._settings.prefetch
        tasks: deque[list[Future[list[_Jpeg]]]] = deque()
        for number in range(len(reading.rows) + ahead):
            if number < len(reading.rows):
                rows = reading.rows[number].tolist()
                parts = [rows[k : k + _SAMPLES_PER_TASK] for k in range(0, len(rows), _SAMPLES_PER_TASK)]
                tasks.append([readers.submit(self._jpegs, reading, part) for part in parts])
            if number >= ahead:
                try:
                    jpegs = [jpeg for task in tasks.popleft() for jpeg in task.result()]
                except ArttlError as error:  # the batches before it are still to come
                    feed.error = error
                    return
                yield _input(reading, number - ahead, jpegs, feed)

    def _jpegs(self, reading: Reading, rows: list[int]) -> list[_Jpeg]:
        """The JPEGs of some rows.

        DALI has no limit of its own for what a picture takes. It shows most damaged ones without an error, on a GPU
        perhaps all: digests find them. Each picture is examined once.
        """
        jpegs: list[_Jpeg] = []
        for row in rows:
            data = reading.files.jpeg(row)
            refusal = "DALI fails on it" if row in self._fails else ""
            if not self._intact[row]:
                refusal = refusal or _refusal(reading, row, data)
                self._intact[row] = not refusal
            jpegs.append(refusal or np.frombuffer(data, np.uint8))
        return jpegs


class _Feed:
    """The batches that DALI is to be given.

    DALI's pipeline refers to this object, which therefore must not refer to the pipeline: that, with its threads, would
    outlive its loader.

    Attributes:
        left_out: for each batch that DALI was given, in order, the indices of pictures that it was not, and why.
        error: why there is no further batch, where the epoch has not ended.
    """

    def __init__(self) -> None:
        self.left_out: deque[dict[int, str]] = deque()
        self.error: ArttlError | None = None
        self._batches: Iterator[tuple[Any, ...]] = iter(())

    def __call__(self) -> tuple[Any, ...]:
        """The inputs of the next batch, which DALI asks for ahead of time; StopIteration at the end."""
        return next(self._batches)

    def start(self, batches: Iterator[tuple[Any, ...]]) -> None:
        """Begin an epoch."""
        self._batches = batches

    def stop(self) -> None:
        """Have no further batch."""
        self._batches = iter(())
        self.left_out.clear()
        self.error = None


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


def _refusal(reading: Reading, row: int, data: bytes) -> str:
    """Why DALI must not be given a JPEG; empty where it may."""
    height, width = reading.sizes[row].tolist()
    try:
        check_stored(data, width, height)
    except ValueError as error:
        return str(error)
    if not is_finished(data):
        return "it is cut off"
    return "" if reading.files.is_as_packed(row, data) else "it is not as it was packed"


def _input(reading: Reading, number: int, jpegs: list[_Jpeg], feed: _Feed) -> tuple[Any, ...]:
    """The inputs of `_pipeline` for one batch; what DALI is not given is noted in `feed`."""
    geometry = reading.geometry(number)
    start, end = geometry.region(reading.preprocess.size)
    feed.left_out.append({index: jpeg for index, jpeg in enumerate(jpegs) if isinstance(jpeg, str)})
    for index in feed.left_out[-1]:
        jpegs[index] = _STAND_IN
        start[index], end[index] = 0, _STAND_IN_SIDE
    color = reading.color_change(number)
    flip = geometry.flip.astype(np.int32)
    return (reading.rows[number], jpegs, start, end, flip, *(astuple(color) if color else ()))


def _completed(images: torch.Tensor, reading: Reading, number: int, left_out: dict[int, str]) -> Pictures:
    """A batch of DALI's, in which the CPU engine reads what DALI was not given.

    Args:
        images: [B, 3, size, size] float32, with anything at these indices.
        reading: what is read.
        number: of the batch.
        left_out: indices in the batch, and why.
    """
    images = images.to(reading.dtype)
    if not left_out:
        return Pictures(images, {})
    indices = list(left_out)
    pictures = _by_cpu_engine(reading, number, indices)
    for index, image in zip(indices, pictures.images, strict=True):
        images[index] = image  # one by one: a list of indices would be copied to the device, and waited for
    bad = {indices[k]: sentence for k, sentence in pictures.bad.items()}
    rows = reading.rows[number].tolist()
    instead = {k: f"{reading.files.describe(rows[k])}: {left_out[k]}" for k in indices if k not in bad}
    return Pictures(images, bad, instead)


def _by_cpu_engine(reading: Reading, number: int, indices: list[int]) -> Pictures:
    """Some pictures of one batch, read by the CPU engine.

    Raises:
        ArttlError: as `cpu_engine.read`.
    """
    rows, visits = reading.rows[number][indices], reading.visits[number][indices]
    part = replace(reading, rows=rows[None], visits=visits[None])  # one batch
    (pictures,) = cpu_engine.read(part, cpu_engine.batch_memory(part))
    return pictures


def _reason(failure: str) -> str:
    """What DALI's message of many lines says."""
    lines = [line for line in failure.splitlines() if line and "pipeline" not in line]
    return lines[-1] if lines else failure
