"""Objects that have several photographs: one photograph of each, or the mean over all of them.

Photographs of one object are not independent, and what is promised is promised of objects.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch


def object_names(numbers: Sequence[str], institutions: Sequence[str | None]) -> list[str]:
    """What tells the objects of photographs apart: of one number in two institutions there are two.

    Args:
        numbers: of each photograph.
        institutions: likewise; empty: none is known.
    """
    if not any(institutions):
        return list(numbers)
    return [json.dumps(each) for each in zip(numbers, institutions, strict=True)]


@dataclass(frozen=True, eq=False)
class Objects:
    """The A objects of N photographs.

    Attributes:
        chosen: [A] int64, the index of one photograph of each object, ascending: any, but always the same one.
        of_photograph: [N] int64, the index of each photograph's object.
        photographs: [A] int64, how many each object has.
    """

    chosen: npt.NDArray[np.int64]
    of_photograph: npt.NDArray[np.int64]
    photographs: npt.NDArray[np.int64]

    @classmethod
    def of(cls, names: Sequence[str], keys: Sequence[str]) -> Objects:
        """The objects of photographs.

        Args:
            names: of each photograph's object, see `object_names`.
            keys: of each photograph.
        """
        order = sorted(range(len(keys)), key=lambda index: hashlib.sha256(keys[index].encode()).digest())
        first: dict[str, int] = {}
        for index in order:
            first.setdefault(names[index], index)
        ascending = sorted(first.items(), key=lambda item: item[1])
        number = {name: index for index, (name, _) in enumerate(ascending)}
        of_photograph = np.array([number[name] for name in names], dtype=np.int64)
        chosen = np.array([index for _, index in ascending], dtype=np.int64)
        return cls(chosen, of_photograph, np.bincount(of_photograph, minlength=len(chosen)))

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """The means over the photographs of each object, [N, ...] to [A, ...].

        Of logits this is the mean log-probability: the softmax of mean logits is proportional to the exponential of the
        mean of the photographs' log-softmaxes, and of a sigmoid the mean is that of the log-odds; both for any
        temperature. Of features it is meant for vectors of length one, so that no photograph outweighs another.
        """
        sums = values.new_zeros((len(self.chosen), *values.shape[1:]), dtype=torch.float64)
        sums.index_add_(0, torch.from_numpy(self.of_photograph).to(values.device), values.double())
        counts = torch.from_numpy(self.photographs).to(values.device).view(-1, *[1] * (values.ndim - 1))
        return (sums / counts).to(values.dtype)
