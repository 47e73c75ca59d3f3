"""Sequences whose elements are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, overload

import numpy as np
import numpy.typing as npt

T = TypeVar("T")


class LazyRows(Sequence[T]):
    """A function of some rows, in a given order.

    Attributes:
        rows: [N] the argument of each element.
    """

    def __init__(self, rows: npt.NDArray[np.int64], of_row: Callable[[int], T]) -> None:
        self.rows = rows
        self._of_row = of_row

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> LazyRows[T]: ...

    def __getitem__(self, index: int | slice) -> T | LazyRows[T]:
        if isinstance(index, slice):
            return LazyRows(self.rows[index], self._of_row)
        return self._of_row(int(self.rows[index]))
