"""The peers of `benchmarks/loading.py`: other ways to load pictures, each as its documentation shows it.

Each function takes a `Case` and returns a callable whose result, an iterator over batches [B, 3, 224, 224] float32,
reads one epoch.
Loaders with worker processes keep them from epoch to epoch, so that starting them is not counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

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


def simplejpeg_threads(case: Case) -> Epoch:
    """(f) simplejpeg in a pool of threads, decoding at a reduced scale of at least twice the size, and transforms."""
    import simplejpeg

    least = 2 * 256

    def decode(path: str) -> Tensor:
        data = Path(path).read_bytes()
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        by = max([each for each in (1, 2, 4, 8) if min(height, width) >= each * least], default=1)
        pixels = simplejpeg.decode_jpeg(
            data, min_height=-(-height // by), min_width=-(-width // by), min_factor=by
        )
        return torch.from_numpy(pixels).permute(2, 0, 1)

    files = _Files(case, decode)

    def epoch() -> Iterator[Tensor]:
        order = torch.randperm(len(files)) if case.train else torch.arange(len(files))
        with ThreadPoolExecutor(case.threads) as pool:
            images = pool.map(lambda index: files[index][0], order.tolist())
            while batch := list(itertools.islice(images, case.batch_size)):
                yield torch.stack(batch)

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
    "webdataset + PIL": webdataset_pil,
    "DALI's CPU pipeline": dali_cpu_pipeline,
}
