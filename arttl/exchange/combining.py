"""Suggestions and decisions brought together, object by object, with counts of what is not written.

A suggestion is decided if a person has judged its label, has corrected its task, or has accepted another label where it
was the only one. Of several suggested labels the others stay suggestions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from arttl.console import Reporter
from arttl.errors import ArttlError, counted, did_you_mean
from arttl.exchange.decisions import Decisions
from arttl.exchange.predictions import PictureSuggestions, read_objects, read_predictions
from arttl.exchange.targets import Targets
from arttl.exchange.values import Model, Status, Value
from arttl.vocabularies.table import Vocabularies

_NO_TARGETS = Targets("picture", {})


@dataclass(frozen=True)
class Options:
    """What suggestions are completed with, and which are written.

    Attributes:
        vocabularies: give the concepts of labels.
        targets: of pictures; None: none are known.
        model: that suggested.
        when: it did, see `read_when`; empty: not known.
        institution: of objects for which the file names none; empty: not known.
        statuses: that are written.
    """

    vocabularies: Vocabularies = field(default_factory=lambda: Vocabularies({}))
    targets: Targets | None = None
    model: Model = field(default_factory=Model)
    when: str = ""
    institution: str = ""
    statuses: tuple[Status, ...] = ("suggested",)


class Combination:
    """The values of each object: its decisions, and the suggestions that nobody has decided about.

    Attributes:
        counts: of what came out and of what did not, filled while `objects` is read.
    """

    def __init__(
        self,
        predictions: Path | None,
        decisions: Decisions,
        options: Options,
        reporter: Reporter | None = None,
    ) -> None:
        """Take both.

        Args:
            predictions: file of `arttl predict`; None: there are decisions alone.
            decisions: of persons.
            options: see `Options`.
            reporter: shows how many pictures are read; None: nothing does.
        """
        self.counts: Counter[str] = Counter()
        self._known: dict[str, dict[str, str]] = {}  # task to label, its letter case ignored, to label
        self._unmatched = ""
        self._multiple: set[str] = set()  # tasks of which the model suggested several labels at once
        self._several: dict[str, dict[str, list[str]]] = {}  # task to object to its accepted labels
        self._predictions, self._decisions, self._options = predictions, decisions, options
        self._reporter = reporter or Reporter(False)

    def objects(self) -> Iterator[tuple[Value, ...]]:
        """The values of each object that has any, in the order of the predictions, then of the decisions.

        An object's pictures are taken together, wherever they stand in the file, which is therefore read twice: what is
        kept of it are its object numbers with their institutions, and the pictures of those that lack some. A picture
        without an object number is an object of its own.

        Raises:
            ArttlError: if the predictions cannot be read, or change meanwhile, or a decision may be about objects of
                several institutions.
        """
        self.counts.clear()
        self._known.clear()
        self._several.clear()
        matched: set[str] = set()
        for pictures in self._grouped() if self._predictions is not None else ():
            number = pictures[0].object_number
            decided = self._decisions.by_object.get(number, []) if number else []
            if decided and number in matched:
                raise ArttlError(
                    f"{number!r} of --accepted is the number of objects of several institutions in --predictions"
                    f" {self._predictions}: give the suggestions of one institution, or decide in arttl review and"
                    " give arttl decisions export --institution"
                )
            if decided:
                matched.add(number)
            values = tuple(self._of_object(pictures, decided))
            if values:
                yield values
        for number, decided in self._decisions.by_object.items():
            if number not in matched:
                if self._predictions is not None:
                    self._unmatched = self._unmatched or number
                    self.counts["without a prediction"] += 1
                yield tuple(self._decision(value, []) for value in decided)

    def _grouped(self) -> Iterator[list[PictureSuggestions]]:
        assert self._predictions is not None
        remaining = Counter(read_objects(self._predictions))
        waiting: dict[tuple[str, str], list[PictureSuggestions]] = {}
        with self._reporter.progress("pictures", remaining.total()) as bar:
            for picture in read_predictions(self._predictions):
                bar.advance()
                self.counts["pictures"] += 1
                self.counts["unreadable"] += not picture.tasks
                for task, suggestion in picture.tasks.items():
                    known = self._known.setdefault(task, {})
                    if len(suggestion.labels) > 1:
                        self._multiple.add(task)
                    for label in (*suggestion.labels, *(each.label for each in suggestion.ranked)):
                        known.setdefault(label.casefold(), label)
                key = picture.object_number, picture.institution
                remaining[key] -= 1
                if picture.object_number and remaining[key]:
                    waiting.setdefault(key, []).append(picture)
                else:
                    yield [*waiting.pop(key, ()), picture]
        if waiting:
            raise ArttlError(
                f"--predictions {self._predictions} changed while it was read; give the command again"
            )

    def _of_object(self, pictures: list[PictureSuggestions], decided: list[Value]) -> Iterator[Value]:
        """Decisions first, then the suggestions that are left."""
        suggested = [each for picture in pictures for each in self._suggestions(picture)]
        judged, accepted, corrected = set[tuple[str, str]](), dict[str, list[str]](), set[str]()
        for value in decided:
            decision = self._decision(value, [each for each, _ in suggested if each.task == value.task])
            judged.add((decision.task, decision.label))
            if decision.is_accepted:
                accepted.setdefault(decision.task, []).append(decision.label)
            if decision.verdict == "corrected":
                corrected.add(decision.task)
            yield decision
        for task, labels in accepted.items():
            if len(set(labels)) > 1:
                self._several.setdefault(task, {})[decided[0].object_number] = labels
        for value, is_alone in suggested:
            if (
                (value.task, value.label) in judged
                or value.task in corrected
                or (is_alone and value.task in accepted)
            ):
                self.counts["decided"] += 1
            elif value.status in self._options.statuses:
                self.counts["suggestions"] += 1
                yield value
            else:
                self.counts[str(value.status)] += 1

    def _suggestions(self, picture: PictureSuggestions) -> Iterator[tuple[Value, bool]]:
        """The labels suggested for a picture, each with whether it is the only one of its task."""
        options = self._options
        for task, suggestion in picture.tasks.items():
            target = (options.targets or _NO_TARGETS).of(picture.object_number, picture.picture, task)
            for label in suggestion.labels:
                value = Value(
                    object_number=picture.object_number,
                    task=task,
                    label=label,
                    concepts=options.vocabularies.identifiers(task, label),
                    institution=picture.institution or options.institution,
                    picture=picture.picture,
                    probability=suggestion.probability(label),
                    status=suggestion.status,
                    when=options.when,
                    model=options.model,
                    target=target,
                )
                yield value, len(suggestion.labels) == 1

    def _decision(self, value: Value, suggested: list[Value]) -> Value:
        """A decision with what the model said of the same label, of the picture for which it was surest.

        Without a verdict in the table it is accepted if the model suggested it or nothing, else corrected.
        """
        same = [each for each in suggested if each.label == value.label]
        verdict = value.verdict or ("corrected" if suggested and not same else "accepted")
        self.counts[verdict] += 1
        if not suggested:
            target = (self._options.targets or _NO_TARGETS).of(value.object_number, value.picture, value.task)
            return replace(value, verdict=verdict, institution=self._options.institution, target=target)
        surest = max(same or suggested, key=lambda each: each.probability or 0)
        return replace(
            value,
            verdict=verdict,
            institution=surest.institution,
            picture=surest.picture,
            probability=surest.probability if same else None,
            status=surest.status if same else None,
            model=surest.model,
            target=surest.target,
        )

    def sentences(self) -> Iterator[str]:
        """What `objects` gave, and what it left out."""
        counts = self.counts
        if self._predictions is not None:
            statuses = ", ".join(
                f"{counts[name]:,} {name}" for name in ("suggested", "unsure", "outside") if counts[name]
            )
            yield (
                f"suggestions: {counted(counts['suggestions'], 'label')} of {counted(counts['pictures'], 'picture')}"
                + (f"; left out for their status: {statuses} (--statuses)" if statuses else "")
                + (f"; {counts['decided']:,} that a person has decided about" if counts["decided"] else "")
            )
            if counts["unreadable"]:
                yield f"suggestions: {counted(counts['unreadable'], 'picture has', 'pictures have')} none"
        verdicts = ", ".join(
            f"{counts[name]:,} {name}" for name in ("accepted", "corrected", "rejected") if counts[name]
        )
        if verdicts:
            yield f"decisions: {verdicts}"
        if counts["without a prediction"]:
            are = counted(counts["without a prediction"], "decided object is", "decided objects are")
            yield f"{are} not in --predictions, such as {self._unmatched!r}, and written without a probability"
        if self._predictions is not None:
            yield from self._doubts()

    def _doubts(self) -> Iterator[str]:
        """Decisions that are probably misspelled: of a task, or in the letter case of a label."""
        tasks: dict[str, int] = {}
        spelled: dict[tuple[str, str], str] = {}
        for value in (value for values in self._decisions.by_object.values() for value in values):
            if value.task not in self._known:
                tasks[value.task] = tasks.get(value.task, 0) + 1
            elif (own := self._known[value.task].get(value.label.casefold(), value.label)) != value.label:
                spelled[value.task, value.label] = own
        for task, count in tasks.items():
            there_are = ", ".join(self._known) or "none"
            yield (
                f"warning: {counted(count, 'decision')} of the task {task!r}, which is none of --predictions"
                f"{did_you_mean(task, self._known)}; there are: {there_are}"
            )
        for task, objects in self._several.items():
            if task in self._known and task not in self._multiple:
                number, labels = next(iter(objects.items()))
                are = counted(len(objects), "object has", "objects have")
                yield (
                    f"warning: {are} several accepted labels of {task!r}, of which the model suggests one; all are"
                    f" written, such as {' and '.join(map(repr, labels[:3]))} of {number!r}"
                )
        for (task, label), own in spelled.items():
            yield f"warning: the {task} {label!r} is written as decided; the model writes it {own!r}"
