"""Pictures per second of `arttl predict`: against its bare network, and against timm's inference.py.

    python benchmarks/predict.py --inference pytorch-image-models/inference.py --markdown predict.md   # twenty minutes
    python benchmarks/predict.py --rounds 1 --seconds 5                                                # a short run

Every round runs each contestant once, so that a slow moment affects all. A command is run on a few pictures and on
many; the rate is that of the pictures between, so that neither start counts. `bare network` calls the same network on
one batch of tensors in memory, with the same threads, batch size and memory kept from step to step. All take the same
files, which are in the page cache, and the same EfficientNet-Lite0 with the packaged ImageNet weights and the heads
of a run on `gallery`; timm's script has one head of 1,000 classes with random weights, and decodes in as many
processes as the others have threads.

Reads `scans/` and `gallery/` of $ARTTL_REAL_DATA, by default ../shared/data.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import timm
import torch
from PIL import Image

from arttl.cpu import prepare_cpu, usable_cores
from arttl.models import load_trained_model

NETWORK = "tf_efficientnet_lite0"
BARE, TIMM = "bare network", "timm's inference.py, scans"


def main() -> None:
    """Run the contestants and print a table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=20, help="of a run, about")
    options.add_argument("--batch-size", type=int, default=64)
    options.add_argument("--threads", type=int, default=usable_cores())
    options.add_argument("--inference", type=Path, help="timm's inference.py")
    options.add_argument("--markdown", type=Path)
    given = options.parse_args()
    data = Path(os.environ.get("ARTTL_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        model = _prepare(work, data)
        contestants = {BARE: _bare_network(model, given.batch_size, given.threads)}
        expected = contestants[BARE](3.0)
        few, many = given.batch_size * 2, int(given.seconds * expected)
        for name, source in {
            "packed shards": ["--shards", str(work / "shards")],
            "small files": ["--images", "SMALL"],
            "scans": ["--images", "SCANS"],
        }.items():
            contestants[name] = _arttl(work, model, source, few, many, given)
        if given.inference is not None:
            contestants[TIMM] = _timm(work, given.inference, few, many, given)
        rates: dict[str, list[float]] = {name: [] for name in contestants}
        for number in range(given.rounds):
            for name, run in contestants.items():
                rates[name].append(run(given.seconds))
                print(f"round {number + 1}: {name}: {rates[name][-1]:.1f}", flush=True)
    table = _table(rates)
    print(table)
    if given.markdown is not None:
        given.markdown.write_text(table)


def _prepare(work: Path, data: Path) -> Path:
    """A trained model; and photographs in numbers: scans, the same at 512 pixels, and packed."""
    cli = [str(Path(sys.executable).with_name("arttl"))]
    gallery = [
        "--source", "table", "--metadata", data / "gallery" / "objects.csv", "--images", data / "gallery" / "images",
    ]  # fmt: skip
    _run(*cli, "shards", *gallery, "--split", "grouped", "--out", work / "gallery")
    network = ["--backbone", NETWORK, "--weights", "packaged", "--mode", "off-the-shelf", "--maps", "0"]
    _run(*cli, "train", "--shards", work / "gallery", *network, "--out", work / "run")
    return work / "run" / "best"


def _copies(work: Path, kind: str, count: int) -> Path:
    """A folder of `count` pictures: copies of the scans, or of smaller ones of them."""
    folder = work / f"{kind}-{count}"
    if folder.is_dir():
        return folder
    data = Path(os.environ.get("ARTTL_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    scans = sorted((data / "scans").glob("*.jpg"))
    small = work / "small"
    if not small.is_dir():
        small.mkdir()
        for path in scans:
            with Image.open(path) as picture:
                picture.thumbnail((512, 512))
                picture.save(small / path.name, quality=90)
    folder.mkdir()
    sources = scans if kind == "SCANS" else sorted(small.iterdir())
    for number in range(count):
        shutil.copy(sources[number % len(sources)], folder / f"{number:06}.jpg")
    return folder


def _arttl(
    work: Path, model: Path, source: list[str], few: int, many: int, given: argparse.Namespace
) -> Callable[[float], float]:
    command = [
        Path(sys.executable).with_name("arttl"), "predict", "--model", model, "--batch-size", given.batch_size,
        "--threads", given.threads, "--overwrite", "--out", work / "out.parquet",
    ]  # fmt: skip

    def timed(count: int) -> float:
        arguments = list(source)
        if source[0] == "--images":
            arguments[1] = str(_copies(work, source[1], count))
        else:
            arguments[1] = str(_packed(work, count))
        started = time.perf_counter()
        _run(*command, *arguments)
        return time.perf_counter() - started

    return lambda seconds: (many - few) / (timed(many) - timed(few))


def _packed(work: Path, count: int) -> Path:
    folder = work / f"shards-{count}"
    if not folder.is_dir():
        images = _copies(work, "SMALL", count)
        metadata = work / f"{count}.csv"
        rows = "".join(f"{path.stem},{path.name},a\n" for path in sorted(images.iterdir()))
        metadata.write_text(f"object_number,image,type\n{rows}")
        unique = work / f"unique-{count}"
        unique.mkdir()
        for number, path in enumerate(sorted(images.iterdir())):  # equal bytes would be taken for duplicates
            data = path.read_bytes()
            comment = f"{number:08}".encode()
            (unique / path.name).write_bytes(data[:2] + b"\xff\xfe\x00\x0a" + comment + data[2:])
        cli = Path(sys.executable).with_name("arttl")
        _run(cli, "shards", "--source", "table", "--metadata", metadata, "--images", unique, "--out", folder)
    return folder


def _bare_network(model: Path, batch_size: int, threads: int) -> Callable[[float], float]:
    prepare_cpu(threads)
    loaded = load_trained_model(model).to(memory_format=torch.channels_last)
    images = torch.randn(batch_size, 3, loaded.preprocesses[0].size, loaded.preprocesses[0].size)
    images = images.contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run(seconds: float) -> float:
        for _ in range(3):
            loaded(images)
        started, batches = time.perf_counter(), 0
        while time.perf_counter() < started + seconds:
            loaded(images)
            batches += 1
        return batches * batch_size / (time.perf_counter() - started)

    return run


def _timm(
    work: Path, script: Path, few: int, many: int, given: argparse.Namespace
) -> Callable[[float], float]:
    # Without a checkpoint the script downloads one.
    torch.save(timm.create_model(NETWORK).state_dict(), work / "timm.pth")
    size = load_trained_model(work / "run" / "best").preprocesses[0].size

    def timed(count: int) -> float:
        started = time.perf_counter()
        _run(
            *(sys.executable, script, "--data-dir", _copies(work, "SCANS", count), "--model", NETWORK),
            *(
                "--checkpoint",
                work / "timm.pth",
                "--batch-size",
                given.batch_size,
                "--workers",
                given.threads,
            ),
            *("--device", "cpu", "--img-size", size, "--channels-last", "--results-dir", work / "timm"),
            *("--results-format", "parquet", "--topk", 1),
        )
        return time.perf_counter() - started

    return lambda seconds: (many - few) / (timed(many) - timed(few))


def _run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed: {done.stdout}\n{done.stderr}")


def _table(rates: dict[str, list[float]]) -> str:
    timm = statistics.median(rates[TIMM]) if TIMM in rates else None
    lines = [
        "| | pictures/s | least to most | of the bare network | times timm's |",
        "|---|---|---|---|---|",
    ]
    for name, values in rates.items():
        median = statistics.median(values)
        times = f"{median / timm:.2f}" if timm else ""
        # Round by round: the machine's own speed may change between them.
        share = statistics.median(value / bare for value, bare in zip(values, rates[BARE], strict=True))
        lines.append(
            f"| {name} | {median:.1f} | {min(values):.1f} to {max(values):.1f} | {share:.0%} | {times} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
