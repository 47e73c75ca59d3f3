"""The loader: shards to batches of images and targets, every sample exactly once per epoch over all ranks."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import numpy.typing as npt
import torch

from arttl.cpu import usable_cores
from arttl.errors import ArttlError, counted
from arttl.loading import cpu_engine
from arttl.loading.batch import Batch
from arttl.loading.batch_memory import BatchMemory
from arttl.loading.engine_speeds import faster_engine
from arttl.loading.engines import Engine, choose_engine
from arttl.loading.order import EpochPlan, epoch_order
from arttl.loading.preprocess import Preprocess
from arttl.loading.reading import OnBadSample, Pictures, Reading
from arttl.loading.remote import read_manifest
from arttl.loading.resample import DTYPES
from arttl.loading.sampling import Sampling, parse_sampling
from arttl.loading.settings import DaliSettings
from arttl.loading.shard_files import ShardFiles
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet, is_labelled

if TYPE_CHECKING:
    from arttl.loading.dali_engine import DaliEngine

_LOG = logging.getLogger("arttl.loading")


@dataclass(eq=False, repr=False)
class Loader:
    """Batches of one split on one rank, see `open_loader`.

    An iteration reads the current epoch to its end, after which the next one is current; `set_epoch` jumps.
    An iteration that is abandoned leaves nothing running, and the next one starts the same epoch anew.

    Attributes:
        manifest: the collection.
        tasks: what the targets are of.
        rows: [N] int64, the rows of the manifest that an epoch visits, over all ranks; N is also its length.
        targets: task name to the target of each manifest row.
        preprocess: what happens to the pictures.
        batch_size: B, on each rank.
        engine: `dali-gpu`, `dali-cpu` or `cpu`.
        engine_reason: why this engine, in one line.
        rank: of this process.
        world_size: number of ranks.
        seed: of the order and the random crops.
        shuffle: whether the order is random.
        threads: decoding threads.
        device: where the images and targets are.
        dtype: of the images.
        sampling: how often an epoch visits each row; `sampling.meaning` says it in one line.
        on_bad_sample: what happens to a picture that cannot be decoded.
        dali: how DALI decodes.
        files: the shards.
        bad_samples: row to a sentence, of each sample on this rank that was skipped so far.
        read_instead: row to a sentence, of each sample on this rank that the CPU engine read instead of DALI: those
            that are not as they were packed, and those on which DALI failed, or on their batch without saying on which.
        epoch: the current epoch, from 0; set by `set_epoch`.
    """

    manifest: Manifest
    tasks: TaskSet
    rows: npt.NDArray[np.int64]
    targets: Mapping[str, npt.NDArray[Any]]
    preprocess: Preprocess
    batch_size: int
    engine: Engine
    engine_reason: str
    rank: int
    world_size: int
    seed: int
    shuffle: bool
    threads: int
    device: torch.device
    dtype: torch.dtype
    sampling: Sampling
    on_bad_sample: OnBadSample
    dali: DaliSettings

    def __post_init__(self) -> None:
        self.files = ShardFiles(self.manifest, self.rows)
        self.bad_samples: dict[int, str] = {}
        self.read_instead: dict[int, str] = {}
        self.epoch = 0
        self._targets = {name: torch.from_numpy(table) for name, table in self.targets.items()}
        self._first_batch = 0  # of the next iteration
        self._yielded = 0  # batches of the current epoch
        self._iteration = 0
        self._memory: BatchMemory | None = None
        self._dali_engine: DaliEngine | None = None

    def __len__(self) -> int:
        """Batches in an epoch, the same on every rank."""
        return -(-len(self.rows) // (self.batch_size * self.world_size))

    @property
    def at_the_end(self) -> bool:
        """Whether the batch yielded last is the last of its epoch."""
        return self._yielded == len(self)

    def set_epoch(self, epoch: int) -> None:
        """Make an epoch the current one; in the epoch of a restored state, keep its position."""
        if epoch < 0:
            raise ValueError(f"epochs count from 0, not {epoch}")
        if epoch != self.epoch:
            self.epoch, self._first_batch, self._yielded = epoch, 0, 0

    def __iter__(self) -> Iterator[Batch]:
        """The batches of the current epoch, from where a restored state left it."""
        self._iteration += 1
        first, self._first_batch = self._first_batch, 0
        self._yielded = first
        return self._batches(self._iteration, self.epoch, first)

    def _batches(self, iteration: int, epoch: int, first: int) -> Iterator[Batch]:
        rows = self.rows
        if self.sampling.classes is not None:
            rows = rows[self.sampling.visited(self.seed, epoch)]
        order = epoch_order(
            rows, self.files.shard_of_row[rows], shuffle=self.shuffle, seed=self.seed, epoch=epoch
        )
        plan = EpochPlan.cut(order, self.batch_size, self.rank, self.world_size)
        with contextlib.closing(self._pictures(plan, first, epoch)) as batches:
            for number, pictures in enumerate(batches, start=first):
                batch = self._batch(plan.rows[number], plan.valid[number].copy(), pictures)
                if iteration == self._iteration:  # the position is that of the newest iteration
                    self._yielded = number + 1
                yield batch
        if iteration == self._iteration and epoch == self.epoch:
            self.epoch, self._yielded = epoch + 1, 0

    def _batch(self, rows: npt.NDArray[np.int64], valid: npt.NDArray[np.bool_], pictures: Pictures) -> Batch:
        for index, sentence in pictures.bad.items():
            valid[index] = False
            row = int(rows[index])
            if row not in self.bad_samples:
                self.bad_samples[row] = sentence
                _LOG.warning("skipped, %d so far: %s", len(self.bad_samples), sentence)
        new = {int(rows[index]): sentence for index, sentence in pictures.instead.items()}
        new = {row: sentence for row, sentence in new.items() if row not in self.read_instead}
        self.read_instead |= new
        for sentence in dict.fromkeys(new.values()):  # one for a batch
            so_far = counted(len(self.read_instead), "picture")
            _LOG.warning("read by the cpu engine in place of DALI, %s so far: %s", so_far, sentence)
        chosen = torch.from_numpy(rows.copy())
        targets = {name: table[chosen] for name, table in self._targets.items()}
        return Batch.of(pictures.images, targets, torch.from_numpy(valid), chosen)

    def _pictures(self, plan: EpochPlan, first: int, epoch: int) -> Generator[Pictures, None, None]:
        if first == len(plan.rows):  # restored at the end of an epoch
            return
        reading = Reading(
            files=self.files,
            sizes=self.manifest.sizes,
            rows=plan.rows[first:],
            visits=plan.visits[first:],
            preprocess=self.preprocess,
            seed=self.seed,
            epoch=epoch,
            threads=self.threads,
            device=self.device,
            dtype=self.dtype,
            on_bad_sample=self.on_bad_sample,
        )
        with self.files.ahead(reading.rows):
            if self.engine == "cpu":
                self._memory = self._memory or cpu_engine.batch_memory(reading)
                yield from cpu_engine.read(reading, self._memory)
            else:
                from arttl.loading.dali_engine import DaliEngine  # not at the top: it needs DALI

                self._dali_engine = self._dali_engine or DaliEngine(self.dali, len(self.manifest))
                yield from self._dali_engine.read(reading)

    def state_dict(self) -> dict[str, Any]:
        """The loader's position: the epoch and the number of batches yielded, whatever was read ahead.

        It is the same on every rank, and JSON-ready.
        """
        return {"epoch": self.epoch, "batch": self._yielded, **self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from the position of a loader of the same samples; the batches that follow are the same.

        Raises:
            ArttlError: for a state of other samples, seed, batch size or preprocessing.
        """
        for name, value in self._identity().items():
            if state.get(name) != value:
                raise ArttlError(
                    f"the loader's saved position is of another {name.replace('_', ' ')}"
                    f" ({_short(state.get(name))} there, {_short(value)} here): restore it with the settings"
                    " it had, or start the run anew"
                )
        epoch, batch = state.get("epoch"), state.get("batch")
        if not (type(epoch) is int and type(batch) is int and epoch >= 0 and 0 <= batch <= len(self)):
            raise ArttlError(
                f"the loader's saved position, batch {_short(batch)} of epoch {_short(epoch)}, is not one: start the"
                " run anew"
            )
        self.epoch, self._yielded, self._first_batch = epoch, batch, batch

    def _identity(self) -> dict[str, Any]:
        """What must be equal for a position to mean the same batches."""
        return {
            "sampling": self.sampling.name,
            "samples": self._samples_digest,
            "seed": self.seed,
            "shuffle": self.shuffle,
            "batch_size_of_all_ranks": self.batch_size * self.world_size,
            "preprocess": self.preprocess.to_dict(),
        }

    @cached_property
    def _samples_digest(self) -> str:
        """SHA-256 of the rows and their pictures' digests, in order."""
        pictures = self.manifest.table.column("stored_sha256").to_pylist()
        lines = "".join(f"{row} {pictures[row]}\n" for row in self.rows.tolist())
        if self.sampling.classes is not None:
            lines += " ".join(map(str, self.sampling.classes.tolist()))
        return hashlib.sha256(lines.encode()).hexdigest()


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


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else text[:12] + "..."
