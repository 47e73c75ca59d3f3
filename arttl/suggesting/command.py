"""`arttl predict`: a model's suggestions for pictures that nobody has catalogued."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import cast

from accelerate import Accelerator
from rich import box
from rich.table import Table as TableOfLines

from arttl.characters import plain_text
from arttl.console import ProgressBar, Reporter, command_line
from arttl.cpu import usable_cores
from arttl.errors import ArttlError, counted
from arttl.files import digest_of_file
from arttl.frozen.extract import FeatureSettings
from arttl.inference.precision import Precision, open_faster
from arttl.inference.promises import FILE, Promises
from arttl.inference.suggestions import Suggester
from arttl.loading import read_manifest
from arttl.models import TrainedModel, load_trained_model
from arttl.models.calibration import FILE as CALIBRATION
from arttl.models.folders import HEADS_FILE
from arttl.pages import MOST_CARDS
from arttl.runs import beside_other_ranks, on_first_rank, open_accelerator
from arttl.suggesting.catalogued import CataloguedCollection
from arttl.suggesting.collections import (
    Collection,
    FolderCollection,
    HowToRead,
    ShardCollection,
)
from arttl.suggesting.neighbours import Neighbours, open_neighbours
from arttl.suggesting.objects import ObjectCollection
from arttl.suggesting.parts import Counts, Table, UnfinishedTable
from arttl.suggesting.predictor import Predictor
from arttl.suggesting.settings import PredictSettings
from arttl.suggesting.tables import Columns, CsvTable, JsonLinesTable, ParquetTable
from arttl.version import __version__
from arttl.vocabularies.table import Vocabularies

_BATCHES_PER_PART = 32
_STATUSES = ("suggested", "unsure", "outside", "unreadable")


def run(settings: PredictSettings) -> None:
    """Write the table of suggestions, and print what is promised of them and how many there are.

    Raises:
        ArttlError: for everything that the user can mend.
    """
    accelerator = open_accelerator(settings.mixed_precision, settings.threads)
    reporter = Reporter(accelerator.is_main_process)
    model = load_trained_model(settings.model)
    if settings.mixed_precision == "auto":
        sizes = [each.size for each in model.preprocesses]
        accelerator, reason = open_faster(model.networks, sizes, settings.threads, learns=False)
        reporter.say(f"precision  {reason}")
        settings = replace(settings, mixed_precision=cast(Precision, accelerator.mixed_precision))
    how = HowToRead(
        preprocesses=model.preprocesses,
        batch_size=settings.batch_size,
        device=accelerator.device,
        engine=settings.engine,
        threads=settings.threads or usable_cores(),
    )
    collection = _collection(settings, how)
    vocabularies = None if settings.vocabulary is None else Vocabularies.read(settings.vocabulary)
    table = _table(settings, model, collection, vocabularies)
    suggester = _suggester(settings, model)
    of_vocabularies = (
        [] if vocabularies is None else [*vocabularies.sentences(), *_unused(vocabularies, model)]
    )
    for sentence in (*collection.sentences, *of_vocabularies, *suggester.sentences()):
        reporter.say(sentence)
    if isinstance(table, CsvTable) and table.renamed:
        reporter.say("columns    named suggested_..., since the table has columns of the other names")
    unfinished = UnfinishedTable(
        settings.out,
        _identity(settings, model, collection, accelerator),
        len(collection),
        _BATCHES_PER_PART * settings.batch_size,
    )
    with _resumable(reporter), ExitStack() as held:
        missing = on_first_rank(partial(_begin, unfinished, held, settings.overwrite))
        if resumed := unfinished.resumed(missing):
            reporter.say(resumed)
        neighbours = _neighbours(settings, model, accelerator)
        if neighbours is not None:  # the pass over their pictures has opened processes of its own
            accelerator = open_accelerator(settings.mixed_precision, settings.threads)
        own = {
            part: unfinished.parts[part]
            for part in missing[accelerator.process_index :: accelerator.num_processes]
        }
        started = time.perf_counter()
        with beside_other_ranks():
            bar = ProgressBar(reporter.console, "pictures", sum(map(len, own.values())), keep=True)
            with bar:
                predictor = Predictor(model, suggester, neighbours, settings.nearest, accelerator)
                for part, records in predictor.parts(collection, own, how, bar):
                    unfinished.write(part, table, records)
            accelerator.wait_for_everyone()
        seconds = time.perf_counter() - started
        counts = on_first_rank(partial(unfinished.finish, table))
    reporter.show(_closing_table(model.tasks.names, counts))
    predicted = sum(len(unfinished.parts[part]) for part in missing)
    reporter.say(
        f"table      {settings.out}: {counted(len(collection), 'row')}"
        + (f"; {predicted:,} in {seconds:.1f} s, {predicted / seconds:.0f} per second" if missing else "")
    )
    is_any = any(of_task.get("suggested") for of_task in counts.values())
    for sentence in _next(settings, len(collection), is_any):
        reporter.say(sentence)


def _next(settings: PredictSettings, rows: int, is_any: bool) -> Iterator[str]:
    """What to do with the table, as commands to copy."""
    if not is_any:
        yield "next       nothing is suggested: give a lower --precision, or train with more labelled objects"
    if settings.out.suffix == ".csv":
        if is_any:
            yield "next       look at the rows that are suggested"
        yield "or         --out *.parquet, which arttl review, arttl report and arttl convert read"
        return
    where = ("--images", settings.images) if settings.shards is None else ("--shards", settings.shards)
    common = ("--predictions", settings.out, *where, "--model", settings.model)
    precision = () if settings.precision == PredictSettings.precision else ("--precision", settings.precision)
    page = settings.out.with_suffix(".html")
    out = (page,) if rows <= MOST_CARDS else (page.with_suffix(""), "--paged")
    commands = [
        command_line("review", *common),
        command_line("report", *common, *precision, "--out", *out),
    ]
    if is_any:
        to = settings.out.with_name("suggested.jsonl")
        written = ("--predictions", settings.out, "--to", "linked-art", "--out", to)
        commands.append(command_line("convert", *written))
    for number, command in enumerate(commands):
        yield f"{'or' if number or not is_any else 'next':<11}{command}"


def _begin(unfinished: UnfinishedTable, held: ExitStack, overwrite: bool) -> list[int]:
    held.enter_context(unfinished.held())
    return unfinished.begin(overwrite=overwrite)


@contextmanager
def _resumable(reporter: Reporter) -> Iterator[None]:
    """Say on an interruption that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        reporter.say("what is done is kept: the same command resumes it")
        raise


def _collection(settings: PredictSettings, how: HowToRead) -> Collection:
    photographs = _photographs(settings, how)
    return ObjectCollection(photographs) if settings.per_object else photographs


def _photographs(settings: PredictSettings, how: HowToRead) -> Collection:
    if settings.shards is not None:
        return ShardCollection(read_manifest(settings.shards), settings.split, how)
    if settings.metadata is None:
        return FolderCollection(settings.images)
    collection = CataloguedCollection(settings.of_source(), with_rows=settings.out.suffix == ".csv")
    if collection.layout is not None and settings.per_object:
        raise ArttlError(
            "--per-object makes one row per object, and the table of --metadata keeps its rows: write --out *.parquet"
            " or *.jsonl"
        )
    return collection


def _table(
    settings: PredictSettings,
    model: TrainedModel,
    collection: Collection,
    vocabularies: Vocabularies | None,
) -> Table:
    catalogued = tuple(task for task in model.tasks.names if task in collection.tasks)
    columns = Columns(
        collection.head,
        catalogued,
        model.tasks,
        settings.top,
        sets=settings.sets is not None,
        nearest=settings.nearest if settings.neighbours is not None else 0,
        vocabularies=vocabularies,
    )
    if settings.out.suffix == ".csv":
        if isinstance(collection, CataloguedCollection) and collection.layout is not None:
            return CsvTable(columns, collection.layout, collection.widest)
        return CsvTable(columns)
    return JsonLinesTable(columns) if settings.out.suffix == ".jsonl" else ParquetTable(columns)


def _unused(vocabularies: Vocabularies, model: TrainedModel) -> Iterator[str]:
    """A sentence on labels of the vocabulary that the model cannot suggest, such as misspelled ones."""
    classes = {
        (task.name, plain_text(label))
        for task in model.tasks
        if task.kind != "number"
        for label in task.vocabulary.classes
    }
    labels = [(task, label) for task, of_task in vocabularies.concepts.items() for label in of_task]
    if unused := [label for task, label in labels if (task, label) not in classes]:
        are = counted(len(unused), "label is", "labels are")
        yield f"vocabulary: {are} none of the model's, such as {unused[0]!r}"


def _neighbours(
    settings: PredictSettings, model: TrainedModel, accelerator: Accelerator
) -> Neighbours | None:
    if settings.neighbours is None:
        return None
    assert model.folder is not None
    of_pass = FeatureSettings.of(
        shards=settings.neighbours,
        out=model.folder,  # one in it is chosen
        weights=str(model.folder),
        batch_size=settings.batch_size,
        engine=settings.engine,
        threads=settings.threads,
        mixed_precision=accelerator.mixed_precision,
    )
    return open_neighbours(settings.neighbours, model, of_pass)


def _suggester(settings: PredictSettings, model: TrainedModel) -> Suggester:
    assert model.folder is not None
    return Suggester(
        model.tasks,
        model.temperatures,
        Promises.load(model.folder, model.tasks),
        precision=settings.precision,
        coverage=settings.sets,
        top=settings.top,
        per_object=settings.per_object,
    )


def _identity(
    settings: PredictSettings, model: TrainedModel, collection: Collection, accelerator: Accelerator
) -> dict[str, str]:
    """What decides the bytes of the table, but for the number of ranks: the parts of all ranks are one table's."""
    assert model.folder is not None
    of_kind = [f"{model.file_name}{suffix}" for suffix in (".safetensors", ".json")]
    names = (*of_kind, HEADS_FILE, CALIBRATION, FILE)
    paths = [model.folder / name for name in names]
    named = (
        "split",
        "precision",
        "sets",
        "top",
        "batch_size",
        "engine",
        "neighbours",
        "nearest",
        "per_object",
    )
    return {
        "model": " ".join(digest_of_file(path) if path.is_file() else "none" for path in paths),
        "pictures": f"{type(collection).__name__} {collection.identity}",
        "settings": " ".join(f"{name}={getattr(settings, name)}" for name in named),
        "vocabulary": "none" if settings.vocabulary is None else digest_of_file(settings.vocabulary),
        "precision of the computation": f"{accelerator.mixed_precision} on {accelerator.device.type}",
        "version": __version__,
    }


def _closing_table(tasks: tuple[str, ...], counts: Counts) -> TableOfLines:
    table = TableOfLines(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", title="Pictures")
    table.add_column("task")
    for status in _STATUSES:
        heading = "no usable picture" if status == "unreadable" else status
        table.add_column(heading, justify="right")
    unreadable = counts.get("", {}).get("unreadable", 0)
    for task in tasks:
        of_task = {**counts.get(task, {}), "unreadable": unreadable}
        table.add_row(task, *(f"{of_task.get(status, 0):,}" for status in _STATUSES))
    return table
