"""Checkpoints: all that a killed training needs to resume as if it had not been killed.

Tensors are safetensors and the rest is JSON, so that nothing is ever unpickled. Accelerate's own checkpoints are not
used: they keep the first rank's objects only, and unpickle them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import nn

from arttl.documents import read_versioned
from arttl.errors import ArttlError, counted, one_line
from arttl.files import make_folder, remove, whole_file, whole_folder
from arttl.models.folders import save_tensors
from arttl.runs import on_first_rank
from arttl.training.balancing import Balancing

FORMAT_VERSION = 3
_NAME = re.compile(r"step-[0-9]{9}")


@dataclass(frozen=True)
class Epoch:
    """The measures of one epoch."""

    epoch: int
    """From 1."""
    train_loss: float
    """Mean over steps."""
    val_loss: float
    """Sum over tasks of the mean over the validation split's labelled samples."""
    val_accuracy: dict[str, float]
    """Task name to accuracy on the validation split (single-label tasks)."""
    best: bool
    """Whether no earlier epoch had a lower validation loss."""


@dataclass
class Progress:
    """The progress of a training."""

    epoch: int = 1
    """The current epoch, from 1."""
    steps: int = 0
    """Optimizer steps done since the beginning."""
    losses: list[float] = field(default_factory=list)
    """This rank's losses of the steps done in this epoch."""
    history: list[Epoch] = field(default_factory=list)
    """The epochs that are done."""

    @property
    def best(self) -> Epoch | None:
        """The epoch with the lowest validation loss so far."""
        return next((epoch for epoch in reversed(self.history) if epoch.best), None)


@dataclass(frozen=True)
class _ProgressRecord:
    epoch: int
    steps: int
    losses: list[list[float]]
    """Of each rank."""
    history: list[Epoch]

    def __post_init__(self) -> None:
        numbers = [epoch.epoch for epoch in self.history]
        if [*numbers, self.epoch] != list(range(1, len(numbers) + 2)):
            raise ValueError(f"epoch {self.epoch} is not the one after those in its history")


@dataclass(frozen=True)
class _OptimizerRecord:
    values: dict[str, Any]
    groups: list[dict[str, Any]]


@dataclass(frozen=True)
class _State:
    """`state.json`."""

    format_version: int
    ranks: int
    progress: _ProgressRecord
    loader: dict[str, Any]
    optimizer: _OptimizerRecord
    balancing: dict[str, Any]
    scaler: dict[str, Any] | None

    def __post_init__(self) -> None:
        if len(self.progress.losses) != self.ranks:
            raise ValueError(f"it has the losses of {len(self.progress.losses)} of {self.ranks} processes")


@dataclass(frozen=True)
class Learner:
    """All that changes in training."""

    module: nn.Module
    """Not wrapped for ranks."""
    optimizer: torch.optim.Optimizer
    """Of its parameters."""
    average: nn.Module | None
    """The module's moving average."""
    balancing: Balancing
    """The weights of the tasks."""


class Checkpoints:
    """The checkpoints of one run, in a folder of their own."""

    def __init__(self, folder: Path, accelerator: Accelerator, *, keep: int) -> None:
        """Use a folder.

        Args:
            folder: made when the first checkpoint is written.
            accelerator: saving and restoring concern all its ranks.
            keep: how many of the newest are kept, beside the best epoch's weights.
        """
        self._folder, self._accelerator, self._keep = folder, accelerator, keep

    def save(self, progress: Progress, learner: Learner, loader: Mapping[str, Any]) -> None:
        """Write a checkpoint; it appears whole or not at all. Every rank must call this.

        Args:
            progress: of the training.
            learner: all that training changes.
            loader: the training loader's state, the same on every rank.
        """
        random = self._random_states()
        losses = self._accelerator.gather(
            torch.tensor([progress.losses], dtype=torch.float64, device=self._device)
        )
        tensors, rest = _flat_optimizer(learner.optimizer)
        scaler = self._accelerator.scaler
        state = {
            "format_version": FORMAT_VERSION,
            "ranks": self._accelerator.num_processes,
            "progress": {**asdict(progress), "losses": losses.tolist()},
            "loader": dict(loader),
            "optimizer": rest,
            "balancing": learner.balancing.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else None,
        }

        def write() -> None:
            with whole_folder(self._folder / _name(progress.steps)) as unfinished:
                save_tensors(unfinished / "weights.safetensors", learner.module.state_dict())
                if learner.average is not None:
                    save_tensors(unfinished / "average.safetensors", learner.average.state_dict())
                save_tensors(unfinished / "optimizer.safetensors", tensors)
                save_tensors(unfinished / "random.safetensors", random)
                (unfinished / "state.json").write_text(json.dumps(state), encoding="utf-8")
            self._prune()

        on_first_rank(write)

    def save_best(self, epoch: int, state: Mapping[str, torch.Tensor]) -> None:
        """Keep the weights of the best epoch so far. Every rank must call this."""

        def write() -> None:
            make_folder(self._folder)
            with whole_file(self._best(epoch)) as unfinished:
                save_tensors(unfinished, state)

        on_first_rank(write)

    def restore(
        self, learner: Learner
    ) -> tuple[Progress, dict[str, Any], dict[str, torch.Tensor] | None] | None:
        """Restore the newest checkpoint. Every rank must call this.

        Returns:
            The progress, the loader's state, and the weights of the best epoch; None without a checkpoint.

        Raises:
            ArttlError: for a checkpoint of another number of ranks, or one that cannot be read.
        """
        if not (saved := self._saved()):
            return None
        folder = saved[-1]
        rank, ranks = self._accelerator.process_index, self._accelerator.num_processes
        state = _read_state(folder)
        if state.ranks != ranks:
            raise ArttlError(
                f"{folder} was written by {counted(state.ranks, 'process', 'processes')} and would be resumed by"
                f" {ranks}: launch as many again"
            )
        try:
            learner.module.load_state_dict(load_file(folder / "weights.safetensors"))
            if learner.average is not None:
                learner.average.load_state_dict(load_file(folder / "average.safetensors"))
            _restore_optimizer(
                learner.optimizer, load_file(folder / "optimizer.safetensors"), state.optimizer
            )
            learner.balancing.load_state_dict(state.balancing)
            if state.scaler is not None and self._accelerator.scaler is not None:
                self._accelerator.scaler.load_state_dict(state.scaler)
            saved_progress = state.progress
            progress = Progress(
                saved_progress.epoch,
                saved_progress.steps,
                saved_progress.losses[rank],
                saved_progress.history,
            )
            best = load_file(self._best(progress.best.epoch)) if progress.best else None
            random = load_file(folder / "random.safetensors")
            torch.set_rng_state(random[f"cpu-{rank}"])
            if self._device.type == "cuda":
                torch.cuda.set_rng_state(random[f"cuda-{rank}"], self._device)
        except Exception as error:  # safetensors and the optimizer raise whatever damaged values lead to
            raise _unreadable(folder, one_line(error)) from error
        return progress, state.loader, best

    @property
    def _device(self) -> torch.device:
        device: torch.device = self._accelerator.device
        return device

    def _best(self, epoch: int) -> Path:
        return self._folder / f"best-epoch-{epoch:04d}.safetensors"

    def _random_states(self) -> dict[str, torch.Tensor]:
        """The random states of every rank, gathered."""
        own = {"cpu": torch.get_rng_state()}
        if self._device.type == "cuda":
            own["cuda"] = torch.cuda.get_rng_state(self._device)
        states: dict[str, torch.Tensor] = {}
        for name, state in own.items():
            everyone = self._accelerator.gather(state[None].to(self._device)).cpu()
            states |= {f"{name}-{rank}": of_rank.clone() for rank, of_rank in enumerate(everyone)}
        return states

    def _saved(self) -> list[Path]:
        """The checkpoints that are whole, oldest first."""
        return sorted(path for path in self._folder.glob("step-*") if _NAME.fullmatch(path.name))

    def _prune(self) -> None:
        """Delete all but the newest few and the best epochs' weights that those need."""
        saved = self._saved()
        for path in saved[: -self._keep]:
            remove(path)
        needed = set()
        for path in saved[-self._keep :]:
            with suppress(ArttlError):  # resuming from a damaged one fails before it needs weights
                history = _read_state(path).progress.history
                needed |= set([self._best(epoch.epoch) for epoch in history if epoch.best][-1:])
        for path in set(self._folder.glob("best-epoch-*.safetensors")) - needed:
            remove(path)


def _flat_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """An optimizer's state as named tensors and JSON-ready values."""
    full = optimizer.state_dict()
    tensors, values = {}, {}
    for index, entries in full["state"].items():
        for name, value in entries.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{index}.{name}"] = value.detach().cpu().contiguous().clone()
            else:
                values[f"{index}.{name}"] = value
    return tensors, {"values": values, "groups": full["param_groups"]}


def _read_state(folder: Path) -> _State:
    """The `state.json` of a checkpoint.

    Raises:
        ArttlError: if it cannot be read, or is of another version.
    """
    try:
        state = read_versioned(folder / "state.json", _State, FORMAT_VERSION, "checkpoint")
    except ArttlError as error:
        raise _unreadable(folder, str(error)) from error
    if folder.name != _name(state.progress.steps):
        raise _unreadable(folder, f"it has {state.progress.steps} steps")
    return state


def _unreadable(folder: Path, reason: str) -> ArttlError:
    return ArttlError(f"the checkpoint {folder} cannot be read: {reason}; delete it to use the one before")


def _name(steps: int) -> str:
    return f"step-{steps:09d}"


def _restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], rest: _OptimizerRecord
) -> None:
    """The inverse of `_flat_optimizer`.

    Raises:
        KeyError, RuntimeError, TypeError, ValueError: for a state that is not of this optimizer.
    """
    own = optimizer.state_dict()["param_groups"]
    parameters = [group["params"] for group in own]
    if [group.get("params") for group in rest.groups] != parameters:
        raise ValueError("its optimizer has other groups of parameters")
    if both := rest.values.keys() & tensors.keys():
        raise ValueError(f"its optimizer has two values of {min(both)!r}")
    state: dict[int, dict[str, Any]] = {index: {} for group in parameters for index in group}
    for key, value in {**tensors, **rest.values}.items():
        index, _, name = key.partition(".")
        state[int(index)][name] = value
    # The groups' rates and decays are those of the run's settings, which are the same.
    used = {index: entries for index, entries in state.items() if entries}
    if any(entries.keys() != next(iter(used.values())).keys() for entries in used.values()):
        raise ValueError("its optimizer has different values for different parameters")
    if not all(torch.as_tensor(entries.get("step", 0)).min() >= 0 for entries in used.values()):
        raise ValueError("its optimizer has a negative number of steps")
    optimizer.load_state_dict({"state": used, "param_groups": own})
    for parameter, entries in optimizer.state.items():
        for name, value in entries.items():
            shape = () if name == "step" else parameter.shape
            if isinstance(value, torch.Tensor) and value.shape != shape:
                raise ValueError(f"the optimizer's {name} has the shape {tuple(value.shape)}")
    _match_layout(optimizer)


def _match_layout(optimizer: torch.optim.Optimizer) -> None:
    """Give each state tensor its parameter's memory layout, which files do not keep; mixed layouts are slow."""
    for parameter, entries in optimizer.state.items():
        for name, value in entries.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                entries[name] = torch.empty_like(parameter).copy_(value)
