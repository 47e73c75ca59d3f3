"""What is printed of the labels of a collection after its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from rich.text import Text

from arttl.console import Console
from arttl.labelling.suspects import LabelCounts, sentences_on_institutions, sentences_on_labels


class TaskCounts(Protocol):
    """The labels of a task and how many samples of each split have them, [Q, 3]."""

    @property
    def name(self) -> str:
        """Of the task."""

    @property
    def classes(self) -> Sequence[str]:
        """Q labels."""

    @property
    def samples(self) -> npt.NDArray[np.int64]:
        """[Q, 3] samples."""


class LabelSettings(Protocol):
    """The settings of a source that have changed its labels."""

    @property
    def source(self) -> str:
        """Kind of metadata."""

    @property
    def label_separator(self) -> str | None:
        """What separates several labels in one cell."""

    @property
    def fold_case(self) -> bool:
        """Whether letter case is ignored."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """Labels that mean that nothing is known."""


def print_suspects(
    tasks: Iterable[TaskCounts],
    institutions: Mapping[str | None, npt.NDArray[np.int64]],
    settings: LabelSettings,
) -> None:
    """Print which labels of a collection a person should look at, and what changes them.

    Args:
        tasks: of the collection.
        institutions: museum to its [3] samples of each split.
        settings: of the source.
    """
    samples_of = {name: of_splits.sum() for name, of_splits in institutions.items() if name is not None}
    museums = LabelCounts(
        "institutions", list(samples_of), np.array(list(samples_of.values()), dtype=np.int64)
    )
    counts = [LabelCounts(task.name, task.classes, task.samples.sum(axis=1)) for task in tasks]
    console = Console()
    on_labels = sentences_on_labels(
        counts,
        fold_case=settings.fold_case,
        unknown=settings.unknown,
        separated=settings.source != "table" or settings.label_separator is not None,
    )
    for sentence in (*on_labels, *sentences_on_institutions(museums)):
        console.print(Text(sentence), soft_wrap=True)  # no line ends within, so that flags can be copied
