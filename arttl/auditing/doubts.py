"""The rows of an audit: labels that the probabilities contradict, and pairs of labels that occur nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from arttl.auditing.confident import find_contradictions
from arttl.auditing.objects import AuditedObjects, JudgedTask
from arttl.auditing.out_of_fold import OutOfFold
from arttl.auditing.pairs import LabelPair, lonely_pairs
from arttl.inference.labels import LabelWithProbability, predict_labels

TOP = 5
"""Labels of a row that are ranked."""

Kind = Literal["label", "pair"]


@dataclass(frozen=True)
class NetworkOpinion:
    """What one folder of features says by itself of a row.

    Attributes:
        network: its name.
        likeliest: the label that it gives the highest probability.
        label_probability, suggested_probability: its probabilities of the row's labels; None where there is no label.
        agrees: whether it contradicts the label, and suggests the same one.
    """

    network: str
    likeliest: str
    label_probability: float | None
    suggested_probability: float | None
    agrees: bool


@dataclass(frozen=True)
class OtherLabel:
    """The other label of a pair, and what is known of the two together; see `LabelPair`.

    Attributes:
        task, label: of the other label.
        objects, other_objects: how many groups of objects have the row's label, and the other one.
        expected: how many groups would have both, were the tasks independent.
        chance: the probability of at most one, then.
    """

    task: str
    label: str
    objects: int
    other_objects: int
    expected: float
    chance: float


@dataclass(frozen=True)
class Doubt:
    """A row of an audit.

    Attributes:
        kind: `label`: the pictures contradict a label; `pair`: two labels of an object occur together nowhere else.
        task: of the doubted label.
        rank: from 1, the most doubtful first, for each task and kind.
        score: 0 to 1, the higher the more doubtful.
        confident: whether the evidence meets the rule of confident learning, or of pairs.
        item: the object's index in `AuditedObjects`.
        label: the doubted label; None where one seems to be missing.
        label_probability: 0 to 1; None where there is no label, or one of a class that is not judged.
        suggested: the label that is suggested; None where there is none.
        suggested_probability: likewise.
        ranked: the likeliest labels, likeliest first; none for a class that is not judged.
        networks: what each folder of features says by itself.
        pair: the other label of a pair.
    """

    kind: Kind
    task: str
    rank: int
    score: float
    confident: bool
    item: int
    label: str | None
    label_probability: float | None
    suggested: str | None
    suggested_probability: float | None
    ranked: tuple[LabelWithProbability, ...]
    networks: tuple[NetworkOpinion, ...]
    pair: OtherLabel | None = None


class Judgement:
    """A task, and the out-of-fold probabilities of its M objects.

    Attributes:
        judged: the task and its objects.
        together: what all networks say.
        alone: what each says by itself, by its name.
        doubts: the labels that are contradicted, the most doubtful first.
    """

    def __init__(self, judged: JudgedTask, together: OutOfFold, alone: Mapping[str, OutOfFold]) -> None:
        self.judged, self.together, self.alone = judged, together, alone
        self._index_of_item = {item: index for index, item in enumerate(judged.items.tolist())}
        find = self._of_labels if judged.task.kind == "single-label" else self._of_sets
        self.doubts = _ranked(find())

    def describe(self, item: int, label: str | None, suggested: str | None) -> Doubt:
        """A row of an object without its kind, rank and score.

        Args:
            item: the object.
            label: its doubted label.
            suggested: what is suggested.
        """
        index, task = self._index_of_item[item], self.judged.task
        classes, values = task.vocabulary.index, self.together.probabilities[index]
        (prediction,) = predict_labels(task, self.together.logits[index][None], top=TOP)

        def probability(name: str | None, of: Sequence[float]) -> float | None:
            return None if name is None else float(of[classes[name]])

        opinions = []
        for network, own in self.alone.items():
            of_network = own.probabilities[index]
            likeliest = task.vocabulary.classes[int(of_network.argmax())]
            agrees = likeliest == suggested
            if task.kind == "multi-label":
                agrees = all(
                    name is None or bool(of_network[classes[name]] > 0.5) == there
                    for name, there in ((label, False), (suggested, True))
                )
            opinions.append(
                NetworkOpinion(
                    network,
                    likeliest,
                    probability(label, of_network),
                    probability(suggested, of_network),
                    agrees,
                )
            )
        return Doubt(
            kind="label",
            task=task.name,
            rank=0,
            score=0.0,
            confident=False,
            item=item,
            label=label,
            label_probability=probability(label, values),
            suggested=suggested,
            suggested_probability=probability(suggested, values),
            ranked=prediction.ranked[:TOP],
            networks=tuple(opinions),
        )

    def doubt_of(self, item: int, label: str) -> Doubt | None:
        """What is said of a label of an object; None where its class or the object is not judged."""
        if item not in self._index_of_item or label not in self.judged.task.vocabulary.index:
            return None
        index, suggested = self._index_of_item[item], None
        if self.judged.task.kind == "single-label":
            likeliest = self.judged.task.vocabulary.classes[int(self.together.probabilities[index].argmax())]
            suggested = None if likeliest in self.judged.catalogued[index] else likeliest
        return self.describe(item, label, suggested)

    def _of_labels(self) -> Iterator[Doubt]:
        """The objects whose label is not the likeliest, unless the likeliest is a further label of theirs."""
        names, given = self.judged.task.vocabulary.classes, self.judged.targets.numpy()
        found = find_contradictions(self.together.probabilities, given)
        for index in np.flatnonzero(found.contradicted).tolist():
            label, suggested = names[given[index]], names[found.suggested[index]]
            if suggested in self.judged.catalogued[index]:
                continue
            yield replace(
                self.describe(int(self.judged.items[index]), label, suggested),
                score=float(found.score[index]),
                confident=bool(found.confident[index]),
            )

    def _of_sets(self) -> Iterator[Doubt]:
        """The objects with a label that is improbable, or without one that is probable: each class by itself.

        Of several such labels of one object the most doubtful is named, and the most doubtful of those that it lacks.
        """
        names, given = self.judged.task.vocabulary.classes, self.judged.targets.numpy() > 0.5
        each = [
            find_contradictions(np.stack([1 - values, values], 1), of_class.astype(np.int64))
            for values, of_class in zip(self.together.probabilities.T, given.T, strict=True)
        ]
        contradicted, confident = (
            np.stack([getattr(of_class, name) for of_class in each], 1)
            for name in ("contradicted", "confident")
        )
        score = np.where(contradicted, np.stack([of_class.score for of_class in each], 1), 0)
        for index in np.flatnonzero(contradicted.any(1)).tolist():
            worst = [
                int(np.where(side, score[index], -1).argmax()) if (side & contradicted[index]).any() else None
                for side in (given[index], ~given[index])
            ]
            label, suggested = (None if column is None else names[column] for column in worst)
            columns = [column for column in worst if column is not None]
            yield replace(
                self.describe(int(self.judged.items[index]), label, suggested),
                score=float(score[index, columns].max()),
                confident=bool(confident[index, columns].any()),
            )


def pair_doubts(objects: AuditedObjects, judgements: Mapping[str, Judgement]) -> list[Doubt]:
    """A row for each object that alone has a pair of labels; its doubted label is the less probable of the two."""
    doubts = []
    for pair in lonely_pairs(objects):
        for item in pair.items:
            doubts.append(_of_pair(pair, item, judgements))
    return _ranked(doubts)


def _of_pair(pair: LabelPair, item: int, judgements: Mapping[str, Judgement]) -> Doubt:
    sides = []
    for task, label in zip(pair.tasks, pair.labels, strict=True):
        judgement = judgements.get(task)
        sides.append(None if judgement is None else judgement.doubt_of(item, label))
    chances = [
        1.0 if side is None or side.label_probability is None else side.label_probability for side in sides
    ]
    own = int(chances[1] < chances[0])
    doubt = sides[own] or Doubt(
        kind="pair",
        task=pair.tasks[own],
        rank=0,
        score=0.0,
        confident=True,
        item=item,
        label=pair.labels[own],
        label_probability=None,
        suggested=None,
        suggested_probability=None,
        ranked=(),
        networks=(),
    )
    other = OtherLabel(
        pair.tasks[1 - own],
        pair.labels[1 - own],
        pair.objects[own],
        pair.objects[1 - own],
        pair.expected,
        pair.chance,
    )
    return replace(doubt, kind="pair", score=1 - pair.chance, confident=True, pair=other)


def _ranked(doubts: Iterator[Doubt] | Sequence[Doubt]) -> list[Doubt]:
    """Doubts of one kind with their ranks, task by task in the order in which tasks appear."""
    by_task: dict[str, list[Doubt]] = {}
    for doubt in doubts:
        by_task.setdefault(doubt.task, []).append(doubt)
    return [
        replace(doubt, rank=rank)
        for of_task in by_task.values()
        for rank, doubt in enumerate(sorted(of_task, key=lambda each: (-each.score, each.item)), start=1)
    ]
