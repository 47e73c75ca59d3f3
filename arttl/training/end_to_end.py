"""Training by epochs: fine-tuning, scratch, and off-the-shelf as it was done in 2018."""

from __future__ import annotations

import time

import torch
from accelerate import Accelerator
from timm.utils import ModelEmaV3

from arttl.loading import Augment
from arttl.models import TrainedModel
from arttl.models.losses import log_prior
from arttl.training.balancing import fixed_weights, open_balancing
from arttl.training.batchnorm import he_uniform, synchronise, training_mode
from arttl.training.checkpoints import Checkpoints, Epoch
from arttl.training.loaders import Loaders
from arttl.training.loop import Plan, fit
from arttl.training.objective import Objective
from arttl.training.optimisation import build_optimizer
from arttl.training.report import EpochReporter
from arttl.training.settings import TrainSettings
from arttl.training.step import TrainingStep, check_project
from arttl.training.teachers import ask_teachers


def train_by_epochs(
    model: TrainedModel,
    settings: TrainSettings,
    loaders: Loaders,
    reporter: EpochReporter,
    accelerator: Accelerator,
) -> None:
    """Train a model, and leave it with the weights of the epoch of lowest validation loss.

    Args:
        model: changed in place.
        settings: resolved, with `by_epochs`.
        loaders: of the collection.
        reporter: tells how it goes.
        accelerator: where and how it runs.
    """
    learns = settings.mode != "off-the-shelf"
    project = settings.balancing == "upgrad"
    if project:
        check_project(accelerator.num_processes, accelerator.mixed_precision)
    fixed = fixed_weights(settings.task_weights, model.tasks.names)
    for backbone in model.networks:
        if settings.mode == "scratch":
            he_uniform(backbone)
        if not learns:
            backbone.requires_grad_(False)
    if settings.batchnorm == "synchronised":
        synchronise(model, accelerator.device)
    train = loaders.open(
        "train", augment=_augment(settings) if learns else None, shuffle=True, sampling=settings.sampling
    )
    for loader in train.loaders:
        reporter.say(f"training   {loader.preprocess}")
    reporter.say(f"engine     {train.first.engine_reason}")
    if settings.sampling != "uniform":
        reporter.say(f"sampling   {train.first.sampling.meaning}")
    teacher = ask_teachers(settings, model.tasks, loaders, reporter, accelerator)
    model.to(accelerator.device).to(memory_format=torch.channels_last)
    average = ModelEmaV3(model, decay=settings.ema, use_warmup=True) if settings.ema else None
    if settings.compile:
        model.compile()
    prepared, optimizer = accelerator.prepare(model, build_optimizer(model, settings))
    objective = Objective(
        model.tasks,
        settings.label_smoothing,
        {
            task.name: log_prior(task, settings.logit_adjustment).to(accelerator.device)
            for task in model.tasks
            if settings.logit_adjustment and task.kind == "single-label"
        },
        teacher,
    )
    step = TrainingStep(
        model,
        prepared,
        optimizer,
        accelerator,
        objective,
        open_balancing(settings.balancing, fixed, settings.balancing_rate, settings.seed),
        mixup=settings.mixup,
        clip_norm=settings.clip_norm,
        project=project,
    )
    assert settings.epochs is not None
    plan = Plan(
        settings.epochs, settings.patience, settings.schedule, settings.accumulate, settings.checkpoint_every
    )
    steps = plan.epochs * -(-len(train) // plan.accumulate)
    with reporter.progress("training", steps) as bar:
        clock = time.perf_counter()

        def on_epoch(epoch: Epoch) -> None:
            nonlocal clock
            now = time.perf_counter()
            reporter.epoch(epoch, now - clock)
            clock = now

        fitted = fit(
            step,
            train,
            loaders.open("val"),
            plan,
            average=average,
            training_mode=lambda: training_mode(model, backbone_learns=learns, batchnorm=settings.batchnorm),
            checkpoints=Checkpoints(
                settings.out / "checkpoints", accelerator, keep=settings.keep_checkpoints
            ),
            on_step=bar.advance,
            on_epoch=on_epoch,
        )
    assert fitted.best is not None
    reporter.say(f"best       epoch {fitted.best.epoch} of {len(fitted.history)}, by validation loss")


def _augment(settings: TrainSettings) -> Augment | None:
    if settings.augment == "none":
        return None
    jitter = settings.color_jitter
    return Augment((settings.crop_scale, 1.0), brightness=jitter, contrast=jitter, saturation=jitter)
