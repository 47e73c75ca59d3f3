"""Pictures per second: arttl's engines against the usual loaders, on photographs as scanned and on packed shards.

    python benchmarks/loading.py --rounds 1 --scans 64 --packed 256      # a short run
    python benchmarks/loading.py --markdown loading.md                   # all of it, about ten minutes

Every round reads one epoch with each contestant in turn, so that a slow moment affects all; figures are medians over
the rounds in pictures per second, with the least and the most. All read the same JPEGs, which are in the page cache
after the first, uncounted epoch, with the same number of threads or workers; batches are float32 on the CPU.

The first two rows are yardsticks: libjpeg's entropy decoding alone (every picture at 1/8 scale, from memory), and
libjpeg decoding whole pictures at the scales that arttl's cpu engine chooses, doing nothing else. FFCV is not among the
peers: its source does not build without the system's OpenCV and libturbojpeg. torchcodec, opencv-python-headless,
pyvips[binary] and spdl are, where they are installed; those that can decode at a reduced scale do so by arttl's rule,
never below twice the size that is needed. A table says how far each one's pictures are from Pillow's.

On a machine that others use, `--clock cpu` counts the processor time of the process and its workers in place of the
wall-clock time: it measures the work, which other programs affect less, and leaves out waiting.

With a CUDA device, the engine dali-gpu is added, and the training rate of a ResNet50 in bfloat16.

Reads `scans/` of $ARTTL_REAL_DATA, by default ../shared/data.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import simplejpeg
import torch
from loading_peers import PEERS, Case, Epoch
from loading_profile import agreement, arttl_engine, memory, open_with, pixels, profile, reductions_of

from arttl.artworks import Artwork
from arttl.cpu import usable_cores
from arttl.errors import ArttlError
from arttl.loading import Augment, Preprocess
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings

SCALE = (0.08, 1.0)  # of random crops: the default of torchvision and timm
FLOOR, DECODE = "libjpeg's entropy decoding alone", "libjpeg's decoding alone, at the cpu engine's scales"


def write_collection(scans: Sequence[Path], count: int, max_side: int, out: Path) -> tuple[Path, Path]:
    """Copies of the scans that differ in a comment, packed; and the packed JPEGs as files.

    Args:
        scans: the photographs.
        count: of copies.
        max_side: longest side of the stored pictures, 0 for no cap.
        out: an empty folder.

    Returns:
        A folder with one class folder of JPEGs, and a folder of shards of the same.
    """
    (out / "files" / "all").mkdir(parents=True)
    artworks = []
    for number in range(count):
        data = scans[number % len(scans)].read_bytes()
        path = out / f"{number}.jpg"
        path.write_bytes(data[:2] + b"\xff\xfe\x00\x06%04d" % number + data[2:])
        artworks.append(
            Artwork(f"s{number}", str(number), path, {"type": ("ab"[number % 2],)}, split="train")
        )
    settings = PackSettings(
        out=out / "shards",
        tasks=("type",),
        split="column=split",
        max_side=max_side,
        shard_size=-(-count // 4),
        workers=1,
        near_duplicates="off",
    )
    manifest = pack(artworks, settings)
    files = open_with(manifest, "cpu", Preprocess(), 32, 1).files
    for row, key in enumerate(manifest.keys):
        (out / "files" / "all" / f"{key}.jpg").write_bytes(files.jpeg(row))
    for artwork in artworks:
        artwork.image.unlink()
    return out / "files", out / "shards"


def decoding(case: Case, always: int | None) -> Epoch:
    """Decoding alone, from memory, at a given reduction or those that the cpu engine chooses; no pixels are kept."""
    spec = Preprocess(augment=Augment(scale=case.scale) if case.train else None)
    loader = open_with(case.shards, "cpu", spec, case.batch_size, case.threads)
    rows = loader.rows
    jpegs = [loader.files.jpeg(row) for row in rows.tolist()]
    sizes = loader.manifest.sizes[rows]
    epochs = iter(range(10**9))

    def decode(jpeg: bytes, size: Sequence[int], reduction: int) -> None:
        height, width = (-(-side // reduction) for side in size)
        simplejpeg.decode_jpeg(jpeg, min_height=height, min_width=width, min_factor=reduction)

    def epoch() -> Iterator[torch.Tensor]:
        reductions = np.full(len(rows), always)
        if always is None:
            reductions = reductions_of(spec, sizes, rows, next(epochs))
        with ThreadPoolExecutor(case.threads) as pool:
            for _ in pool.map(decode, jpegs, sizes.tolist(), reductions.tolist()):
                yield torch.empty(1, 0)

    return epoch


def processor_seconds() -> float:
    """The processor time that this process and its workers have used so far."""
    this = psutil.Process()
    times = [process.cpu_times() for process in (this, *this.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def measure(contestants: dict[str, Epoch], rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Pictures per second of each contestant in each round, after a first epoch that is not counted."""
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, epoch in contestants.items():
            batches = epoch()
            begin = clock()
            count = sum(len(images) for images in batches)
            del batches
            if number:
                rates[name].append(count / (clock() - begin))
    return rates


@dataclass(frozen=True)
class Table:
    """The rates of one case, as lines of Markdown."""

    title: str
    rates: dict[str, list[float]]

    def lines(self) -> list[str]:
        """The table."""
        peers = [name for name in self.rates if name in PEERS]
        fastest = max(peers, key=lambda name: statistics.median(self.rates[name]))
        lines = [
            f"### {self.title}",
            "",
            "| | pictures/s | least to most | of the entropy decoding | of the decoding | times the fastest peer |",
        ]
        lines += ["|---|---|---|---|---|---|"]
        for name, rates in self.rates.items():
            # Ratios are medians of the rounds' own ratios: a slow round is slow for both.
            share, whole, times = (
                statistics.median(a / b for a, b in zip(rates, self.rates[other], strict=True))
                for other in (FLOOR, DECODE, fastest)
            )
            mark = " (fastest peer)" if name == fastest else ""
            lines.append(
                f"| {name}{mark} | {statistics.median(rates):.0f} | {min(rates):.0f} to {max(rates):.0f} |"
                f" {share:.0%} | {whole:.0%} | {times:.2f} |"
            )
        return [*lines, ""]


def contest(case: Case, rounds: int, title: str, clock: Callable[[], float]) -> Table:
    """All contestants over one case."""
    contestants: dict[str, Epoch] = {
        FLOOR: decoding(case, 8),
        DECODE: decoding(case, None),
        "arttl cpu": arttl_engine(case, "cpu"),
    }
    try:
        contestants["arttl dali-cpu"] = arttl_engine(case, "dali-cpu")
    except ArttlError as error:
        print(error, file=sys.stderr)
    if torch.cuda.is_available():
        contestants["arttl dali-gpu, bfloat16"] = arttl_engine(case, "dali-gpu", "cuda", torch.bfloat16)
        contestants["ResNet50 in bfloat16 trains on"] = resnet50_steps(case.batch_size)
    for name, peer in PEERS.items():
        try:
            contestants[name] = peer(case)
        except ImportError as error:
            print(f"without {name}: {error}", file=sys.stderr)
    table = Table(title, measure(contestants, rounds, clock))
    print("\n".join(table.lines()), flush=True)
    return table


def resnet50_steps(batch_size: int) -> Epoch:
    """Training steps of a ResNet50, on pictures that are already on the device."""
    import timm

    model = timm.create_model("resnet50").cuda().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    images = torch.randn(batch_size, 3, 224, 224, device="cuda").to(memory_format=torch.channels_last)

    def epoch() -> Iterator[torch.Tensor]:
        for _ in range(30):
            with torch.autocast("cuda", torch.bfloat16):
                loss = model(images).logsumexp(1).mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            yield images
        torch.cuda.synchronize()

    return epoch


def machine(threads: int) -> str:
    """The machine and versions of the figures."""
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{model}, {threads} threads or workers each{gpu}, torch {torch.__version__}"


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="counted epochs of each contestant")
    parser.add_argument("--scans", type=int, default=192, help="pictures in an epoch of scans")
    parser.add_argument("--packed", type=int, default=1024, help="pictures in an epoch of packed shards")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument(
        "--clock", choices=["wall", "cpu"], default="wall", help="cpu: seconds of all cores' work, per thread"
    )
    parser.add_argument("--only", choices=["scans", "packed"], help="one collection")
    parser.add_argument("--markdown", type=Path, help="file for the printed tables")
    options = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    data = Path(os.environ.get("ARTTL_REAL_DATA", here.parent / "shared" / "data"))
    scans = sorted((data / "scans").glob("*.jpg"))
    if not scans:
        sys.exit(f"no scans in {data / 'scans'}: set ARTTL_REAL_DATA")
    print(machine(options.threads), flush=True)
    clock: Callable[[], float] = time.perf_counter
    if options.clock == "cpu":

        def clock() -> float:
            return processor_seconds() / options.threads

    work = Path(tempfile.mkdtemp(prefix="arttl-benchmark-"))
    lines: list[str] = [machine(options.threads), ""]
    tables: dict[str, Table] = {}
    try:
        for name, count, side in (("scans", options.scans, 0), ("packed", options.packed, 512)):
            if options.only not in (None, name):
                continue
            folder, shards = write_collection(scans, count, side, work / name)
            where = "scans as they are" if name == "scans" else "packed shards of 512 pixels"
            base = Case(folder, shards, False, SCALE, options.batch_size, options.threads)
            for case in (base, replace(base, train=True)):
                title = f"{'Random-resized crops' if case.train else 'Evaluation transform'}, {where}"
                table = contest(case, options.rounds, title, clock)
                tables[f"{name}-{'train' if case.train else 'eval'}"] = table
                lines += [*table.lines(), *(steps := profile(case))]
                print("\n".join(steps), flush=True)
            notes = [*memory(base), *pixels(base), *(agreement(scans, base) if name == "scans" else [])]
            print("\n".join(notes), flush=True)
            lines += notes
        if options.only is None:
            for kind in ("eval", "train"):
                usual = statistics.median(tables[f"scans-{kind}"].rates["DataLoader + ImageFolder + PIL"])
                packed = statistics.median(tables[f"packed-{kind}"].rates["arttl cpu"])
                lines.append(
                    f"Packed shards with arttl against the usual DataLoader + ImageFolder + PIL on the scans"
                    f" ({kind}): {packed / usual:.1f} times.\n"
                )
                print(lines[-1])
    finally:
        shutil.rmtree(work)
    if options.markdown:
        options.markdown.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
