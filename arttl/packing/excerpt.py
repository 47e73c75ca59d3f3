"""Some pictures of finished shards as shards of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arttl.catalogue.lazy import LazyRows
from arttl.packing.rewriting import Copy, Rewriting, write_copies
from arttl.packing.settings import OutputSettings
from arttl.shards.index import ShardRows
from arttl.shards.manifest import Manifest
from arttl.tasks import SPLITS


def first_rows(
    rows: Mapping[str, npt.NDArray[np.int64]], most: Mapping[str, int]
) -> dict[str, npt.NDArray[np.int64]]:
    """The first rows of each split, which packing has shuffled.

    Args:
        rows: split to rows.
        most: split name to the largest number of rows.
    """
    return {split: of_split[: most[split]] for split, of_split in rows.items()}


def rows_of(manifest: Manifest) -> dict[str, npt.NDArray[np.int64]]:
    """Split name to its rows, ascending; none for a split that is not there."""
    splits = np.asarray(manifest.splits)
    return {split: np.flatnonzero(splits == split).astype(np.int64) for split in SPLITS}


def write_excerpt(manifest: Manifest, out: Path, rows: Mapping[str, npt.NDArray[np.int64]]) -> Manifest:
    """Copy samples byte for byte.

    Args:
        manifest: of the shards.
        out: folder to make; one that holds this excerpt already, or a part of it, is resumed.
        rows: split name to the rows of the samples.

    Returns:
        The manifest of the new folder.

    Raises:
        ArttlError: if `out` holds something else, or the shards cannot be read.
    """
    manifest.require("digest", "settings")
    reader = ShardRows(manifest)

    def copy(row: int) -> Copy:
        return Copy(reader.members(row), manifest.record(row))

    digest = str(manifest.dataset["digest"])
    plan = Rewriting(
        tasks=manifest.task_names,
        jobs={split: LazyRows(rows[split], copy) for split in SPLITS},
        rejects=(),
        unlabelled=0,
        files=(digest,),
        content=json.dumps({split: of_split.tolist() for split, of_split in rows.items()}),
    )
    counts = {split: len(of_split) for split, of_split in rows.items()}
    recorded = {"excerpt": digest, "samples": counts, "leaf": manifest.dataset["settings"].get("leaf")}
    settings = OutputSettings(out=out, workers=1)
    return write_copies(settings, plan, recorded, progress=False, with_hash=False)
