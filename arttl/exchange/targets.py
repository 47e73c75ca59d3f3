"""Where pictures can be seen: addresses of images or of canvases of IIIF, with regions of tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from arttl.documents import LARGEST
from arttl.errors import ArttlError
from arttl.exchange.values import Region, Target
from arttl.records.delimited import read_columns, read_rows
from arttl.shards.csv_files import csv_chunks, plain_cell
from arttl.vocabularies.concepts import is_address

_FLAG = "--targets"
_NAMES = ("picture", "object_number")
_SIZE, _REGION = ("width", "height"), ("region_x", "region_y", "region_width", "region_height")
_OPTIONAL = ("task", *_SIZE, *_REGION)
_LARGEST_NUMBER = 2**31


class Targets:
    """The targets of pictures, or of objects, and of their tasks.

    Attributes:
        named: the column that names what is shown, `picture` or `object_number`.
    """

    def __init__(self, named: str, targets: dict[tuple[str, str], Target]) -> None:
        """Take the targets.

        Args:
            named: the column that names what is shown, `picture` or `object_number`.
            targets: by its cell and by the task, which is empty for all tasks.
        """
        self.named = named
        self._targets = targets

    def __iter__(self) -> Iterator[Target]:
        return iter(self._targets.values())

    @classmethod
    def read(cls, path: Path) -> Targets:
        """Read a table with the columns `target` (an address) and `picture` or `object_number`, a row per target.

        The columns `width` and `height` are the size of the target. A row with `task`, `region_x`, `region_y`,
        `region_width` and `region_height` is for that task alone, and says which part of the target its map marks.

        Args:
            path: CSV or TSV of at most 64 MiB.

        Raises:
            ArttlError: if it cannot be read, or naming the row that cannot be used.
        """
        if path.is_file() and path.stat().st_size > LARGEST:
            raise ArttlError(f"{_FLAG} {path} has more than {LARGEST / 2**20:g} MiB")
        named, targets = "", dict[tuple[str, str], Target]()
        for where, named, cells in _rows(path):
            if not is_address(cells["target"]):
                raise ArttlError(f"{where} has {cells['target'][:100]!r} as target, which is no address")
            key = cells[named], cells.get("task", "")
            target = _target(where, cells)
            if targets.setdefault(key, target) != target:
                of_task = f" and task {key[1]!r}" if key[1] else ""
                raise ArttlError(
                    f"{where} gives {named} {key[0]!r}{of_task} a second target; delete one of them"
                )
        return cls(named, targets)

    def of(self, object_number: str, picture: str, task: str) -> Target | None:
        """The target of a picture of an object for a task; None: the table has none."""
        name = picture if self.named == "picture" else object_number
        return self._targets.get((name, task)) or self._targets.get((name, ""))

    def with_regions(self, regions: Mapping[tuple[str, str], Target]) -> Targets:
        """These, and targets of tasks, by the same cell and the task; they replace those of that task."""
        return Targets(self.named, {**self._targets, **regions})

    def chunks(self) -> Iterator[bytes]:
        """The table that `read` reads, a row for all tasks before those of its tasks."""
        ordered = {name: dict[str, Target]() for name, _ in self._targets}
        for (name, task), target in self._targets.items():
            ordered[name][task] = target
        return csv_chunks(
            (self.named, "target", *_SIZE, "task", *_REGION),
            (
                (name, target.address, target.width, target.height, task, *_region_cells(target))
                for name, of_tasks in ordered.items()
                for task, target in sorted(of_tasks.items(), key=lambda item: item[0] != "")
            ),
        )


def _region_cells(target: Target) -> tuple[int | str, ...]:
    region = target.region
    return ("",) * len(_REGION) if region is None else (region.x, region.y, region.width, region.height)


def _rows(path: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Where each row is, the column that names what is shown, and the cells of the columns that the table has."""
    own = read_columns(path, flag=_FLAG)
    named = next((column for column in _NAMES if column in own), _NAMES[0])
    columns = ["target", named, *(column for column in _OPTIONAL if column in own)]
    for row in read_rows(path, [(_FLAG, column) for column in columns], flag=_FLAG):
        where = f"{row.location} of {path}"
        if row.problem:
            raise ArttlError(f"{where}: {row.problem}")
        cells = {column: plain_cell(row.cells.get(column, "")).strip() for column in columns}
        if not cells[named]:
            raise ArttlError(f"{where} has no {named}")
        yield where, named, cells


def _target(where: str, cells: dict[str, str]) -> Target:
    width, height = _numbers(where, cells, _SIZE) or (None, None)
    region = _numbers(where, cells, _REGION)
    if region is not None and not cells.get("task"):
        raise ArttlError(f"{where} has a region and no task; regions are of the map of a task")
    try:
        return Target(cells["target"], width, height, None if region is None else Region(*region))
    except ValueError as error:
        raise ArttlError(f"{where}: {error}") from error


def _numbers(where: str, cells: dict[str, str], columns: tuple[str, ...]) -> list[int] | None:
    """The whole numbers of columns that are all filled or all empty."""
    texts = [cells.get(column, "") for column in columns]
    if not any(texts):
        return None
    for column, text in zip(columns, texts, strict=True):
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < _LARGEST_NUMBER):
            raise ArttlError(f"{where} has {text[:30]!r} as {column}; it must be a whole number of pixels")
    return [int(text) for text in texts]
