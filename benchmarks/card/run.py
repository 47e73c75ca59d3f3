"""A run: what its parts are given, and the figures that they report."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from arttl.files import append_lines

ROOT = Path(__file__).resolve().parents[2]


class Missing(Exception):
    """Something that a part needs and this machine does not have."""


@dataclass(frozen=True)
class Figure:
    """One result."""

    name: str
    """What was measured, and under which conditions; `predictions.py` refers to it."""
    value: float | str
    unit: str = ""


@dataclass(frozen=True)
class Sizes:
    """How much the parts do."""

    network: str
    pixels: int
    cases: tuple[tuple[str, int], ...]
    """Type and batch size of the timings, the most important first."""
    compiled: tuple[tuple[str, int], ...]
    """Likewise of those under torch.compile."""
    tap_batches: tuple[int, ...]
    rounds: int
    """Of each figure, of which it is the median."""
    repeats: int
    """Of a call in a round, where its launches are queued."""
    copied_bytes: int
    matrix: int
    pictures: int
    side: int
    batch: int
    threads: tuple[int, ...]
    """Of the loader, the most first."""
    epochs: int
    steps: int


FULL = Sizes(
    network="resnet50",
    pixels=224,
    cases=tuple((dtype, batch) for batch in (64, 1, 8, 256) for dtype in ("bfloat16", "float32")),
    compiled=(("bfloat16", 64), ("bfloat16", 1)),
    tap_batches=(64, 1),
    rounds=9,
    repeats=10,
    copied_bytes=2**32,
    matrix=8192,
    pictures=4096,
    side=512,
    batch=64,
    threads=(16, 8, 4),
    epochs=20,
    steps=40,
)
TINY = Sizes(
    network="test_resnet",
    pixels=32,
    cases=(("bfloat16", 2), ("float32", 1)),
    compiled=(("float32", 1),),
    tap_batches=(1,),
    rounds=1,
    repeats=1,
    copied_bytes=2**16,
    matrix=32,
    pictures=24,
    side=64,
    batch=8,
    threads=(2, 1),
    epochs=3,
    steps=2,
)


@dataclass(frozen=True)
class Run:
    """What a part is given."""

    scratch: Path
    """Folder of the run's temporary files."""
    part: str
    """Name of the part."""
    emulated: bool = False

    @property
    def sizes(self) -> Sizes:
        """How much to do."""
        return TINY if self.emulated else FULL

    @property
    def kernels(self) -> Path:
        """Where the part that builds the kernels leaves them."""
        return self.scratch / "_kernels.so"

    @property
    def shards(self) -> Path:
        """Where the part that packs pictures leaves them."""
        return self.scratch / "shards"

    @property
    def figures(self) -> Path:
        """The figures of the part so far, one per line."""
        return self.scratch / f"{self.part}.jsonl"

    def report(self, name: str, value: float | str, unit: str = "") -> None:
        """Add a figure; it stays if the part fails or runs out of time."""
        figure = Figure(name, value, unit)
        append_lines(self.figures, [json.dumps(asdict(figure), ensure_ascii=False)])
        print(
            f"{name}: {value:.4g} {unit}" if isinstance(value, float) else f"{name}: {value} {unit}",
            flush=True,
        )

    def device(self) -> Any:
        """The card, or what stands for one."""
        from card.devices import Card, Emulated  # of torch

        return Emulated() if self.emulated else Card()


def tests_on_path() -> None:
    """Let modules of `tests/` be imported, as by pytest."""
    if str(ROOT / "tests") not in sys.path:
        sys.path.insert(1, str(ROOT / "tests"))
