"""The peers of `benchmarks/loading.py`: other ways to load pictures, each as its documentation shows it.

Each function takes a `Case` and returns a callable whose result, an iterator over batches [B, 3, 224, 224] float32,
reads one epoch.
Loaders with worker processes keep them from epoch to epoch, so that starting them is not counted.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import ImageFolder
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BICUBIC = v2.InterpolationMode.BICUBIC
Epoch = Callable[[], Iterator[Tensor]]


@dataclass(frozen=True)
class Case:
    """One row of conditions: the same pictures, transform and threads for every contestant."""

    folder: Path
    """The pictures as files, in one class folder."""
    shards: Path
    """The same bytes as shards."""
    train: bool
    """Random-resized crops and mirroring, or the evaluation transform."""
    scale: tuple[float, float]
    """Of the random crops."""
    batch_size: int
    threads: int


def _geometric(case: Case) -> list[v2.Transform]:
    if case.train:
        return [
            v2.RandomResizedCrop(224, scale=case.scale, interpolation=BICUBIC, antialias=True),
            v2.RandomHorizontalFlip(),
        ]
    return [v2.Resize(256, interpolation=BICUBIC, antialias=True), v2.CenterCrop(224)]


def _normalised() -> list[v2.Transform]:
    return [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]


def _batches(loader: DataLoader[tuple[Tensor, int]]) -> Epoch:
    def epoch() -> Iterator[Tensor]:
        for images, _ in loader:
            yield images

    return epoch


def _data_loader(case: Case, dataset: Dataset[tuple[Tensor, int]]) -> Epoch:
    return _batches(
        DataLoader(
            dataset,
            batch_size=case.batch_size,
            shuffle=case.train,
            num_workers=case.threads,
            persistent_workers=True,
        )
    )


def image_folder(case: Case) -> Epoch:
    """(a) torch DataLoader, ImageFolder, PIL: what users of timm and Hugging Face run."""
    transform = v2.Compose([*_geometric(case), v2.PILToTensor(), *_normalised()])
    return _data_loader(case, ImageFolder(str(case.folder), transform))


def _torchvision_decode(path: str) -> Tensor:
    return decode_image(path, mode=ImageReadMode.RGB)


class _Files(Dataset[tuple[Tensor, int]]):
    """The files, decoded by a function of their path to [3, H, W] uint8."""

    def __init__(self, case: Case, decode: Callable[[str], Tensor]) -> None:
        self._files, self._decode = [str(path) for path in sorted(case.folder.glob("*/*.jpg"))], decode
        self._transform = v2.Compose([*_geometric(case), *_normalised()])

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image: Tensor = self._transform(self._decode(self._files[index]))
        return image, 0


def torchvision_io(case: Case) -> Epoch:
    """(b) torch DataLoader, torchvision.io and its transforms on tensors."""
    return _data_loader(case, _Files(case, _torchvision_decode))


def torchcodec_images(case: Case) -> Epoch:
    """(e) torch DataLoader, torchcodec's decoder, which replaces that of torchvision.io, and transforms on tensors."""
    from torchcodec.decoders import decode_image as decode

    return _data_loader(case, _Files(case, decode))


LEAST = 2 * 256
"""No side that is decoded at a reduced scale has fewer pixels than this: arttl's rule."""


def _reduction(height: int, width: int) -> int:
    """The largest of libjpeg's scales 1/1 to 1/8 that leaves `LEAST` pixels, as its divisor."""
    return max((by for by in (2, 4, 8) if min(height, width) >= by * LEAST), default=1)


def _simplejpeg(path: str) -> Tensor:
    import simplejpeg

    data = Path(path).read_bytes()
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    by = _reduction(height, width)
    pixels = simplejpeg.decode_jpeg(
        data, min_height=-(-height // by), min_width=-(-width // by), min_factor=by
    )
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _opencv(path: str) -> Tensor:
    import cv2
    import simplejpeg  # OpenCV has nothing that reads a header alone

    data = Path(path).read_bytes()
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    flags = {1: cv2.IMREAD_COLOR_RGB, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
    by = _reduction(height, width)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags.get(by, cv2.IMREAD_REDUCED_COLOR_8))
    return torch.from_numpy(pixels if by == 1 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)).permute(2, 0, 1)


def _pyvips(path: str) -> Tensor:
    import pyvips

    image = pyvips.Image.new_from_file(path)
    by = _reduction(image.height, image.width)
    image = pyvips.Image.new_from_file(path, shrink=by, access="sequential").colourspace("srgb")
    return torch.from_numpy(image.numpy()).permute(2, 0, 1)


def _order(case: Case, files: _Files) -> list[int]:
    order: list[int] = (torch.randperm(len(files)) if case.train else torch.arange(len(files))).tolist()
    return order


def _in_threads(case: Case, decode: Callable[[str], Tensor]) -> Epoch:
    files = _Files(case, decode)

    def epoch() -> Iterator[Tensor]:
        with ThreadPoolExecutor(case.threads) as pool:
            images = pool.map(lambda index: files[index][0], _order(case, files))
            while batch := list(itertools.islice(images, case.batch_size)):
                yield torch.stack(batch)

    return epoch


def simplejpeg_threads(case: Case) -> Epoch:
    """(f) simplejpeg in a pool of threads, at a reduced scale, and torchvision's transforms on tensors."""
    import simplejpeg  # noqa: F401 - or it is left out

    return _in_threads(case, _simplejpeg)


def opencv_threads(case: Case) -> Epoch:
    """(g) OpenCV in a pool of threads, at a reduced scale, and torchvision's transforms on tensors."""
    import cv2

    cv2.setNumThreads(1)  # the pool's are those that are counted
    return _in_threads(case, _opencv)


def pyvips_threads(case: Case) -> Epoch:
    """(h) libvips in a pool of threads, at a reduced scale, and torchvision's transforms on tensors."""
    os.environ.setdefault(
        "VIPS_CONCURRENCY", "1"
    )  # before it is imported; the pool's threads are those counted
    import pyvips  # noqa: F401 - or it is left out

    return _in_threads(case, _pyvips)


def spdl_pipeline(case: Case) -> Epoch:
    """(i) SPDL's pipeline of threads, with simplejpeg: its own decoder needs the system's FFmpeg."""
    from spdl.pipeline import PipelineBuilder

    files = _Files(case, _simplejpeg)

    def epoch() -> Iterator[Tensor]:
        pipeline = (
            PipelineBuilder()
            .add_source(_order(case, files))
            .pipe(lambda index: files[index][0], concurrency=case.threads, output_order="input")
            .aggregate(case.batch_size)
            .pipe(torch.stack)
            .add_sink(2)
            .build(num_threads=case.threads)
        )
        with pipeline.auto_stop():
            yield from pipeline

    return epoch


def webdataset_pil(case: Case) -> Epoch:
    """(c) webdataset with PIL."""
    import webdataset

    transform = v2.Compose([*_geometric(case), v2.PILToTensor(), *_normalised()])
    tars = [str(path) for path in sorted(case.shards.glob("train-*.tar"))]
    dataset = webdataset.WebDataset(tars, shardshuffle=len(tars) if case.train else False)
    if case.train:
        dataset = dataset.shuffle(1000)
    dataset = dataset.decode("pil").to_tuple("jpg", "row").map(lambda pair: (transform(pair[0]), 0))
    return _batches(
        webdataset.WebLoader(
            dataset.batched(case.batch_size),
            batch_size=None,
            num_workers=min(case.threads, len(tars)),
            persistent_workers=True,
        )
    )


def dali_cpu_pipeline(case: Case) -> Epoch:
    """(d) The CPU pipeline of DALI's documentation, over files."""
    from nvidia.dali import fn, pipeline_def, types
    from nvidia.dali.plugin.base_iterator import LastBatchPolicy
    from nvidia.dali.plugin.pytorch import DALIGenericIterator

    @pipeline_def(batch_size=case.batch_size, num_threads=case.threads, device_id=None)
    def pipeline():  # type: ignore[no-untyped-def]
        jpegs, _ = fn.readers.file(file_root=str(case.folder), random_shuffle=case.train, name="files")
        if case.train:
            images = fn.decoders.image_random_crop(jpegs, output_type=types.RGB, random_area=list(case.scale))
            images = fn.resize(images, size=224, interp_type=types.INTERP_CUBIC, antialias=True)
            mirror = fn.random.coin_flip()
        else:
            images = fn.decoders.image(jpegs, output_type=types.RGB)
            images = fn.resize(
                images, size=256, mode="not_smaller", interp_type=types.INTERP_CUBIC, antialias=True
            )
            mirror = 0
        return fn.crop_mirror_normalize(
            images,
            crop=(224, 224),
            mirror=mirror,
            dtype=types.FLOAT,
            output_layout="CHW",
            mean=[255 * value for value in MEAN],
            std=[255 * value for value in STD],
        )

    def batches(iterator: DALIGenericIterator) -> Iterator[Tensor]:
        for batch in iterator:
            yield batch[0]["images"]

    def epoch() -> Iterator[Tensor]:
        # DALI keeps decoding after the end of an epoch, while the next contestant is measured: a new pipeline is built,
        # and measured from the end of one epoch to the end of the next.
        iterator = DALIGenericIterator(
            pipeline(),
            ["images"],
            reader_name="files",
            last_batch_policy=LastBatchPolicy.PARTIAL,
            auto_reset=True,
        )
        for _ in batches(iterator):
            pass
        return batches(iterator)

    return epoch


PEERS: dict[str, Callable[[Case], Epoch]] = {
    "DataLoader + ImageFolder + PIL": image_folder,
    "DataLoader + torchvision.io": torchvision_io,
    "DataLoader + torchcodec": torchcodec_images,
    "simplejpeg in threads": simplejpeg_threads,
    "OpenCV in threads": opencv_threads,
    "pyvips in threads": pyvips_threads,
    "SPDL + simplejpeg": spdl_pipeline,
    "webdataset + PIL": webdataset_pil,
    "DALI's CPU pipeline": dali_cpu_pipeline,
}
