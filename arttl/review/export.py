"""`arttl decisions`: decisions taken home, and how far two reviewers agree."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from rich.table import Table

from arttl.console import Reporter
from arttl.decisions.agreement import agreement
from arttl.decisions.decision import Row, Subject
from arttl.decisions.file import DecisionFile
from arttl.decisions.standing import Standing
from arttl.errors import ArttlError, counted
from arttl.exchange.command import Written, parse_base, parse_language
from arttl.exchange.decided_table import DecidedTable
from arttl.exchange.decisions import decision_chunks
from arttl.exchange.lido import lido_chunks
from arttl.exchange.linked_art import linked_art_chunks
from arttl.exchange.values import Model, Value, task_fields
from arttl.files import write_bytes
from arttl.records.text_files import encoding_name
from arttl.settings import OutputFile, Parsed, Settings
from arttl.sources.settings import MetadataSettings
from arttl.vocabularies.table import Vocabularies

_SUFFIXES = {
    "csv": (".csv", ".tsv"),
    "jsonl": (".jsonl",),
    "linked-art": (".json", ".jsonld", ".jsonl"),
    "lido": (".xml",),
}


@dataclass(frozen=True, kw_only=True)
class ExportSettings(Settings):
    """Write the decisions of arttl review that stand: in force, not skipped, and not disputed.

    With --to csv and --metadata it is the museum's own table, its rows and cells as they are, with columns appended. In
    Linked Art and LIDO it is what was accepted or corrected.
    """

    decisions: Path = Path("decisions.sqlite")
    """File of decisions."""
    to: Literal["csv", "jsonl", "linked-art", "lido"]
    """Format."""
    out: OutputFile
    """File to write: .csv or .tsv, .jsonl, .json, .jsonld or .jsonl for linked-art, .xml for lido."""
    overwrite: bool = False
    """Replace a file that --out already names."""
    reviewer: str | None = None
    """Name of the reviewer whose decisions alone are written."""
    institution: str | None = None
    """Institution whose objects alone are written."""
    metadata: Path | None = None
    """The museum's own table, CSV or TSV, for csv."""
    object_number: str | None = None
    """Column of the object number in --metadata; guessed where its name is a usual one."""
    tasks: tuple[str, ...] = ()
    """Columns of --metadata that hold the labels, task=column for each whose name is not the task's."""
    encoding: Annotated[str | None, Parsed(encoding_name)] = None
    """Encoding of --metadata, where it is neither UTF-8 nor marked as UTF-16."""
    vocabulary: Path | None = None
    """Reviewed table of identifiers, see arttl vocabulary; for all but jsonl."""
    fields: tuple[str, ...] = ()
    """What tasks are, each task=material, task=type, task=artist or task=technique, for linked-art and lido."""
    base: Annotated[str | None, Parsed(parse_base)] = None
    """What the addresses of the museum's objects begin with, for linked-art; the object number follows."""
    language: Annotated[str | None, Parsed(parse_language)] = None
    """Language of the labels, such as en, for lido."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if self.out.exists() and not self.overwrite:
            raise ArttlError(f"--out {self.out} exists already; choose another name, or pass --overwrite")
        if self.out.suffix not in _SUFFIXES[self.to]:
            raise ArttlError(
                f"--out {self.out} must end in {' or '.join(_SUFFIXES[self.to])} for --to {self.to}"
            )
        if self.metadata is not None and self.to != "csv":
            raise ArttlError(f"--metadata is for --to csv, not for --to {self.to}")
        if self.metadata is None:
            for flag, given in {"--object-number": self.object_number, "--tasks": self.tasks}.items():
                if given:
                    raise ArttlError(f"{flag} is for --metadata")
        task_fields(self.fields)
        self.columns()

    def columns(self) -> dict[str, str]:
        """Task to the column of `metadata` that holds its labels, of `tasks`."""
        return MetadataSettings(tasks=self.tasks).task_columns()


@dataclass(frozen=True, kw_only=True)
class AgreementSettings(Settings):
    """How far two reviewers agree who did not see each other's decisions (arttl review --blind): Cohen's kappa."""

    decisions: Path = Path("decisions.sqlite")
    """File of decisions."""


class _Decided:
    """Standing decisions as the writers of formats take them."""

    def __init__(self, standing: Standing, vocabularies: Vocabularies) -> None:
        self._standing, self._vocabularies = standing, vocabularies

    def objects(self) -> Iterator[tuple[Value, ...]]:
        """The values of each object."""
        by_object: dict[tuple[str, str, str], list[Value]] = {}
        for subject, row in self._standing.rows.items():
            key = subject.object_number, subject.institution, subject.picture
            by_object.setdefault(key, []).extend(self._values(row))
        yield from map(tuple, by_object.values())

    def _values(self, row: Row) -> Iterator[Value]:
        decision = row.decision
        assert decision.verdict != "skipped"
        for label in decision.labels or decision.suggested:
            yield Value(
                object_number=decision.object_number,
                task=decision.task,
                label=label,
                concepts=self._vocabularies.identifiers(decision.task, label),
                institution=decision.institution,
                picture=decision.key,
                probability=decision.probability if label in decision.suggested else None,
                verdict=decision.verdict,
                who=decision.reviewer,
                when=row.time,
                model=Model(decision.model) if decision.model else None,
            )

    def sentences(self) -> Iterator[str]:
        """Nothing: what stands was said before it is written."""
        return iter(())


def run_export(settings: ExportSettings) -> None:
    """Write the file, and print what is in it and what is not.

    Raises:
        ArttlError: if there is nothing to write, or a file cannot be read or written.
    """
    reporter = Reporter(True)
    standing = Standing.read(settings.decisions, settings.reviewer)
    if settings.institution is not None:
        of_others = [subject for subject in standing.rows if subject.institution != settings.institution]
        for subject in of_others:
            del standing.rows[subject]
        if of_others:
            reporter.say(
                f"decisions: {counted(len(of_others), 'is', 'are')} of other institutions, and left out"
            )
    if not standing.rows:
        raise ArttlError("; ".join(["there is nothing to write", *standing.sentences()]))
    vocabularies = Vocabularies({}) if settings.vocabulary is None else Vocabularies.read(settings.vocabulary)
    for sentence in _write(settings, standing, vocabularies):
        reporter.say(sentence)


def _write(settings: ExportSettings, standing: Standing, vocabularies: Vocabularies) -> Iterator[str]:
    yield from standing.sentences()
    if settings.to == "jsonl":
        write_bytes(settings.out, (_line(subject, row) for subject, row in standing.rows.items()))
        yield f"file       {settings.out}, {counted(len(standing.rows), 'decision')}"
        return
    if settings.metadata is not None:
        table = DecidedTable.read(
            settings.metadata,
            standing.rows,
            object_number=settings.object_number,
            columns=settings.columns(),
            encoding=settings.encoding,
        )
        write_bytes(settings.out, table.chunks())
        yield from table.sentences()
        yield f"file       {settings.out}"
        return
    written = Written(settings.to, task_fields(settings.fields))
    objects = written.of(_Decided(standing, vocabularies))
    if settings.to == "csv":
        chunks = decision_chunks(objects)
    elif settings.to == "lido":
        chunks = lido_chunks(objects, written.fields, language=settings.language or "")
    else:
        lines = settings.out.suffix == ".jsonl"
        chunks = linked_art_chunks(objects, written.fields, base=settings.base or "", lines=lines)
    write_bytes(settings.out, chunks)
    yield from written.sentences()
    yield f"file       {settings.out}, {counted(written.values, 'label')} as {settings.to}"


def _line(subject: Subject, row: Row) -> bytes:
    decision = row.decision
    values: dict[str, Any] = {
        "object_number": subject.object_number,
        "institution": subject.institution,
        "picture": decision.key,
        "task": subject.task,
        "catalogued": list(decision.catalogued),
        "suggested": list(decision.suggested),
        "probability": decision.probability,
        "verdict": decision.verdict,
        "labels": list(decision.labels),
        "reviewer": decision.reviewer,
        "time": row.time,
        "model": decision.model,
        "blind": decision.is_blind,
    }
    return json.dumps(values, ensure_ascii=False).encode() + b"\n"


def run_agreement(settings: AgreementSettings) -> None:
    """Print the agreement of every two reviewers.

    Raises:
        ArttlError: if no two reviewers have decided the same objects.
    """
    with DecisionFile(settings.decisions, is_read_only=True) as file:
        pairs = agreement(file.histories())
    if not pairs:
        raise ArttlError(
            f"no two reviewers have decided the same objects in {settings.decisions}: let a second one review with"
            " arttl review --blind"
        )
    table = Table(
        "task", "reviewers", "objects", "same", "kappa", "95% interval", title="agreement of reviewers"
    )
    for pair in pairs:
        kappa = pair.agreement
        cells = ["0", "–", "–", "–"]
        if kappa is not None:
            interval = "–" if math.isnan(kappa.kappa) else f"{kappa.low:.2f} to {kappa.high:.2f}"
            shown = "–" if math.isnan(kappa.kappa) else f"{kappa.kappa:.2f}"
            cells = [f"{kappa.objects:,}", f"{kappa.share:.1%}", shown, interval]
        table.add_row(pair.task, f"{pair.first}, {pair.second}", *cells)
    reporter = Reporter(True)
    reporter.show(table)
    if seen := sum(pair.seen for pair in pairs):
        reporter.say(
            f"not counted: {counted(seen, 'object')} that the second reviewer decided in view of the first decision"
        )


COMMANDS: dict[str, tuple[type[Any], Callable[[Any], None], str]] = {
    "export": (ExportSettings, run_export, "write decisions as CSV, JSON lines, Linked Art or LIDO"),
    "agreement": (AgreementSettings, run_agreement, "measure how far two reviewers agree"),
}
