"""The settings of packing; each is a flag of `scripts/make_shards.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from arttl.errors import ArttlError
from arttl.pictures.decoding import DEFAULT_MAX_PIXELS
from arttl.sources.settings import SourceSettings


@dataclass(frozen=True, kw_only=True)
class PackSettings(SourceSettings):
    """Metadata and photographs to a folder of shards."""

    out: Path
    """Folder to write the shards into; must be empty or not exist, except with `--resume`."""

    seed: int = 42
    """Seed of the split and of the order within the shards (42 in the paper's repository)."""

    max_side: int = 512
    """Longest side of a stored picture in pixels; larger ones are scaled down. 0: no cap."""

    max_pixels: int = DEFAULT_MAX_PIXELS
    """Pictures with more pixels than this are left out, so that no file can fill the memory."""

    shard_size: int = 1000
    """Samples in a shard."""

    workers: int = 0
    """Processes that check and rescale pictures. 0: one for each core, but only this one for up to 1,000 pictures."""

    scheduler: str | None = None
    """Address of a Dask scheduler, such as `tcp://host:8786`: its workers do the work in place of `--workers`. They
    need arttl and the image folder under the same path. Needs the extra `dask`."""

    near_duplicates: Literal["report", "together", "off"] = "report"
    """Pictures that look the same (by a perceptual hash): listed in `near-duplicates.csv`; or kept in one split too,
    for `--split grouped` and `stratified`, for which every picture is read twice; or not looked for."""

    resume: bool = False
    """Finish a run that was interrupted; finished shards are kept."""

    def check(self) -> None:
        """Check the numbers.

        Raises:
            ArttlError: naming the first flag that is out of range.
        """
        for flag, value, least, most in (
            ("--seed", self.seed, 0, 2**32 - 1),
            ("--max-side", self.max_side, 0, 65_500),
            ("--max-pixels", self.max_pixels, 1, 2**31 - 1),
            ("--shard-size", self.shard_size, 1, 1_000_000),
            ("--workers", self.workers, 0, 1024),
        ):
            if not least <= value <= most:
                raise ArttlError(f"{flag} {value} is out of range; give a number from {least} to {most}")
        if self.near_duplicates == "together" and self.split not in ("grouped", "stratified"):
            raise ArttlError(
                f"--near-duplicates together and --split {self.split}: only --split grouped and stratified can keep"
                " pictures together"
            )
        self.split_column()
        self.leaf_pattern()
