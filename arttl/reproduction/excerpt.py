"""A few pictures of finished shards as shards of their own, to try something out on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from arttl.catalogue.lazy import LazyRows
from arttl.packing.rewriting import Copy, Rewriting, write_copies
from arttl.packing.settings import OutputSettings
from arttl.shards.index import ShardRows
from arttl.shards.manifest import Manifest
from arttl.tasks import SPLITS


def write_excerpt(manifest: Manifest, out: Path, most: Mapping[str, int]) -> Manifest:
    """Copy the first samples of each split, which packing has shuffled, byte for byte.

    Args:
        manifest: of the shards.
        out: folder to make; one that holds this excerpt already, or a part of it, is resumed.
        most: split name to the largest number of samples.

    Returns:
        The manifest of the new folder.

    Raises:
        ArttlError: if `out` holds something else, or the shards cannot be read.
    """
    manifest.require("digest", "settings")
    reader = ShardRows(manifest)

    def copy(row: int) -> Copy:
        return Copy(reader.members(row), manifest.record(row))

    splits = np.asarray(manifest.splits)
    digest = str(manifest.dataset["digest"])
    plan = Rewriting(
        tasks=manifest.task_names,
        jobs={split: LazyRows(np.flatnonzero(splits == split)[: most[split]], copy) for split in SPLITS},
        rejects=(),
        unlabelled=0,
        files=(digest,),
        content=json.dumps(dict(most)),
    )
    recorded = {"excerpt": digest, "most": dict(most), "leaf": manifest.dataset["settings"].get("leaf")}
    settings = OutputSettings(out=out, workers=1)
    return write_copies(settings, plan, recorded, progress=False, with_hash=False)
