"""The settings of the commands that write or read a folder of shards."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional

from arttl.errors import ArttlError
from arttl.pictures.decoding import DEFAULT_MAX_PIXELS
from arttl.settings import Bound, Range, Settings
from arttl.sources.settings import SourceSettings
from arttl.splits.split import MOST_VAL, SHARES

# A function within an annotation would not see the names of its module.
ValShare = Annotated[float, Bound("above 0 and at most 0.8", lambda value: 0 < value <= MOST_VAL)]


@dataclass(frozen=True, kw_only=True)
class FolderSettings(Settings):
    """Finished shards."""

    folder: Positional[Path]
    """The folder of shards."""


@dataclass(frozen=True, kw_only=True)
class WorkerSettings(Settings):
    """Processes that share the work."""

    workers: Annotated[int, Range(0, 1024)] = 0
    """Processes. 0: one per core, but only one for up to 1,000 pictures."""


@dataclass(frozen=True, kw_only=True)
class OutputSettings(WorkerSettings):
    """The folder of shards to write."""

    out: Path
    """Folder to write the shards into; must be empty or not exist, except with `--resume`."""

    shard_size: Annotated[int, Range(1, 1_000_000)] = 1000
    """Samples per shard."""

    resume: bool = False
    """Finish a run that was interrupted; finished shards are kept."""


@dataclass(frozen=True, kw_only=True)
class ShuffledSettings(OutputSettings):
    """The folder of shards to write, in a random order."""

    seed: Annotated[int, Range(0, 2**32 - 1)] = 42
    """Seed of the order within the shards, and of a random split (42 in the paper's repository)."""


@dataclass(frozen=True, kw_only=True)
class PackSettings(ShuffledSettings, SourceSettings):
    """Metadata and photographs to a folder of shards."""

    out: Path = Path("shards/packed")
    """Folder to write the shards into; must be empty or not exist, except with `--resume`. A dry run writes none."""

    max_side: Annotated[int, Range(0, 65_500)] = 512
    """Longest side of a stored picture in pixels; larger ones are scaled down. 0: no cap."""

    max_pixels: Annotated[int, Range(1, 2**31 - 1)] = DEFAULT_MAX_PIXELS
    """Pictures with more pixels than this are left out, so that no file can fill the memory."""

    scheduler: str | None = None
    """Address of a Dask scheduler, such as `tcp://host:8786`, whose workers replace those of `--workers`. They need
    arttl and the image folder under the same path. Needs the extra `dask`."""

    near_duplicates: Literal["report", "together", "off"] = "report"
    """Pictures that look the same (by a perceptual hash): listed in `near-duplicates.csv`; or kept in one split too,
    for `--split grouped` and `stratified`, for which every picture is read twice; or not looked for."""

    val_share: ValShare = SHARES["val"]
    """Share of the pictures that validates, for `--split grouped`, `stratified` and `by-institution`; training has so
    much less. With more of them higher precision can be promised of suggestions (`arttl predict`)."""

    def check(self) -> None:
        """Check combinations of settings.

        Raises:
            ArttlError: if near duplicates cannot be kept together in the kind of split, or the museums of the test
                split are named without that kind of split or the other way round.
        """
        if (self.split == "by-institution") != bool(self.test_institution):
            raise ArttlError(
                "--split by-institution and --test-institution NAME go together: the objects of that museum are the"
                " test split"
            )
        if self.val_share != SHARES["val"] and self.split not in ("grouped", "stratified", "by-institution"):
            raise ArttlError(
                f"--val-share and --split {self.split}: its shares are fixed; use --split grouped or stratified"
            )
        if self.near_duplicates == "together" and self.split not in ("grouped", "stratified"):
            raise ArttlError(
                f"--near-duplicates together and --split {self.split}: only --split grouped and stratified can keep"
                " pictures together"
            )


def recorded(settings: Settings, *names: str) -> dict[str, Any]:
    """The named settings as `dataset.json` records them: paths as text, tuples as lists."""
    values = settings.flat()
    text = json.dumps({name: values[name] for name in names}, default=Path.as_posix)
    decoded: dict[str, Any] = json.loads(text)
    return decoded
