"""Whether an exported network gives what the model gives, on pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from arttl.errors import ArttlError
from arttl.export.network import Input
from arttl.inference.labels import probabilities
from arttl.inference.picture_files import FileBatch, read_batches
from arttl.inference.predict import finite_logits
from arttl.loading.preprocess import Preprocess
from arttl.models import TrainedModel
from arttl.pictures.decoding import looks_like_a_picture
from arttl.pictures.picture_file import PictureFile
from arttl.sources.synthetic import drawn_objects
from arttl.tasks import Task

LARGEST_DIFFERENCE = 1e-4
"""Of a probability, in relation to the picture's largest one; of a number, in standard deviations."""
MOST_PICTURES = 16
_DRAWN = 8

Outputs: TypeAlias = dict[str, npt.NDArray[Any]]
Run: TypeAlias = Callable[[Sequence[torch.Tensor]], Outputs]


@dataclass(frozen=True)
class Pictures:
    """Pictures to compare on.

    Attributes:
        count: N.
        text: what they are, for a person.
        squares: for each input of the exported network [N, 3, size, size] between 0 and 1.
        normalised: for each input of the model the same pictures, normalised as it expects them.
    """

    count: int
    text: str
    squares: tuple[torch.Tensor, ...]
    normalised: tuple[torch.Tensor, ...]

    @classmethod
    def drawn(cls, inputs: Sequence[Input], preprocesses: Sequence[Preprocess]) -> Pictures:
        """Drawn objects, always the same ones."""
        pictures = [np.array(each.photograph.picture) for each in drawn_objects(_DRAWN)]
        squares, normalised = (
            tuple(torch.stack([preprocess.apply(picture) for picture in pictures]) for preprocess in each)
            for each in ([each.square for each in inputs], preprocesses)
        )
        return cls(len(pictures), f"{len(pictures)} drawn pictures", squares, normalised)

    @classmethod
    def read(cls, folder: Path, inputs: Sequence[Input], preprocesses: Sequence[Preprocess]) -> Pictures:
        """The first pictures of a folder and the folders in it, by name.

        Raises:
            ArttlError: if there are none that can be read.
        """
        if not folder.is_dir():
            raise ArttlError(f"--pictures {folder} is not a folder")
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        paths = list(
            islice((path for path in files if looks_like_a_picture(PictureFile(path))), MOST_PICTURES)
        )
        if not paths:
            raise ArttlError(f"--pictures {folder} holds no pictures")
        transforms = [*(each.square for each in inputs), *preprocesses]
        files_of = FileBatch(0, {number: PictureFile(path) for number, path in enumerate(paths)})
        ((_, images, problems),) = read_batches([files_of], transforms, threads=1)
        if not images:
            raise ArttlError(
                f"--pictures {folder} holds no picture that can be read: {paths[0].name} is {problems[0]}"
            )
        count = len(images[0])
        unread = f", {len(problems)} more cannot be read" if problems else ""
        text = f"{count} pictures of {folder}{unread}"
        return cls(count, text, images[: len(inputs)], images[len(inputs) :])


@torch.inference_mode()
def expected_outputs(model: TrainedModel, pictures: Pictures) -> Outputs:
    """What the model predicts, by the way that all commands take: task name to [N, Q], of a number [N]."""
    logits = finite_logits(model(*pictures.normalised))
    temperatures = model.temperatures
    outputs: Outputs = {}
    for task in model.tasks:
        of_task = logits[task.name].astype(np.float64)
        outputs[task.name] = (
            task.statistics.restore(of_task[:, 0])
            if task.kind == "number"
            else probabilities(task, of_task, temperatures.get(task.name, 1.0))
        )
    return outputs


def compare(model: TrainedModel, pictures: Pictures, run: Run, what: str) -> float:
    """The largest difference between a model and its export, see `LARGEST_DIFFERENCE`.

    Args:
        model: in evaluation mode, on the CPU.
        pictures: that both are given, all at once and the first alone.
        run: the export: squares to outputs by task name.
        what: the export is called.

    Raises:
        ArttlError: if they differ by more than is allowed.
    """
    expected = expected_outputs(model, pictures)
    largest = 0.0
    for count in (pictures.count, 1):
        outputs = run([squares[:count] for squares in pictures.squares])
        for task in model.tasks:
            difference = _difference(task, expected[task.name][:count], outputs)
            if not difference <= LARGEST_DIFFERENCE:  # NaN too
                raise ArttlError(
                    f"the {what} is not written, since its {task.name!r} differs from the model's by {difference:.2g}"
                    f" on {pictures.text}, and at most {LARGEST_DIFFERENCE:g} is allowed: export with another version"
                    " of torch, or --to huggingface"
                )
            largest = max(largest, difference)
    return largest


def _difference(task: Task, expected: npt.NDArray[Any], outputs: Mapping[str, npt.NDArray[Any]]) -> float:
    actual = outputs[task.name]
    if actual.shape != expected.shape:
        return float("nan")
    error = np.abs(actual - expected)
    if task.kind != "number":
        return float((error / expected.max(1, keepdims=True)).max())
    rounding = np.abs(expected) * np.finfo(np.float32).eps  # of a year in float32
    return float((np.maximum(error - rounding, 0) / task.statistics.std).max())
