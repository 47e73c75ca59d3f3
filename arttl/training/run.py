"""A training run from settings to a run folder."""

from __future__ import annotations

import time

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs, set_seed

from arttl.cpu import prepare_cpu
from arttl.errors import ArttlError
from arttl.evaluation.classes import class_tables, write_classes
from arttl.evaluation.metrics import TaskMetrics, measure_predictions, metrics_to_json
from arttl.evaluation.report import metrics_table
from arttl.inference.predictions import predict
from arttl.loading import read_manifest
from arttl.models import MultiTaskModel, TrainedModel, load_trained_model
from arttl.runs import RunFolder, flat_settings, on_first_rank
from arttl.shards.manifest import Manifest
from arttl.tasks import SPLITS, TaskSet
from arttl.training.end_to_end import train_by_epochs
from arttl.training.frozen import solve_heads
from arttl.training.loaders import Loaders
from arttl.training.opening import open_model
from arttl.training.report import EpochReporter
from arttl.training.settings import MAY_CHANGE_ON_RESUME, TrainSettings


def train(settings: TrainSettings) -> dict[str, TaskMetrics]:
    """Train, test the epoch with the lowest validation loss, and leave a run folder.

    Args:
        settings: what to do; `settings.shards` must be given.

    Returns:
        Task name to metrics on the test split.

    Raises:
        ArttlError: for input that cannot be used; nothing is written then.
        Terminated: after SIGTERM, when a checkpoint has been left.
    """
    settings = settings.resolved()
    accelerator = _accelerator(settings)
    if accelerator.device.type == "cpu":
        prepare_cpu(settings.threads)
    set_seed(settings.seed)
    if settings.shards is None:
        raise ArttlError("name the shards to train on with --shards")
    manifest = read_manifest(settings.shards)
    tasks = TaskSet.from_manifest(
        manifest,
        settings.tasks or manifest.task_names,
        classes=settings.classes,
        multi_label=settings.multi_label,
        number=settings.number,
    )
    for split in SPLITS:
        manifest.rows(split)
    model, news = open_model(settings, tasks)
    loaders = Loaders(settings, manifest, tasks, model.preprocesses, accelerator)
    loaders.open("test")  # finds a missing or broken shard before any work is done
    run = RunFolder(settings.out)
    on_first_rank(
        lambda: run.begin(
            flat_settings(settings),
            tasks,
            overwrite=settings.overwrite,
            resume=settings.resume,
            may_change=MAY_CHANGE_ON_RESUME,
            device=accelerator.device,
            processes=accelerator.num_processes,
            mixed_precision=accelerator.mixed_precision,
        )
    )
    reporter = EpochReporter(accelerator.is_main_process, run)
    _introduce(reporter, settings, manifest, model, news, accelerator)
    started = time.perf_counter()
    if settings.by_epochs:
        train_by_epochs(model, settings, loaders, reporter, accelerator)
    else:
        assert isinstance(model, MultiTaskModel)
        solve_heads(model, settings, loaders, reporter, accelerator)
    on_first_rank(lambda: model.save(run.best))
    reporter.say(f"model      {run.best}, after {time.perf_counter() - started:.0f} s")
    return _test(run, manifest, loaders, reporter, accelerator)


def _accelerator(settings: TrainSettings) -> Accelerator:
    # Accelerate keeps its state for the life of the process; a second run may ask for another precision.
    AcceleratorState._reset_state()
    # Left unset, the launcher's own flag rules; an explicit "no" would silently override it.
    accelerator = Accelerator(
        mixed_precision=settings.mixed_precision,
        # With several tasks a batch may hold no label of one of them, and its head then has no gradient.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    if accelerator.mixed_precision == "fp16" and accelerator.device.type == "cpu":
        raise ArttlError("--mixed-precision fp16 needs a GPU; on the CPU use bf16 or no")
    return accelerator


def _introduce(
    reporter: EpochReporter,
    settings: TrainSettings,
    manifest: Manifest,
    model: TrainedModel,
    news: str,
    accelerator: Accelerator,
) -> None:
    names = ", ".join(model.tasks.names)
    kind = f"Single-task baseline: {names}" if len(model.tasks) == 1 else f"Joint model: {names}"
    reporter.console.rule(f"[bold]{kind}", align="left")
    parameters = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    reporter.say(f"shards     {manifest.directory} ({len(manifest)} samples)")
    for task in model.tasks:
        labels = manifest.labels(task.name)
        known = sum(found is not None for found in labels)
        reporter.say(
            f"task       {task.name}: {task.summary}, {known} labelled, {len(labels) - known} without"
        )
    networks = " + ".join(network.name for network in model.networks)
    reporter.say(f"network    {networks}, {parameters:.1f} million parameters, {settings.mode}")
    reporter.say(f"weights    {model.provenance.weights}")
    if news:
        reporter.say(f"           {news}")
    for preprocess in dict.fromkeys(model.preprocesses):
        reporter.say(f"input      {preprocess}")
    reporter.say(
        f"machine    {accelerator.device}, {accelerator.num_processes} process(es) of {torch.get_num_threads()}"
        f" thread(s), precision {accelerator.mixed_precision}"
    )


def _test(
    run: RunFolder,
    manifest: Manifest,
    loaders: Loaders,
    reporter: EpochReporter,
    accelerator: Accelerator,
) -> dict[str, TaskMetrics]:
    """Calibrate and measure the model as saved, so that evaluate.py finds the same figures."""
    model = load_trained_model(run.best)[0].to(accelerator.device)
    found = {}
    for split in ("val", "test"):
        views = loaders.open(split)
        with reporter.progress(f"answers on {split}", len(views)) as bar:
            found[split] = predict(model, model.tasks, views, accelerator.gather, bar.advance)
    calibration = found["val"].calibrate()
    predictions = found["test"]
    metrics = measure_predictions(predictions, manifest, calibration)

    def finish() -> None:
        calibration.save(run.best)
        run.finish(
            metrics_to_json(metrics),
            predictions=lambda path: predictions.write(path, manifest, calibration),
            classes=lambda path: write_classes(path, class_tables(predictions)),
        )

    on_first_rank(finish)
    reporter.show(metrics_table(metrics, "Test split, per cent"))
    return metrics
