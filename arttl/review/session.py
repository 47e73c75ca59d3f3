"""One review: what is reviewed, by whom, and what was decided; all that the browser asks for, as values of JSON."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from arttl.characters import LETTERS, plain_text
from arttl.decisions.decision import Decision, State
from arttl.decisions.file import Conflict, DecisionFile
from arttl.errors import ArttlError, counted
from arttl.exchange.doubts import SimilarObject, doubts_file
from arttl.exchange.values import weights_of
from arttl.files import digest_of_file
from arttl.review.collection import Collection
from arttl.review.columns import AUDIT, STATUSES, SUGGESTED, Codes
from arttl.review.details import MOST_RANKED, RecordFile
from arttl.review.maps import Maps
from arttl.review.pictures import Pictures, Thumbnails, cache_file
from arttl.review.queues import QUEUES, Query, Queues
from arttl.review.requests import Choice, Choices, Undoing, finite, of_ranked, of_row, of_state
from arttl.review.settings import ReviewSettings
from arttl.review.verdicts import Reviewer, Verdicts
from arttl.vocabularies.table import Vocabularies


class Unknown(ArttlError):
    """A row, task or label that there is none of."""


class Refused(ArttlError):
    """A decision that cannot be made as it is."""


class Session:
    """One review; for any number of threads."""

    def __init__(self, settings: ReviewSettings) -> None:
        """Read what is reviewed, and open the file of decisions.

        Raises:
            ArttlError: for everything that the user can mend.
        """
        self.settings = settings
        self._weights = None if settings.model is None else weights_of(settings.model)
        self.collection = Collection(settings.predictions, settings.audit, settings.agreeing)
        self.vocabularies = (
            Vocabularies({}) if settings.vocabulary is None else Vocabularies.read(settings.vocabulary)
        )
        self.collection.add_labels(self.vocabularies)
        self.pictures = Pictures(self.collection, settings.images, settings.shards)
        self.thumbnails = Thumbnails(cache_file())
        self.maps = None if settings.model is None else Maps(settings.model, self.pictures)
        self.reviewer = Reviewer(settings.reviewer, settings.blind)
        self.file = DecisionFile(settings.decisions)
        self.verdicts = Verdicts(self.collection, self.file, self.reviewer)
        self.queues = Queues(self.collection, self.verdicts)
        self._suggestions = self._doubts = None
        if settings.predictions is not None and self.collection.source is not None:
            self._suggestions = RecordFile(settings.predictions, self.collection.source)
        if settings.audit is not None:
            doubts = doubts_file(settings.audit)
            self._doubts = RecordFile(doubts, doubts)
        self._labels_lock = threading.Lock()
        self._digest = ""
        # Weights may have gigabytes; the first decision waits for their digest, the first screen does not.
        self._digesting = threading.Thread(target=self._find_digest, daemon=True)
        self._digesting.start()

    def close(self) -> None:
        """Close the files."""
        self._digesting.join()
        self.file.close()
        self.thumbnails.close()

    def sentences(self) -> Iterator[str]:
        """What was read, and where decisions go."""
        yield from self.collection.sentences()
        if self.pictures.missing:
            missing = counted(self.pictures.missing, "row has", "rows have")
            yield f"pictures    {missing} no sample in --shards {self.settings.shards}"
        if self.settings.vocabulary is not None:
            yield from self.vocabularies.sentences()
        if self.verdicts.elsewhere:
            yield f"decisions   {counted(self.verdicts.elsewhere, 'object')} of the file are not reviewed here"
        if self.thumbnails.problem:
            yield f"pictures    {self.thumbnails.problem}"
        yield f"decisions   {self.settings.decisions}, as {self.reviewer.name}"

    def _find_digest(self) -> None:
        if self._weights is not None:
            self._digest = digest_of_file(self._weights)

    def description(self) -> dict[str, Any]:
        """The tasks, who reviews, and the letters that `typed_text` replaces, for what the page searches itself."""
        tasks = [
            {"name": name, "multiple": columns.is_multiple, "labels": len(columns.labels.names)}
            for name, columns in self.collection.tasks.items()
        ]
        return {
            "tasks": tasks,
            "queues": [queue for queue in QUEUES if self._has(queue)],
            "rows": len(self.collection),
            "reviewer": self.reviewer.name,
            "blind": self.reviewer.is_blind,
            "maps": self.maps is not None,
            "letters": LETTERS,
        }

    def _has(self, queue: str) -> bool:
        if queue == "audit":
            return bool(len(self.collection.ranks))
        if queue == "agree":
            return bool(self.settings.agreeing)
        return bool(self.collection.suggestions)

    def select(self, query: Query) -> Codes:
        """The rows of a query, in their order.

        Raises:
            Unknown: for a task or label that there is none of.
        """
        try:
            return self.queues.select(query)
        except ArttlError as error:
            raise Unknown(str(error)) from error

    def counts(self, task: str) -> dict[str, Any]:
        """Of each queue how many rows it has, and how many are open.

        Raises:
            Unknown: for a task that there is none of.
        """
        self._check_task(task)
        return {
            queue: {"rows": rows, "open": left} for queue, (rows, left) in self.queues.counts(task).items()
        }

    def labels(self, task: str) -> dict[str, Any]:
        """Every label of a task, with other names for it and addresses of its concepts, in lists of one length.

        Raises:
            Unknown: for a task that there is none of.
        """
        self._check_task(task)
        names = self.collection.tasks[task].labels.names
        concepts = [self.vocabularies.identifiers(task, name) for name in names]
        return {
            "labels": list(names),
            "others": [
                [other for each in of_label for other in each.alternative_labels] for of_label in concepts
            ],
            "uris": [[each.uri for each in of_label] for of_label in concepts],
        }

    def rows(self, task: str, rows: Sequence[int]) -> list[dict[str, Any]]:
        """What the grid shows of rows.

        Raises:
            Unknown: for a task or row that there is none of.
        """
        self._check_task(task)
        return [self._row(task, row) for row in rows]

    def _row(self, task: str, row: int) -> dict[str, Any]:
        self._check_row(row)
        collection, columns = self.collection, self.collection.tasks[task]
        names = columns.labels.names
        probability = float(columns.probability[row])
        status = int(columns.status[row])
        return {
            "row": row,
            "object": collection.text("object_number", row),
            "institution": collection.text("institution", row),
            "picture": collection.picture(row),
            "catalogued": [names[code] for code in columns.catalogued.of(row)],
            "suggested": [names[code] for code in columns.suggested.of(row)],
            "probability": None if math.isnan(probability) else probability,
            "status": STATUSES[status] if status >= 0 else None,
            "state": of_state(self.verdicts.state(collection.subject(row, task))),
        }

    def details(self, row: int) -> dict[str, Any]:
        """All that is known of a row: each task of the object, its other photographs, and what looks similar.

        Raises:
            Unknown: for a row that there is none of.
            ArttlError: if the files cannot be read any more.
        """
        self._check_row(row)
        title, date = self.pictures.title_and_date(row)
        details: dict[str, Any] = {
            "row": row,
            "title": title,
            "date": date,
            "photographs": self.collection.rows_of(row),
            "problem": None,
            "doubt": None,
            "nearest": [],
            "tasks": {},
        }
        beside: dict[str, dict[str, Any]] = {}
        if row < self.collection.suggestions:
            assert self._suggestions is not None
            suggestion = self._suggestions.suggestion(row)
            details |= {"problem": suggestion.problem, "nearest": self._nearest(suggestion.nearest)}
            beside = {
                name: {
                    "ranked": of_ranked(task.ranked),
                    "set": None if task.set is None else list(task.set[:MOST_RANKED]),
                    "interval": None if task.interval is None else [finite(end) for end in task.interval[:2]],
                    "uris": list(task.uris or ())[:MOST_RANKED],
                }
                for name, task in suggestion.tasks.items()
            }
        else:
            assert self._doubts is not None
            doubt = self._doubts.doubt(row - self.collection.suggestions)
            details["nearest"] = self._nearest(doubt.nearest)
            details["doubt"] = {
                "kind": doubt.kind,
                "label": doubt.label,
                "probability": finite(doubt.label_probability),
                "split": doubt.split,
                "networks": [
                    {"network": each.network, "agrees": each.agrees, "likeliest": each.likeliest}
                    for each in doubt.networks
                ],
            }
            beside = {
                name: {"ranked": of_ranked(doubt.ranked), "set": None, "interval": None, "uris": []}
                for name, columns in self.collection.tasks.items()
                if columns.status[row] == AUDIT
            }
        for name, of_task in beside.items():
            subject = self.collection.subject(row, name)
            history = [of_row(each) for each in self.verdicts.history(subject)]
            details["tasks"][name] = {**self._row(name, row), **of_task, "history": history}
        return details

    def _nearest(self, neighbours: Iterable[SimilarObject]) -> list[dict[str, Any]]:
        return [
            {
                "object": each.object_number,
                "similarity": finite(each.similarity),
                "labels": {of_task.task: list(of_task.labels) for of_task in each.catalogued},
                "sample": self.pictures.sample_of(each.key),
                "row": self.collection.find_number(each.object_number),
            }
            for each in neighbours
        ]

    def save(self, choices: Choices) -> dict[str, Any]:
        """Save decisions.

        Returns:
            The state of each row that was saved, on the disk, and of each that was decided elsewhere meanwhile.

        Raises:
            Unknown: for a task or row that there is none of.
            Refused: for a decision that cannot be made; then none is saved.
            ArttlError: if the file cannot be written; then none is saved.
        """
        self._check_task(choices.task)
        self._digesting.join()
        decisions = [(self._decision(choices, choice), choice.version) for choice in choices.decisions]
        rows = [choice.row for choice in choices.decisions]
        saved, conflicts = [], []
        for choice, result in zip(choices.decisions, self.verdicts.save(decisions, rows), strict=True):
            if isinstance(result, Conflict):
                conflicts.append({"row": choice.row, "state": of_state(result.state)})
            else:
                saved.append({"row": choice.row, "state": of_state(State(result.id, (result,)))})
        with self._labels_lock:
            for decision, _ in decisions:
                for label in decision.labels:
                    self.collection.tasks[choices.task].labels.code(label)
        return {"saved": saved, "conflicts": conflicts}

    def _decision(self, choices: Choices, choice: Choice) -> Decision:
        row = self._row_of_task(choices.task, choice.row)
        suggested, verdict, labels = tuple(row["suggested"]), choice.verdict, choice.labels
        if verdict == "corrected":
            labels = tuple(dict.fromkeys(map(plain_text, labels)))
            if {*labels} == {*suggested}:
                verdict = "accepted"
        if verdict == "accepted":
            labels = suggested
        elif verdict != "corrected":
            labels = ()
        known = self.collection.tasks[choices.task].labels
        for label in labels:
            if known.find(label) is None and not choices.new_labels:
                raise Refused(f"{label!r} is a new {choices.task}: confirm it")
        try:
            return Decision(
                task=choices.task,
                object_number=row["object"],
                institution=row["institution"],
                key=row["picture"],
                catalogued=tuple(row["catalogued"]),
                suggested=suggested,
                probability=row["probability"],
                verdict=verdict,
                labels=labels,
                reviewer=self.reviewer.name,
                model=self._digest if row["status"] in STATUSES[SUGGESTED:AUDIT] else "",
                is_blind=self.reviewer.is_blind,
            )
        except ValueError as error:
            raise Refused(
                f"the decision about {row['object'] or row['picture']!r} cannot be saved: {error}"
            ) from error

    def _row_of_task(self, task: str, row: int) -> dict[str, Any]:
        self._check_row(row)
        if self.collection.tasks[task].status[row] < 0:
            raise Refused(f"nothing is suggested for the {task} of row {row}")
        return self._row(task, row)

    def undo(self, undoing: Undoing) -> dict[str, Any]:
        """Undo decisions.

        Returns:
            The numbers of those that were undone, and of those that are not in force any more.

        Raises:
            NoDecision: if there is no such decision; then none is undone.
            ArttlError: if the file cannot be written; then none is undone.
        """
        results = zip(undoing.ids, self.verdicts.undo(undoing.ids), strict=True)
        by_kind: dict[bool, list[int]] = {True: [], False: []}
        for number, result in results:
            by_kind[isinstance(result, Conflict)].append(number)
        return {"undone": by_kind[False], "conflicts": by_kind[True]}

    def _check_task(self, task: str) -> None:
        if task not in self.collection.tasks:
            raise Unknown(f"there is no task {task[:100]!r}")

    def _check_row(self, row: int) -> None:
        if not 0 <= row < len(self.collection):
            raise Unknown(f"there is no row {row}")
