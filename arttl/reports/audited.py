"""The cards of an audit: per photograph the labels that it contradicts, the most doubtful first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from arttl.documents import structured
from arttl.errors import ArttlError, counted, one_line
from arttl.reports.cards import Card, Claim, Likely

FILE = "audit.parquet"
_MOST_BYTES = 256 * 2**20  # of memory, for all rows: doubts are few


@dataclass(frozen=True)
class _Ranked:
    label: str
    probability: float


@dataclass(frozen=True)
class _Network:
    network: str
    agrees: bool | None = None


@dataclass(frozen=True)
class _Labels:
    task: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class _Near:
    object_number: str
    similarity: float
    catalogued: tuple[_Labels, ...] = ()


@dataclass(frozen=True)
class _Pair:
    task: str
    label: str
    objects: int
    other_objects: int


@dataclass(frozen=True)
class _Doubt:
    """What is read of a row; `docs/audit.md` has all columns."""

    kind: Literal["label", "pair"]
    task: str
    score: float
    confident: bool
    object_number: str
    key: str
    institution: str | None = None
    catalogued: tuple[str, ...] = ()
    label: str | None = None
    label_probability: float | None = None
    suggested: str | None = None
    suggested_probability: float | None = None
    ranked: tuple[_Ranked, ...] = ()
    networks: tuple[_Network, ...] = ()
    nearest: tuple[_Near, ...] = ()
    pair: _Pair | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"a score of {self.score}")
        if self.kind == "pair" and (self.pair is None or self.label is None):
            raise ValueError("a pair without its labels")


def audited_cards(folder: Path) -> list[Card]:
    """A card per photograph of `audit.parquet`, those with the most doubtful label first.

    Args:
        folder: that `arttl audit` has made.

    Raises:
        ArttlError: if it holds no such table, naming the row that cannot be used.
    """
    claims: dict[str, list[Claim]] = {}
    doubts: dict[str, _Doubt] = {}
    for doubt in _doubts(folder / FILE, folder):
        doubts.setdefault(doubt.key, doubt)
        claims.setdefault(doubt.key, []).append(_claim(doubt))
    cards = [
        Card(doubt.object_number, key, doubt.institution or "", tuple(claims[key]))
        for key, doubt in doubts.items()
    ]
    return sorted(cards, key=lambda card: -card.doubt)


def _doubts(path: Path, folder: Path) -> Iterator[_Doubt]:
    if not path.is_file():
        raise ArttlError(f"--audit {folder} has no {FILE}; name the folder that arttl audit has made")
    try:
        with pq.ParquetFile(path) as file:
            groups = map(file.metadata.row_group, range(file.num_row_groups))
            _check_size(path, sum(group.total_byte_size for group in groups))
            names = [name for name in file.schema_arrow.names if name in _Doubt.__dataclass_fields__]
            table = file.read(columns=names)
            _check_size(path, table.nbytes)
            table.validate(full=True)
            records: list[dict[str, Any]] = table.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArttlError(f"{path} cannot be read as Parquet: {one_line(error)}") from error
    for number, record in enumerate(records, start=1):
        yield structured(record, _Doubt, f"row {number} of {path}", surplus=True)


def _check_size(path: Path, size: int) -> None:
    if size > _MOST_BYTES:
        raise ArttlError(f"{path} holds more than {_MOST_BYTES // 2**20} MiB")


def _claim(doubt: _Doubt) -> Claim:
    notes = []
    if doubt.label is not None and doubt.label_probability is not None and doubt.kind == "label":
        notes.append(f"{doubt.label!r} has {100 * doubt.label_probability:.1f}%")
    if doubt.kind == "label" and doubt.label is None:
        notes.append("a label seems to be missing")
    if doubt.kind == "label" and doubt.suggested is None:
        notes.append("a label seems to be one too many")
    if (pair := doubt.pair) is not None:
        notes.append(
            f"{doubt.label!r} ({counted(pair.objects, 'object')}) and {pair.task} {pair.label!r}"
            f" ({pair.other_objects:,}) are together here alone"
        )
    if len(doubt.networks) > 1:
        agreeing = [network.network for network in doubt.networks if network.agrees]
        notes.append(f"contradicted by {len(agreeing)} of {len(doubt.networks)} networks")
    for near in doubt.nearest:
        labels = "; ".join(", ".join(each.labels) for each in near.catalogued if each.task == doubt.task)
        notes.append(f"near: {near.object_number}" + (f", {labels}" if labels else ""))
    status = "pair" if doubt.kind == "pair" else "contradicted" if doubt.confident else "doubtful"
    return Claim(
        task=doubt.task,
        status=status,
        labels=() if doubt.suggested is None else (doubt.suggested,),
        probability=doubt.suggested_probability,
        doubt=doubt.score,
        catalogued=doubt.catalogued,
        ranked=tuple(Likely(each.label, each.probability) for each in doubt.ranked),
        notes=tuple(notes),
    )
