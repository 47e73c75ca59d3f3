"""Two models, or two ways of training, on the same samples: how far apart they are, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError, did_you_mean
from arttl.evaluation.bootstrap import REPLICATES, Difference, groups_of, mcnemar, paired_bootstrap
from arttl.evaluation.measures import MAIN_MEASURE, Floats, Measure, is_correct, measures_of
from arttl.evaluation.saved import SavedPredictions
from arttl.tasks import Task, TaskKind, is_labelled

Found = TypeVar("Found")

_SHARES_OF_CORRECT = ("accuracy", "within_50")  # what McNemar's test is of


@dataclass(frozen=True)
class TaskComparison:
    """One task of two models.

    Attributes:
        task, kind, measure: what was compared.
        n: samples that both predicted and have a target for.
        difference: the measure's values, and the interval of second less first.
        mcnemar: McNemar's exact p-value, for accuracy of samples that stand alone.
    """

    task: str
    kind: TaskKind
    measure: str
    n: int
    difference: Difference
    mcnemar: float | None

    @property
    def p(self) -> float:
        """McNemar's where there is one, else the paired bootstrap's."""
        return self.difference.p if self.mcnemar is None else self.mcnemar

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        found = asdict(self)
        found["difference"]["value"] = self.difference.value
        return {**found, "p": self.p}


@dataclass(frozen=True)
class _Pairs:
    """The samples of one task that both models have a target for, [N, ..] each, in the same order."""

    tasks: tuple[Task, Task]
    logits: tuple[npt.NDArray[Any], npt.NDArray[Any]]
    targets: tuple[npt.NDArray[Any], npt.NDArray[Any]]
    rows: npt.NDArray[np.int64]  # of the first

    def of_each(
        self, function: Callable[[Task, npt.NDArray[Any], npt.NDArray[Any]], Found]
    ) -> tuple[Found, Found]:
        """What a function of task, logits and targets finds for each model."""
        first, second = zip(self.tasks, self.logits, self.targets, strict=True)
        return function(*first), function(*second)


def compare_predictions(
    pairs: Sequence[tuple[SavedPredictions, SavedPredictions]],
    *,
    measure: str | None = None,
    group_by: str | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> list[TaskComparison]:
    """Compare two models on every task that both predict, on the samples that both have a target for.

    With several pairs, one for each seed or split, the means over the pairs are compared; a sample tested in several
    splits is then drawn with all of them, so that it does not count as several.

    Args:
        pairs: what each model said, one pair or more; the samples of a pair are matched by key.
        measure: one of `measures_of`; None: each kind's main one. Tasks of a kind without it are left out.
        group_by: draw whole groups: `object_number`, or a task, whose samples with the same first label are one.
        replicates, seed: of the paired bootstrap.

    Returns:
        Each task that all models predict; `n` is the sum over pairs.

    Raises:
        ArttlError: if the models of a pair share no sample or task, disagree on a label, or have a multi-label task of
            other classes.
    """
    names, kinds = _tasks_in_common(pairs)
    matched = [_match(*pair) for pair in pairs]
    found, known = [], set()
    for name in names:
        sides = [_pairs(name, *pair, rows) for pair, rows in zip(pairs, matched, strict=True)]
        measures = [one.of_each(measures_of) for one in sides]
        of_all = set.intersection(*(set(side) for pair in measures for side in pair))
        known |= of_all
        chosen = measure or MAIN_MEASURE[kinds[name]]
        counts = [len(one.rows) for one in sides]
        if not all(counts) or chosen not in of_all:
            continue
        groups = _groups([(pair[0], one.rows) for pair, one in zip(pairs, sides, strict=True)], group_by)
        difference = paired_bootstrap(
            _mean_measure([one[chosen] for one, _ in measures], counts),
            _mean_measure([other[chosen] for _, other in measures], counts),
            sum(counts),
            groups=groups,
            replicates=replicates,
            seed=seed,
        )
        p = (
            mcnemar(*sides[0].of_each(is_correct))
            if groups is None and chosen in _SHARES_OF_CORRECT
            else None
        )
        found.append(TaskComparison(name, kinds[name], chosen, sum(counts), difference, p))
    if measure is not None and measure not in known:
        raise ArttlError(
            f"--measure {measure!r} is of none of the tasks {', '.join(names)}"
            f"{did_you_mean(measure, known)}; they have: {', '.join(sorted(known))}"
        )
    if not found:
        raise ArttlError(f"no sample that both predicted has a label of {' or '.join(names)} that both know")
    return found


def _tasks_in_common(
    pairs: Sequence[tuple[SavedPredictions, SavedPredictions]],
) -> tuple[list[str], dict[str, TaskKind]]:
    """The tasks that all models predict, in the first one's order, and their kinds."""
    models = [model for pair in pairs for model in pair]
    kinds = {task.name: task.kind for task in models[0].tasks}
    names = [
        name
        for name, kind in kinds.items()
        if all(name in model.tasks and model.tasks[name].kind == kind for model in models)
    ]
    if not names:
        raise ArttlError(
            f"the two have no task in common: one predicts {', '.join(models[0].tasks.names)}, the other"
            f" {', '.join(models[1].tasks.names)}"
            if len(models) == 2
            else "there is no task that all of them predict"
        )
    return names, kinds


def _mean_measure(measures: Sequence[Measure], counts: Sequence[int]) -> Measure:
    """The mean of one measure over pairs whose samples lie one after another."""
    if len(measures) == 1:
        return measures[0]
    edges = np.cumsum(counts)[:-1]

    def mean(weights: Floats) -> Floats:
        parts = np.split(weights, edges, axis=1)
        values = [measure(part) for measure, part in zip(measures, parts, strict=True)]
        return np.asarray(np.mean(values, axis=0))

    return mean


def _match(first: SavedPredictions, second: SavedPredictions) -> npt.NDArray[np.int64]:
    """The places of the samples that both predicted, [M, 2]."""
    place = {key: index for index, key in enumerate(second.keys)}
    both = [(index, place[key]) for index, key in enumerate(first.keys) if key in place]
    if not both:
        raise ArttlError(
            f"the two have no sample in common ({len(first.keys)} and {len(second.keys)}, matched by key): compare"
            " predictions of the same split of the same shards"
        )
    return np.array(both, dtype=np.int64)


def _pairs(
    name: str, first: SavedPredictions, second: SavedPredictions, matched: npt.NDArray[np.int64]
) -> _Pairs:
    tasks = (first.tasks[name], second.tasks[name])
    if tasks[0].kind == "multi-label" and tasks[0].vocabulary.classes != tasks[1].vocabulary.classes:
        raise ArttlError(
            f"the two know other classes of the multi-label task {name!r} ({tasks[0].outputs} and {tasks[1].outputs}):"
            " sets of labels can only be compared with one class rule"
        )
    for one, other in matched.tolist():
        mine, theirs = first.catalogued[name][one], second.catalogued[name][other]
        if mine != theirs:
            raise ArttlError(
                f"the two disagree on what the catalogue says of {name!r} of {first.keys[one]}"
                f" ({' '.join(mine or ('nothing',))}, {' '.join(theirs or ('nothing',))}): compare predictions of the"
                " same shards"
            )
    labelled = is_labelled(first.targets[name][matched[:, 0]]) & is_labelled(
        second.targets[name][matched[:, 1]]
    )
    rows = (matched[labelled, 0], matched[labelled, 1])
    return _Pairs(
        tasks,
        (first.logits[name][rows[0]], second.logits[name][rows[1]]),
        (first.targets[name][rows[0]], second.targets[name][rows[1]]),
        rows[0],
    )


def _groups(
    tested: Sequence[tuple[SavedPredictions, npt.NDArray[np.int64]]], group_by: str | None
) -> npt.NDArray[np.int64] | None:
    """What is drawn together, over the tested rows of all pairs; None where every sample stands alone."""
    labels: list[tuple[str, ...] | None] = []
    for found, rows in tested:
        if group_by is None:
            column: Sequence[tuple[str, ...] | None] = [(key,) for key in found.keys]
        elif group_by == "object_number":
            column = [(number,) for number in found.object_numbers]
        elif group_by in found.catalogued:
            column = found.catalogued[group_by]
        else:
            known = ["object_number", *found.catalogued]
            raise ArttlError(
                f"--group-by {group_by!r} is no column of the predictions{did_you_mean(group_by, known)}; give one of"
                f" {', '.join(known)}"
            )
        labels += [column[row] for row in rows.tolist()]
    return None if group_by is None and len(tested) == 1 else groups_of(labels)
