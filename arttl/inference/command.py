"""`arttl predict`: a model's suggestions for pictures that nobody has catalogued."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch
from rich import box
from rich.table import Table

from arttl.console import Reporter
from arttl.cpu import prepare_cpu_for_inference, usable_cores
from arttl.errors import ArttlError
from arttl.inference.picture_files import read_batches
from arttl.inference.predict import FEATURES, WithFeatures, finite_logits
from arttl.inference.promises import Promises
from arttl.inference.suggestion_files import SuggestionFile
from arttl.inference.suggestions import Suggester, Suggestion
from arttl.loading import open_loader, read_manifest
from arttl.loading.settings import EngineSettings
from arttl.loading.views import Views
from arttl.models import load_trained_model
from arttl.pictures.decoding import looks_like_a_picture
from arttl.pictures.picture_file import PictureFile
from arttl.settings import AtLeastOne, BetweenZeroAndOne, OutputFile, Settings

Record: TypeAlias = tuple[tuple[str, ...], str | None, dict[str, Suggestion]]
"""The cells that name a picture, what is wrong with it (None for nothing), and its suggestions by task."""


@dataclass(frozen=True, kw_only=True)
class PredictSettings(Settings):
    """Suggest labels for the pictures of a folder or of shards, with what is promised of them.

    A suggestion is right at least as often as --precision says, with 90% confidence; the other predictions are unsure.
    The promise holds for pictures like those that the model was validated on.
    """

    model: Path
    """Folder of a model, or of the run that made it."""
    out: OutputFile
    """Table to write: .csv for a spreadsheet, .parquet or .jsonl with all ranked labels."""
    images: Path | None = None
    """Folder of pictures, read with all folders in it."""
    shards: Path | None = None
    """Folder of shards, in place of --images."""
    split: str = "all"
    """Split of --shards."""
    precision: BetweenZeroAndOne = 0.9
    """Least share of suggestions that are right."""
    sets: BetweenZeroAndOne | None = None
    """Share of objects whose set of candidates holds the right label; sets are written where it is given."""
    top: AtLeastOne = 1
    """Labels per task, likeliest first."""
    batch_size: AtLeastOne = 64
    """Pictures per step."""
    decoding: EngineSettings = field(default_factory=EngineSettings)

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if (self.images is None) == (self.shards is None):
            raise ArttlError("name the pictures with --images or with --shards, one of them")


def run(settings: PredictSettings) -> None:
    """Write the table of suggestions, and print what is promised of them and how many there are."""
    reporter = Reporter(True)
    model = load_trained_model(settings.model)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        prepare_cpu_for_inference()
    assert model.folder is not None
    promises = Promises.load(model.folder, model.tasks)
    suggester = Suggester(
        model.tasks,
        model.calibration.temperatures if model.calibration else {},
        promises,
        precision=settings.precision,
        coverage=settings.sets,
        top=settings.top,
    )
    head = ("picture",) if settings.images is not None else ("key", "object_number")
    file = SuggestionFile(settings.out, head, model.tasks, settings.top, sets=settings.sets is not None)
    for sentence in suggester.sentences():
        reporter.say(sentence)
    network = WithFeatures(model.to(device).to(memory_format=torch.channels_last).eval())
    records = _of_files if settings.images is not None else _of_shards
    counts: dict[str, Counter[str]] = {name: Counter() for name in model.tasks.names}
    file.write(_counted(records(settings, network, suggester, reporter), counts))
    reporter.show(_closing_table(counts))
    reporter.say(f"table      {settings.out}")


def _of_files(
    settings: PredictSettings, network: WithFeatures, suggester: Suggester, reporter: Reporter
) -> Iterator[Record]:
    assert settings.images is not None
    paths, others = _pictures(settings.images)
    if not paths:
        raise ArttlError(f"--images {settings.images} holds no pictures")
    if others:
        files = "1 file that is no picture" if others == 1 else f"{others:,} files that are no pictures"
        reporter.say(f"passed over: {files}")
    threads = settings.decoding.threads or usable_cores()
    batches = read_batches(paths, network.model.preprocesses, settings.batch_size, threads)
    with reporter.progress("pictures", len(paths)) as bar:
        for batch in batches:
            readable = iter(_suggest(network, suggester, batch.images) if batch.images else ())
            for path in batch.paths:
                name = os.fsencode(path.relative_to(settings.images)).decode(errors="backslashreplace")
                problem = batch.problems.get(path)
                yield (name,), problem, {} if problem is not None else next(readable)
                bar.advance()


def _of_shards(
    settings: PredictSettings, network: WithFeatures, suggester: Suggester, reporter: Reporter
) -> Iterator[Record]:
    assert settings.shards is not None
    manifest = read_manifest(settings.shards)
    device = next(network.parameters()).device
    views = Views.open(
        network.model.preprocesses,
        lambda preprocess: open_loader(
            manifest,
            settings.split,
            labelled=False,
            preprocess=preprocess,
            batch_size=settings.batch_size,
            shuffle=False,
            device=device,
            on_bad_sample="skip",
            **settings.decoding.flat(),
        ),
    )
    reporter.say(f"engine     {views.first.engine_reason}")
    with reporter.progress("pictures", len(views.first.rows)) as bar:
        for batches in views:
            rows = batches[0].rows.tolist()
            readable = torch.stack([batch.valid for batch in batches]).all(0)
            images = [batch.images[readable] for batch in batches]
            suggestions = iter(_suggest(network, suggester, images) if readable.any() else ())
            for row, is_readable in zip(rows, readable.tolist(), strict=True):
                name = manifest.keys[row], manifest.object_numbers[row]
                if is_readable:
                    yield name, None, next(suggestions)
                elif any(row in loader.bad_samples for loader in views.loaders):
                    yield name, "damaged: the picture cannot be decoded", {}
                else:  # padding
                    continue
                bar.advance()


@torch.inference_mode()
def _suggest(
    network: WithFeatures, suggester: Suggester, images: Sequence[torch.Tensor]
) -> list[dict[str, Suggestion]]:
    device = next(network.parameters()).device
    outputs = network(*[each.to(device) for each in images])
    features = outputs.pop(FEATURES)
    return suggester.suggest(finite_logits(outputs), features)


def _pictures(folder: Path) -> tuple[list[Path], int]:
    """The pictures in a folder and the folders in it, sorted, and how many other files there are."""
    if not folder.is_dir():
        raise ArttlError(f"--images {folder} is not a folder")
    pictures: list[Path] = []
    others = 0
    for directory, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(directory, name)
            if looks_like_a_picture(PictureFile(path)):
                pictures.append(path)
            else:
                others += 1
    return pictures, others


def _counted(records: Iterable[Record], counts: Mapping[str, Counter[str]]) -> Iterator[Record]:
    for record in records:
        _, problem, suggestions = record
        for name, count in counts.items():
            count["unreadable" if problem is not None else suggestions[name].status] += 1
        yield record


def _closing_table(counts: Mapping[str, Counter[str]]) -> Table:
    statuses = ("suggested", "unsure", "outside", "unreadable")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", title="Pictures")
    table.add_column("task")
    for status in statuses:
        table.add_column(status, justify="right")
    for name, count in counts.items():
        table.add_row(name, *(f"{count[status]:,}" for status in statuses))
    return table
