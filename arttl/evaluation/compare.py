"""Two models, or two ways of training, on the same samples: how far apart they are, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError, did_you_mean
from arttl.evaluation.bootstrap import (
    REPLICATES,
    Difference,
    group_column,
    groups_of,
    mcnemar,
    paired_bootstrap,
)
from arttl.evaluation.measures import (
    MAIN_MEASURE,
    Floats,
    Statistic,
    is_correct,
    measure_named,
    measures_of,
)
from arttl.inference.objects import object_names
from arttl.inference.predictions import Predictions
from arttl.tasks import Task, TaskKind, is_labelled

Result = TypeVar("Result")

_SHARES_OF_CORRECT = ("accuracy", "within_50")  # the measures that McNemar's test applies to


@dataclass(frozen=True)
class TaskComparison:
    """One task of two models.

    Attributes:
        task, kind, measure: what was compared.
        pairs: of models that were compared on it.
        n: samples that both predicted and have a target for, the sum over pairs.
        difference: the measure's values, and the interval of second less first.
        mcnemar: McNemar's exact p-value, for the accuracy of one pair whose samples are resampled one by one.
    """

    task: str
    kind: TaskKind
    measure: str
    pairs: int
    n: int
    difference: Difference
    mcnemar: float | None

    @property
    def p(self) -> float:
        """McNemar's where there is one, else the paired bootstrap's."""
        return self.difference.p if self.mcnemar is None else self.mcnemar

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {**asdict(self), "difference": self.difference.to_dict(), "p": self.p}


@dataclass(frozen=True)
class MeanComparison:
    """The mean of one measure over tasks.

    Attributes:
        measure: what was compared.
        tasks: whose, two or more; each counts alike, whatever its samples.
        difference: the means of both models, and the interval of second less first. A sample is resampled
            with all tasks that it has a label of.
    """

    measure: str
    tasks: tuple[str, ...]
    difference: Difference

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {**asdict(self), "difference": self.difference.to_dict()}


@dataclass(frozen=True)
class _Matched:
    """The samples of one task that both models of a pair have a target for, [N, ..] each, in the same order."""

    tasks: tuple[Task, Task]
    logits: tuple[npt.NDArray[Any], npt.NDArray[Any]]
    targets: tuple[npt.NDArray[Any], npt.NDArray[Any]]
    units: list[tuple[str, ...]]  # [N], equal for samples that are resampled together

    def of_each(
        self, function: Callable[[Task, npt.NDArray[Any], npt.NDArray[Any]], Result]
    ) -> tuple[Result, Result]:
        """A function of task, logits and targets, applied to each model."""
        first, second = zip(self.tasks, self.logits, self.targets, strict=True)
        return function(*first), function(*second)


@dataclass(frozen=True)
class _Tested:
    """One task's measure over all pairs that have it, their samples concatenated."""

    task: str
    kind: TaskKind
    measure: str
    sides: list[_Matched]
    means: tuple[Statistic, Statistic]  # of each model, over pairs

    @property
    def units(self) -> list[tuple[str, ...]]:
        """[N] over all pairs."""
        return [unit for matched in self.sides for unit in matched.units]


def compare_predictions(
    pairs: Sequence[tuple[Predictions, Predictions]],
    *,
    measure: str | None = None,
    group_by: str | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> list[TaskComparison]:
    """Compare two models on every task that both predict, on the samples that both have a target for.

    With several pairs, one for each seed or split, the means over the pairs are compared; a sample tested in several
    splits is then resampled with all of them, so that it does not count as several. A task is compared over those pairs
    that both predict it, so that one model of several tasks can be compared with one model per task.

    Args:
        pairs: the predictions of both models, one pair or more; the samples of a pair are matched by key.
        measure: one of `MEASURES`; None: each kind's main one. Tasks of a kind without it are left out.
        group_by: resample whole groups: `object_number`, or a task, whose samples with the same first label are one.
        replicates, seed: of the paired bootstrap.

    Returns:
        Each task that a pair has in common, in the order of the first models.

    Raises:
        ArttlError: if the models of a pair share no sample or task, disagree on a label, or have a multi-label task of
            other classes; or if a task is of one kind in some pairs and of another in others.
    """
    comparisons = []
    for tested in _tested(pairs, measure, group_by):
        alone = group_by is None and len(tested.sides) == 1
        difference = _difference([tested], replicates, seed, alone=alone)
        exact = alone and tested.measure in _SHARES_OF_CORRECT
        p = mcnemar(*tested.sides[0].of_each(is_correct)) if exact else None
        sides, n = len(tested.sides), len(tested.units)
        comparisons.append(TaskComparison(tested.task, tested.kind, tested.measure, sides, n, difference, p))
    return comparisons


def compare_means(
    pairs: Sequence[tuple[Predictions, Predictions]],
    *,
    measure: str | None = None,
    group_by: str | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> list[MeanComparison]:
    """Compare the means over tasks: is one network for all tasks as good as one per task?

    Args:
        pairs, measure, group_by, replicates, seed: as for `compare_predictions`.

    Returns:
        A mean for each measure that two tasks or more were compared by. Errors in a label's unit have none.

    Raises:
        ArttlError: as `compare_predictions` does.
    """
    by_measure: dict[str, list[_Tested]] = {}
    for of_task in _tested(pairs, measure, group_by):
        if measure_named(of_task.measure).unit == "share":
            by_measure.setdefault(of_task.measure, []).append(of_task)
    return [
        MeanComparison(name, tuple(of_task.task for of_task in tested), _difference(tested, replicates, seed))
        for name, tested in by_measure.items()
        if len(tested) > 1
    ]


def _difference(tested: Sequence[_Tested], replicates: int, seed: int, *, alone: bool = False) -> Difference:
    """The difference of the mean over tasks; `alone`: every sample is resampled by itself."""
    units = [unit for of_task in tested for unit in of_task.units]
    counts = [len(of_task.units) for of_task in tested]
    first, second = (_mean(means, counts) for means in zip(*(each.means for each in tested), strict=True))
    groups = None if alone else groups_of(units)
    return paired_bootstrap(first, second, len(units), groups=groups, replicates=replicates, seed=seed)


def _tested(
    pairs: Sequence[tuple[Predictions, Predictions]], measure: str | None, group_by: str | None
) -> list[_Tested]:
    """What can be compared; raises as `compare_predictions` says."""
    kinds = _tasks_in_common(pairs)
    matched = [(*pair, _match(*pair), _units(pair[0], group_by)) for pair in pairs]
    tested, known = [], set()
    for name, kind in kinds.items():
        sides = [_of_task(name, *of_pair) for of_pair in matched if _share(name, *of_pair[:2])]
        measures = [side.of_each(measures_of) for side in sides]
        of_all = set.intersection(*(set(of_model) for pair in measures for of_model in pair))
        known |= of_all
        chosen = measure or MAIN_MEASURE[kind]
        counts = [len(side.units) for side in sides]
        if all(counts) and chosen in of_all:
            first, second = (
                _mean([of_model[chosen] for of_model in of_models], counts)
                for of_models in zip(*measures, strict=True)
            )
            tested.append(_Tested(name, kind, chosen, sides, (first, second)))
    if measure is not None and measure not in known:
        raise ArttlError(
            f"--measure {measure!r} is of none of the tasks {', '.join(kinds)}"
            f"{did_you_mean(measure, known)}; they have: {', '.join(sorted(known))}"
        )
    if not tested:
        raise ArttlError(f"no sample that both predicted has a label of {' or '.join(kinds)} that both know")
    return tested


def _share(name: str, first: Predictions, second: Predictions) -> bool:
    return name in first.tasks and name in second.tasks and first.tasks[name].kind == second.tasks[name].kind


def _tasks_in_common(pairs: Sequence[tuple[Predictions, Predictions]]) -> Mapping[str, TaskKind]:
    """The tasks that a pair or more has in common, in the order of the first models, and their kinds."""
    kinds: dict[str, TaskKind] = {}
    for first, second in pairs:
        common = [task for task in first.tasks if _share(task.name, first, second)]
        if not common:
            which = "the two have" if len(pairs) == 1 else "a pair has"
            raise ArttlError(
                f"{which} no task in common: one predicts {', '.join(first.tasks.names)}, the other"
                f" {', '.join(second.tasks.names)}"
            )
        for task in common:
            if kinds.setdefault(task.name, task.kind) != task.kind:
                raise ArttlError(
                    f"the task {task.name!r} is {kinds[task.name]} for some of the pairs and {task.kind} for others:"
                    " they cannot be compared together"
                )
    return kinds


def _mean(measures: Sequence[Statistic], counts: Sequence[int]) -> Statistic:
    """The mean of measures whose samples are concatenated, `counts` of each."""
    if len(measures) == 1:
        return measures[0]
    edges = np.cumsum(counts)[:-1]

    def mean(weights: Floats) -> Floats:
        parts = np.split(weights, edges, axis=1)
        values = [measure(part) for measure, part in zip(measures, parts, strict=True)]
        return np.asarray(np.mean(values, axis=0))

    return mean


def _match(first: Predictions, second: Predictions) -> npt.NDArray[np.int64]:
    """Indices of the samples that both predicted, [M, 2]."""
    index_of_key = {key: index for index, key in enumerate(second.keys)}
    both = [(index, index_of_key[key]) for index, key in enumerate(first.keys) if key in index_of_key]
    if not both:
        raise ArttlError(
            f"the two have no sample in common ({len(first.keys)} and {len(second.keys)}, matched by key): compare"
            " predictions of the same split of the same shards"
        )
    return np.array(both, dtype=np.int64)


def _of_task(
    name: str,
    first: Predictions,
    second: Predictions,
    matched: npt.NDArray[np.int64],
    units: Sequence[tuple[str, ...]],
) -> _Matched:
    tasks = (first.tasks[name], second.tasks[name])
    if tasks[0].kind == "multi-label" and tasks[0].vocabulary.classes != tasks[1].vocabulary.classes:
        raise ArttlError(
            f"the two know other classes of the multi-label task {name!r} ({tasks[0].outputs} and {tasks[1].outputs}):"
            " sets of labels can only be compared with one class rule"
        )
    for index, other in matched.tolist():
        labels = first.catalogued[name][index], second.catalogued[name][other]
        if labels[0] != labels[1]:
            texts = [" ".join(of_model or ("nothing",)) for of_model in labels]
            raise ArttlError(
                f"the two disagree on what the catalogue says of {name!r} of {first.keys[index]} ({texts[0]},"
                f" {texts[1]}): compare predictions of the same shards"
            )
    targets = first.targets[name][matched[:, 0]], second.targets[name][matched[:, 1]]
    labelled = is_labelled(targets[0]) & is_labelled(targets[1])
    rows = matched[labelled, 0], matched[labelled, 1]
    return _Matched(
        tasks,
        (first.logits[name][rows[0]], second.logits[name][rows[1]]),
        (targets[0][labelled], targets[1][labelled]),
        [units[row] for row in rows[0].tolist()],
    )


def _units(predictions: Predictions, group_by: str | None) -> list[tuple[str, ...]]:
    """What each sample is resampled with: a group, or without one, itself wherever it is tested."""
    keys = predictions.keys
    if group_by is None:
        return [(f"sample {key}",) for key in keys]
    names = object_names(predictions.object_numbers, predictions.institutions)
    column = group_column(group_by, names, predictions.catalogued, "the predictions")
    return [
        (f"group {label[0]}" if label else f"sample {key}",) for key, label in zip(keys, column, strict=True)
    ]
