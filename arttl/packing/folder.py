"""A folder of shards from beginning to end: begun, resumed after an interruption, finished."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arttl.documents import read_json
from arttl.errors import ArttlError
from arttl.files import WriteError, write_json
from arttl.packing.finish import finish
from arttl.packing.parts import SCRATCH, Parts
from arttl.packing.settings import OutputSettings
from arttl.packing.writing import Outcomes, Planned, write_shards
from arttl.shards.manifest import Manifest


@dataclass(frozen=True)
class _Begun:
    """What a run depends on, as `plan.json` and `dataset.json` have it."""

    settings: dict[str, Any]
    plan_sha256: str


def check_folder(settings: OutputSettings) -> None:
    """Check that the folder to write is empty, or may be resumed.

    Raises:
        ArttlError: if it is neither.
    """
    out = settings.out
    if out.exists() and not out.is_dir():
        raise ArttlError(f"--out {out} is a file; name a folder")
    if settings.resume or not out.is_dir() or not any(out.iterdir()):
        return
    if (out / SCRATCH).is_dir():
        raise ArttlError(
            f"--out {out} holds an unfinished run; finish it with --resume, or name another folder"
        )
    raise ArttlError(f"--out {out} is not empty; name another folder, or delete this one")


def write_folder(
    settings: OutputSettings,
    plan: Planned,
    recorded: dict[str, Any],
    work: Callable[[Iterable[Any], int], Outcomes],
    *,
    progress: bool,
    may_change: Collection[str] = (),
) -> Manifest:
    """Write a folder of shards, or the rest of one that was interrupted.

    Args:
        settings: of the folder.
        plan: the samples.
        recorded: every setting that the shards depend on, JSON-ready; kept in `dataset.json`.
        work, progress: as for `write_shards`.
        may_change: recorded settings that may differ when a run is resumed.

    Returns:
        The manifest of the finished folder.

    Raises:
        ArttlError: if the folder holds something else, a disk is full, or no picture at all could be used.
    """
    out = settings.out
    try:
        if not _is_finished(out, plan, recorded, may_change):
            parts = _begin(out, plan, recorded, may_change)
            write_shards(plan, parts, work, settings, progress=progress)
            finish(out, plan, parts, recorded)
        shutil.rmtree(out / SCRATCH, ignore_errors=True)
    except (OSError, WriteError) as error:
        raise ArttlError(
            f"cannot write the shards into {out}: {error.strerror or error}; mend that and continue with --resume"
        ) from error
    return Manifest.read(out)


def _is_finished(out: Path, plan: Planned, recorded: dict[str, Any], may_change: Collection[str]) -> bool:
    """Whether there is nothing to do."""
    path = out / "dataset.json"
    if not path.is_file():
        return False
    _compare(path, plan, recorded, may_change)
    return True


def _begin(out: Path, plan: Planned, recorded: dict[str, Any], may_change: Collection[str]) -> Parts:
    """Make the folder, or check that the unfinished run in it is this one."""
    parts = Parts(out)
    parts.scratch.mkdir(parents=True, exist_ok=True)
    path = parts.scratch / "plan.json"
    if path.is_file():
        _compare(path, plan, recorded, may_change)
    elif any(path.name != SCRATCH for path in out.iterdir()):
        raise ArttlError(f"--out {out} holds files, but no unfinished run; name another folder")
    else:
        begun = {"settings": recorded, "plan_sha256": plan.digest}
        write_json(path, begun, parts.scratch, indent=None)
    return parts


def _compare(path: Path, plan: Planned, recorded: dict[str, Any], may_change: Collection[str]) -> None:
    """Refuse to resume a run of other settings or metadata."""
    try:
        begun = read_json(path, _Begun, surplus=True)
    except ArttlError as error:
        raise ArttlError(f"--resume: {error}; pack into another --out") from error
    for name, value in recorded.items():
        if begun.settings.get(name) != value and name not in may_change:
            flag = "--" + name.replace("_", "-")
            raise ArttlError(
                f"--resume: the shards were begun with {flag} {begun.settings.get(name)}, not {value};"
                " repeat the first run's flags, or name another --out"
            )
    if begun.plan_sha256 != plan.digest:
        raise ArttlError(
            "--resume: the metadata has changed since the shards were begun; pack into another --out"
        )
