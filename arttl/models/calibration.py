"""The temperatures of a model's tasks, a file of the model's folder."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from arttl.documents import read_versioned
from arttl.errors import ArttlError
from arttl.files import write_json

FILE = "calibration.json"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class TaskCalibration:
    """One task's temperature and what it did on the samples that it was fitted on.

    Attributes:
        temperature: what logits are divided by before the softmax or sigmoid; above 1 for an overconfident model.
        error_before, error_after: expected calibration error, 0 to 1.
        n: samples.
    """

    temperature: float
    error_before: float
    error_after: float
    n: int

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"a temperature of {self.temperature}")


@dataclass(frozen=True)
class Calibration:
    """The temperatures of a model's tasks, kept with its weights; `arttl.inference.calibration` fits them.

    Attributes:
        split: what they were fitted on.
        tasks: task name to calibration; a number has none, nor has a task with too few samples.
    """

    split: str
    tasks: Mapping[str, TaskCalibration]

    @property
    def temperatures(self) -> dict[str, float]:
        """Task name to temperature."""
        return {name: task.temperature for name, task in self.tasks.items()}

    def save(self, folder: Path) -> None:
        """Write `calibration.json` into the folder of a saved model; it appears whole."""
        described = {
            "format_version": FORMAT_VERSION,
            "split": self.split,
            "tasks": {name: asdict(task) for name, task in self.tasks.items()},
        }
        write_json(folder / FILE, described)

    @classmethod
    def load(cls, folder: Path) -> Calibration | None:
        """Read a model folder's calibration; None where it has none.

        Raises:
            ArttlError: if the file is not a calibration.
        """
        path = folder / FILE
        if not path.is_file():
            return None
        try:
            record = read_versioned(path, _Record, FORMAT_VERSION, "calibration")
        except ArttlError as error:
            raise ArttlError(f"{error}; without the file the model is used uncalibrated") from error
        return cls(record.split, record.tasks)


@dataclass(frozen=True)
class _Record:
    format_version: int
    split: str
    tasks: dict[str, TaskCalibration]

    def __post_init__(self) -> None:
        check_temperatures(task.temperature for task in self.tasks.values())


def check_temperatures(temperatures: Iterable[float]) -> None:
    """Check temperatures of a file: logits stay finite when they are divided by them.

    Raises:
        ValueError: for one that is not from a millionth to a million.
    """
    for temperature in temperatures:
        if not 1e-6 <= temperature <= 1e6:
            raise ValueError(f"a temperature of {temperature}")
