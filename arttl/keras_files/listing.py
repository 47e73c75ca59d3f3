"""What a file of Keras holds: the layers, and where the numbers of their tensors are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tensor:
    """A tensor whose numbers are in the file one after the other, the last axis fastest.

    Attributes:
        name: in the file.
        shape: of the tensor.
        dtype: of its numbers, as NumPy writes it, such as `<f4`.
        start: the first byte.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    start: int


@dataclass(frozen=True)
class Listing:
    """The tensors of a file.

    Attributes:
        layers: name of every layer, in Keras's order, to its tensors, which may be none.
        error: why there is no listing, in one sentence; empty where there is.
    """

    layers: dict[str, tuple[Tensor, ...]]
    error: str = ""
