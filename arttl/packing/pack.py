"""Artworks to a folder of shards: a pure function of the artworks and the settings, whatever the workers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.packing.folder import check_folder, write_folder
from arttl.packing.plan import make_plan
from arttl.packing.pool import default_workers, samples_in_order
from arttl.packing.samples import Job, Limits
from arttl.packing.settings import PackSettings
from arttl.packing.writing import Outcomes
from arttl.shards.manifest import Manifest
from arttl.shards.rejects import Reject

# What may differ between two runs that give the same shards.
_NOT_RECORDED = ("out", "workers", "scheduler", "resume", "dry_run")
_MAY_CHANGE_ON_RESUME = (
    "metadata",
    "images",
    "ground_truth",
)


def pack(artworks: Iterable[Artwork | Reject], settings: PackSettings, *, progress: bool = False) -> Manifest:
    """Check, rescale and split artworks, and write them as shards into `settings.out`.

    Args:
        artworks: from a source, or made by the caller. Rows that a source rejects pass into `rejects.csv`.
        settings: where to and how. `tasks` (all, if empty), `split`, `seed` and the sizes rule here; the metadata's
            columns are the source's business and only recorded.
        progress: whether to show a bar on a terminal, and a line elsewhere.

    Returns:
        The manifest of the finished folder.

    Raises:
        ArttlError: if the settings are impossible, the folder is not empty, or nothing can be packed.
    """
    settings.check()
    check_folder(settings.out, resume=settings.resume)
    limits = Limits(settings.max_side, settings.max_pixels, settings.near_duplicates != "off")

    def work(jobs: Iterable[Job], workers: int) -> Outcomes:
        return samples_in_order(jobs, limits, workers, settings.scheduler)

    try:
        plan = make_plan(artworks, settings, scratch=_nearest_folder(settings.out))
    except OSError as error:
        raise ArttlError(
            f"cannot keep the list of artworks beside {settings.out}: {error.strerror or error}"
        ) from error
    return write_folder(
        settings.out,
        plan,
        _recorded(settings),
        work,
        shard_size=settings.shard_size,
        workers=lambda pictures: settings.workers or default_workers(pictures),
        progress=progress,
        may_change=_MAY_CHANGE_ON_RESUME,
    )


def _nearest_folder(path: Path) -> Path:
    """The folder itself, or the first of its parents that exists."""
    return next((parent for parent in (path, *path.absolute().parents) if parent.is_dir()), Path("/"))


def _recorded(settings: PackSettings) -> dict[str, Any]:
    """The settings that decide what the shards hold, JSON-ready."""
    fields = dataclasses.asdict(settings)
    plain = {name: value.as_posix() if isinstance(value, Path) else value for name, value in fields.items()}
    kept = {name: value for name, value in plain.items() if name not in _NOT_RECORDED}
    decoded: dict[str, Any] = json.loads(json.dumps(kept))  # tuples to lists, as they will be read again
    return decoded
