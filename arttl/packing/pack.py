"""Artworks to a folder of shards: a pure function of the artworks and the settings, whatever the workers."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from arttl.artworks import Artwork
from arttl.errors import ArttlError
from arttl.packing.files import write_whole
from arttl.packing.finish import finish
from arttl.packing.manifest import Manifest
from arttl.packing.parts import SCRATCH, Parts
from arttl.packing.plan import Plan, make_plan
from arttl.packing.settings import PackSettings
from arttl.packing.writing import write_shards
from arttl.sources.rejects import Reject

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
    _check_folder(settings)
    recorded = _recorded(settings)
    try:
        plan = make_plan(artworks, settings, scratch=_nearest_folder(settings.out))
        if not _is_finished(settings, plan, recorded):
            parts = _begin(settings, plan, recorded)
            write_shards(plan, settings, parts, progress=progress)
            finish(settings.out, plan, parts, recorded)
        shutil.rmtree(settings.out / SCRATCH, ignore_errors=True)
    except OSError as error:
        raise ArttlError(
            f"cannot write the shards into {settings.out}: {error.strerror or error};"
            " mend that and go on with --resume"
        ) from error
    return Manifest.read(settings.out)


def _check_folder(settings: PackSettings) -> None:
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


def _is_finished(settings: PackSettings, plan: Plan, recorded: dict[str, Any]) -> bool:
    """Whether `--resume` finds nothing to do."""
    path = settings.out / "dataset.json"
    if not path.is_file():
        return False
    _compare(path, plan, recorded)
    return True


def _begin(settings: PackSettings, plan: Plan, recorded: dict[str, Any]) -> Parts:
    """Make the folder, or check that the unfinished run in it is this one."""
    parts = Parts(settings.out)
    parts.scratch.mkdir(parents=True, exist_ok=True)
    path = parts.scratch / "plan.json"
    if path.is_file():
        _compare(path, plan, recorded)
    elif any(found.name != SCRATCH for found in settings.out.iterdir()):
        raise ArttlError(f"--out {settings.out} holds files, but no unfinished run; name another folder")
    else:
        text = json.dumps({"settings": recorded, "plan_sha256": plan.digest}, ensure_ascii=False)
        write_whole(path, text.encode(), parts.scratch)
    return parts


def _compare(path: Path, plan: Plan, recorded: dict[str, Any]) -> None:
    """Refuse to go on with a run that was begun from something else."""
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
        settings, digest = dict(begun["settings"]), begun["plan_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ArttlError(
            f"--resume: {path} was not written by this program; pack into another --out"
        ) from error
    for name, value in recorded.items():
        if settings.get(name) != value and name not in _MAY_CHANGE_ON_RESUME:
            flag = "--" + name.replace("_", "-")
            raise ArttlError(
                f"--resume: the shards were begun with {flag} {settings.get(name)}, not {value};"
                " repeat the first run's flags, or name another --out"
            )
    if digest != plan.digest:
        raise ArttlError(
            "--resume: the metadata has changed since the shards were begun; pack into another --out"
        )
