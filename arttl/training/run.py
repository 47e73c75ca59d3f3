"""A training run from settings to a run folder."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs, set_seed
from torch import nn

from arttl.errors import ArttlError
from arttl.evaluation.metrics import TaskMetrics, metrics_to_json
from arttl.evaluation.predictions import predict
from arttl.evaluation.report import metrics_table
from arttl.loading import Augment, Loader, Preprocess, open_loader
from arttl.loading.loader import usable_cores
from arttl.models import Backbone, MultiTaskModel, Provenance, load_model, load_weights
from arttl.packing.manifest import Manifest
from arttl.tasks import SPLITS, TaskSet
from arttl.training.checkpoints import Checkpoints, Epoch
from arttl.training.features import extract_features
from arttl.training.folder import prepare_folder, write_inputs
from arttl.training.linear_probe import INVERSE_L2_GRID, fit_probe
from arttl.training.loop import fit
from arttl.training.report import Reporter
from arttl.training.settings import TrainSettings


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
        # The launchers leave each process a single thread, whatever the cores.
        torch.set_num_threads(settings.threads or usable_cores())
    set_seed(settings.seed)
    if settings.shards is None:
        raise ArttlError("name the shards to train on with --shards")
    manifest = Manifest.read(settings.shards)
    tasks = TaskSet.from_manifest(
        manifest,
        settings.tasks or manifest.task_names,
        classes=settings.classes,
        multi_label=settings.multi_label,
    )
    for split in SPLITS:
        manifest.rows(split)
    backbone = Backbone(settings.backbone)
    loaded = load_weights(backbone, settings.weights, settings.input_size)
    model = MultiTaskModel(backbone, tasks, loaded.preprocess, Provenance(settings.mode, loaded.origin))
    loaders = _Loaders(settings, manifest, tasks, model.preprocess, accelerator)
    loaders.open("test")  # finds a missing or broken shard before any work is done
    prepare_folder(settings, accelerator)

    reporter = Reporter(accelerator.is_main_process, settings.out / "metrics.jsonl")
    _introduce(reporter, settings, manifest, model, loaded.left_out, accelerator)
    write_inputs(settings, tasks, accelerator)
    started = time.perf_counter()
    if settings.mode == "off-the-shelf":
        _train_heads(model, settings, loaders, reporter, accelerator)
    else:
        _train_all(model, settings, loaders, reporter, accelerator)
    best = settings.out / "best"
    if accelerator.is_main_process:
        model.save(best)
    accelerator.wait_for_everyone()
    reporter.say(f"model      {best}, after {time.perf_counter() - started:.0f} s")
    return _test(best, settings, manifest, loaders, reporter, accelerator)


class _Loaders:
    """Opens the splits alike."""

    def __init__(
        self,
        settings: TrainSettings,
        manifest: Manifest,
        tasks: TaskSet,
        preprocess: Preprocess,
        accelerator: Accelerator,
    ) -> None:
        self._settings, self._manifest, self._tasks = settings, manifest, tasks
        self._preprocess, self._accelerator = preprocess, accelerator

    def open(self, split: str, *, augment: Augment | None = None, shuffle: bool = False) -> Loader:
        return open_loader(
            self._manifest,
            split,
            self._tasks,
            preprocess=replace(self._preprocess, augment=augment),
            batch_size=self._settings.batch_size,
            engine=self._settings.engine,
            rank=self._accelerator.process_index,
            world_size=self._accelerator.num_processes,
            seed=self._settings.seed,
            shuffle=shuffle,
            threads=self._settings.threads,
            device=self._accelerator.device,
        )


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
    reporter: Reporter,
    settings: TrainSettings,
    manifest: Manifest,
    model: MultiTaskModel,
    left_out: tuple[str, ...],
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
            f"task       {task.name}: {task.kind}, {len(task.vocabulary)} classes ({settings.classes}),"
            f" {known} labelled, {len(labels) - known} without"
        )
    reporter.say(f"network    {model.backbone.name}, {parameters:.1f} million parameters, {settings.mode}")
    reporter.say(f"weights    {model.provenance.weights}")
    if left_out:
        more = f" and {len(left_out) - 4} more" if len(left_out) > 4 else ""
        reporter.say(f"           left out: {', '.join(left_out[:4])}{more}")
    reporter.say(f"input      {model.preprocess}")
    reporter.say(
        f"machine    {accelerator.device}, {accelerator.num_processes} process(es) of {torch.get_num_threads()}"
        f" thread(s), precision {accelerator.mixed_precision}"
    )


def _train_heads(
    model: MultiTaskModel,
    settings: TrainSettings,
    loaders: _Loaders,
    reporter: Reporter,
    accelerator: Accelerator,
) -> None:
    """Off-the-shelf: one pass of the frozen backbone, then the heads on its standardised features."""
    model.to(accelerator.device)
    features = {}
    started = time.perf_counter()
    for split in ("train", "val"):
        loader = loaders.open(split)
        if split == "train":
            reporter.say(f"engine     {loader.engine_reason}")
        with reporter.progress(f"features of {split}", len(loader)) as bar:
            features[split] = extract_features(model.backbone, loader, accelerator.gather, bar.advance)
    count = sum(len(found.rows) for found in features.values())
    reporter.say(f"features of {count} samples in {time.perf_counter() - started:.1f} s")
    mean, std = features["train"].values.mean(0), features["train"].values.std(0).clamp_min(1e-6)
    train, val = (features[split].standardised(mean, std, accelerator.device) for split in ("train", "val"))
    for task, layer in zip(model.tasks, model.heads.layers, strict=True):
        assert isinstance(layer, nn.Linear)
        with reporter.progress(f"heads of {task.name}", len(INVERSE_L2_GRID)) as bar:
            probe = fit_probe(task, train, val, settings.inverse_l2, lambda found: bar.advance())
        accuracy = "" if probe.val_accuracy is None else f", accuracy {100 * probe.val_accuracy:.1f}%"
        reporter.say(
            f"head       {task.name}: C = {probe.inverse_l2:g}, validation loss {probe.val_loss:.3f}{accuracy}"
        )
        reporter.write(
            {
                "task": task.name,
                "inverse_l2": probe.inverse_l2,
                "val_loss": probe.val_loss,
                "val_accuracy": probe.val_accuracy,
            }
        )
        with torch.no_grad():
            layer.weight.copy_(probe.weight)
            layer.bias.copy_(probe.bias)
    model.heads.absorb_standardisation(mean.to(accelerator.device), std.to(accelerator.device))


def _train_all(
    model: MultiTaskModel,
    settings: TrainSettings,
    loaders: _Loaders,
    reporter: Reporter,
    accelerator: Accelerator,
) -> None:
    """Fine-tuning and scratch: every weight learns, on randomly cropped and flipped pictures."""
    train = loaders.open("train", augment=Augment(scale=(settings.crop_scale, 1.0)), shuffle=True)
    reporter.say(f"training   {train.preprocess}")
    reporter.say(f"engine     {train.engine_reason}")
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        [
            *_groups(model.backbone, settings.learning_rate, settings.weight_decay),
            *_groups(model.heads, settings.head_learning_rate, settings.weight_decay),
        ]
    )
    assert settings.epochs is not None
    with reporter.progress("training", settings.epochs * len(train)) as bar:
        clock = time.perf_counter()

        def on_epoch(epoch: Epoch) -> None:
            nonlocal clock
            now = time.perf_counter()
            reporter.epoch(epoch, now - clock)
            clock = now

        fitted = fit(
            model,
            optimizer,
            model.tasks,
            train,
            loaders.open("val"),
            accelerator=accelerator,
            epochs=settings.epochs,
            patience=settings.patience,
            checkpoints=Checkpoints(
                settings.out / "checkpoints", accelerator, keep=settings.keep_checkpoints
            ),
            checkpoint_every=settings.checkpoint_every,
            on_step=bar.advance,
            on_epoch=on_epoch,
        )
    assert fitted.best is not None
    reporter.say(f"best       epoch {fitted.best.epoch} of {len(fitted.history)}, by validation loss")


def _groups(module: nn.Module, learning_rate: float | None, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters with weight decay (matrices) and without (biases, normalisation)."""
    matrices = [parameter for parameter in module.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in module.parameters() if parameter.ndim <= 1]
    return [
        {"params": matrices, "lr": learning_rate, "weight_decay": weight_decay},
        {"params": others, "lr": learning_rate, "weight_decay": 0.0},
    ]


def _test(
    best: Path,
    settings: TrainSettings,
    manifest: Manifest,
    loaders: _Loaders,
    reporter: Reporter,
    accelerator: Accelerator,
) -> dict[str, TaskMetrics]:
    """Measure the model as saved, so that evaluate.py finds the same figures."""
    model = load_model(best).to(accelerator.device)
    loader = loaders.open("test")
    with reporter.progress("testing", len(loader)) as bar:
        predictions = predict(model, model.tasks, loader, accelerator.gather, bar.advance)
    metrics = predictions.measure(manifest)
    if accelerator.is_main_process:
        predictions.write(settings.out / "predictions.parquet", manifest)
        (settings.out / "test.json").write_text(json.dumps(metrics_to_json(metrics), indent=1) + "\n")
        reporter.show(metrics_table(metrics, "Test split, per cent"))
    accelerator.wait_for_everyone()
    return metrics
