"""The network that is exported: from RGB between 0 and 1 to what a person reads, with all arithmetic inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from arttl.errors import ArttlError, one_line
from arttl.loading.preprocess import Preprocess
from arttl.models import TrainedModel
from arttl.tasks import Task

_MOST_PICTURES = 2**31 - 1  # of a batch; without a limit torch 2.6 finds that some number does not fit


@dataclass(frozen=True)
class Input:
    """An input of the exported network.

    Attributes:
        name: `image`, or `image_1`, `image_2`, ... where there are several.
        square: how a picture becomes [3, size, size] between 0 and 1; its mean is 0 and its std 1.
    """

    name: str
    square: Preprocess

    @property
    def steps(self) -> str:
        """What is done to a picture before, in words."""
        return str(self.square).rpartition(" | ")[0]


def distinct_squares(preprocesses: Sequence[Preprocess]) -> tuple[Preprocess, ...]:
    """The transforms without their normalisation, each once: what differs in that alone takes one input."""
    return tuple(dict.fromkeys(map(_square, preprocesses)))


def _square(preprocess: Preprocess) -> Preprocess:
    return replace(preprocess, mean=(0.0,) * 3, std=(1.0,) * 3)


class ExportedNetwork(nn.Module):
    """A model with its normalisation before it, and its temperatures and scales behind.

    Attributes:
        inputs: one per distinct square.
    """

    def __init__(self, model: TrainedModel) -> None:
        """Wrap a model, which stays as it is.

        Args:
            model: in evaluation mode, on the CPU.

        Raises:
            ArttlError: if it predicts nothing, or a task has no name.
        """
        super().__init__()
        if not len(model.tasks):
            raise ArttlError(
                "the model has no tasks, so that it predicts nothing: train it, or name another --model"
            )
        if "" in model.tasks:
            raise ArttlError(
                "a task of the model has an empty name, which no output can have: train it with another"
            )
        self.model = model
        squares = distinct_squares(model.preprocesses)
        self.inputs = tuple(map(Input, _names_of_inputs(model.tasks.names, len(squares)), squares))
        self._input_of = [squares.index(_square(preprocess)) for preprocess in model.preprocesses]
        calibration = model.calibration
        self._temperatures = {} if calibration is None else calibration.temperatures
        means, stds = zip(*((each.mean, each.std) for each in model.preprocesses), strict=True)
        self.input_means: torch.Tensor  # [I, 1, 3, 1, 1]
        self.input_stds: torch.Tensor
        self.register_buffer("input_means", torch.tensor(means)[:, None, :, None, None])
        self.register_buffer("input_stds", torch.tensor(stds)[:, None, :, None, None])

    def forward(self, *images: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the model predicts.

        Args:
            images: for each of `inputs` [B, 3, size, size], RGB between 0 and 1.

        Returns:
            Task name to calibrated probabilities [B, Q], as `arttl.inference.labels.probabilities` gives them; of a
            number its value [B], in its own unit.
        """
        normalised = [
            (images[index] - mean) / std
            for index, mean, std in zip(self._input_of, self.input_means, self.input_stds, strict=True)
        ]
        logits = self.model(*normalised)
        return {task.name: self._prediction(task, logits[task.name]) for task in self.model.tasks}

    def _prediction(self, task: Task, logits: torch.Tensor) -> torch.Tensor:
        if task.kind == "number":
            return task.statistics.restore(logits[:, 0])
        scaled = logits / self._temperatures.get(task.name, 1.0)
        return scaled.softmax(1) if task.kind == "single-label" else scaled.sigmoid()

    @torch.no_grad()
    def program(self) -> torch.export.ExportedProgram:
        """The network as one graph of torch's operators, for any number of pictures.

        Raises:
            ArttlError: for a network of which torch makes no such graph.
        """
        batch = torch.export.Dim("batch", min=1, max=_MOST_PICTURES)
        examples = tuple(torch.zeros(2, 3, each.square.size, each.square.size) for each in self.inputs)
        try:
            program = torch.export.export(
                self, examples, dynamic_shapes=(({0: batch},) * len(examples),), strict=False
            )
        except Exception as error:  # torch and the networks raise whatever their Python code leads to
            names = " and ".join(network.name for network in self.model.networks)
            raise ArttlError(
                f"torch.export makes no graph of {names} for batches of any size ({one_line(error)}): use --to"
                " huggingface, or another backbone"
            ) from error
        for node in program.graph.nodes:
            for key in ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node"):
                node.meta.pop(key, None)  # with the paths of this machine
        return program


def _names_of_inputs(tasks: Sequence[str], count: int) -> list[str]:
    """Names that no task has."""
    name = "image"
    while True:
        names = [name] if count == 1 else [f"{name}_{index}" for index in range(1, count + 1)]
        if not set(names) & set(tasks):
            return names
        name += "_"
