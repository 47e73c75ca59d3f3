"""Tokens: the pooled stages of one or several feature stores, standardised on the training split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from arttl.errors import ArttlError
from arttl.frozen.store import FeatureStore
from arttl.splits.redraw import SplitAssignment
from arttl.tasks import SPLITS, Task, is_labelled


@dataclass(frozen=True)
class Samples:
    """The labelled samples of one split for one task.

    Attributes:
        rows: [N] int64, rows of the manifest.
        tokens: [N, D] float32 for each token.
        targets: [N] int64, [N, Q] float32, or for a number [N] float32; none unknown.
    """

    rows: torch.Tensor
    tokens: tuple[torch.Tensor, ...]
    targets: torch.Tensor

    def with_tokens(self, indices: Sequence[int]) -> Samples:
        """The same samples with a selection of the tokens."""
        return Samples(self.rows, tuple(self.tokens[index] for index in indices), self.targets)

    def standardised(self, mean: torch.Tensor, std: torch.Tensor) -> Samples:
        """Samples with one token, less `mean` [D] and divided by `std` [D]."""
        (values,) = self.tokens
        return Samples(self.rows, ((values - mean) / std,), self.targets)


def standardise(samples: Mapping[str, Samples]) -> tuple[dict[str, Samples], torch.Tensor, torch.Tensor]:
    """Standardise samples with one token on the training split.

    Returns:
        Split name to samples, and the mean and standard deviation [D] of the training split.
    """
    (train,) = samples["train"].tokens
    mean, std = train.mean(0), train.std(0).clamp_min(1e-6)
    return {split: of_split.standardised(mean, std) for split, of_split in samples.items()}, mean, std


class Tokens:
    """Normalised tokens of every row of a collection.

    Each column is standardised on the training split, and each token divided by the square root of its width, so that
    the mean squared length of every token is one: none outweighs another by being wider, and the strength of a
    penalty means the same for any number of tokens.

    Attributes:
        names: store number and stage of each token.
        widths: D of each token.
        means, scales: of each token [D]; a token is `(features - mean) * scale`.
    """

    def __init__(self, stores: Sequence[FeatureStore], split: SplitAssignment, device: torch.device) -> None:
        """Read and normalise every stage of every store.

        Args:
            stores: of the same shards.
            split: whose training samples the normalisation is of.
            device: where the tokens go.
        """
        self._split, self._device = split, device
        self.names = tuple((number, stage) for number, store in enumerate(stores) for stage in store.stages)
        train = torch.from_numpy(split.rows("train"))
        self._values: list[torch.Tensor] = []
        self.means: list[torch.Tensor] = []
        self.scales: list[torch.Tensor] = []
        for number, stage in self.names:
            features = stores[number].values(stage)
            mean, std = features[train].mean(0), features[train].std(0)
            # A channel that never fires in training says nothing, and must not explode where it first does.
            scale = torch.where(std > 1e-6, 1 / std.clamp_min(1e-6), 0) / features.shape[1] ** 0.5
            self._values.append(((features - mean) * scale).to(device))
            self.means.append(mean)
            self.scales.append(scale)
        self.widths = [features.shape[1] for features in self._values]

    def samples(self, task: Task) -> dict[str, Samples]:
        """Split name to the task's labelled samples, see `labelled_samples`."""
        return labelled_samples(self._split, task, self._values, self._device)


def labelled_samples(
    split: SplitAssignment, task: Task, values: Sequence[torch.Tensor], device: torch.device
) -> dict[str, Samples]:
    """The labelled samples of every part of a split for one task.

    Args:
        split: which row is in train, val and test.
        task: what is predicted.
        values: tokens of every row of the manifest, [rows, D] each.
        device: where the samples go.

    Raises:
        ArttlError: if a part has none.
    """
    targets = task.targets(split.labels(task.name))
    labelled = is_labelled(targets)
    samples = {}
    for part in SPLITS:
        rows = split.rows(part)
        rows = rows[labelled[rows]]
        if not len(rows):
            raise ArttlError(f"no sample of the split {part!r} carries a label of task {task.name!r}")
        index = torch.from_numpy(rows)
        samples[part] = Samples(
            index,
            tuple(token[index.to(token.device)].to(device) for token in values),
            torch.from_numpy(targets[rows]).to(device),
        )
    return samples


def same_collection(stores: Sequence[FeatureStore]) -> None:
    """Check that stores are of the same shards, and each of another network, size or weights.

    Raises:
        ArttlError: naming the first two that do not go together.
    """
    for number, store in enumerate(stores):
        for other in stores[:number]:
            if store.recipe.key == other.recipe.key:
                raise ArttlError(
                    f"{other.directory} and {store.directory} are the same features; give one of them"
                )
        if store.recipe.shards_sha256 != stores[0].recipe.shards_sha256:
            raise ArttlError(f"{store.directory} and {stores[0].directory} are features of different shards")


def store_names(stores: Sequence[FeatureStore]) -> list[str]:
    """A short name for each store in tables.

    Its network's, without the words that all networks begin with; with the input's size, or the folder, where that is
    not enough to distinguish them.
    """
    words = [store.backbone_name.partition(".")[0].split("_") for store in stores]
    # At least the last word of each stays, and all words of a single store.
    longest = min(map(len, words)) - 1 if len(stores) > 1 else 0
    common = 0
    while common < longest and len({name[common] for name in words}) == 1:
        common += 1
    networks = ["_".join(name[common:]) for name in words]
    sizes = [f"{name} {store.preprocess.size} px" for name, store in zip(networks, stores, strict=True)]
    for names in (networks, sizes):
        if len(set(names)) == len(names):
            return names
    return [f"{name} ({store.directory.name})" for name, store in zip(networks, stores, strict=True)]
