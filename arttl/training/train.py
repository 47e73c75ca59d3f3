"""A training run, read from the first line to the last: settings, data, model, optimizer, loop, test, run folder."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from accelerate.utils import set_seed
from timm.utils import ModelEmaV3

from arttl.errors import ArttlError, counted
from arttl.evaluation.metrics import TaskMetrics
from arttl.evaluation.report import metrics_table
from arttl.explain.command import VisualizeSettings, visualize
from arttl.frozen.linear_probe import fit_probe
from arttl.frozen.results import finish_run
from arttl.frozen.split_features import Features, extract_features
from arttl.inference.precision import CONTESTANTS, open_faster
from arttl.inference.predict import predict_with_features
from arttl.inference.predictions import Predictions
from arttl.inference.promises import catalogued_rows, fit_promises, reference_rows
from arttl.loading import read_manifest
from arttl.models import Backbone, MultiTaskModel, Provenance, TrainedModel, load_trained_model, load_weights
from arttl.models.adaptation import Adaptation, merge
from arttl.models.checks import check_input_size
from arttl.models.fusion import is_fused, load_fused
from arttl.models.losses import log_prior
from arttl.models.solver import INVERSE_L2_GRID
from arttl.runs import RunFolder, beside_other_ranks, flat_settings, on_first_rank, open_accelerator
from arttl.shards.manifest import Manifest
from arttl.tasks import SPLITS, TaskSet
from arttl.training.balancing import open_balancing
from arttl.training.batchnorm import check_batches_of_one, he_uniform, synchronise, training_mode
from arttl.training.checkpoints import Checkpoints, Epoch
from arttl.training.embedded import EMBEDDED_SETTINGS, pack_embedded_collection
from arttl.training.loop import fit
from arttl.training.objective import Objective
from arttl.training.optimisation import build_optimizer
from arttl.training.ranks import prepare_ranks
from arttl.training.report import EpochReporter
from arttl.training.settings import MAY_CHANGE_ON_RESUME, ModelSettings, TrainSettings
from arttl.training.signals import Terminated
from arttl.training.splits import Splits
from arttl.training.step import TrainingStep
from arttl.training.teachers import load_teacher


def train(settings: TrainSettings) -> dict[str, TaskMetrics]:
    """Train, test the epoch with the lowest validation loss, and leave a run folder.

    Args:
        settings: of the run; `settings.data.shards` must be given.

    Returns:
        Task name to metrics on the test split.

    Raises:
        ArttlError: for input that cannot be used; nothing is written then.
        Terminated: after SIGTERM, when a checkpoint has been left.
    """
    settings = settings.resolved()
    folder = RunFolder(settings.run.out)
    accelerator = open_accelerator(
        settings.optimisation.mixed_precision,
        settings.data.threads,
    )
    set_seed(settings.run.seed)
    on_first_rank(
        lambda: folder.refuse_earlier_run(overwrite=settings.run.overwrite, resume=settings.run.resume)
    )

    # Data
    if settings.data.shards is None:
        raise ArttlError("name the shards to train on with --shards")
    if settings.data.shards == EMBEDDED_SETTINGS.data.shards:
        pack_embedded_collection(settings.data.shards)
    manifest = read_manifest(settings.data.shards)
    tasks = settings.data.choose(manifest)
    for split in SPLITS:
        manifest.rows(split)

    # Model
    model, notes = open_model(settings.model, tasks)
    adaptation = Adaptation.of(settings.model.adapt)
    for backbone, preprocess in zip(model.networks, model.preprocesses, strict=True):
        notes.append(adaptation.apply(backbone, preprocess.size))
    precision = None
    if settings.optimisation.mixed_precision == "auto":
        begun = on_first_rank(lambda: folder.precision) if settings.run.resume else None
        if begun in CONTESTANTS:  # or a resumed run would not repeat the uninterrupted one
            accelerator = open_accelerator(begun, settings.data.threads)
            precision = f"{begun}: what the run was begun in"
        else:
            accelerator, precision = open_faster(
                model.networks,
                [each.size for each in model.preprocesses],
                settings.data.threads,
                learns=settings.model.mode != "off-the-shelf",
            )
    if settings.model.by_epochs and settings.optimisation.batch_size == 1:
        check_batches_of_one(model, settings.model.batchnorm, accelerator.num_processes)
    splits = Splits(
        settings.data,
        settings.optimisation.batch_size,
        settings.run.seed,
        manifest,
        tasks,
        model.preprocesses,
        accelerator,
    )
    splits.open("test")  # a missing or broken shard shows before any work is done
    changes = on_first_rank(
        lambda: folder.begin(
            flat_settings(settings),
            tasks,
            overwrite=settings.run.overwrite,
            resume=settings.run.resume,
            may_change=MAY_CHANGE_ON_RESUME,
            device=accelerator.device,
            processes=accelerator.num_processes,
            mixed_precision=accelerator.mixed_precision,
        )
    )
    reporter = EpochReporter(accelerator.is_main_process, folder)
    reporter.describe_run(model, notes, settings.model.mode, manifest, accelerator)
    if precision is not None:
        reporter.say(f"precision  {precision}")
    if changes:
        reporter.say(f"resumed    with {', '.join(changes)}")
    for sentence in settings.data.sentences(manifest):
        reporter.say(f"classes    {sentence}")

    with beside_other_ranks():
        # Optimizer and loop, or a solver
        started = time.perf_counter()
        features = None
        if settings.model.by_epochs:
            _train_by_epochs(model, settings, splits, reporter)
            for backbone in model.networks:
                merge(backbone)
        else:
            assert isinstance(model, MultiTaskModel)
            features = _solve_heads(model, settings.optimisation.inverse_l2, splits, reporter)
        on_first_rank(lambda: model.save(folder.best))
        reporter.say(f"model      {folder.best}, after {time.perf_counter() - started:.0f} s")

        # Test and run folder
        metrics = _test(folder, manifest, splits, features, reporter)
    if settings.run.maps and accelerator.is_main_process:
        _draw_maps(folder, settings.data.shards, settings.run.maps, reporter)
    return metrics


def run(settings: TrainSettings) -> None:
    """`arttl train`: a run that SIGTERM has stopped exits with 0 and prints how to resume it."""
    try:
        train(settings)
    except Terminated as stop:
        print(stop)


def open_model(settings: ModelSettings, tasks: TaskSet) -> tuple[TrainedModel, list[str]]:
    """Build a run's model: a network and new heads, or a fused model to train further.

    Args:
        settings: resolved; `weights` may name a fused model, which brings its networks along.
        tasks: what to predict.

    Returns:
        The model; and notes on weights that were left out or heads that are new, empty if there are none.

    Raises:
        ArttlError: if the weights cannot be loaded, or do not suit the mode.
    """
    if is_fused(Path(settings.weights)):
        if settings.mode != "fine-tune":
            raise ArttlError(
                f"--weights {settings.weights} is a fused model, which --mode fine-tune trains further; the mode is"
                f" {settings.mode}"
            )
        if settings.head != "linear":
            raise ArttlError(
                f"--weights {settings.weights} is a fused model, which has its own heads: leave --head out"
            )
        if settings.pooling is not None:
            raise ArttlError(
                f"--weights {settings.weights} is a fused model, whose networks keep their pooling: leave --pooling out"
            )
        fused = load_fused(settings.weights)
        preprocesses = [settings.preprocess(each) for each in fused.preprocesses]
        for network, preprocess in zip(fused.networks, preprocesses, strict=True):
            check_input_size(network, preprocess.size)
        provenance = Provenance(settings.mode, f"fused model of {settings.weights}")
        trained, new = fused.for_training(tasks, preprocesses, provenance)
        return trained, [f"new heads: {', '.join(new)}" if new else ""]
    backbone = Backbone(settings.backbone, settings.pooling)
    loaded = load_weights(backbone, settings.weights, settings.input_size)
    preprocess = settings.preprocess(loaded.preprocess)
    provenance = Provenance(settings.mode, loaded.origin)
    model = MultiTaskModel(backbone, tasks, preprocess, provenance, head=settings.head)
    if not loaded.left_out:
        return model, []
    more = f" and {len(loaded.left_out) - 4} more" if len(loaded.left_out) > 4 else ""
    return model, [f"left out: {', '.join(loaded.left_out[:4])}{more}"]


def _train_by_epochs(
    model: TrainedModel, settings: TrainSettings, splits: Splits, reporter: EpochReporter
) -> None:
    """Fine-tuning, scratch, and off-the-shelf as in 2018; the model keeps the epoch of lowest validation loss."""
    accelerator, optimisation = splits.accelerator, settings.optimisation
    learns = settings.model.mode != "off-the-shelf"
    balancing = open_balancing(settings.multi_task, model.tasks.names)
    for backbone in model.networks:
        if settings.model.mode == "scratch":
            he_uniform(backbone)
        if not learns:
            backbone.requires_grad_(False)
    if settings.model.batchnorm == "synchronised":
        synchronise(model, accelerator.device)
    augment = settings.augmentation.random_crops() if learns else None
    train = splits.open("train", augment=augment, shuffle=True, sampling=settings.data.sampling)
    for loader in train.loaders:
        reporter.say(f"training   {loader.preprocess}")
    reporter.say(f"engine     {train.first.engine_reason}")
    if settings.data.sampling != "uniform":
        reporter.say(f"sampling   {train.first.sampling.meaning}")
    open_train = partial(splits.open, "train")
    teacher = load_teacher(settings.distillation, model.tasks, open_train, reporter, accelerator)
    model.to(accelerator.device).to(memory_format=torch.channels_last)
    average = ModelEmaV3(model, decay=optimisation.ema, use_warmup=True) if optimisation.ema else None
    prepare_ranks(accelerator, model)
    if optimisation.compile:
        model.compile()
    prepared, optimizer = accelerator.prepare(
        model, build_optimizer(model, optimisation, backbone_learns=learns)
    )
    objective = Objective(
        model.tasks,
        optimisation.label_smoothing,
        {
            task.name: log_prior(task, optimisation.logit_adjustment).to(accelerator.device)
            for task in model.tasks
            if optimisation.logit_adjustment and task.kind == "single-label"
        },
        teacher,
    )
    mixup, clip_norm = settings.augmentation.mixup, optimisation.clip_norm
    step = TrainingStep(
        model, prepared, optimizer, accelerator, objective, balancing, mixup=mixup, clip_norm=clip_norm
    )
    checkpoints = Checkpoints(
        RunFolder(settings.run.out).checkpoints, accelerator, keep=settings.run.keep_checkpoints
    )
    assert optimisation.epochs is not None
    steps = optimisation.epochs * -(-len(train) // optimisation.accumulate)
    with reporter.progress("training", steps) as bar:
        clock = time.perf_counter()

        def on_epoch(epoch: Epoch) -> None:
            nonlocal clock
            now = time.perf_counter()
            reporter.epoch(epoch, now - clock)
            clock = now

        progress = fit(
            step,
            train,
            splits.open("val"),
            optimisation,
            average=average,
            training_mode=lambda: training_mode(
                model, backbone_learns=learns, batchnorm=settings.model.batchnorm
            ),
            checkpoints=checkpoints,
            checkpoint_every=settings.run.checkpoint_every,
            on_step=bar.advance,
            on_epoch=on_epoch,
        )
    assert progress.best is not None
    reporter.say(f"best       epoch {progress.best.epoch} of {len(progress.history)}, by validation loss")


def _solve_heads(
    model: MultiTaskModel, inverse_l2: float | None, splits: Splits, reporter: EpochReporter
) -> Features:
    """Off-the-shelf: one pass of the frozen backbone, then heads on its standardised features.

    The standardisation ends up in the heads.

    Returns:
        The features of the training split, as the backbone gives them.
    """
    accelerator, layers = splits.accelerator, model.heads.linear_layers()
    model.to(accelerator.device)
    features = {}
    started = time.perf_counter()
    for split in ("train", "val"):
        loader = splits.open(split).first
        if split == "train":
            reporter.say(f"engine     {loader.engine_reason}")
        with reporter.progress(f"features of {split}", len(loader)) as bar:
            features[split] = extract_features(model.backbone, loader, accelerator.gather, bar.advance)
    count = sum(len(of_split.rows) for of_split in features.values())
    reporter.say(f"features of {counted(count, 'sample')} in {time.perf_counter() - started:.1f} s")
    mean, std = features["train"].values.mean(0), features["train"].values.std(0).clamp_min(1e-6)
    mean, std = mean.to(accelerator.device), std.to(accelerator.device)
    for task, layer in zip(model.tasks, layers, strict=True):
        train, val = (
            features[split].samples(task, accelerator.device).standardised(mean, std)
            for split in ("train", "val")
        )
        with reporter.progress(f"heads of {task.name}", len(INVERSE_L2_GRID)) as bar:
            probe = fit_probe(task, train, val, inverse_l2, lambda point: bar.advance())
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
    model.heads.absorb_standardisation(mean, std)
    return features["train"]


def _test(
    folder: RunFolder,
    manifest: Manifest,
    splits: Splits,
    train_features: Features | None,
    reporter: EpochReporter,
) -> dict[str, TaskMetrics]:
    """Calibrate and measure the model as saved, so that `arttl evaluate` finds the same figures."""
    accelerator = splits.accelerator
    model = load_trained_model(folder.best).to(accelerator.device)

    def predict_split(
        split: str, rows: npt.NDArray[np.int64] | None = None, *, labelled: bool = True
    ) -> tuple[Predictions, torch.Tensor]:
        views = splits.open(split, rows=rows, labelled=labelled)
        with reporter.progress(f"predictions on {split}", len(views)) as bar:
            return predict_with_features(model, views, manifest, accelerator.gather, bar.advance)

    # Objects whose label is no class count too: a suggestion for one of them is a mistake.
    catalogued = catalogued_rows(manifest.labels, model.tasks, manifest.rows("val"))
    validation, features = predict_split("val", catalogued, labelled=False)
    test, _ = predict_split("test")
    if train_features is not None:
        kept = np.isin(train_features.rows.numpy(), reference_rows(train_features.rows.numpy()))
        references = train_features.values[kept]
    else:
        _, references = predict_split("train", reference_rows(splits.open("train").first.rows))
    calibration = validation.calibrate()
    predictions = test.calibrated(calibration)

    def finish() -> dict[str, TaskMetrics]:
        calibration.save(folder.best)
        fit_promises(validation.calibrated(calibration), features, references).save(folder.best)
        return finish_run(folder, predictions)

    metrics = on_first_rank(finish)
    reporter.show(metrics_table(metrics, "Test split, per cent"))
    return metrics


def _draw_maps(folder: RunFolder, shards: Path, count: int, reporter: EpochReporter) -> None:
    """Draw maps of a few test pictures, for each task where the network has class maps, into the run folder."""
    maps = folder.path / "maps"
    try:
        written = visualize(VisualizeSettings(model=folder.best, shards=shards, count=count, out=maps))
    except ArttlError as error:  # a network without maps, such as some transformers, is trained all the same
        reporter.say(f"no maps: {error}")
    else:
        reporter.say(f"{counted(len(written) - 1, 'map')} and a panel of them in {maps}")
