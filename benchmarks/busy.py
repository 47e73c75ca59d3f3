"""What a busy machine costs: training, features and evaluation, alone and beside two other programs.

    python benchmarks/busy.py --rounds 2 --pictures 120         # a short run
    python benchmarks/busy.py --markdown busy.md                # all of it

Each variant of waiting is a process of its own, since OpenMP reads its settings while it is loaded. In every round
every job is done by every variant in turn, first on the quiet machine and then beside `--others` processes that never
wait; figures are medians over the rounds. The fair share of C cores beside K single-threaded programs is C / (C + K) of
the machine, so that the fair time is the quiet time of the variant "before" times (C + K) / C.

- before: OpenMP's own waiting;
- ours: `arttl.share_cores()`, as the command line has it;
- passive: OMP_WAIT_POLICY=passive;
- one thread: OpenMP's own waiting with nothing to wait for.

The jobs: `step` is one training step of EfficientNet-Lite0 (32 pictures of 128 pixels); `train`, `features` and
`evaluate` are whole commands on a collection that the package draws, with loading, checkpoints and tables.

Run it with nothing else running.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from arttl import cpu

VARIANTS = {
    "before": {},
    "ours": cpu.WAITING,
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
JOBS = ("step", "train", "features", "evaluate")
GOAL_BUSY, GOAL_QUIET = 1.5, 0.05  # times the fair share; loss on a quiet machine


def step_job(threads: int) -> Callable[[], None]:
    """A training step without loading, with `threads` threads."""
    import timm
    import torch

    model = timm.create_model("tf_efficientnet_lite0", num_classes=8).to(memory_format=torch.channels_last)
    images = torch.randn(32, 3, 128, 128).to(memory_format=torch.channels_last)  # [B, 3, H, W]
    targets = torch.arange(32) % 8  # [B]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step() -> None:
        cpu.prepare_cpu(threads)
        torch.nn.functional.cross_entropy(model(images), targets).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def command_job(command: str, shards: Path, folder: Path, threads: int) -> Callable[[], None]:
    """A whole command in this process."""
    from arttl.cli import run_command

    network = ["--backbone", "resnet18", "--weights", "none", "--input-size", "128", "--batch-size", "32"]
    arguments = {
        "train": [
            *("--shards", str(shards), *network, "--mode", "scratch", "--tasks", "type", "artist"),
            *("--epochs", "1", "--out", str(folder / "run"), "--overwrite"),
        ],
        "features": [str(shards), *network, "--out", str(folder / "features"), "--overwrite"],
        "evaluate": ["--model", str(folder / "run"), "--shards", str(shards), "--split", "train"],
    }[command]
    arguments += ["--threads", str(threads)]

    def run() -> None:
        if command == "features":
            shutil.rmtree(folder / "features", ignore_errors=True)  # or there is nothing left to do
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            status = run_command(command, arguments)
        if status:
            raise SystemExit(printed.getvalue())

    return run


def serve(shards: Path, folder: Path, threads: int) -> None:
    """Do the jobs that standard input names, and print the seconds of each; the first of a kind is a warm-up."""
    import torch  # noqa: F401  # before the command line sets the waiting

    warnings.filterwarnings("ignore", message="too late to share the cores")
    jobs: dict[str, Callable[[], None]] = {}
    print("ready", flush=True)
    for line in sys.stdin:
        name = line.strip()
        if name not in jobs:
            jobs[name] = step_job(threads) if name == "step" else command_job(name, shards, folder, threads)
        started = time.perf_counter()
        jobs[name]()
        print(time.perf_counter() - started, flush=True)


class Variant:
    """A process with one kind of waiting."""

    def __init__(self, name: str, shards: Path, folder: Path) -> None:
        folder.mkdir()
        threads = 1 if name == "one thread" else cpu.usable_cores()
        ours = (*cpu.WAITING, "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
        inherited = {key: value for key, value in os.environ.items() if key not in ours}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(shards), str(folder), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=inherited | VARIANTS[name],
        )
        self.read()

    def read(self) -> str:
        """The next line; the process's end is ours."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a measuring process ended early")
        return line

    def seconds(self, job: str, times: int) -> float:
        """The median seconds of a job done `times` times."""
        assert self.process.stdin is not None
        measured = []
        for _ in range(times):
            self.process.stdin.write(job + "\n")
            self.process.stdin.flush()
            measured.append(float(self.read()))
        return statistics.median(measured)


@contextmanager
def others(count: int) -> Iterator[None]:
    """Other programs that never wait, until the block ends."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        time.sleep(0.5)  # until they run
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def pack_drawn_collection(folder: Path, pictures: int) -> Path:
    """Shards of the first pictures that the package draws."""
    from arttl.packing.pack import pack
    from arttl.packing.settings import PackSettings
    from arttl.sources.synthetic import synthetic_artworks

    (folder / "pictures").mkdir()
    artworks = list(synthetic_artworks(folder / "pictures"))[:pictures]
    pack(artworks, PackSettings(out=folder / "shards", tasks=("material", "type", "artist"), workers=1))
    return folder / "shards"


Seconds = dict[tuple[str, str, str], list[float]]  # of (job, variant, "quiet" or "busy"), one per round


def measure(rounds: int, pictures: int, count: int, jobs: list[str]) -> Seconds:
    """All jobs by all variants, in turn."""
    seconds: Seconds = {}
    with tempfile.TemporaryDirectory(prefix="arttl-busy-") as name:
        folder = Path(name)
        shards = pack_drawn_collection(folder, pictures)
        variants = {name: Variant(name, shards, folder / name.replace(" ", "-")) for name in VARIANTS}
        try:
            for variant in variants.values():
                for job in dict.fromkeys(["train", *jobs]):  # a warm-up; `evaluate` needs what `train` made
                    variant.seconds(job, 1)
            for number in range(rounds):
                for job in jobs:
                    for state in ("quiet", "busy"):
                        with others(count if state == "busy" else 0):
                            for name, variant in variants.items():
                                taken = variant.seconds(job, 5 if job == "step" else 1)
                                seconds.setdefault((job, name, state), []).append(taken)
                print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        finally:
            for variant in variants.values():
                variant.process.kill()
                variant.process.wait()
    return seconds


def table(seconds: Seconds, count: int) -> str:
    """The figures as Markdown."""
    cores = cpu.usable_cores()
    lines = [
        "| job | variant | quiet, s | loss quiet | busy, s | times the fair share |",
        "|---|---|---|---|---|---|",
    ]
    for job, name, state in seconds:
        if state == "busy":
            continue
        quiet, busy = (statistics.median(seconds[job, name, which]) for which in ("quiet", "busy"))
        before = statistics.median(seconds[job, "before", "quiet"])
        fair = before * (cores + count) / cores
        met = quiet <= (1 + GOAL_QUIET) * before and busy <= GOAL_BUSY * fair
        figures = f"{quiet:.3f} | {quiet / before - 1:+.1%} | {busy:.3f} | {busy / fair:.2f}"
        lines.append(f"| {job} | {name}{', goal met' if met else ''} | {figures} |")
    return "\n".join(lines)


def main() -> None:
    """Parse, measure, print."""
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--others", type=int, default=2, help="programs beside ours that never wait")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--json", type=Path)
    settings = parser.parse_args()
    seconds = measure(settings.rounds, settings.pictures, settings.others, settings.jobs)
    text = f"{cpu.usable_cores()} cores, {platform.processor()}\n\n{table(seconds, settings.others)}\n"
    print(text)
    if settings.markdown:
        settings.markdown.write_text(text)
    if settings.json:
        rows = [
            {"job": job, "variant": name, "state": state, "seconds": taken}
            for (job, name, state), taken in seconds.items()
        ]
        settings.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
