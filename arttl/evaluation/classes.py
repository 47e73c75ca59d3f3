"""What happens to each class: the table of classes, and accuracy by how many training samples a class has."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from arttl.files import whole_file
from arttl.inference.labels import decide_labels
from arttl.inference.predictions import Predictions
from arttl.shards.csv_files import safe_cell
from arttl.tasks import Task

MANY, FEW = 100, 20
"""More training samples than the first make a class one of many, fewer than the second one of few (Liu et al. 2019)."""

COLUMNS = (
    "task",
    "class",
    "train",
    "samples",
    "precision",
    "recall",
    "f1",
    "most_often_mistaken_for",
    "times_mistaken_for_it",
)


@dataclass(frozen=True)
class Band:
    """The classes of one size.

    Attributes:
        name: `many`, `medium` or `few`.
        classes: of this size with a sample measured.
        n: samples of these classes; of a multi-label task, labels.
        accuracy: the share of them whose class (label) was predicted.
        balanced_accuracy: the mean over the classes of that share.
    """

    name: str
    classes: int
    n: int
    accuracy: float
    balanced_accuracy: float

    @property
    def training_samples(self) -> str:
        """The size in words."""
        return {"many": f"more than {MANY}", "medium": f"{FEW} to {MANY}", "few": f"fewer than {FEW}"}[
            self.name
        ]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {**self.__dict__, "training_samples": self.training_samples}


@dataclass(frozen=True)
class ClassRow:
    """One class of one task; ratios without a denominator are None.

    Attributes:
        name: of the class.
        train: training samples that carry it.
        samples: samples measured that carry it.
        precision, recall, f1: of the class against all others.
        mistaken_for: the class most often predicted where it was missed; None where it never was.
        mistaken: how often.
    """

    name: str
    train: int
    samples: int
    precision: float | None
    recall: float | None
    f1: float | None
    mistaken_for: str | None
    mistaken: int


def class_bands(task: Task, logits: npt.NDArray[Any], targets: npt.NDArray[Any]) -> tuple[Band, ...]:
    """Accuracy by size of the classes in the training split; sizes without a sample are left out.

    Args:
        task: a single-label or multi-label task.
        logits: [N, Q], of labelled samples only.
        targets: [N] integers or [N, Q] of 0 and 1.
    """
    present, predicted = _as_sets(task, logits, targets)
    support, hits = present.sum(0), (present & predicted).sum(0)
    train = np.asarray(task.vocabulary.counts)
    sizes = {"many": train > MANY, "medium": (train >= FEW) & (train <= MANY), "few": train < FEW}
    bands = []
    for name, of_size in sizes.items():
        measured = of_size & (support > 0)
        if measured.any():
            recall, total = hits[measured] / support[measured], int(support[measured].sum())
            share = float(hits[measured].sum() / total)
            bands.append(Band(name, int(measured.sum()), total, share, float(recall.mean())))
    return tuple(bands)


def class_rows(task: Task, logits: npt.NDArray[Any], targets: npt.NDArray[Any]) -> Iterator[ClassRow]:
    """A row per class of the vocabulary, in its order.

    Args:
        task: a single-label or multi-label task.
        logits: [N, Q], of labelled samples only.
        targets: [N] integers or [N, Q] of 0 and 1.
    """
    present, predicted = _as_sets(task, logits, targets)
    names = task.vocabulary.classes
    for index, name in enumerate(names):
        of_class, as_class = present[:, index], predicted[:, index]
        hits, support, predictions = (
            int((of_class & as_class).sum()),
            int(of_class.sum()),
            int(as_class.sum()),
        )
        missed = of_class & ~as_class
        wrong = (predicted[missed] & ~present[missed]).sum(0)
        worst = int(wrong.argmax())
        yield ClassRow(
            name=name,
            train=task.vocabulary.counts[index],
            samples=support,
            precision=hits / predictions if predictions else None,
            recall=hits / support if support else None,
            f1=2 * hits / (support + predictions) if support + predictions else None,
            mistaken_for=names[worst] if wrong[worst] else None,
            mistaken=int(wrong[worst]),
        )


def class_tables(predictions: Predictions) -> dict[str, list[ClassRow]]:
    """Task name to the rows of its classes, of every task that has classes."""
    return {
        task.name: list(class_rows(task, *predictions.labelled(task)[1:]))
        for task in predictions.tasks
        if task.kind != "number"
    }


def write_classes(path: Path, tasks: Mapping[str, Sequence[ClassRow]]) -> None:
    """Write the classes of all tasks as one CSV table (UTF-8, RFC 4180); it appears whole.

    Args:
        path: the file.
        tasks: task name to its classes.
    """
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for task, rows in tasks.items():
            for row in rows:
                ratios = [
                    None if value is None else f"{value:.4f}" for value in (row.precision, row.recall, row.f1)
                ]
                counts = (row.train, row.samples)
                cells = [task, row.name, *counts, *ratios, row.mistaken_for, row.mistaken]
                writer.writerow(map(safe_cell, cells))


def per_cent(ratio: str, decimals: int) -> str:
    """A ratio as it stands in the file, in per cent; a dash where it has none.

    Args:
        ratio: a cell of `precision`, `recall` or `f1`, from 0 to 1, or empty.
        decimals: two at most, since the file has four.
    """
    try:
        return f"{100 * float(ratio):.{decimals}f}" if ratio else "–"
    except ValueError:
        return "–"


def _as_sets(
    task: Task, logits: npt.NDArray[Any], targets: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Catalogued and predicted labels, [N, Q] bool each, for either kind."""
    if task.kind == "multi-label":
        return targets > 0.5, decide_labels(logits)
    classes = np.arange(len(task.vocabulary))
    return targets[:, None] == classes, logits.argmax(1)[:, None] == classes
