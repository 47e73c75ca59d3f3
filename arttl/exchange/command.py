"""`arttl convert`: suggestions and accepted values in the formats of museums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Protocol

from arttl.console import Reporter
from arttl.errors import ArttlError, counted
from arttl.exchange.combining import Combination, Options
from arttl.exchange.decisions import Decisions, accepted_chunks, decision_chunks
from arttl.exchange.lido import lido_chunks
from arttl.exchange.linked_art import linked_art_chunks
from arttl.exchange.targets import Targets
from arttl.exchange.values import Model, Status, Value, digest_of_weights, read_when, task_fields
from arttl.exchange.web_annotation import annotation_chunks
from arttl.files import write_bytes
from arttl.settings import OutputFile, Parsed, Settings
from arttl.vocabularies.concepts import is_address, is_language
from arttl.vocabularies.table import Vocabularies

_SUFFIXES = {
    "linked-art": (".json", ".jsonld", ".jsonl"),
    "lido": (".xml",),
    "web-annotation": (".json", ".jsonld"),
    "csv": (".csv",),
    "table": (".csv",),
}
_ACCEPTED_ALONE = ("lido", "table")
_BY_OBJECT = ("linked-art", *_ACCEPTED_ALONE)
_BY_FIELD = ("linked-art", "lido")


def _parse_when(text: str) -> None:
    try:
        read_when(text)
    except ValueError as error:
        raise ArttlError(f"--predicted {error}") from error


def parse_base(text: str) -> None:
    """Check what addresses of objects begin with.

    Raises:
        ArttlError: if it is no address.
    """
    if not is_address(f"{text}1"):
        raise ArttlError(
            f"--base {text!r} is no address; write it in full, such as https://museum.example/object/"
        )


def parse_language(text: str) -> None:
    """Check a language.

    Raises:
        ArttlError: if it is no tag of one.
    """
    if not is_language(text):
        raise ArttlError(f"--language {text!r} is no tag of a language, such as en or pt-BR")


@dataclass(frozen=True, kw_only=True)
class ConvertSettings(Settings):
    """Write suggestions and accepted values in the formats of museums.

    What a person has accepted becomes a plain statement; a suggestion is marked as one, or has no place in the format
    (LIDO). Suggestions that a person has decided about are not written.
    """

    predictions: Path | None = None
    """Suggestions of arttl predict, .parquet or .jsonl."""
    accepted: Path | None = None
    """Table of decisions: object_number, task, label, and optionally uri, verdict (accepted, corrected, rejected), who
    and when. Without the column verdict all its labels are accepted."""
    vocabulary: Path | None = None
    """Reviewed table of identifiers, see arttl vocabulary."""
    to: Literal["linked-art", "lido", "web-annotation", "csv", "table"]
    """Format: `csv` has a row per label, `table` a row per object with its accepted labels."""
    out: OutputFile
    """File to write: .json, .jsonld or .jsonl for linked-art, .xml, .json or .jsonld for web-annotation, .csv."""
    overwrite: bool = False
    """Replace a file that --out already names."""
    statuses: tuple[Status, ...] = ("suggested",)
    """Suggestions that are written, by their status."""
    fields: tuple[str, ...] = ()
    """What tasks are, each task=material, task=type, task=artist or task=technique; for tasks with other names."""
    targets: Path | None = None
    """Where pictures can be seen, for web-annotation: target (address of an image or of a IIIF canvas), picture or
    object_number, and optionally width, height, and task with region_x, region_y, region_width, region_height."""
    base: Annotated[str | None, Parsed(parse_base)] = None
    """What the addresses of the museum's objects begin with, for linked-art; the object number follows."""
    institution: str | None = None
    """Museum that holds the objects, where the predictions do not name it."""
    language: Annotated[str | None, Parsed(parse_language)] = None
    """Language of the labels, such as en."""
    model: Path | None = None
    """Folder of the model that suggested, or of its run; the digest of its weights is written."""
    predicted: Annotated[str | None, Parsed(_parse_when)] = None
    """When the predictions were made: a date, or a time with its zone."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if self.out.exists() and not self.overwrite:
            raise ArttlError(f"--out {self.out} exists already; choose another name, or pass --overwrite")
        if self.predictions is None and self.accepted is None:
            raise ArttlError("name what is written with --predictions, with --accepted, or with both")
        if self.accepted is None and self.to in _ACCEPTED_ALONE:
            raise ArttlError(f"--to {self.to} holds accepted values alone: give --accepted")
        if self.targets is None and self.to == "web-annotation":
            raise ArttlError("--to web-annotation needs --targets, the addresses of what is annotated")
        if self.targets is not None and self.to != "web-annotation":
            raise ArttlError(f"--targets is for --to web-annotation, not for --to {self.to}")
        if self.out.suffix not in _SUFFIXES[self.to]:
            raise ArttlError(
                f"--out {self.out} must end in {' or '.join(_SUFFIXES[self.to])} for --to {self.to}"
            )
        task_fields(self.fields)


class ObjectsWithCounts(Protocol):
    """What is written, with sentences on what is not."""

    def objects(self) -> Iterator[tuple[Value, ...]]:
        """The values of each object."""
        ...

    def sentences(self) -> Iterator[str]:
        """What `objects` gave, and what it left out."""
        ...


@dataclass
class Written:
    """The values that a format takes, with counts of the others.

    Attributes:
        values: how many it took.
        left_out: why others were not, with counts.
        tasks: those whose values have no place in the format.
        without_concept: labels of tasks, that have no identifier.
        merged: tasks that one field has together in an object, with the number of such objects.
    """

    to: str
    fields: dict[str, str]
    values: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    without_concept: set[tuple[str, str]] = field(default_factory=set)
    merged: Counter[tuple[str, tuple[str, ...]]] = field(default_factory=Counter)

    def of(self, combination: ObjectsWithCounts) -> Iterator[tuple[Value, ...]]:
        """The values of each object.

        Raises:
            ArttlError: if there is none.
        """
        for values in combination.objects():
            kept = tuple(filter(self._takes, values))
            self.values += len(kept)
            self.without_concept.update((value.task, value.label) for value in kept if not value.concepts)
            if self.to in _BY_FIELD:
                self.merged.update(self._merged(kept))
            if kept:
                yield kept
        if not self.values:
            reasons = ". ".join((*combination.sentences(), *self.sentences()))
            raise ArttlError(f"there is nothing to write as {self.to}: {reasons}")

    def _takes(self, value: Value) -> bool:
        if self.to in _BY_FIELD and value.task not in self.fields:
            self.tasks[value.task] += 1
            return False
        reason = ""
        if self.to in _BY_OBJECT and not value.object_number:
            reason = "of pictures without an object number (arttl predict --shards writes it)"
        elif self.to in _ACCEPTED_ALONE and value.verdict is None:
            reason = f"that nobody has decided about, while --to {self.to} writes accepted values alone"
        elif self.to != "csv" and value.verdict == "rejected":
            reason = "that a person has rejected"
        elif self.to == "web-annotation" and value.target is None:
            reason = "without a target in --targets"
        self.left_out[reason] += bool(reason)
        return not reason

    def _merged(self, values: tuple[Value, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
        tasks: dict[str, dict[str, None]] = {}
        for value in values:
            tasks.setdefault(self.fields[value.task], {})[value.task] = None
        return ((field, tuple(names)) for field, names in tasks.items() if len(names) > 1)

    def sentences(self) -> Iterator[str]:
        """What was left out, and what is written as one."""
        for (field_, tasks), count in self.merged.items():
            of = f"{' and '.join(map(repr, tasks))} of {counted(count, 'object')}"
            yield f"warning: the labels of {of} are both written as {field_}; see --fields"
        for reason, count in self.left_out.items():
            if count:
                yield f"not written: {counted(count, 'label')} {reason}"
        for task, count in self.tasks.items():
            yield f"not written: {counted(count, 'label')} of the task {task!r}, which is no field; see --fields"


def run(settings: ConvertSettings) -> None:
    """Write the file, and print what is in it and what is not."""
    reporter = Reporter(True)
    vocabularies = Vocabularies({}) if settings.vocabulary is None else Vocabularies.read(settings.vocabulary)
    decisions = Decisions() if settings.accepted is None else Decisions.read(settings.accepted, vocabularies)
    options = Options(
        vocabularies=vocabularies,
        targets=None if settings.targets is None else Targets.read(settings.targets),
        model=Model() if settings.model is None else Model(digest_of_weights(settings.model)),
        when="" if settings.predicted is None else read_when(settings.predicted),
        institution=settings.institution or "",
        statuses=settings.statuses,
    )
    combination = Combination(settings.predictions, decisions, options, reporter)
    written = Written(settings.to, task_fields(settings.fields))
    tasks = dict.fromkeys(value.task for values in decisions.by_object.values() for value in values)
    write_bytes(settings.out, _chunks(settings, written, combination, list(tasks)))
    if settings.vocabulary is not None:
        for sentence in vocabularies.sentences():
            reporter.say(sentence)
    if settings.accepted is not None:
        for sentence in decisions.sentences():
            reporter.say(sentence)
    for sentence in (*combination.sentences(), *written.sentences()):
        reporter.say(sentence)
    if written.without_concept:
        labels = counted(len(written.without_concept), "label has", "labels have")
        reporter.say(f"{labels} no identifier (--vocabulary), such as {min(written.without_concept)[1]!r}")
    reporter.say(f"file       {settings.out}, {counted(written.values, 'label')} as {settings.to}")


def _chunks(
    settings: ConvertSettings, written: Written, combination: Combination, tasks: list[str]
) -> Iterator[bytes]:
    objects, language = written.of(combination), settings.language or ""
    if settings.to == "linked-art":
        lines = settings.out.suffix == ".jsonl"
        return linked_art_chunks(objects, written.fields, base=settings.base or "", lines=lines)
    if settings.to == "lido":
        return lido_chunks(objects, written.fields, language=language)
    if settings.to == "web-annotation":
        return annotation_chunks(objects, language=language)
    return decision_chunks(objects) if settings.to == "csv" else accepted_chunks(objects, tasks)
