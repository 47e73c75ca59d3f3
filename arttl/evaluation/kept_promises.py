"""What became of a model's promises on objects whose labels are known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.table import Table
from rich.text import Text

from arttl.evaluation.bootstrap import exact_interval
from arttl.evaluation.report import empty_table, interval_text, measure_text
from arttl.inference.calibration import calibration_error
from arttl.inference.neighbours import unit_length
from arttl.inference.outside import KEPT
from arttl.inference.predictions import Predictions
from arttl.inference.suggestions import Suggester, Suggestion
from arttl.tasks import Task, TaskKind, is_labelled


@dataclass(frozen=True)
class Share:
    """So many of so many.

    Attributes:
        count: how many.
        of: of how many.
    """

    count: int
    of: int

    @property
    def value(self) -> float:
        """0 to 1; NaN of none."""
        return self.count / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95% interval of a binomial share (Clopper and Pearson 1934)."""
        return exact_interval(self.count, self.of)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form; without a value where there is none."""
        known = {"value": self.value, "interval": list(self.interval)} if self.of else {}
        return {"count": self.count, "of": self.of, **known}


@dataclass(frozen=True)
class KeptPromises:
    """What became of the promises of one task; every figure is of objects.

    Attributes:
        kind: of the task.
        suggested: objects that got a suggestion, of those with a label.
        right: suggestions that are right, of all; one for an object whose label is no class of the model is wrong.
        in_sets: objects whose label is in its set or interval, of those whose label is a class or a number.
        outside: objects that were called that, of those with a label.
        set_size: mean number of labels in a set; of a number, the width of the interval. NaN of no object.
        calibration_error: of the calibrated probabilities, see `calibration_error`; None for a number or no object.
        institutions: the same by institution, where several have objects with a label.
    """

    kind: TaskKind
    suggested: Share
    right: Share
    in_sets: Share
    outside: Share
    set_size: float
    calibration_error: float | None
    institutions: Mapping[str, KeptPromises] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        described: dict[str, Any] = {
            name: getattr(self, name).to_dict() for name in ("suggested", "right", "in_sets", "outside")
        }
        if self.set_size == self.set_size:
            described["set_size"] = self.set_size
        if self.calibration_error is not None:
            described["calibration_error"] = self.calibration_error
        if self.institutions:
            described["institutions"] = {name: each.to_dict() for name, each in self.institutions.items()}
        return described


def measure_promises(
    predictions: Predictions,
    features: torch.Tensor,
    suggester: Suggester,
    institutions: Sequence[str | None] = (),
) -> dict[str, KeptPromises]:
    """Measure what became of promises; each object counts once, with one of its photographs or the mean over all.

    Args:
        predictions: of a split that the model has not seen, of all objects with a catalogued label, with the model's
            temperatures.
        features: [N, D], of the same samples.
        suggester: with the promises, of single photographs or of objects.
        institutions: of each sample; empty or all of one: nothing is measured by institution.

    Returns:
        By name of the task.
    """
    objects = predictions.objects
    chosen = objects.chosen
    if suggester.per_object:
        logits = {
            name: objects.mean(torch.from_numpy(of_task)).numpy()
            for name, of_task in predictions.logits.items()
        }
        features = objects.mean(unit_length(features))
    else:
        logits = {name: of_task[chosen] for name, of_task in predictions.logits.items()}
        features = features[chosen]
    suggestions = suggester.suggest(logits, features)
    names = np.array(
        [institutions[index] or "unknown" for index in chosen] if institutions else [], dtype=object
    )
    measured = {}
    for task in predictions.tasks:
        catalogued = predictions.catalogued[task.name]
        columns = _Columns(
            task,
            [suggestion[task.name] for suggestion in suggestions],
            [catalogued[index] for index in chosen],
            logits[task.name],
            predictions.targets[task.name][chosen],
            predictions.temperatures.get(task.name, 1.0),
        )
        of_all = columns.measure(np.ones(len(chosen), dtype=bool))
        by_name = {name: columns.measure(names == name) for name in sorted(set(names.tolist()))}
        by_name = {name: each for name, each in by_name.items() if each.outside.of}
        measured[task.name] = replace(of_all, institutions=by_name) if len(by_name) > 1 else of_all
    return measured


_SETS = "label in its set", "labels in a set"


def promises_table(promises: Mapping[str, KeptPromises], precision: float, coverage: float) -> Table:
    """A block of rows per task: what was promised and what was measured, in per cent.

    Args:
        promises: by name of the task.
        precision, coverage: that were promised, 0 to 1.
    """
    table = empty_table(
        ("task", "objects"),
        ("promised", "measured", "95% interval", "of"),
        title="Promises, per cent",
        title_style="bold",
        caption="each object once; a suggestion for a label that is no class of the model is wrong",
    )
    for name, kept in promises.items():
        rows: list[tuple[str, str, Share]] = []
        if kept.kind != "number":
            rows += [
                ("suggested", "", kept.suggested),
                ("suggestion right", f"at least {100 * precision:g}", kept.right),
            ]
        held, size_of = ("in its interval", "interval width") if kept.kind == "number" else _SETS
        rows += [
            (held, f"at least {100 * coverage:g}", kept.in_sets),
            ("outside", f"at most {100 * (1 - KEPT):g}", kept.outside),
        ]
        for text, (what, promised, share) in zip(chain([name], repeat("")), rows, strict=False):
            interval = interval_text("accuracy", *share.interval) if share.of else ""
            table.add_row(
                text, what, promised, measure_text("accuracy", share.value), interval, f"{share.of:,}"
            )
        size = "–" if math.isnan(kept.set_size) else f"{kept.set_size:.1f}"
        table.add_row("", size_of, "", size, "", "")
        table.add_section()
    return table


def institutions_table(promises: Mapping[str, KeptPromises]) -> Table | None:
    """A row per task and institution; None where there are not several."""
    table = empty_table(
        ("task and institution",),
        ("objects", "suggested", "right", "in sets", "outside", "calibration\nerror"),
        title="Promises by institution, per cent",
        title_style="bold",
    )
    for name, kept in promises.items():
        if kept.institutions:
            table.add_row(name)
        for institution, each in kept.institutions.items():
            error = math.nan if each.calibration_error is None else each.calibration_error
            shares = [share.value for share in (each.suggested, each.right, each.in_sets, each.outside)]
            figures = [measure_text("accuracy", value) for value in (*shares, error)]
            # As text: a museum's name may hold what rich takes for markup.
            table.add_row(Text(f"  {institution}"), f"{each.suggested.of:,}", *figures)
        table.add_section()
    return table if table.row_count else None


class _Columns:
    """What happened to each of N objects in one task."""

    def __init__(
        self,
        task: Task,
        suggestions: Sequence[Suggestion],
        catalogued: Sequence[tuple[str, ...] | None],
        logits: npt.NDArray[Any],
        targets: npt.NDArray[Any],
        temperature: float,
    ) -> None:
        self._task, self._logits, self._targets, self._temperature = task, logits, targets, temperature
        self._of_class = is_labelled(targets)
        self._known = np.array([labels is not None for labels in catalogued], dtype=bool)
        self._outside = np.array([each.status == "outside" for each in suggestions], dtype=bool)
        self._suggested = np.array([each.status == "suggested" for each in suggestions], dtype=bool)
        truths = [
            _classes(task, target) if known else set()
            for target, known in zip(targets, self._of_class, strict=True)
        ]
        self._right = np.array(
            [set(each.prediction.names) <= truth for each, truth in zip(suggestions, truths, strict=True)],
            dtype=bool,
        )
        if task.kind == "number":
            ends = np.array([each.interval or (math.nan, math.nan) for each in suggestions]).reshape(-1, 2)
            self._inside = (ends[:, 0] <= targets) & (targets <= ends[:, 1])
            self._size = ends[:, 1] - ends[:, 0]
        else:
            sets = [set(each.candidates or ()) for each in suggestions]
            self._inside = np.array(
                [truth <= members for truth, members in zip(truths, sets, strict=True)], dtype=bool
            )
            self._size = np.array([len(members) for members in sets], dtype=np.float64)

    def measure(self, chosen: npt.NDArray[np.bool_]) -> KeptPromises:
        """Of the chosen objects, [N] bool."""
        known, of_class = chosen & self._known, chosen & self._of_class
        suggested = known & self._suggested
        has_error = self._task.kind != "number" and of_class.any()
        return KeptPromises(
            kind=self._task.kind,
            suggested=_share(suggested, known),
            right=_share(self._right, suggested),
            in_sets=_share(self._inside, of_class),
            outside=_share(self._outside, known),
            set_size=float(self._size[of_class].mean()) if of_class.any() else math.nan,
            calibration_error=calibration_error(
                self._task, self._logits[of_class], self._targets[of_class], self._temperature
            )
            if has_error
            else None,
        )


def _share(happened: npt.NDArray[np.bool_], of: npt.NDArray[np.bool_]) -> Share:
    return Share(int((happened & of).sum()), int(of.sum()))


def _classes(task: Task, target: Any) -> set[str]:
    """The names of the classes of one target; none for a number."""
    if task.kind == "number":
        return set()
    classes = task.vocabulary.classes
    if task.kind == "single-label":
        return {classes[int(target)]}
    return {classes[index] for index in np.flatnonzero(target > 0.5).tolist()}
