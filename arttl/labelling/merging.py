"""The labels of one picture that is catalogued twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

L = TypeVar("L", bound=Sequence[str])


def merge_labels(
    labels: Mapping[str, L], others: Mapping[str, L], *, split: str | None, other_split: str | None
) -> tuple[dict[str, L], list[str]]:
    """The labels of a picture that is kept, and those that it lacks from a duplicate of it.

    Args:
        labels: of the picture: task name to labels.
        others: of the duplicate.
        split: of the picture.
        other_split: of the duplicate.

    Returns:
        The labels, and a clause for each that was added or differs, and for the split if it differs.
    """
    merged, clauses = dict(labels), []
    for task, names in others.items():
        if task not in merged:
            merged[task] = names
            clauses.append(f"which takes its {task} from here")
        elif set(merged[task]) != set(names):
            clauses.append(f"{task} differs: {' | '.join(merged[task])} is kept, not {' | '.join(names)}")
    if other_split != split:
        clauses.append(f"split differs: {split} is kept, not {other_split}")
    return merged, clauses
