"""Which tasks the commands on cached features are about."""

from __future__ import annotations

from dataclasses import dataclass

from arttl.splits.redraw import Draw
from arttl.tasks import TaskSet


@dataclass(frozen=True, kw_only=True)
class TaskChoice:
    """The settings that those commands share."""

    tasks: tuple[str, ...] = ()
    """Tasks, in order; by default all that the shards have."""
    multi_label: tuple[str, ...] = ()
    """Tasks of --tasks in which an object keeps all its labels; the others take the first."""
    number: tuple[str, ...] = ()
    """Tasks of --tasks that are numbers, such as the year."""
    classes: str = "train"
    """Class rule: train (every class of the training split), all-splits, min-count=N or rijks2014."""

    def choose(self, draw: Draw) -> TaskSet:
        """The task set of a draw, see `TaskSet.from_manifest`.

        Raises:
            ArttlError: for a task that the shards do not have, or that has no two classes.
        """
        return TaskSet.from_manifest(
            draw,
            self.tasks or draw.task_names,
            classes=self.classes,
            multi_label=self.multi_label,
            number=self.number,
        )
