"""The loader on a card: pictures per second, the start of an epoch, memory, and whether training waits for it."""

from __future__ import annotations

import io
import itertools
import os
import statistics
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import timm
import torch
from PIL import Image
from torch import Tensor

from arttl.artworks import Artwork
from arttl.cpu import usable_cores
from arttl.errors import counted
from arttl.loading import Augment, Loader, Preprocess, open_loader
from arttl.loading.dali_settings import DaliSettings
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from card.devices import Card, Emulated
from card.run import ROOT, Missing, Run
from card.testing import needs_dali

DISTINCT = 256  # pictures; the others differ from them in a comment


def packing(run: Run) -> None:
    """Pack pictures: real photographs where there are some, else drawn ones with a photograph's noise."""
    begin = time.perf_counter()
    sizes, folder = run.sizes, run.scratch / "pictures"
    folder.mkdir()
    scans = Path(os.environ.get("ARTTL_REAL_DATA", ROOT.parent / "shared" / "data")) / "scans"
    photographs = [] if run.emulated else sorted(scans.glob("*.jpg"))[:DISTINCT]
    count = min(sizes.pictures, len(photographs) or DISTINCT)
    with ThreadPoolExecutor(usable_cores()) as pool:
        jpegs = list(
            pool.map(lambda i: _jpeg(photographs[i] if photographs else None, i, sizes.side), range(count))
        )
    artworks = []
    for number in range(sizes.pictures):
        data, path = jpegs[number % count], folder / f"{number}.jpg"
        path.write_bytes(data[:2] + b"\xff\xfe\x00\x06%04d" % number + data[2:])
        artworks.append(
            Artwork(f"p{number}", str(number), path, {"type": ("ab"[number % 2],)}, split="train")
        )
    settings = PackSettings(
        out=run.shards,
        tasks=("type",),
        split="column=split",
        max_side=sizes.side,
        shard_size=-(-sizes.pictures // 4),
        near_duplicates="off",
        workers=usable_cores(),
    )
    manifest = pack(artworks, settings)
    stored = sum(path.stat().st_size for path in run.shards.glob("*.tar"))
    run.report("pictures", len(manifest))
    run.report(
        "distinct ones",
        f"{count} {'photographs' if photographs else 'drawn'}, at most {sizes.side} pixels a side",
    )
    run.report("size of a sample in the shards", stored / len(manifest) / 1e3, "kB")
    run.report("drawing and packing", time.perf_counter() - begin, "s")


def _jpeg(photograph: Path | None, seed: int, side: int) -> bytes:
    if photograph is not None:
        picture = Image.open(photograph).convert("RGB")
        picture.thumbnail((side, side))
    else:
        random = np.random.default_rng(seed)
        coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        pixels = np.asarray(coarse.resize((side, 3 * side // 4), Image.Resampling.BICUBIC), dtype=np.float32)
        grain = random.normal(0, 6, pixels.shape[:2])[..., None]
        picture = Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def _loader(
    run: Run, device: Card | Emulated, engine: str, threads: int, rows: int = 0, **dali: object
) -> Loader:
    """A loader of training batches.

    Args:
        run, device: of the part.
        engine: `dali` or `cpu`.
        threads: that decode.
        rows: of the collection that an epoch has; 0 for all.
        dali: fields of `DaliSettings`.

    Raises:
        Missing: if there are no shards.
    """
    if not run.shards.is_dir():
        raise Missing("packed pictures: the part `packing` did not run to its end")
    return open_loader(
        run.shards,
        preprocess=Preprocess(augment=Augment()),
        batch_size=run.sizes.batch,
        engine=engine,  # type: ignore[arg-type]
        threads=threads,
        device=device.device,
        dtype=torch.bfloat16,
        rows=np.arange(rows) if rows else None,
        dali=DaliSettings(**dali),  # type: ignore[arg-type]
    )


def _rate(device: Card | Emulated, loader: Loader) -> float:
    """Pictures per second of an epoch after the first."""
    for timed in (False, True):
        begin = time.perf_counter()
        count = sum(len(batch.images) for batch in loader)
        device.synchronise()
        if timed:
            return count / (time.perf_counter() - begin)
    raise AssertionError


def rates(run: Run) -> None:
    """Pictures per second: the CPU engine, then DALI, first with one setting changed at a time, then all the others."""
    device, threads = run.device(), run.sizes.threads
    for count in threads:
        run.report(
            f"{counted(count, 'thread')}: cpu engine",
            _rate(device, _loader(run, device, "cpu", count)),
            "pictures/s",
        )
    needs_dali()
    default = DaliSettings()
    shares = list(dict.fromkeys([default.hw_decoder_load, 0.0, 0.65, 0.9, 1.0]))
    grid = [
        (share, fancy, count)
        for share in shares
        for fancy in (default.fancy_upsampling, not default.fancy_upsampling)
        for count in threads
    ]
    base = grid[0]
    grid.sort(key=lambda cell: sum(a != b for a, b in zip(cell, base, strict=True)))
    for share, fancy, count in grid:
        loader = _loader(run, device, "dali", count, hw_decoder_load=share, fancy_upsampling=fancy)
        title = f"DALI, hw_decoder_load {share:g}, fancy upsampling {'on' if fancy else 'off'}"
        run.report(f"{counted(count, 'thread')}: {title}", _rate(device, loader), "pictures/s")


def epochs(run: Run) -> None:
    """The first batch of the first two epochs, and memory over many."""
    device, sizes = run.device(), run.sizes
    process = psutil.Process()
    for engine in ("cpu", "dali"):
        if engine == "dali":
            needs_dali()
        loader = _loader(run, device, engine, sizes.threads[0], rows=min(sizes.pictures, 512))
        taken: list[tuple[int, int]] = []
        for number in range(sizes.epochs):
            begin = time.perf_counter()
            batches = iter(loader)
            next(batches)
            device.synchronise()
            took = time.perf_counter() - begin
            if number < 2:
                run.report(f"{engine}: first batch of epoch {number + 1}", 1e3 * took, "ms")
            for _batch in batches:
                pass
            device.synchronise()
            taken.append((process.memory_info().rss, device.used_bytes()))
        for title, index in (("process's", 0), ("card's", 1)):
            grown = (taken[-1][index] - taken[1][index]) / 2**20
            run.report(
                f"{engine}: {title} memory after {sizes.epochs} epochs", taken[-1][index] / 2**20, "MiB"
            )
            run.report(f"{engine}: {title} memory, growth since epoch 2", grown, "MiB")


def training(run: Run) -> None:
    """A ResNet50 in bfloat16: pictures per second alone, and fed by each engine."""
    device, sizes = run.device(), run.sizes
    torch.manual_seed(0)
    model = timm.create_model(sizes.network).to(device.device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

    def step(images: Tensor) -> None:
        with torch.autocast(device.device.type, torch.bfloat16):
            loss = model(images).logsumexp(1).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    def rate(batches: Iterable[Tensor]) -> float:
        batches = iter(batches)
        step(next(batches))  # starts what is to be started
        device.synchronise()
        begin, count = time.perf_counter(), 0
        for images in itertools.islice(batches, sizes.steps):
            step(images)
            count += len(images)
        device.synchronise()
        return count / (time.perf_counter() - begin)

    def fed(engine: str) -> Iterator[Tensor]:
        loader = _loader(run, device, engine, sizes.threads[0])
        while True:
            yield from (batch.images for batch in loader)

    same = torch.randn(sizes.batch, 3, 224, 224, device=device.device).to(memory_format=torch.channels_last)
    alone = statistics.median(rate(itertools.repeat(same)) for _ in range(3))
    run.report("alone", alone, "pictures/s")
    for engine in ("cpu", "dali"):
        if engine == "dali":
            needs_dali()
        value = rate(fed(engine))
        run.report(f"fed by {engine}", value, "pictures/s")
        run.report(f"fed by {engine}, of alone", 100 * value / alone, "%")
