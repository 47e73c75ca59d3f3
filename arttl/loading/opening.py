"""Opening a loader: what its arguments must be, and what they are by default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import torch

from arttl.cpu import usable_cores
from arttl.errors import ArttlError
from arttl.loading.dali_settings import DaliSettings
from arttl.loading.engine_speeds import faster_engine
from arttl.loading.engines import Engine, choose_engine
from arttl.loading.loader import Loader
from arttl.loading.preprocess import Preprocess
from arttl.loading.reading import OnBadSample
from arttl.loading.remote import read_manifest
from arttl.loading.resample import DTYPES
from arttl.loading.sampling import parse_sampling
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet, is_labelled


def open_loader(
    shards: str | Path | Manifest,
    split: str = "train",
    tasks: TaskSet | Sequence[str] = ("type",),
    *,
    preprocess: Preprocess | None = None,
    batch_size: int = 64,
    engine: Engine = "auto",
    rank: int | None = None,
    world_size: int | None = None,
    seed: int = 0,
    shuffle: bool | None = None,
    threads: int | None = None,
    classes: str = "train",
    labelled: bool = True,
    rows: npt.NDArray[np.int64] | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
    sampling: str = "uniform",
    on_bad_sample: OnBadSample = "raise",
    dali: DaliSettings | None = None,
) -> Loader:
    """Open a split of a collection.

    Rows without a label for any of the tasks are left out, unless `labelled` is False. Over any number of ranks
    every other row comes exactly once per epoch; the last batches are padded, and `Batch.valid` marks the padding.

    Args:
        shards: a folder, an address (see `arttl.loading.remote`), or a manifest.
        split: `train`, `val`, `test`, or `all` three.
        tasks: names, for single-label tasks under the class rule `classes`; or the task set of a model.
        preprocess: what happens to the pictures. None: the evaluation transform at 224 pixels with ImageNet's
            mean and standard deviation, in every split.
        batch_size: B, on each rank.
        engine: `dali-gpu`, `dali-cpu`, `dali` (whichever the device allows), `cpu`, or `auto`: where the device is a
            GPU and DALI is installed the faster one, see `faster_engine`, else `cpu`.
        rank: of this process; None: the running process group's, else 0.
        world_size: likewise, else 1. Both given, they simulate other ranks in one process.
        seed: of the order and the random crops.
        shuffle: whether the order is random; None: only in `train`.
        threads: decoding threads; None: one per core that this process may use.
        classes: the class rule for tasks given by name, see `TaskSet.from_manifest`.
        labelled: whether batches have targets. False: every row comes, `tasks` and `classes` are not used, and
            `Batch.targets` is empty.
        rows: [N], only these rows of the manifest, in this order unless shuffled; None: all of the split.
        device: of the batches; None: the current GPU, else the CPU.
        dtype: of the images, float32 or bfloat16.
        sampling: `uniform`: an epoch visits every row once. `balanced:TASK` or `sqrt:TASK`: it is as long, but every
            class of that task comes equally often, or in proportion to the square root of its size; see
            `Loader.sampling`.
        on_bad_sample: `raise`, or `skip`: a sample whose picture cannot be decoded is named in the log, counted in
            `Loader.bad_samples` and masked in `Batch.valid`. A shard that cannot be read ends the run either way.
        dali: how DALI decodes; None: by the defaults of `DaliSettings`.

    Raises:
        ArttlError: for missing or damaged shards, an unknown split, task or engine, no labelled row, or a
            number out of range.
    """
    manifest = shards if isinstance(shards, Manifest) else read_manifest(shards)
    if not labelled:
        tasks = TaskSet([])
    elif not isinstance(tasks, TaskSet):
        names = (tasks,) if isinstance(tasks, str) else tuple(tasks)
        tasks = TaskSet.from_manifest(manifest, names, classes=classes)
    for name in tasks.names:
        if name not in manifest.task_names:
            known = ", ".join(manifest.task_names) or "none"
            raise ArttlError(f"the shards in {manifest.directory} have no task {name!r}; they have: {known}")
    limits = (("--batch-size", batch_size, 1), ("--seed", seed, 0), ("--threads", threads, 1))
    for flag, value, least in limits:
        if value is not None and not least <= value < 2**63:
            raise ArttlError(f"{flag} {value} is out of range; give at least {least}")
    rank, world_size = _ranks(rank, world_size)
    split_rows = np.arange(len(manifest)) if split == "all" else manifest.rows(split)
    rows = split_rows if rows is None else rows
    if not len(rows) or not np.isin(rows, split_rows).all():
        raise ValueError(f"rows must name one row or more, all of the split {split!r}")
    targets = {task.name: task.targets(manifest.labels(task.name)) for task in tasks}
    if labelled:
        rows = rows[np.any([is_labelled(table[rows]) for table in targets.values()], axis=0)]
        if not len(rows):
            raise ArttlError(
                f"no sample of the split {split!r} in {manifest.directory} has a label for"
                f" {' or '.join(tasks.names)}; choose other --tasks"
            )
    device = _device(device)
    chosen, reason = choose_engine(engine, device)
    if dtype not in DTYPES:
        raise ArttlError(f"images in {dtype} are not supported; choose torch.float32 or torch.bfloat16")
    if on_bad_sample not in get_args(OnBadSample):
        raise ArttlError(f"--on-bad-sample {on_bad_sample!r} is unknown; choose raise or skip")
    loader = Loader(
        manifest,
        tasks,
        rows,
        targets,
        preprocess=preprocess or Preprocess(),
        batch_size=batch_size,
        engine=chosen,
        engine_reason=reason,
        rank=rank,
        world_size=world_size,
        seed=seed,
        shuffle=split == "train" if shuffle is None else shuffle,
        threads=threads or usable_cores(),
        device=device,
        dtype=dtype,
        sampling=parse_sampling(sampling, tasks, rows, targets),
        on_bad_sample=on_bad_sample,
        dali=dali or DaliSettings(),
    )
    if engine == "auto" and chosen == "dali-gpu":
        loader.engine, loader.engine_reason = faster_engine(loader)
    return loader


def _ranks(rank: int | None, world_size: int | None) -> tuple[int, int]:
    if rank is None and world_size is None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        return 0, 1
    if rank is None or world_size is None or not 0 <= rank < world_size:
        raise ArttlError(
            f"rank {rank} of world size {world_size} is not a rank; give both, rank counted from 0"
        )
    return rank, world_size


def _device(device: torch.device | str | None) -> torch.device:
    device = torch.device(device if device is not None else "cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device
