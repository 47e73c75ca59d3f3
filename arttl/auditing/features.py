"""The features that an audit is made on: those of given folders, or of shards, computed first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from arttl.auditing.seen import check_unseen
from arttl.auditing.settings import AuditSettings
from arttl.errors import ArttlError
from arttl.frozen.extract import FeatureSettings, compute_features
from arttl.frozen.store import FeatureStore
from arttl.frozen.tokens import same_collection
from arttl.models import load_trained_model
from arttl.models.stages import LAST_LAYER, PooledStages
from arttl.models.weights import LoadedWeights
from arttl.shards.manifest import Manifest


def open_features(settings: AuditSettings) -> tuple[list[FeatureStore], list[str]]:
    """Open the given features, or compute those of the given shards.

    Returns:
        The features, and sentences on what is assumed of their networks.

    Raises:
        ArttlError: if a folder is neither, two do not go together, or a network may have seen the labels.
    """
    with_features = [(folder / "features.json").is_file() for folder in settings.folders]
    if all(with_features):
        settings.check_features()
        stores = [FeatureStore.open(folder) for folder in settings.folders]
    elif len(with_features) == 1:
        stores = list(_computed(settings, settings.folders[0]))
    else:
        folder = settings.folders[with_features.index(False)]
        raise ArttlError(
            f"{folder} is not a folder of features; name folders made with arttl features, or one folder of shards"
        )
    same_collection(stores)
    for store in stores:
        if LAST_LAYER not in store.stages:
            raise ArttlError(
                f"{store.directory} lacks the features of the last layer; make them with arttl features"
            )
    sentences = [
        sentence
        for store in stores
        for sentence in _check(str(store.directory), store.recipe.weights, store.manifest, settings)
    ]
    return stores, sentences


def _check(where: str, weights: str, manifest: Manifest, settings: AuditSettings) -> list[str]:
    return check_unseen(where, weights, manifest, trained_elsewhere=settings.trained_elsewhere)


def _computed(settings: AuditSettings, shards: Path) -> Iterator[FeatureStore]:
    if not (shards / "manifest.parquet").is_file():
        raise ArttlError(f"{shards} is neither a folder of features nor one of shards")
    kept = settings.out.with_name(f"{settings.out.name}-features")
    manifest = Manifest.read(shards)
    settings.check_tasks(manifest.task_names)  # before the long pass, as all checks
    common = {name: getattr(settings, name) for name in ("engine", "threads", "overwrite")}
    if settings.model is None:
        if Path(settings.weights).is_dir():
            _check(f"--weights {settings.weights}", f"backbone of {settings.weights}", manifest, settings)
        common |= {name: getattr(settings, name) for name in ("backbone", "weights", "pooling", "input_size")}
        yield compute_features(FeatureSettings(shards=shards, out=kept, stages="last", **common))
        return
    model = load_trained_model(settings.model)
    _check(f"--model {settings.model}", f"the network of {model.folder}", manifest, settings)
    several = len(model.networks) > 1
    for index, (network, preprocess) in enumerate(zip(model.networks, model.preprocesses, strict=True)):
        loaded = LoadedWeights(f"the network of {model.folder}", preprocess)
        of_network = FeatureSettings(
            shards=shards,
            out=kept / str(index) if several else kept,
            backbone=network.name,
            **common,
        )
        yield compute_features(of_network, PooledStages(network, {LAST_LAYER: network.num_features}), loaded)
