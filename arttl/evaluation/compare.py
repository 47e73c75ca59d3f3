"""Two models on the same samples: how far apart they are, and how sure that is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError, did_you_mean
from arttl.evaluation.bootstrap import REPLICATES, Difference, groups_of, mcnemar, paired_bootstrap
from arttl.evaluation.measures import MAIN_MEASURE, is_correct, measures_of
from arttl.evaluation.saved import SavedPredictions
from arttl.tasks import Task, TaskKind, is_labelled

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


def compare_predictions(
    first: SavedPredictions,
    second: SavedPredictions,
    *,
    measure: str | None = None,
    group_by: str | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> list[TaskComparison]:
    """Compare two models on every task that both predict, on the samples that both have a target for.

    Args:
        first, second: what each said; samples are matched by key.
        measure: one of `measures_of`; None: each kind's main one. Tasks of a kind without it are left out.
        group_by: draw whole groups: `object_number`, or a task, whose samples with the same first label are one.
        replicates, seed: of the paired bootstrap.

    Raises:
        ArttlError: if they share no sample or task, disagree on a label, or have a multi-label task of other classes.
    """
    matched = _match(first, second)
    names = [task.name for task in first.tasks if task.name in second.tasks]
    names = [name for name in names if first.tasks[name].kind == second.tasks[name].kind]
    if not names:
        raise ArttlError(
            f"the two have no task in common: one predicts {', '.join(first.tasks.names)}, the other"
            f" {', '.join(second.tasks.names)}"
        )
    groups = None if group_by is None else _groups(first, group_by)
    found, known = [], set()
    for name in names:
        pairs = _pairs(name, first, second, matched)
        count = len(pairs.rows)
        sides = [
            measures_of(task, logits, targets)
            for task, logits, targets in zip(pairs.tasks, pairs.logits, pairs.targets, strict=True)
        ]
        known |= set(sides[0]) & set(sides[1])
        kind = pairs.tasks[0].kind
        chosen = measure or MAIN_MEASURE[kind]
        if not count or chosen not in sides[0] or chosen not in sides[1]:
            continue
        own = None if groups is None else groups[pairs.rows]
        difference = paired_bootstrap(
            sides[0][chosen], sides[1][chosen], count, groups=own, replicates=replicates, seed=seed
        )
        p = None
        if chosen in _SHARES_OF_CORRECT and own is None:
            p = mcnemar(
                *(is_correct(*side) for side in zip(pairs.tasks, pairs.logits, pairs.targets, strict=True))
            )
        found.append(TaskComparison(name, kind, chosen, count, difference, p))
    if measure is not None and measure not in known:
        raise ArttlError(
            f"--measure {measure!r} is of none of the tasks {', '.join(names)}{did_you_mean(measure, known)}; they"
            f" have: {', '.join(sorted(known))}"
        )
    if not found:
        raise ArttlError(f"no sample that both predicted has a label of {' or '.join(names)} that both know")
    return found


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


def _groups(found: SavedPredictions, group_by: str) -> npt.NDArray[np.int64]:
    if group_by == "object_number":
        return groups_of([(number,) for number in found.object_numbers])
    if group_by not in found.catalogued:
        known = ["object_number", *found.catalogued]
        raise ArttlError(
            f"--group-by {group_by!r} is no column of the predictions{did_you_mean(group_by, known)}; give one of"
            f" {', '.join(known)}"
        )
    return groups_of(found.catalogued[group_by])
