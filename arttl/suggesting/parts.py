"""An unfinished table: a hidden folder beside it with the parts that are done, from which a run is resumed.

- `begun.json`: what the table is of; a run of anything else does not resume it;
- `part-00000`, ...: rows of the table, as `arttl.suggesting.tables` writes them;
- `part-00000.json`, ...: how many rows of each status are in it, written before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from arttl.documents import read_json
from arttl.errors import ArttlError, counted
from arttl.files import locked, make_folder, remove, remove_leftovers, write_json
from arttl.suggesting.tables import Record

_BEGUN = "begun.json"
Counts = dict[str, dict[str, int]]
"""Task name to status to number of pictures."""


class Table(Protocol):
    """A table that is written in parts, see `arttl.suggesting.tables`."""

    def write_part(self, path: Path, records: Iterable[Record]) -> None:
        """Write some rows."""
        ...

    def join(self, path: Path, parts: Sequence[Path]) -> None:
        """Write the table of all parts."""
        ...


class UnfinishedTable:
    """The parts of one table. Only one rank may begin and finish it; every rank may write parts of its own."""

    def __init__(self, out: Path, identity: Mapping[str, Any], items: int, items_per_part: int) -> None:
        """Prepare.

        Args:
            out: the table.
            identity: what it is of, JSON-ready.
            items: its rows, at least one.
            items_per_part: rows of all parts but the last.
        """
        self.out = out
        self._identity = {**identity, "items": items, "items_per_part": items_per_part}
        self._folder = out.with_name(f".{out.name}.unfinished")
        starts = range(0, items, items_per_part)
        self.parts = {
            number: range(start, min(start + items_per_part, items)) for number, start in enumerate(starts)
        }

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs away from the table, between `begin` and `finish`.

        Raises:
            ArttlError: if another run is at it.
        """
        lock = self.out.with_name(f".{self.out.name}.lock")
        make_folder(lock.parent)
        with locked(
            lock, f"another arttl predict is writing --out {self.out}; wait for it, or choose another name"
        ):
            try:
                yield
            finally:
                with suppress(OSError):  # where a file that is open cannot be removed it stays
                    lock.unlink()

    def begin(self, *, overwrite: bool) -> list[int]:
        """Make the folder, or find what an interrupted run has left.

        Args:
            overwrite: replace a finished table, and an unfinished one of something else.

        Returns:
            The parts that are missing.

        Raises:
            ArttlError: if there is a table, or an unfinished one of something else.
        """
        if self.out.exists() and not overwrite:
            raise ArttlError(f"--out {self.out} exists already; choose another name, or pass --overwrite")
        begun = self._begun()
        has_parts = any(self._folder.glob("part-*"))
        if has_parts and begun is not None and begun != self._identity and not overwrite:
            differing = [name for name, value in self._identity.items() if begun.get(name) != value]
            raise ArttlError(
                f"{self._folder} holds an unfinished table of other {' and '.join(differing) or 'settings'}; give"
                " those again to resume it, or pass --overwrite"
            )
        if begun != self._identity:
            remove(self._folder)
        make_folder(self._folder)
        remove_leftovers(self._folder)
        write_json(self._folder / _BEGUN, self._identity, indent=None)
        return [part for part in self.parts if not self._path(part).is_file()]

    def write(self, part: int, table: Table, records: Sequence[Record]) -> None:
        """Keep a part."""
        write_json(self._counts_path(part), counts_of(records), indent=None)
        table.write_part(self._path(part), records)

    def finish(self, table: Table) -> Counts:
        """Write the table, and remove the parts.

        Returns:
            How many pictures have each status.

        Raises:
            ArttlError: if it cannot be written; the parts are kept.
        """
        counts: dict[str, Counter[str]] = {}
        for part in self.parts:
            for task, of_task in read_json(self._counts_path(part), Counts).items():
                counts.setdefault(task, Counter()).update(of_task)
        table.join(self.out, [self._path(part) for part in self.parts])
        remove(self._folder)
        return {task: dict(of_task) for task, of_task in counts.items()}

    def resumed(self, missing: Sequence[int]) -> str:
        """A sentence on the parts that are there; empty where none is."""
        items = sum(len(self.parts[part]) for part in self.parts if part not in {*missing})
        return f"resumed    {counted(items, 'row')} were there from an interrupted run" if items else ""

    def _begun(self) -> dict[str, Any] | None:
        try:
            return read_json(self._folder / _BEGUN, dict[str, Any])
        except ArttlError:  # killed before it was written, or damaged: nothing can be resumed
            return None

    def _path(self, part: int) -> Path:
        return self._folder / f"part-{part:05}"

    def _counts_path(self, part: int) -> Path:
        return self._folder / f"part-{part:05}.json"


def counts_of(records: Iterable[Record]) -> Counts:
    """How many pictures have each status, by task; those with a problem are `unreadable`."""
    counts: dict[str, Counter[str]] = {}
    for record in records:
        if record.problem is not None:
            counts.setdefault("", Counter())["unreadable"] += 1
        for task, suggestion in record.suggestions.items():
            counts.setdefault(task, Counter())[suggestion.status] += 1
    return {task: dict(of_task) for task, of_task in counts.items()}
