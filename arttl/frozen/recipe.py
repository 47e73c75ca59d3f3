"""The description of a feature store: what its features are of, and the digests of their blocks of rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from arttl.models.settings import Pooling

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Recipe:
    """What decides the features: two passes of one recipe give the same numbers."""

    shards_sha256: str
    """Of the shards' manifest, which holds the digest of every picture."""
    backbone: str
    """timm's name."""
    weights_sha256: str
    """Of the network's tensors."""
    weights: str
    """One line: where they came from."""
    preprocess: dict[str, Any]
    """The evaluation transform."""
    precision: str
    """no, bf16 or fp16: of the forward pass."""
    stages: dict[str, int]
    """Stage name to width, in order of depth."""
    pooling: Pooling | None = None
    """Of a transformer's tokens; None: the network's own."""

    @property
    def key(self) -> str:
        """SHA-256 of all that decides the numbers; where the weights came from does not."""
        text = json.dumps({"format_version": FORMAT_VERSION, **self._deciding()})
        return hashlib.sha256(text.encode()).hexdigest()

    def difference(self, other: Recipe) -> str:
        """The first field in which two recipes differ, as `name there, not here`."""
        theirs = other._deciding()
        for name, mine in self._deciding().items():
            if mine != theirs[name]:
                if name.endswith("_sha256"):
                    return f"other {name.removesuffix('_sha256')}"
                return f"{name} {_as_text(theirs[name])}, not {_as_text(mine)}"
        return "the same recipe"

    def _deciding(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "weights"}


@dataclass(frozen=True)
class Description:
    """`features.json`."""

    format_version: int
    recipe: Recipe
    block_size: int
    blocks: tuple[str, ...]
    key: str = ""

    def __post_init__(self) -> None:
        if self.block_size < 1:
            raise ValueError(f"a block of {self.block_size} rows")


@dataclass(frozen=True)
class BlockLine:
    """A line of `blocks.jsonl`."""

    block: int
    sha256: str


def _as_text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return str(value)
