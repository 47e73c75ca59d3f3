"""A model on disk: tensors and a description, which appear together or not at all."""

from __future__ import annotations

import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from arttl.documents import read_versioned
from arttl.errors import ArttlError
from arttl.files import whole_folder
from arttl.loading.preprocess import Preprocess
from arttl.meta_device import without_memory
from arttl.models.backbones import Backbone
from arttl.models.calibration import Calibration
from arttl.models.checks import check_finite, check_input_size
from arttl.runs import RunFolder
from arttl.tasks import TaskSet

if TYPE_CHECKING:
    from typing_extensions import Self

FORMAT_VERSION = 1
HEADS_FILE = "heads.safetensors"
"""Beside the `model.safetensors` of a folder for a hub, which then holds the backbone alone, in timm's names."""
BACKBONE_PREFIX = "backbone.network."
"""Of these tensors in the model."""


def find_model_folder(path: Path, name: str) -> Path | None:
    """The folder with `NAME.json` and `NAME.safetensors`: `path` itself, or its `best/` where it is a run folder."""
    for folder in (path, RunFolder(path).best):
        if all((folder / f"{name}{suffix}").is_file() for suffix in (".json", ".safetensors")):
            return folder
    return None


@dataclass(frozen=True)
class Provenance:
    """How a model came to be; saved with it and printed by the commands that use it."""

    mode: str = "untrained"
    """off-the-shelf, fine-tune or scratch."""
    weights: str = "none"
    """Where the backbone's first weights came from."""


class TrainedModel(nn.Module, ABC):
    """Networks and one head per task, with all that a prediction needs.

    Attributes:
        file_name: of `NAME.safetensors` and `NAME.json` in its folder.
        noun: what messages call it.
        heads: one per task.
        tasks: what is predicted.
        preprocesses: the evaluation transform of each argument of a call.
        provenance: how the model came to be.
        calibration: the temperatures of its tasks, saved and loaded with it; None before they are fitted.
        folder: that it was read from; None for a new one.
    """

    file_name: ClassVar[str]
    noun: ClassVar[str]
    heads: nn.Module

    def __init__(
        self, tasks: TaskSet, preprocesses: Sequence[Preprocess], provenance: Provenance | None
    ) -> None:
        """Begin a model without networks; the augmentation of its transforms is dropped."""
        super().__init__()
        self.tasks = tasks
        self.preprocesses = tuple(each.without_augmentation() for each in preprocesses)
        self.provenance = provenance or Provenance()
        self.calibration: Calibration | None = None
        self.folder: Path | None = None

    @property
    def temperatures(self) -> Mapping[str, float]:
        """Task name to the temperature of its calibration, for tasks that have one."""
        return self.calibration.temperatures if self.calibration else {}

    @property
    @abstractmethod
    def networks(self) -> tuple[Backbone, ...]:
        """The backbones, one per argument of a call."""

    @abstractmethod
    def features(self, *images: torch.Tensor) -> list[torch.Tensor]:
        """What all tasks share, [B, D] each, of images [B, 3, H, W], normalised as `preprocesses` says."""

    @abstractmethod
    def logits(self, features: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Task name to logits [B, Q], from `features`."""

    @abstractmethod
    def head_of(self, task: str) -> nn.Module:
        """The head of a task, by name."""

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """What `build` needs besides the tasks and the provenance; JSON-ready."""

    @classmethod
    @abstractmethod
    def build(cls, description: Mapping[str, Any]) -> Self:
        """A model from the description in its folder, with random weights.

        Raises:
            ArttlError, RuntimeError, ValueError: for one that cannot be built.
        """

    def forward(self, *images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits of every task.

        Args:
            images: for each of `preprocesses` [B, 3, H, W], the same pictures, normalised as it says.

        Returns:
            Task name to logits [B, Q].
        """
        return self.logits(self.features(*images))

    def save(self, folder: Path) -> None:
        """Write the weights, the description and any `calibration.json`; a folder appears whole or not at all.

        Args:
            folder: replaced if it exists.

        Raises:
            ArttlError: if it cannot be written.
        """
        with whole_folder(folder) as unfinished:
            save_tensors(unfinished / f"{self.file_name}.safetensors", self.state_dict())
            self.save_description(unfinished)

    def save_description(self, folder: Path) -> None:
        """Write `NAME.json` and any `calibration.json`, beside the weights and within a block of `whole_folder`."""
        description = {
            "format_version": FORMAT_VERSION,
            **self.description(),
            "provenance": asdict(self.provenance),
            **self.tasks.to_dict(),
        }
        text = json.dumps(description, ensure_ascii=False, indent=1) + "\n"
        (folder / f"{self.file_name}.json").write_text(text, encoding="utf-8")
        if self.calibration is not None:
            self.calibration.save(folder)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The inverse of `save`.

        Args:
            folder: that holds the files.

        Returns:
            The model in evaluation mode, on the CPU.

        Raises:
            ArttlError: if a file cannot be read, is of another version, or does not fit the description.
        """
        path = folder / f"{cls.file_name}.json"
        description = read_versioned(path, dict[str, Any], FORMAT_VERSION, cls.noun)
        try:
            files = tensor_files(folder, cls.file_name)
            with without_memory():
                check_shapes(cls.build(description), files)
            model = cls.build(description)
            model.load_state_dict(
                {
                    prefix + name: tensor
                    for path, prefix in files.items()
                    for name, tensor in load_file(path).items()
                }
            )
            for network, preprocess in zip(model.networks, model.preprocesses, strict=True):
                check_input_size(network, preprocess.size, "it an input of")
        except (ArttlError, OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise ArttlError(f"the {cls.noun} in {folder} cannot be read: {first_line(error)}") from error
        check_finite(model, f"the weights of the {cls.noun} in {folder}")
        model.calibration = Calibration.load(folder)
        model.folder = folder
        return model.eval()


def tensor_files(folder: Path, name: str) -> dict[Path, str]:
    """The files of a model's tensors, each with what comes before its names in the model.

    Args:
        folder: of the model.
        name: the model's `file_name`.
    """
    tensors, heads = folder / f"{name}.safetensors", folder / HEADS_FILE
    return {tensors: BACKBONE_PREFIX, heads: ""} if name == "model" and heads.is_file() else {tensors: ""}


def check_shapes(model: nn.Module, files: Mapping[Path, str], description: str = "") -> None:
    """Compare a model with the headers of its tensors, before either takes memory.

    Args:
        model: built on the meta device: a description alone can ask for any number of classes or the largest network.
        files: see `tensor_files`.
        description: the file that describes the model; by default the first of `files`, but for the suffix.

    Raises:
        ValueError: naming the first tensor that differs.
    """
    described = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    stored: dict[str, tuple[int, ...]] = {}
    for path, prefix in files.items():
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118
                stored[prefix + name] = tuple(file.get_slice(name).get_shape())
    names = " and ".join(path.name for path in files)
    description = description or f"{next(iter(files)).stem}.json"
    for name in (*described, *stored):
        of_file, of_description = stored.get(name, "none"), described.get(name, "none")
        if of_file != of_description:
            raise ValueError(
                f"{name} has the shape {of_file} in {names} and {of_description} by {description}"
            )


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its name where it has none."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def save_tensors(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write a safetensors file, within a block of `whole_file` or `whole_folder`.

    A tensor that several layers share, as CoaT's do, is written under each of its names.

    Raises:
        OSError: if it cannot be written.
    """
    tensors: dict[str, torch.Tensor] = {}
    memory: set[int] = set()
    for name, tensor in state.items():
        own = tensor.detach().cpu().contiguous()
        address = own.untyped_storage().data_ptr()
        tensors[name] = own.clone() if address in memory else own  # safetensors refuses shared memory
        memory.add(address)
    try:
        save_file(tensors, path)
    except SafetensorError as error:  # how it reports a full disk, with Rust's words around the number
        number = re.search(r"\(os error (\d+)\)", str(error))
        raise (
            OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(str(error))
        ) from error
