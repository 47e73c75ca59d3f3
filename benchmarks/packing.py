"""How many photographs a second become shards: `arttl shards` beside the plain way.

    python benchmarks/packing.py --scans FOLDER --small FOLDER                   # all of it, about eight minutes
    python benchmarks/packing.py --scans FOLDER --small FOLDER --seconds 1 --rounds 1       # a short run

The plain way is what a script without arttl does: Pillow opens, turns upright, converts to RGB, scales down
(`Image.thumbnail`, bicubic, which lets libjpeg decode at a reduced scale too where that helps, or not: both are shown)
and encodes with quality 92, in a `ProcessPoolExecutor` of as many processes, and `webdataset.ShardWriter` writes.
It neither checks for damage nor hashes, indexes or keeps a manifest. arttl does all that it does for users: the
whole of `pack`, from the list of artworks to the digest of all, perceptual hashes included.

Every round runs each contestant once, in turn and in the other direction than the round before, on the same files; the
figures are medians over the rounds, and ratios medians of the rounds' ratios. Each contestant packs every file of a set
as often as fills `--seconds`, as copies of its own bytes with a comment that differs, since files of the same bytes are
packed once.

On a machine that others use, `--clock cpu --workers 1` counts the processor time that packing takes, which the others
stretch less than they do the time of the clock on the wall.

The sets are made from the JPEGs of the two folders: `scans of 2100 px and more` and `scans below` are the scans as
they are; `scans enlarged to 3000 px` are the same pictures enlarged (with quality 92), for sizes that the folder lacks;
`small` is the other folder as it is.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import shutil
import statistics
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image, ImageOps

from arttl.artworks import Artwork
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings

CAP = 512
LARGE = 2100


def plain_picture(job: tuple[str, str], *, draft: bool) -> tuple[str, bytes]:
    """Key and JPEG of one file, as a plain script makes it.

    Args:
        job: key and path.
        draft: whether `thumbnail` may ask libjpeg for a reduced scale.
    """
    key, path = job
    with Image.open(path) as opened:
        if not draft:
            opened.load()
        picture = opened
        picture.thumbnail((CAP, CAP), Image.Resampling.BICUBIC)
        picture = ImageOps.exif_transpose(picture).convert("RGB")
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=92)
    return key, data.getvalue()


def plain(paths: Sequence[Path], out: Path, workers: int, *, draft: bool) -> None:
    """Pack files the plain way."""
    import webdataset  # not at the top: the processes of both ways import this file, and need it not

    out.mkdir()
    jobs = [(f"k{index}", str(path)) for index, path in enumerate(paths)]
    work = partial(plain_picture, draft=draft)
    with webdataset.ShardWriter(f"file:{out}/train-%05d.tar", maxcount=1000, verbose=0) as writer:
        if workers == 1:
            for key, data in map(work, jobs):
                writer.write({"__key__": key, "jpg": data, "json": {"type": ["x"]}})
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context) as pool:
            for key, data in pool.map(work, jobs, chunksize=4):
                writer.write({"__key__": key, "jpg": data, "json": {"type": ["x"]}})


def with_arttl(paths: Sequence[Path], out: Path, workers: int) -> None:
    """Pack files as users do."""
    artworks = (Artwork(f"k{index}", f"k{index}", path, {"type": ("x",)}) for index, path in enumerate(paths))
    pack(artworks, PackSettings(out=out, max_side=CAP, workers=workers, near_duplicates="report"))


CONTESTANTS: dict[str, Callable[[Sequence[Path], Path, int], None]] = {
    "arttl": with_arttl,
    "plain": partial(plain, draft=False),
    "plain, reduced scale": partial(plain, draft=True),
}


def copies(files: Sequence[bytes], count: int, folder: Path) -> list[Path]:
    """So many files of distinct bytes: the given JPEGs over and over, each with a comment segment of its own.

    Copies of one picture differ in size, as the files of a collection do: equal sizes would have to be compared.
    """
    folder.mkdir()
    paths = []
    for index in range(count):
        data = files[index % len(files)]
        comment = f"copy {index:<{8 + index // len(files)}}".encode()
        path = folder / f"{index}.jpg"
        path.write_bytes(data[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + data[2:])
        paths.append(path)
    return paths


def enlarged(data: bytes, longest: int) -> bytes:
    """A JPEG of the same picture with another longest side."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    scale = longest / max(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    file = io.BytesIO()
    picture.resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=92)
    return file.getvalue()


def sets(scans: Path, small: Path) -> dict[str, list[bytes]]:
    """Name to JPEGs, of each set that is timed."""
    files = [path.read_bytes() for path in sorted(scans.iterdir()) if path.suffix == ".jpg"]
    longest = [max(Image.open(io.BytesIO(data)).size) for data in files]
    return {
        f"scans of {LARGE} px and more, real": [f for f, s in zip(files, longest, strict=True) if s >= LARGE],
        "scans enlarged to 3000 px": [enlarged(data, 3000) for data in files[:4]],
        f"scans below {LARGE} px, real": [f for f, s in zip(files, longest, strict=True) if s < LARGE],
        "small": [path.read_bytes() for path in sorted(small.iterdir())[:400] if path.suffix == ".jpg"],
    }


def processor_time() -> float:
    """Seconds that this process, and those of its children that have ended, have had of a processor."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": processor_time}


def seconds_of(name: str, paths: Sequence[Path], scratch: Path, workers: int, clock: str) -> float:
    """How long a contestant takes; what it wrote is deleted."""
    out = scratch / "out"
    started = CLOCKS[clock]()
    CONTESTANTS[name](paths, out, workers)
    took = CLOCKS[clock]() - started
    shutil.rmtree(out)
    return took


def main() -> None:
    """Time every set, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scans", type=Path, required=True, help="folder of large JPEGs")
    parser.add_argument("--small", type=Path, required=True, help="folder of small JPEGs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="that a contestant should take")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--sets", nargs="*", help="beginnings of the names of the sets to time")
    parser.add_argument("--json", type=Path, help="also write every measurement here")
    arguments = parser.parse_args()
    measured: dict[str, dict[str, list[float]]] = {}
    print(
        f"{arguments.workers} process(es), cap {CAP} px, {arguments.rounds} round(s), {arguments.clock} clock\n"
    )
    print("| pictures | longest sides | " + " | ".join(f"{name}, img/s" for name in CONTESTANTS), end=" | ")
    print("over plain | over plain at a reduced scale |")
    print("|---|---|" + "---:|" * (len(CONTESTANTS) + 2))
    for name, files in sets(arguments.scans, arguments.small).items():
        if not files or (arguments.sets and not name.startswith(tuple(arguments.sets))):
            continue
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            warm_up = copies(files, 2 * len(files), scratch / "warm-up")
            # Twice: imports would make the first rate too low.
            seconds_of("plain", warm_up, scratch, 1, arguments.clock)
            rate = len(warm_up) / seconds_of("plain", warm_up, scratch, 1, arguments.clock)
            count = max(24, round(rate * arguments.workers * arguments.seconds))
            paths = copies(files, count, scratch / "files")
            rates_of: dict[str, list[float]] = {contestant: [] for contestant in CONTESTANTS}
            for number in range(arguments.rounds):
                for contestant in list(CONTESTANTS)[:: 1 if number % 2 == 0 else -1]:
                    took = seconds_of(contestant, paths, scratch, arguments.workers, arguments.clock)
                    rates_of[contestant].append(count / took)
        measured[name] = rates_of
        sides = sorted(max(Image.open(io.BytesIO(data)).size) for data in files)
        rates = [f"{statistics.median(rates):,.1f}" for rates in rates_of.values()]
        ratios = [
            statistics.median(a / b for a, b in zip(rates_of["arttl"], rates_of[other], strict=True))
            for other in list(CONTESTANTS)[1:]
        ]
        cells = [name, f"{sides[0]} to {sides[-1]}", *rates, *(f"{ratio:.2f}x" for ratio in ratios)]
        print("| " + " | ".join(cells) + " |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=1))


if __name__ == "__main__":
    main()
