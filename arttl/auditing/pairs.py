"""Pairs of labels of two tasks that one object alone has, though both labels are frequent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from scipy.stats import hypergeom

from arttl.auditing.objects import AuditedObjects

LARGEST_CHANCE = 0.05
"""Of any pair of two tasks, if the tasks had nothing to do with each other."""


@dataclass(frozen=True)
class LabelPair:
    """Two labels of one object, of two tasks, that no object of another group has together.

    Objects that share a group, such as the two photographs of one painting, count once.

    Attributes:
        items: the object; or several of one group.
        tasks, labels: the two, in the order of the tasks.
        objects: how many groups have each of the labels, among those with labels of both tasks.
        expected: how many groups would have both, if the tasks were independent.
        chance: the probability that at most one then has, 0 to 1 (hypergeometric).
    """

    items: tuple[int, ...]
    tasks: tuple[str, str]
    labels: tuple[str, str]
    objects: tuple[int, int]
    expected: float
    chance: float


def lonely_pairs(objects: AuditedObjects) -> Iterator[LabelPair]:
    """The pairs of labels that occur once and should not: all labels count, also those of small classes.

    Two labels of which each has few objects are rarely together by chance alone. A pair is evidence where the
    probability of at most one object with both, were the tasks independent, is at most `LARGEST_CHANCE` divided by the
    number of pairs of the two tasks that one object alone has (Bonferroni). Whether the label of the one task or of the
    other is wrong, or neither, the pair does not say.

    Args:
        objects: of the collection.

    Yields:
        Pair by pair of tasks, the least probable pairs first.
    """
    for tasks in combinations(objects.labels, 2):
        first, second = (_groups_of_labels(objects, task) for task in tasks)
        both = set().union(*first.values()) & set().union(*second.values())
        counts = [{label: len(groups & both) for label, groups in side.items()} for side in (first, second)]
        single = []
        for labels, items in _items_of_pairs(objects, tasks).items():
            if len({objects.groups[item] for item in items}) == 1:
                single.append((labels, items))
        found = []
        for labels, items in single:
            sizes = counts[0][labels[0]], counts[1][labels[1]]
            chance = float(hypergeom.cdf(1, len(both), *sizes))
            if chance * len(single) <= LARGEST_CHANCE:
                expected = sizes[0] * sizes[1] / len(both)
                found.append(LabelPair(tuple(items), tasks, labels, sizes, expected, chance))
        yield from sorted(found, key=lambda pair: (pair.chance, pair.items))


def _groups_of_labels(objects: AuditedObjects, task: str) -> Mapping[str, set[int]]:
    groups: dict[str, set[int]] = defaultdict(set)
    for labels, group in zip(objects.labels[task], objects.groups.tolist(), strict=True):
        for label in labels or ():
            groups[label].add(group)
    return groups


def _items_of_pairs(objects: AuditedObjects, tasks: tuple[str, str]) -> Mapping[tuple[str, str], list[int]]:
    items: dict[tuple[str, str], list[int]] = defaultdict(list)
    for item, (first, second) in enumerate(zip(*(objects.labels[task] for task in tasks), strict=True)):
        for label in dict.fromkeys(first or ()):
            for other in dict.fromkeys(second or ()):
                items[label, other].append(item)
    return items
