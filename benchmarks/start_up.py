"""What a user waits for before work begins: help, `arttl evaluate` on 60 pictures, `arttl train` to its first step.

    python benchmarks/start_up.py

Each is a new process, one after the other, in rounds; medians with the least and the most, in seconds. The floors are
processes that import what the command cannot do without: torch, and timm as arttl imports it. pandas, which pyarrow
loads where it is installed, is kept out, as arttl does not need it. A first round, which brings the files into memory,
is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from without_pandas import WITHOUT_PANDAS

_PACK = """import sys
from pathlib import Path
from arttl.training.embedded import pack_embedded_collection
pack_embedded_collection(Path(sys.argv[1]))"""
_TO_THE_FIRST_STEP = """import arttl, os
arttl.share_cores()
import torch
torch.optim.AdamW.step = lambda *_, **__: os._exit(0)
"""


def seconds(*arguments: str | Path) -> float:
    """Of a process of Python."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as work:
        shards, run = Path(work, "shards"), Path(work, "run")
        seconds("-c", _PACK, shards)
        given = ("--shards", shards, "--tasks", "type", "artist")
        train = (
            "train",
            *given,
            "--backbone",
            "tf_efficientnet_lite0",
            "--weights",
            "packaged",
            "--maps",
            "0",
        )
        seconds("-c", WITHOUT_PANDAS, *train, "--mode", "off-the-shelf", "--input-size", "64", "--out", run)
        to_step = (*train, "--mode", "fine-tune", "--overwrite", "--out", Path(work, "unfinished"))
        contestants: dict[str, tuple[str | Path, ...]] = {
            "import torch": ("-c", "import torch"),
            "import timm": ("-c", "import arttl.models.backbones"),
            "import torch, its optimizers' compiler and timm": (
                "-c",
                "import arttl.models.backbones, torch._dynamo",
            ),
            "import arttl": ("-c", "import arttl"),
            "arttl --help": ("-c", WITHOUT_PANDAS, "--help"),
            "arttl train --help": ("-c", WITHOUT_PANDAS, "train", "--help"),
            "arttl evaluate": ("-c", WITHOUT_PANDAS, "evaluate", "--model", run, "--shards", shards),
            "arttl train to its first step": ("-c", _TO_THE_FIRST_STEP + WITHOUT_PANDAS, *to_step),
        }
        taken: dict[str, list[float]] = {name: [] for name in contestants}
        for number in range(rounds + 1):
            for name, arguments in contestants.items():
                time_of = seconds(*arguments)
                if number:
                    taken[name].append(time_of)
    print("| s | median | least to most |\n|---|---:|---|")
    for name, times in taken.items():
        print(f"| {name} | {statistics.median(times):.2f} | {min(times):.2f} to {max(times):.2f} |")


if __name__ == "__main__":
    main()
