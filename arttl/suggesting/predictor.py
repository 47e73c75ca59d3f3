"""Pictures that were read to records of a table: a network, suggestions, neighbours, and means over an object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator

from arttl.console import ProgressBar
from arttl.inference.neighbours import unit_length
from arttl.inference.predict import FEATURES, WithFeatures, finite_logits
from arttl.inference.suggestions import Suggester, Suggestion
from arttl.models import TrainedModel
from arttl.suggesting.collections import Collection, HowToRead, PictureBatch
from arttl.suggesting.neighbours import Neighbour, Neighbours
from arttl.suggesting.objects import ObjectCollection
from arttl.suggesting.tables import Record


@dataclass(frozen=True)
class Outputs:
    """What a network gives for N pictures.

    Attributes:
        items: all that were read, in order.
        problems: item to what is wrong with it; the other N were predicted.
        logits: task name to [N, Q].
        features: [N, D].
        photographs: of each object that was predicted, those that could be read.
    """

    items: list[int]
    problems: dict[int, str]
    logits: dict[str, npt.NDArray[np.float32]]
    features: torch.Tensor
    photographs: dict[int, list[int]] = field(default_factory=dict)


class Predictor:
    """A network on its device, and what makes records of its outputs."""

    def __init__(
        self,
        model: TrainedModel,
        suggester: Suggester,
        neighbours: Neighbours | None,
        nearest: int,
        accelerator: Accelerator,
    ) -> None:
        """Move the network to its device.

        Args:
            model: the network.
            suggester: of the model.
            neighbours: catalogued photographs; None: none are looked for.
            nearest: how many of them.
            accelerator: device and precision.
        """
        self._network = WithFeatures(model.to(accelerator.device)).eval()
        self._suggester, self._neighbours, self._nearest = suggester, neighbours, nearest
        self._accelerator = accelerator

    def parts(
        self, collection: Collection, parts: Mapping[int, Sequence[int]], how: HowToRead, bar: ProgressBar
    ) -> Iterator[tuple[int, list[Record]]]:
        """The records of each part.

        Args:
            collection: of pictures or objects.
            parts: number to its items.
            how: pictures are read.
            bar: counts records.
        """
        records: list[Record] = []
        waiting: list[Outputs] = []
        for batch in collection.read(parts, how):
            outputs = self._outputs(batch)
            if isinstance(collection, ObjectCollection):
                waiting.append(outputs)
                if sum(len(each.items) for each in waiting) < collection.photographs(parts[batch.part]):
                    continue
                outputs, waiting = of_objects(collection, parts[batch.part], waiting), []
            for record in self._records(collection, outputs):
                records.append(record)
                bar.advance()
            if len(records) == len(parts[batch.part]):
                yield batch.part, records
                records = []

    @torch.inference_mode()
    def _outputs(self, batch: PictureBatch) -> Outputs:
        if len(batch.problems) == len(batch.items):
            return Outputs(batch.items, batch.problems, {}, torch.empty(0))
        with self._accelerator.autocast():
            outputs = self._network(*batch.images)
        features = outputs.pop(FEATURES)
        return Outputs(batch.items, batch.problems, finite_logits(outputs), features)

    def _records(self, collection: Collection, outputs: Outputs) -> Iterator[Record]:
        if isinstance(collection, ObjectCollection):
            rows = {item: collection.row(item, outputs.photographs.get(item, [])) for item in outputs.items}
        else:
            rows = {item: collection.row(item) for item in outputs.items}
        predicted = [item for item in outputs.items if item not in outputs.problems]
        suggestions: dict[int, dict[str, Suggestion]] = {}
        neighbours: dict[int, tuple[Neighbour, ...]] = {}
        if predicted:
            suggested = self._suggester.suggest(outputs.logits, outputs.features)
            suggestions = dict(zip(predicted, suggested, strict=True))
            if self._neighbours is not None:
                objects = [(rows[item].object_number, rows[item].institution) for item in predicted]
                found = self._neighbours.of(outputs.features, objects, self._nearest)
                neighbours = dict(zip(predicted, found, strict=True))
        for item, row in rows.items():
            yield Record(row, outputs.problems.get(item), suggestions.get(item, {}), neighbours.get(item, ()))


def of_objects(collection: ObjectCollection, objects: Sequence[int], parts: Sequence[Outputs]) -> Outputs:
    """The outputs of objects, from those of their photographs.

    The mean of logits is, but for a constant, that of log-probabilities (of a number, of values); features are the mean
    of vectors of length one. An object has a problem if none of its photographs can be read.

    Args:
        collection: of the objects.
        objects: their numbers.
        parts: of all photographs of these objects.
    """
    problems: dict[int, str] = {}
    position: dict[int, int] = {}
    for outputs in parts:
        problems |= outputs.problems
        for item in outputs.items:
            if item not in outputs.problems:
                position[item] = len(position)
    predicted = [each for each in parts if each.logits]
    unreadable: dict[int, str] = {}
    chosen: list[list[int]] = []
    photographs: dict[int, list[int]] = {}
    for number in objects:
        items = collection.items(number)
        if readable := [item for item in items if item in position]:
            photographs[number] = readable
            chosen.append([position[item] for item in readable])
        else:
            unreadable[number] = problems[items[0]]
    if not predicted:
        return Outputs([*objects], unreadable, {}, torch.empty(0))
    logits = {
        task: _means(np.concatenate([each.logits[task] for each in predicted]), chosen)
        for task in predicted[0].logits
    }
    features = unit_length(torch.cat([each.features for each in predicted])).cpu().numpy()
    means = torch.from_numpy(_means(features, chosen))
    return Outputs([*objects], unreadable, logits, means, photographs)


def _means(values: npt.NDArray[np.float32], chosen: Sequence[list[int]]) -> npt.NDArray[np.float32]:
    return np.stack([values[rows].mean(0, dtype=np.float64) for rows in chosen]).astype(np.float32)
