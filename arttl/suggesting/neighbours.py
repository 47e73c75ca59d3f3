"""The nearest catalogued objects of a picture, by the features of the model that predicts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch

from arttl.errors import ArttlError, counted
from arttl.files import digest_of_file
from arttl.frozen.extract import FeatureSettings, compute_features
from arttl.frozen.store import FeatureStore, sha256_of_weights
from arttl.inference.neighbours import nearest, unit_length
from arttl.models import TrainedModel
from arttl.models.fusion import FusedModel
from arttl.models.stages import LAST_LAYER, PooledStages
from arttl.models.weights import LoadedWeights
from arttl.shards.manifest import Manifest

_MOST_OF_AN_OBJECT = 32  # photographs that are looked past for those of other objects


@dataclass(frozen=True)
class Neighbour:
    """A catalogued photograph near a picture.

    Attributes:
        object_number, key: of the photograph.
        similarity: cosine of the angle between the features, -1 to 1.
        labels: task name to labels, as catalogued, of the tasks that it has any for.
    """

    object_number: str
    key: str
    similarity: float
    labels: dict[str, tuple[str, ...]]


class Neighbours:
    """The features of a collection of catalogued photographs, in memory."""

    def __init__(self, manifest: Manifest, features: torch.Tensor) -> None:
        """Take the features.

        Args:
            manifest: of the photographs.
            features: [rows of the manifest, D], as the model gives them.
        """
        self._manifest = manifest
        self._features = unit_length(features)
        self._labels = {task: manifest.labels(task) for task in manifest.task_names}
        most = max(Counter(manifest.object_numbers).values(), default=1)
        self._beyond = min(most, _MOST_OF_AN_OBJECT)

    def of(
        self, features: torch.Tensor, objects: Sequence[tuple[str, str]], count: int
    ) -> list[tuple[Neighbour, ...]]:
        """The nearest photographs of other objects, one per object, the nearest first.

        Args:
            features: [N, D] of pictures.
            objects: number and institution of theirs; empty where there is none.
            count: how many at most.

        Returns:
            For each picture its neighbours.
        """
        wanted = min(len(self._features), (count + 1) * self._beyond)
        similarities, rows = nearest(unit_length(features).cpu(), self._features, wanted)
        return [
            self._distinct(own, of_picture, chosen, count)
            for own, of_picture, chosen in zip(objects, similarities.tolist(), rows.tolist(), strict=True)
        ]

    def _distinct(
        self, own: tuple[str, str], similarities: list[float], rows: list[int], count: int
    ) -> tuple[Neighbour, ...]:
        found: dict[tuple[str, str], Neighbour] = {}
        for similarity, row in zip(similarities, rows, strict=True):
            number = self._manifest.object_numbers[row]
            each = number, self._manifest.institutions[row] or ""
            if each == own or each in found:
                continue
            labels = {task: labels[row] for task, labels in self._labels.items()}
            found[each] = Neighbour(
                number,
                self._manifest.keys[row],
                round(similarity, 6),
                {task: names for task, names in labels.items() if names},
            )
            if len(found) == count:
                break
        return tuple(found.values())


def open_neighbours(path: Path, model: TrainedModel, settings: FeatureSettings) -> Neighbours:
    """The features of the photographs of shards, computed once and kept in the model's folder; or those of a folder.

    Args:
        path: folder of shards, or of features that `arttl features` has made with the model's network.
        model: whose features they are.
        settings: of the pass over shards; `shards`, `out` and the network are not used. Features of each precision are
            kept.

    Raises:
        ArttlError: if it is neither, or the features are of another network.
    """
    parts = [_given(path, model)] if (path / "features.json").is_file() else _computed(path, model, settings)
    stages = [store.values(stage) for store, stages in parts for stage in stages]
    with torch.inference_mode():
        if isinstance(model, FusedModel):
            stages = model.normalise(stages)
        return Neighbours(parts[0][0].manifest, torch.cat(stages, 1))


_Part: TypeAlias = tuple[FeatureStore, tuple[str, ...]]
"""Features of one of the model's networks, and their stages."""


def _given(path: Path, model: TrainedModel) -> _Part:
    store = FeatureStore.open(path)
    if isinstance(model, FusedModel):
        raise ArttlError(
            f"--neighbours {path} holds the features of one network, and the model has"
            f" {counted(len(model.networks), 'network')}: name the shards instead"
        )
    (network,) = model.networks
    if store.recipe.weights_sha256 != sha256_of_weights(network):
        raise ArttlError(
            f"--neighbours {path} holds features of another network than --model: make them with arttl features"
            " --weights, naming the model, or name the shards"
        )
    if store.recipe.pooling != network.pooling:
        raise ArttlError(
            f"--neighbours {path} holds features pooled otherwise ({store.recipe.pooling or 'as timm does'}) than the"
            f" model's ({network.pooling or 'as timm does'}): name the shards instead"
        )
    if store.preprocess != model.preprocesses[0]:
        raise ArttlError(
            f"--neighbours {path} holds features of pictures cut otherwise ({store.preprocess}) than the model's"
            f" ({model.preprocesses[0]}): name the shards instead"
        )
    if LAST_LAYER not in store.stages:
        raise ArttlError(f"--neighbours {path} lacks the last layer's features: name the shards instead")
    return store, (LAST_LAYER,)


def _computed(path: Path, model: TrainedModel, settings: FeatureSettings) -> list[_Part]:
    assert model.folder is not None
    manifest = path / "manifest.parquet"
    if not manifest.is_file():
        raise ArttlError(f"--neighbours {path} is neither a folder of shards nor of features")
    precision = "" if settings.mixed_precision in (None, "no") else f"-{settings.mixed_precision}"
    kept = model.folder / "neighbours" / f"{digest_of_file(manifest)[:12]}{precision}"
    networks = [PooledStages(network, {LAST_LAYER: network.num_features}) for network in model.networks]
    if isinstance(model, FusedModel):
        networks = [each for each in model.backbones if isinstance(each, PooledStages)]
    parts = []
    for index, (network, preprocess) in enumerate(zip(networks, model.preprocesses, strict=True)):
        of_network = settings.replace(shards=path, out=kept / str(index), backbone=network.backbone.name)
        loaded = LoadedWeights(f"the network of {model.folder}", preprocess)
        parts.append((compute_features(of_network, network, loaded), tuple(network.widths)))
    return parts
