"""The loader: shards to batches of images and targets, every sample exactly once an epoch over all ranks."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch

from arttl.errors import ArttlError, did_you_mean
from arttl.loading import cpu_engine
from arttl.loading.order import EpochPlan, epoch_order
from arttl.loading.preprocess import Preprocess
from arttl.loading.reading import Reading
from arttl.loading.shard_files import ShardFiles
from arttl.packing.manifest import Manifest
from arttl.tasks import TaskSet, is_labelled

EngineName = Literal["auto", "dali", "dali-gpu", "dali-cpu", "cpu"]


@dataclass(frozen=True)
class Batch:
    """What the loader yields; B is the same for all batches.

    Attributes:
        images: [B, 3, size, size] float32, normalised, channels last in memory, on the device.
        targets: for each task [B] int64, -1 where unknown, or (multi-label) [B, Q] float32, a row of NaN
            where unknown; on the device.
        valid: [B] bool, False for padding; on the device.
        rows: [B] int64, rows of the manifest; on the CPU.
    """

    images: torch.Tensor
    targets: dict[str, torch.Tensor]
    valid: torch.Tensor
    rows: torch.Tensor


class Loader:
    """Batches of one split on one rank, see `open_loader`.

    An iteration reads the current epoch to its end, after which the next one is current; `set_epoch` jumps.
    An iteration that is given up leaves nothing running, and the next one starts the same epoch anew.

    Attributes:
        manifest: the collection.
        tasks: what the targets are of.
        rows: [N] int64, the rows of the manifest that an epoch visits, over all ranks.
        preprocess: what happens to the pictures.
        batch_size: B, on each rank.
        device: where the images and targets are.
        engine: `dali-gpu`, `dali-cpu` or `cpu`.
        engine_reason: a line that says why.
    """

    def __init__(
        self,
        manifest: Manifest,
        tasks: TaskSet,
        rows: npt.NDArray[np.int64],
        targets: Mapping[str, npt.NDArray[Any]],
        *,
        preprocess: Preprocess,
        batch_size: int,
        engine: Literal["dali-gpu", "dali-cpu", "cpu"],
        engine_reason: str,
        rank: int,
        world_size: int,
        seed: int,
        shuffle: bool,
        threads: int,
        device: torch.device,
    ) -> None:
        self.manifest = manifest
        self.tasks = tasks
        self.rows = rows
        self.preprocess = preprocess
        self.batch_size = batch_size
        self.device = device
        self.engine = engine
        self.engine_reason = engine_reason
        self._targets = {name: torch.from_numpy(table) for name, table in targets.items()}
        self._files = ShardFiles(manifest, rows)
        self._rank = rank
        self._world_size = world_size
        self._seed = seed
        self._shuffle = shuffle
        self._threads = threads
        self._epoch = 0
        self._first_batch = 0  # of the next iteration
        self._handed_out = 0  # batches of the current epoch
        self._iteration = 0

    def __len__(self) -> int:
        """Batches in an epoch, the same on every rank."""
        return -(-len(self.rows) // (self.batch_size * self._world_size))

    @property
    def epoch(self) -> int:
        """The current epoch, from 0."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Make an epoch the current one; in the epoch of a restored state, keep its position."""
        if epoch < 0:
            raise ValueError(f"epochs count from 0, not {epoch}")
        if epoch != self._epoch:
            self._epoch, self._first_batch, self._handed_out = epoch, 0, 0

    def __iter__(self) -> Iterator[Batch]:
        """The batches of the current epoch, from where a restored state left it."""
        self._iteration += 1
        first, self._first_batch = self._first_batch, 0
        self._handed_out = first
        return self._batches(self._iteration, self._epoch, first)

    def _batches(self, iteration: int, epoch: int, first: int) -> Iterator[Batch]:
        order = epoch_order(
            self.rows,
            self._files.shard_of_row[self.rows],
            shuffle=self._shuffle,
            seed=self._seed,
            epoch=epoch,
        )
        plan = EpochPlan.cut(order, self.batch_size, self._rank, self._world_size)
        with contextlib.closing(self._images(plan.rows[first:], epoch)) as batches:
            for number, images in enumerate(batches, start=first):
                rows = torch.from_numpy(plan.rows[number].copy())
                batch = Batch(
                    images=images,
                    targets={name: table[rows].to(self.device) for name, table in self._targets.items()},
                    valid=torch.from_numpy(plan.valid[number].copy()).to(self.device),
                    rows=rows,
                )
                if iteration == self._iteration:  # the position is that of the newest iteration
                    self._handed_out = number + 1
                yield batch
        if iteration == self._iteration and epoch == self._epoch:
            self._epoch, self._handed_out = epoch + 1, 0

    def _images(self, rows: npt.NDArray[np.int64], epoch: int) -> Generator[torch.Tensor, None, None]:
        if not len(rows):  # restored at the end of an epoch
            return
        reading = Reading(
            self._files,
            self.manifest.sizes,
            rows,
            self.preprocess,
            self._seed,
            epoch,
            self._threads,
            self.device,
        )
        if self.engine == "cpu":
            yield from cpu_engine.read(reading)
        else:
            from arttl.loading import dali_engine  # not at the top: it needs DALI

            yield from dali_engine.read(reading)

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands: the epoch and the batches handed out, whatever was read ahead.

        It is the same on every rank, and JSON-ready.
        """
        return {"epoch": self._epoch, "batch": self._handed_out, **self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a loader of the same samples stood; the batches that follow are the same.

        Raises:
            ArttlError: for a state of other samples, seed, batch size or preprocessing.
        """
        for name, mine in self._identity().items():
            if state.get(name) != mine:
                raise ArttlError(
                    f"the loader's saved position is of another {name.replace('_', ' ')}"
                    f" ({_short(state.get(name))} there, {_short(mine)} here): restore it with the settings"
                    " it had, or start the run anew"
                )
        epoch, batch = state.get("epoch"), state.get("batch")
        if not (type(epoch) is int and type(batch) is int and epoch >= 0 and 0 <= batch <= len(self)):
            raise ArttlError(
                f"the loader's saved position, batch {batch} of epoch {epoch}, is not one: start the run anew"
            )
        self._epoch, self._handed_out, self._first_batch = epoch, batch, batch

    def _identity(self) -> dict[str, Any]:
        """What must be equal for a position to mean the same."""
        return {
            "samples": self._samples_digest,
            "seed": self._seed,
            "shuffle": self._shuffle,
            "batch_size_of_all_ranks": self.batch_size * self._world_size,
            "preprocess": self.preprocess.to_dict(),
        }

    @cached_property
    def _samples_digest(self) -> str:
        """Of the rows and their pictures' digests, in order."""
        pictures = self.manifest.table.column("stored_sha256").to_pylist()
        lines = "".join(f"{row} {pictures[row]}\n" for row in self.rows.tolist())
        return hashlib.sha256(lines.encode()).hexdigest()


def open_loader(
    shards: str | Path | Manifest,
    split: str = "train",
    tasks: TaskSet | Sequence[str] = ("type",),
    *,
    preprocess: Preprocess | None = None,
    batch_size: int = 64,
    engine: EngineName = "auto",
    rank: int | None = None,
    world_size: int | None = None,
    seed: int = 0,
    shuffle: bool | None = None,
    threads: int | None = None,
    classes: str = "train",
    device: torch.device | str | None = None,
) -> Loader:
    """Open a split of a collection.

    Rows that carry a label for none of the tasks are left out. Over any number of ranks every other row comes
    exactly once an epoch; the last batches are padded, and `Batch.valid` says where.

    Args:
        shards: the folder, or its manifest.
        split: `train`, `val` or `test`.
        tasks: names, for single-label tasks under the class rule `classes`; or the task set of a model.
        preprocess: what happens to the pictures. None: the evaluation transform at 224 pixels with ImageNet's
            mean and standard deviation, in every split.
        batch_size: B, on each rank.
        engine: `dali-gpu`, `dali-cpu`, `dali` (whichever the device allows), `cpu`, or `auto`: DALI where the
            device is a GPU and DALI is installed, else `cpu`.
        rank: of this process; None: the running process group's, else 0.
        world_size: likewise, else 1. Both given, they simulate other ranks in one process.
        seed: of the order and the random crops.
        shuffle: whether the order is random; None: only in `train`.
        threads: decoding threads; None: one a core that this process may use.
        classes: the class rule for tasks given by name, see `TaskSet.from_manifest`.
        device: where the batches go; None: the current GPU, else the CPU.

    Raises:
        ArttlError: for missing or damaged shards, an unknown split, task or engine, no labelled row, or a
            number out of range.
    """
    manifest = shards if isinstance(shards, Manifest) else Manifest.read(shards)
    if not isinstance(tasks, TaskSet):
        names = (tasks,) if isinstance(tasks, str) else tuple(tasks)
        tasks = TaskSet.from_manifest(manifest, names, classes=classes)
    for name in tasks.names:
        if name not in manifest.task_names:
            known = ", ".join(manifest.task_names) or "none"
            raise ArttlError(f"the shards in {manifest.directory} have no task {name!r}; they have: {known}")
    for flag, value, least in (
        ("--batch-size", batch_size, 1),
        ("--seed", seed, 0),
        ("--threads", threads, 1),
    ):
        if value is not None and not least <= value < 2**63:
            raise ArttlError(f"{flag} {value} is out of range; give at least {least}")
    rank, world_size = _ranks(rank, world_size)
    rows = manifest.rows(split)
    targets = {task.name: task.targets(manifest.labels(task.name)) for task in tasks}
    labelled = np.any([is_labelled(table[rows]) for table in targets.values()], axis=0)
    if not labelled.any():
        raise ArttlError(
            f"no sample of the split {split!r} in {manifest.directory} has a label for"
            f" {' or '.join(tasks.names)}; choose other --tasks"
        )
    device = _device(device)
    chosen, reason = _choose_engine(engine, device)
    return Loader(
        manifest,
        tasks,
        rows[labelled],
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
    )


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


def _choose_engine(
    wanted: EngineName, device: torch.device
) -> tuple[Literal["dali-gpu", "dali-cpu", "cpu"], str]:
    """The engine, and why in one line."""
    if wanted not in get_args(EngineName):
        known = get_args(EngineName)
        raise ArttlError(
            f"--engine {wanted!r} is unknown{did_you_mean(wanted, known)}; choose {', '.join(known)}"
        )
    if wanted == "cpu":
        return "cpu", "cpu: as asked"
    if wanted == "auto" and device.type != "cuda":
        return "cpu", f"cpu: the device is {device}, where it needs no DALI and is the faster"
    if wanted == "dali-gpu" and device.type != "cuda":
        raise ArttlError(f"--engine dali-gpu needs a GPU and the device is {device}; choose dali-cpu or cpu")
    if wanted == "dali-cpu" and device.type == "cuda":
        raise ArttlError(
            f"--engine dali-cpu gives batches on the CPU and the device is {device}; choose dali-gpu"
        )
    try:
        from arttl.loading import dali_engine  # noqa: F401
    except ArttlError as error:
        if wanted == "auto":
            return "cpu", f"cpu: {error}"
        raise
    chosen: Literal["dali-gpu", "dali-cpu"] = "dali-gpu" if device.type == "cuda" else "dali-cpu"
    return (
        chosen,
        f"{chosen}: {'DALI is installed' if wanted == 'auto' else 'as asked'}, the device is {device}",
    )


def usable_cores() -> int:
    """Cores that this process may use, shared fairly among the processes that a launcher started here."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", 1))))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:12] + "..."
