"""What a run folder says about the model in it: how it was trained, and how well it does on the test split."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from arttl.documents import structured
from arttl.errors import ArttlError, counted
from arttl.evaluation.classes import COLUMNS
from arttl.evaluation.measures import CALIBRATION, MEASURES
from arttl.evaluation.report import interval_text, measure_name, measure_text
from arttl.export.description import last_part
from arttl.models import TrainedModel
from arttl.runs import RunFolder
from arttl.shards.csv_files import read_csv


@dataclass(frozen=True)
class TaskFigures:
    """One task's figures on the test split, as `TaskMetrics.to_dict` writes them.

    Attributes:
        n: samples measured.
        unknown_class: labelled samples left out, since the model has none of their classes.
        baseline: measure name to the value of always predicting what is most frequent.
        intervals: measure name to low and high.
        values: measure name to value.
    """

    n: int
    unknown_class: int
    baseline: dict[str, float]
    intervals: dict[str, tuple[float, ...]]
    values: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(len(ends) != 2 for ends in self.intervals.values()):
            raise ValueError("an interval has not two ends")


@dataclass(frozen=True)
class RunRecord:
    """A finished run.

    Attributes:
        folder: of the run.
        settings: that it was begun with.
        figures: task name to its figures on the test split.
        classes: task name to the rows of `classes.csv`, column to cell.
    """

    folder: RunFolder
    settings: Mapping[str, Any]
    figures: Mapping[str, TaskFigures]
    classes: Mapping[str, Sequence[Mapping[str, str]]]

    def samples(self) -> str:
        """What the figures are of, task by task."""
        return "; ".join(
            f"{name} on {counted(figures.n, 'sample')}"
            + (f" (not on {figures.unknown_class:,} of other classes)" if figures.unknown_class else "")
            for name, figures in self.figures.items()
        )

    def rows(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Task, measure, value, 95% interval and majority baseline of each figure, as texts."""
        known = {measure.name for group in (*MEASURES.values(), CALIBRATION) for measure in group}
        for name, figures in self.figures.items():
            for measure, value in figures.values.items():
                if measure in known:
                    low, high = figures.intervals.get(measure, (math.nan, math.nan))
                    baseline = figures.baseline.get(measure, math.nan)
                    yield (
                        name,
                        _name(measure),
                        measure_text(measure, value),
                        interval_text(measure, low, high),
                        "" if math.isnan(baseline) else measure_text(measure, baseline),
                    )

    def shown_settings(self) -> dict[str, str]:
        """The settings that say how the model came to be, as far as its command has them; paths without folders."""
        names = _SETTINGS if self.settings.get("mode") == "off-the-shelf" else _SETTINGS + _OF_EPOCHS
        shown = {name: self.settings.get(name) for name in names}
        return {name: last_part(str(value)) for name, value in shown.items() if value not in (None, "", [])}


# Of a model whatever its kind, and of one that was trained in epochs.
_SETTINGS = ("mode", "backbone", "weights", "input_size", "head", "inverse_l2", "keep", "seed")
_OF_EPOCHS = (
    *(
        "epochs",
        "batch_size",
        "learning_rate",
        "optimizer",
        "weight_decay",
        "label_smoothing",
        "logit_adjustment",
    ),
    *("augment", "mixup", "balancing"),
)


def _name(measure: str) -> str:
    text = measure_name(measure).strip()
    return f"{measure_name('ece')} {text}" if measure == "calibrated_ece" else text


def run_of(model: TrainedModel) -> RunRecord | None:
    """The finished run that a model lies in; None for a model's folder alone, or a run that is not done.

    Raises:
        ArttlError: if a file of the run cannot be read.
    """
    folder = None if model.folder is None else RunFolder(model.folder.absolute().parent)
    if folder is None or model.folder is None or folder.best.name != model.folder.name or not folder.is_done:
        return None
    where = f"the figures of {folder.path}"
    described = structured(folder.test(), _Figures, where, surplus=True).tasks
    figures = {}
    for name in model.tasks.names:
        if name in described:
            numbers = {key: value for key, value in described[name].items() if type(value) in (int, float)}
            record = structured(described[name], TaskFigures, f"{where}, task {name!r}", surplus=True)
            figures[name] = TaskFigures(
                record.n, record.unknown_class, record.baseline, record.intervals, numbers
            )
    return RunRecord(folder, folder.settings(), figures, _classes(folder, model))


def _classes(folder: RunFolder, model: TrainedModel) -> dict[str, list[dict[str, str]]]:
    rows: dict[str, list[dict[str, str]]] = {}
    try:
        for row in read_csv(folder.classes, COLUMNS):
            rows.setdefault(row["task"], []).append(row)
    except ArttlError as error:
        raise ArttlError(
            f"{str(error).partition(';')[0]}; train again, or give the folder of the model alone"
        ) from error
    return {name: rows[name] for name in model.tasks.names if name in rows}


@dataclass(frozen=True)
class _Figures:
    tasks: dict[str, dict[str, Any]]
