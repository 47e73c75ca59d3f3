"""Samples into shards, split by split, from where an earlier run stopped."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol

from arttl.console import Console, ProgressBar
from arttl.errors import counted
from arttl.packing.parts import Done, Part, Parts
from arttl.packing.pool import default_workers
from arttl.packing.settings import OutputSettings
from arttl.shards.rejects import Reject
from arttl.shards.sample import Sample
from arttl.shards.writer import ShardWriter
from arttl.tasks import SPLITS


class Planned(Protocol):
    """A plan of shards; `arttl.packing.plan.Plan` is one."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks whose labels are kept."""

    @property
    def jobs(self) -> Mapping[str, Sequence[Any]]:
        """Split name to what becomes its samples, in order, for every split."""

    @property
    def rejects(self) -> Iterable[Reject]:
        """Rows left out already."""

    @property
    def unlabelled(self) -> int:
        """How many were left out because they carry a label for none of the tasks."""

    @property
    def digest(self) -> str:
        """SHA-256 of all of these."""


Outcomes = Generator[Sample | Reject, None, None]


def write_shards(
    plan: Planned,
    parts: Parts,
    work: Callable[[Iterable[Any], int], Outcomes],
    settings: OutputSettings,
    *,
    progress: bool,
) -> None:
    """Write every shard of the plan that is not finished yet; row numbers run through all splits.

    Args:
        plan: the samples.
        parts: the finished shards.
        work: jobs and a number of processes to the outcome of each job, in order.
        settings: shard size and workers.
        progress: whether to show it.
    """
    done = {split: parts.done(split) for split in SPLITS}
    total = sum(map(len, plan.jobs.values()))
    processed = sum(finished.end for finished in done.values())
    jobs = itertools.chain.from_iterable(plan.jobs[split][done[split].end :] for split in SPLITS)
    processes = settings.workers or default_workers(total - processed)
    row = rejects = 0
    with (
        closing(work(jobs, processes)) as outcomes,
        _progress_bar(total, processed, processes, shown=progress) as bar,
    ):
        for split in SPLITS:
            row += done[split].samples
            writer = _SplitWriter(parts, split, done[split], row, settings.shard_size)
            try:
                for outcome in itertools.islice(outcomes, len(plan.jobs[split]) - done[split].end):
                    writer.take(outcome)
                    if isinstance(outcome, Reject):
                        rejects += 1
                        bar.remark(f"{rejects:,} rejected")
                    bar.advance()
                writer.close()
            except BaseException:
                writer.abandon()
                raise
            row = writer.row


def _progress_bar(total: int, done: int, workers: int, *, shown: bool) -> ProgressBar:
    """A bar on standard error if that is a terminal, else one line."""
    console = Console(stderr=True, quiet=not shown)
    if not console.is_terminal:
        before = f" ({done:,} of them done before)" if done else ""
        console.print(
            f"packing {counted(total, 'picture')}{before}, {counted(workers, 'process', 'processes')}",
            highlight=False,
        )
    return ProgressBar(console, "packing", total, done=done, keep=True, note="0 rejected")


class _SplitWriter:
    """The samples of one split into consecutive shards of equal size."""

    def __init__(self, parts: Parts, split: str, done: Done, row: int, shard_size: int) -> None:
        self.row = row  # of the next sample
        self._parts = parts
        self._split = split
        self._number = done.parts
        self._shard_size = shard_size
        self._part = Part(end=done.end)
        self._shard: ShardWriter | None = None

    def take(self, outcome: Sample | Reject) -> None:
        self._part.end += 1
        if isinstance(outcome, Reject):
            self._part.rejects.append(outcome)
            return
        if self._shard is None:
            self._shard = ShardWriter(
                self._parts.directory, f"{self._split}-{self._number:05d}", self._parts.scratch
            )
        self._shard.add(outcome.record.key, outcome.jpeg, outcome.metadata, self.row)
        self._part.records.append(outcome.record)
        self.row += 1
        if self._shard.samples == self._shard_size:
            self._finish_part()

    def close(self) -> None:
        if self._part.records or self._part.rejects:
            self._finish_part()

    def abandon(self) -> None:
        if self._shard is not None:
            self._shard.abandon()

    def _finish_part(self) -> None:
        if self._shard is not None:
            self._part.files.extend(self._shard.close())
        self._parts.save(self._split, self._number, self._part)
        self._number += 1
        self._part = Part(end=self._part.end)
        self._shard = None
