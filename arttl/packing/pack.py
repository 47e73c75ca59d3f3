"""Artworks to a folder of shards: a pure function of the artworks and the settings, whatever the workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from arttl.artworks import Artwork
from arttl.catalogue.jobs import Job
from arttl.errors import ArttlError
from arttl.packing.folder import check_folder, write_folder
from arttl.packing.plan import Plan, make_plan
from arttl.packing.pool import samples_in_order
from arttl.packing.samples import Limits
from arttl.packing.settings import PackSettings, recorded
from arttl.packing.writing import Outcomes
from arttl.settings import settings_of
from arttl.shards.manifest import Manifest
from arttl.shards.rejects import Reject
from arttl.sources.settings import SourceSettings

# What the shards depend on, in the order of `dataset.json`.
_RECORDED = (
    *(name for name in settings_of(SourceSettings) if name != "dry_run"),
    *("seed", "max_side", "max_pixels", "shard_size", "near_duplicates"),
)
_MAY_CHANGE_ON_RESUME = ("metadata", "images", "ground_truth")


def pack(
    artworks: Iterable[Artwork | Reject],
    settings: PackSettings,
    *,
    progress: bool = False,
    optional_tasks: bool = False,
    on_plan: Callable[[Plan], None] | None = None,
) -> Manifest:
    """Check, rescale and split artworks, and write them as shards into `settings.out`.

    Args:
        artworks: from a source, or made by the caller. Rows that a source rejects pass into `rejects.csv`.
        settings: `tasks` (all, if empty), `split`, `seed` and the sizes have an effect here; the columns of the
            metadata are only recorded.
        progress: whether to show a bar on a terminal, and a line elsewhere.
        optional_tasks: whether tasks without any label are left out; otherwise they are an error.
        on_plan: called before any picture is decoded, so that warnings can be shown.

    Returns:
        The manifest of the finished folder.

    Raises:
        ArttlError: if the folder is not empty, or nothing can be packed.
    """
    check_folder(settings)
    limits = Limits(settings.max_side, settings.max_pixels, settings.near_duplicates != "off")

    def work(jobs: Iterable[Job], workers: int) -> Outcomes:
        return samples_in_order(jobs, limits, workers, settings.scheduler)

    try:
        plan = make_plan(
            artworks, settings, scratch=_nearest_folder(settings.out), optional_tasks=optional_tasks
        )
    except OSError as error:
        raise ArttlError(
            f"cannot keep the list of artworks beside {settings.out}: {error.strerror or error}"
        ) from error
    if on_plan is not None:
        on_plan(plan)
    return write_folder(
        settings,
        plan,
        recorded(settings, *_RECORDED),
        work,
        progress=progress,
        may_change=_MAY_CHANGE_ON_RESUME,
    )


def _nearest_folder(path: Path) -> Path:
    """The folder itself, or the first of its parents that exists."""
    return next((parent for parent in (path, *path.absolute().parents) if parent.is_dir()), Path("/"))
