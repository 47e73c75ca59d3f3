"""Queues of the review app: which rows, in which order. A queue is known whole, as the numbers of its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from arttl.characters import same_text, typed_text
from arttl.decisions.decision import VERDICTS
from arttl.errors import ArttlError
from arttl.review.collection import Collection
from arttl.review.columns import AUDIT, OUTSIDE, SUGGESTED, UNSURE, Codes, TaskColumns
from arttl.review.verdicts import DISPUTED, UNDECIDED, Verdicts

Mask = npt.NDArray[np.bool_]
Queue: TypeAlias = Literal["agree", "differs", "empty", "unsure", "outside", "audit", "all"]
Show: TypeAlias = Literal[
    "open", "decided", "accepted", "corrected", "rejected", "skipped", "disputed", "all"
]
Order: TypeAlias = Literal["queue", "sure", "doubt", "file"]
QUEUES: tuple[Queue, ...] = get_args(Queue)
SHOWS: tuple[Show, ...] = get_args(Show)
ORDERS: tuple[Order, ...] = get_args(Order)

LONGEST_SEARCH = 200
"""Characters."""


@dataclass(frozen=True)
class Query:
    """What is looked for.

    Attributes:
        task: of the queue.
        queue: `differs`: suggested, and the catalogue has other labels; `agree`: so too, and all models suggest the
            same; `empty`: suggested, and the catalogue has none; `unsure`, `outside`: so called by `arttl predict`;
            `audit`: doubts; `all`: every suggestion.
        show: by what was decided; `open`: nothing.
        search: a part of an object number, a picture's name, a title or a label, letter case ignored, and of labels
            accents too.
        label: that the object has, suggested or catalogued, for the task `of`.
        of: a task; empty: that of the queue.
        order: `sure` and `doubt` by probability, `file` as in the file; `queue`: as it suits the queue.
    """

    task: str
    queue: Queue = "all"
    show: Show = "open"
    search: str = ""
    label: str = ""
    of: str = ""
    order: Order = "queue"


class Queues:
    """Finds the rows of queries."""

    def __init__(self, collection: Collection, verdicts: Verdicts) -> None:
        self._collection, self._verdicts = collection, verdicts

    def select(self, query: Query) -> Codes:
        """The rows of a query, in their order, int32.

        Raises:
            ArttlError: for a task or label that there is none of.
        """
        self._verdicts.sync()
        columns = self._columns(query.task)
        mask = self._queue(query.task, query.queue)
        if query.show != "all":
            mask = mask & self._shown(query.task, query.show)
        if query.label:
            mask = mask & self._with_label(query.of or query.task, query.label)
        if search := same_text(query.search):
            mask = mask & self._matching(query.task, search)
        order = query.order
        if order == "queue":
            order = "doubt" if query.queue == "unsure" else "sure" if query.queue != "all" else "file"
        if query.queue == "audit" and query.order == "queue":
            rows = np.flatnonzero(mask)
            return rows[
                np.argsort(self._collection.ranks[rows - self._collection.suggestions], kind="stable")
            ].astype(np.int32)
        if order == "file":
            return np.flatnonzero(mask).astype(np.int32)
        by_doubt = self._by_doubt(columns.name)
        chosen = by_doubt[mask[by_doubt]]
        if order == "doubt":
            return chosen
        without = int(np.count_nonzero(np.isnan(columns.probability[chosen])))  # stay last
        return np.concatenate([chosen[: len(chosen) - without][::-1], chosen[len(chosen) - without :]])

    def counts(self, task: str) -> dict[str, tuple[int, int]]:
        """Of each queue how many rows it has, and how many of them nobody has decided.

        Raises:
            ArttlError: for a task that there is none of.
        """
        self._verdicts.sync()
        self._columns(task)
        is_open = self._shown(task, "open")
        masks = {queue: self._queue(task, queue) for queue in QUEUES}
        return {
            queue: (int(np.count_nonzero(mask)), int(np.count_nonzero(mask & is_open)))
            for queue, mask in masks.items()
        }

    def _columns(self, task: str) -> TaskColumns:
        if task not in self._collection.tasks:
            raise ArttlError(f"there is no task {task!r}")
        return self._collection.tasks[task]

    def _queue(self, task: str, queue: Queue) -> Mask:
        """The rows of a queue, which do not change while the app runs."""
        if (task, queue) not in self._masks:
            self._masks[task, queue] = self._computed(task, queue)
        return self._masks[task, queue]

    def _computed(self, task: str, queue: Queue) -> Mask:
        columns = self._collection.tasks[task]
        status, lengths = columns.status, columns.catalogued.lengths

        def differs() -> Mask:
            return (status == SUGGESTED) & (lengths > 0) & columns.suggested.differs_from(columns.catalogued)

        found: dict[str, Callable[[], Mask]] = {
            "agree": lambda: differs() & self._collection.agreed[task],
            "differs": differs,
            "empty": lambda: (status == SUGGESTED) & (lengths == 0),
            "unsure": lambda: status == UNSURE,
            "outside": lambda: status == OUTSIDE,
            "audit": lambda: status == AUDIT,
            "all": lambda: (status >= 0) & (status != AUDIT),
        }
        mask = found[queue]()
        surest = self._collection.surest(task)
        return mask if surest is None or queue == "audit" else mask & surest

    def _shown(self, task: str, show: Show) -> Mask:
        verdicts = self._verdicts.of(task)[self._collection.objects]
        if show == "open":
            return verdicts == UNDECIDED
        if show == "decided":
            return verdicts != UNDECIDED
        return verdicts == (DISPUTED if show == "disputed" else 1 + VERDICTS.index(show))

    def _with_label(self, task: str, label: str) -> Mask:
        columns = self._columns(task)
        code = columns.labels.find(label)
        if code is None:
            raise ArttlError(f"there is no {task} {label[:100]!r}")
        mask: Mask = columns.suggested.rows_with(code) | columns.catalogued.rows_with(code)
        if task not in self._tasks_of_audit:
            return mask
        # A doubt about the material of a work by Rembrandt is a row without an artist.
        objects = np.zeros(self._collection.object_count, dtype=bool)
        objects[self._collection.objects[mask]] = True
        return objects[self._collection.objects]

    def _matching(self, task: str, search: str) -> Mask:
        mask = np.zeros(len(self._collection), dtype=bool)
        for name in ("object_number", "picture", "key", "title"):
            if name in self._collection.texts:
                texts = self._collection.texts[name]
                mask |= pc.match_substring(texts, search, ignore_case=True).to_numpy(zero_copy_only=False)
        columns = self._collection.tasks[task]
        typed = typed_text(search)
        names = [typed in name for name in columns.labels.folded()]
        if any(names):
            having = np.array(names)
            for lists in (columns.suggested, columns.catalogued):
                owners = np.flatnonzero(having[lists.codes])
                mask[np.searchsorted(lists.starts, owners, "right") - 1] = True
        return mask

    def _by_doubt(self, task: str) -> Codes:
        """All rows by their probability, the lowest first, those without one last; never changes."""
        if task not in self._orders:
            probability = self._collection.tasks[task].probability
            self._orders[task] = np.argsort(probability, kind="stable").astype(np.int32)
        return self._orders[task]

    @cached_property
    def _masks(self) -> dict[tuple[str, str], Mask]:
        return {}

    @cached_property
    def _orders(self) -> dict[str, Codes]:
        return {}

    @cached_property
    def _tasks_of_audit(self) -> tuple[str, ...]:
        return tuple(self._collection.tasks) if len(self._collection.ranks) else ()
