"""The loader: shards to batches of images and targets, every sample exactly once per epoch over all ranks."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from arttl.errors import ArttlError, counted
from arttl.loading import cpu_engine
from arttl.loading.batch import Batch
from arttl.loading.batch_memory import BatchMemory
from arttl.loading.dali_settings import DaliSettings
from arttl.loading.engines import Engine
from arttl.loading.order import EpochPlan, epoch_order
from arttl.loading.preprocess import Preprocess
from arttl.loading.reading import OnBadSample, Pictures, Reading
from arttl.loading.sampling import Sampling
from arttl.loading.shard_files import ShardFiles
from arttl.shards.manifest import Manifest
from arttl.tasks import TaskSet

if TYPE_CHECKING:
    from arttl.loading.dali_engine import DaliEngine

_LOG = logging.getLogger("arttl.loading")


@dataclass
class _Kept:
    """What an engine keeps from one epoch to the next; None until it is first needed."""

    memory: BatchMemory | None = None
    dali: DaliEngine | None = None


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
        self._kept = _Kept()

    def __len__(self) -> int:
        """Batches in an epoch, the same on every rank."""
        return -(-len(self.rows) // (self.batch_size * self.world_size))

    @property
    def at_the_end(self) -> bool:
        """Whether the batch yielded last is the last of its epoch."""
        return self._yielded == len(self)

    def of_rows(self, rows: npt.NDArray[np.int64]) -> Loader:
        """A loader of some of the rows, in this order unless shuffled, with the same engine.

        It uses the memory and the pipeline of this one, so that a collection can be read in many parts: DALI's start
        takes as long as a thousand pictures.

        Args:
            rows: [N] int64, at least one of `rows`.
        """
        if not len(rows) or not np.isin(rows, self.rows).all() or self.sampling.classes is not None:
            raise ValueError("parts must name one row or more, all of a loader that visits every row once")
        part = replace(self, rows=rows)
        part._kept = self._kept
        return part

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
        kept = self._kept
        with self.files.ahead(reading.rows):
            if self.engine == "cpu":
                kept.memory = kept.memory or cpu_engine.batch_memory(reading)
                yield from cpu_engine.read(reading, kept.memory)
            else:
                from arttl.loading.dali_engine import DaliEngine  # not at the top: it needs DALI

                kept.dali = kept.dali or DaliEngine(self.dali, len(self.manifest))
                yield from kept.dali.read(reading)

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


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else text[:12] + "..."
