"""The reports of a run: its beginning, and its epochs on the terminal, in `metrics.jsonl` and in TensorBoard."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from arttl.console import Reporter
from arttl.errors import counted
from arttl.files import writing
from arttl.label_use import describe_task
from arttl.models import TrainedModel
from arttl.runs import RunFolder, on_first_rank
from arttl.shards.manifest import Manifest
from arttl.training.checkpoints import Epoch


class EpochReporter(Reporter):
    """A reporter of a run, whose folder gets the lines of `metrics.jsonl` and `tensorboard/`."""

    def __init__(self, main: bool, run: RunFolder) -> None:
        """Report on a run.

        Args:
            main: whether this is the first rank.
            run: the folder, which must have been begun.
        """
        super().__init__(main)
        self._run = run

    def write(self, line: Mapping[str, object]) -> None:
        """Append a line to `metrics.jsonl`. Every rank must call this."""
        on_first_rank(lambda: self._run.append(line))

    def describe_run(
        self,
        model: TrainedModel,
        notes: Sequence[str],
        mode: str,
        manifest: Manifest,
        accelerator: Accelerator,
    ) -> None:
        """Print the data, the model and the machine of a run.

        Args:
            model: before its first step.
            notes: lines on its weights, which may be empty.
            mode: of the run.
            manifest: of the shards.
            accelerator: of the run.
        """
        names = ", ".join(model.tasks.names)
        kind = f"Single-task baseline: {names}" if len(model.tasks) == 1 else f"Joint model: {names}"
        self.console.rule(f"[bold]{kind}", align="left")
        parameters = sum(parameter.numel() for parameter in model.parameters()) / 1e6
        self.say(f"shards     {manifest.directory} ({counted(len(manifest), 'sample')})")
        for task in model.tasks:
            self.say(f"task       {describe_task(task, manifest.labels(task.name))}")
        networks = " + ".join(network.name for network in model.networks)
        self.say(f"network    {networks}, {parameters:.1f} million parameters, {mode}")
        self.say(f"weights    {model.provenance.weights}")
        for note in filter(None, notes):
            self.say(f"           {note}")
        for preprocess in dict.fromkeys(model.preprocesses):
            self.say(f"input      {preprocess}")
        self.say(
            f"machine    {accelerator.device}, {counted(accelerator.num_processes, 'process', 'processes')} of"
            f" {counted(torch.get_num_threads(), 'thread')}, precision {accelerator.mixed_precision}"
        )

    def epoch(self, epoch: Epoch, seconds: float) -> None:
        """Print an epoch's line and keep it. Every rank must call this."""
        accuracy = "  ".join(f"{name} {100 * value:.1f}%" for name, value in epoch.val_accuracy.items())
        self.say(
            f"epoch {epoch.epoch:3d}  loss {epoch.train_loss:.3f}  validation loss {epoch.val_loss:.3f}"
            f"{' *' if epoch.best else '  '}  {accuracy}  {seconds:.1f} s"
        )
        on_first_rank(lambda: self._keep(epoch, seconds))

    def _keep(self, epoch: Epoch, seconds: float) -> None:
        self._run.append({**asdict(epoch), "seconds": round(seconds, 3)})
        with writing(self._run.tensorboard):
            self._board.write(
                {
                    "loss/train": epoch.train_loss,
                    "loss/validation": epoch.val_loss,
                    **{f"validation accuracy/{name}": value for name, value in epoch.val_accuracy.items()},
                },
                epoch.epoch,
            )

    @cached_property
    def _board(self) -> _Board:
        return _Board(self._run.tensorboard)


class _Board:
    """Curves for TensorBoard, whose own writer reports a full disk in a thread: as a traceback, and late or never."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._path = folder / f"events.out.tfevents.{time.time():.0f}.{platform.node()}.{os.getpid()}"
        self._append(file_version="brain.Event:2")

    def write(self, values: Mapping[str, float], step: int) -> None:
        points = [{"tag": tag, "simple_value": value} for tag, value in values.items()]
        self._append(step=step, summary={"value": points})

    def _append(self, **fields: Any) -> None:
        # Imported here, as off-the-shelf has no epochs.
        from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
        from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]

        with self._path.open("ab") as file:
            RecordWriter(file).write(Event(wall_time=time.time(), **fields).SerializeToString())
