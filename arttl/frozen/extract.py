"""`arttl features`: one forward pass of a backbone over a collection, kept for all heads that are trained on it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import torch
import tyro
from accelerate import Accelerator

from arttl.console import Reporter
from arttl.errors import ArttlError, counted
from arttl.files import digest_of_file
from arttl.frozen.recipe import Recipe
from arttl.frozen.store import (
    LARGEST_FEATURE,
    FeatureStore,
    StoreWriter,
    sha256_of_weights,
    unusable_rows,
)
from arttl.inference.precision import open_faster
from arttl.loading import Loader, open_loader
from arttl.loading.settings import EngineSettings
from arttl.models import Backbone, load_weights
from arttl.models.settings import NetworkSettings
from arttl.models.stages import LAST_LAYER, PooledStages, stage_widths
from arttl.models.weights import LoadedWeights
from arttl.runs import beside_other_ranks, flat_settings, on_first_rank, open_accelerator
from arttl.settings import AtLeastOne, OutputSettings
from arttl.shards.manifest import Manifest


@dataclass(frozen=True, kw_only=True)
class FeatureSettings(OutputSettings, EngineSettings, NetworkSettings):
    """Compute a frozen backbone's features of every sample, once.

    `arttl probe`, `arttl fuse` and `arttl layers` train on the folder it makes, which needs neither the shards nor the
    weights any more. An interrupted pass is resumed when the command is given again.
    """

    shards: Annotated[Path, tyro.conf.Positional]
    """Folder of shards, made with arttl shards."""
    out: Path
    """Folder of features to make."""
    overwrite: bool = False
    """Replace features of another backbone, size or collection that --out already holds."""
    stages: Literal["all", "last"] = "all"
    """All (the average of every stage that timm describes, and the last pooled layer) or last (that layer alone)."""
    batch_size: AtLeastOne = 64
    """Samples per step and process."""
    block_size: AtLeastOne = 1024
    """Samples between writes to the disk: at most so many are computed again after an interruption."""
    mixed_precision: Literal["no", "fp16", "bf16", "auto"] | None = None
    """Precision of the computation; features are kept in float32. By default as `accelerate launch --mixed_precision`
    says, else no; auto measures which of no and bf16 is faster on this machine, once, and keeps that in the cache."""


def compute_features(
    settings: FeatureSettings, network: PooledStages | None = None, loaded: LoadedWeights | None = None
) -> FeatureStore:
    """Make a feature store, or finish one, on any number of ranks.

    Args:
        settings: of the pass.
        network: that makes the features, in place of the one that the settings name.
        loaded: where its weights came from, and its transform.

    Returns:
        The finished store, on every rank that sees the same file system.

    Raises:
        ArttlError: for input that cannot be used, or features that are not finite.
    """
    accelerator = open_accelerator(settings.mixed_precision, settings.threads)
    manifest = Manifest.read(settings.shards)
    if network is None or loaded is None:
        network, loaded = _network(settings)
    backbone = network.backbone
    reasons = []
    if settings.mixed_precision == "auto":
        accelerator, reason = open_faster(
            [backbone], [loaded.preprocess.size], settings.threads, learns=False
        )
        reasons.append(f"precision  {reason}")
    recipe = Recipe(
        shards_sha256=digest_of_file(settings.shards / "manifest.parquet"),
        backbone=backbone.name,
        weights_sha256=sha256_of_weights(backbone),
        weights=loaded.origin,
        preprocess=json.loads(json.dumps(loaded.preprocess.to_dict())),
        precision=str(accelerator.mixed_precision),
        stages=network.widths,
        pooling=backbone.pooling,
    )
    reporter = Reporter(accelerator.is_main_process)
    reporter.say(f"shards     {settings.shards} ({counted(len(manifest), 'sample')})")
    pooling = f", {backbone.pooling}" if backbone.pooling else ""
    reporter.say(f"network    {backbone.name}{pooling}, {loaded.origin}")
    reporter.say(f"stages     {', '.join(f'{name} ({width})' for name, width in network.widths.items())}")
    for sentence in (f"input      {loaded.preprocess}", *reasons):
        reporter.say(sentence)
    writer = StoreWriter(settings.out, recipe, manifest, settings.block_size)
    every_sample = open_loader(  # finds a missing or damaged shard before any work is done
        manifest,
        "all",
        labelled=False,
        preprocess=loaded.preprocess,
        batch_size=settings.batch_size,
        engine=settings.engine,
        rank=accelerator.process_index,
        world_size=accelerator.num_processes,
        threads=settings.threads,
        device=accelerator.device,
    )
    missing = on_first_rank(
        lambda: writer.begin(backbone, flat_settings(settings), overwrite=settings.overwrite)
    )
    if missing:
        reporter.say(f"engine     {every_sample.engine_reason}")
        kept = writer.num_blocks - len(missing)
        if kept:
            reporter.say(f"resumed    {kept} of {writer.num_blocks} blocks were done by an interrupted pass")
        with beside_other_ranks():
            _fill(writer, missing, network, manifest, every_sample, reporter, accelerator)
    else:
        reporter.say(f"features   {settings.out} holds them already")
    accelerator.wait_for_everyone()
    return FeatureStore.open(settings.out, verify=False)


def _network(settings: FeatureSettings) -> tuple[PooledStages, LoadedWeights]:
    """The network that the settings name, and where its weights came from."""
    torch.manual_seed(0)  # --weights none means the same network on every rank, and when the pass is resumed
    backbone = Backbone(settings.backbone, settings.pooling)
    loaded = load_weights(backbone, settings.weights, settings.input_size)
    widths = {LAST_LAYER: backbone.num_features}
    if settings.stages == "all":
        widths = stage_widths(backbone, loaded.preprocess.size)
    return PooledStages(backbone, widths), loaded


def _fill(
    writer: StoreWriter,
    missing: list[int],
    network: PooledStages,
    manifest: Manifest,
    every_sample: Loader,
    reporter: Reporter,
    accelerator: Accelerator,
) -> None:
    network.to(accelerator.device).to(memory_format=torch.channels_last).eval()
    started = time.perf_counter()
    samples = 0
    with reporter.progress("features", len(missing)) as bar:
        for block in missing:
            rows = writer.rows(block)
            parts = list(_pass(network, every_sample.of_rows(rows), accelerator))
            values = [np.concatenate(of_stage) for of_stage in zip(*parts, strict=True)]
            _check_finite(values, rows, manifest, network, accelerator)
            on_first_rank(partial(writer.write, block, values))
            samples += len(rows)
            bar.advance()
    on_first_rank(writer.finish)
    seconds = time.perf_counter() - started
    reporter.say(
        f"features   {writer.out}: {counted(samples, 'sample')} in {seconds:.1f} s, {samples / seconds:.0f} per second"
    )


@torch.inference_mode()
def _pass(
    network: PooledStages, loader: Loader, accelerator: Accelerator
) -> Iterator[list[npt.NDArray[np.float32]]]:
    """The stages of each global batch, in the order of the rows, on every rank."""
    for batch in loader:
        with accelerator.autocast():
            stages = network(batch.images)
        # Padding is known by the mask, not by position: every rank pads its own batches.
        real = accelerator.gather(batch.valid)
        yield [accelerator.gather(stage.float())[real].cpu().numpy() for stage in stages]


def _check_finite(
    values: list[npt.NDArray[np.float32]],
    rows: npt.NDArray[np.int64],
    manifest: Manifest,
    network: PooledStages,
    accelerator: Accelerator,
) -> None:
    for stage, features in zip(network.widths, values, strict=True):
        if broken := unusable_rows(torch.from_numpy(features)):
            key = manifest.keys[rows[broken[0]]]
            in_full = accelerator.mixed_precision == "no"
            raise ArttlError(
                f"the features of sample {key} are not finite or above {LARGEST_FEATURE:g} at stage {stage} in"
                f" precision {accelerator.mixed_precision}:"
                f" {'use other weights' if in_full else 'try --mixed-precision no'}"
            )


def run(settings: FeatureSettings) -> None:
    """Compute the features and print how it went."""
    compute_features(settings)
