"""Tokens: the pooled stages of one or several feature stores, standardised on the training split of a draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from arttl.errors import ArttlError
from arttl.frozen.split_features import Features
from arttl.frozen.store import FeatureStore
from arttl.splits.redraw import Draw
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

    def only(self, places: Sequence[int]) -> Samples:
        """The same samples with some of the tokens."""
        return Samples(self.rows, tuple(self.tokens[place] for place in places), self.targets)

    def standardised(self, mean: torch.Tensor, std: torch.Tensor) -> Samples:
        """Samples with one token, less `mean` [D] and divided by `std` [D]."""
        (values,) = self.tokens
        return Samples(self.rows, ((values - mean) / std,), self.targets)

    def features(self, task: Task) -> Features:
        """Samples with one token, as `arttl.frozen.linear_probe` takes them."""
        (values,) = self.tokens
        return Features(self.rows, values, {task.name: self.targets})


class Tokens:
    """Normalised tokens of every row of a collection.

    Each column is standardised on the training split, and each token divided by the square root of its width, so that
    the mean squared length of every token is one: none outweighs another by being wider, and the strength of a
    penalty means the same for any number of tokens.

    Attributes:
        names: store number and stage of each token.
        mean, scale: [sum of the widths]; a token is `(features - mean) * scale`.
    """

    def __init__(self, stores: Sequence[FeatureStore], draw: Draw, device: torch.device) -> None:
        """Read and normalise every stage of every store.

        Args:
            stores: of the same shards.
            draw: whose training split the normalisation is of.
            device: where the tokens go.
        """
        self._draw, self._device = draw, device
        self.names = tuple((place, stage) for place, store in enumerate(stores) for stage in store.stages)
        train = torch.from_numpy(draw.rows("train"))
        values, means, scales = [], [], []
        for place, stage in self.names:
            found = stores[place].values(stage)
            mean, std = found[train].mean(0), found[train].std(0)
            # A channel that never fires in training says nothing, and must not explode where it first does.
            scale = torch.where(std > 1e-6, 1 / std.clamp_min(1e-6), 0) / found.shape[1] ** 0.5
            values.append(((found - mean) * scale).to(device))
            means.append(mean)
            scales.append(scale)
        self._values = values
        self.mean, self.scale = torch.cat(means), torch.cat(scales)

    def width(self, place: int) -> int:
        """D of a token."""
        return self._values[place].shape[1]

    def part(self, whole: torch.Tensor, place: int) -> torch.Tensor:
        """A token's part of `mean` or `scale`."""
        widths = [found.shape[1] for found in self._values]
        return whole.split(widths)[place]

    def samples(self, task: Task) -> dict[str, Samples]:
        """Split name to the task's labelled samples, see `labelled_samples`."""
        return labelled_samples(self._draw, task, self._values, self._device)


def labelled_samples(
    draw: Draw, task: Task, values: Sequence[torch.Tensor], device: torch.device
) -> dict[str, Samples]:
    """The labelled samples of every split for one task.

    Args:
        draw: the split.
        task: what is predicted.
        values: tokens of every row of the manifest, [rows, D] each.
        device: where the samples go.

    Raises:
        ArttlError: if a split has none.
    """
    targets = task.targets(draw.labels(task.name))
    known = is_labelled(targets)
    found = {}
    for split in SPLITS:
        rows = draw.rows(split)
        rows = rows[known[rows]]
        if not len(rows):
            raise ArttlError(f"no sample of the split {split!r} carries a label of task {task.name!r}")
        chosen = torch.from_numpy(rows)
        found[split] = Samples(
            chosen,
            tuple(one[chosen.to(one.device)].to(device) for one in values),
            torch.from_numpy(targets[rows]).to(device),
        )
    return found


def same_collection(stores: Sequence[FeatureStore]) -> None:
    """Check that stores are of the same shards, and each of another network, size or weights.

    Raises:
        ArttlError: naming the first two that do not go together.
    """
    for place, store in enumerate(stores):
        for other in stores[:place]:
            if store.recipe.key == other.recipe.key:
                raise ArttlError(
                    f"{other.directory} and {store.directory} are the same features; give one of them"
                )
        if store.recipe.shards_sha256 != stores[0].recipe.shards_sha256:
            raise ArttlError(f"{store.directory} and {stores[0].directory} are features of different shards")


def store_names(stores: Sequence[FeatureStore]) -> list[str]:
    """A short name for each store in tables.

    Its network's, without the words that all networks begin with; with the input's size, or the folder, where that is
    not enough to tell them apart.
    """
    words = [store.backbone_name.partition(".")[0].split("_") for store in stores]
    alike = 0
    while len(stores) > 1 and len({tuple(found[: alike + 1]) for found in words}) == 1:
        if any(len(found) <= alike + 1 for found in words):
            break
        alike += 1
    networks = ["_".join(found[alike:]) for found in words]
    sizes = [f"{name} {store.preprocess.size} px" for name, store in zip(networks, stores, strict=True)]
    for names in (networks, sizes):
        if len(set(names)) == len(names):
            return names
    return [f"{name} ({store.directory.name})" for name, store in zip(networks, stores, strict=True)]
