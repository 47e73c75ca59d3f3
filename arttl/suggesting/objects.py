"""The objects of a collection in place of their photographs."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from arttl.errors import ArttlError, counted
from arttl.suggesting.collections import Collection, HowToRead, PictureBatch, Row


class ObjectCollection:
    """The objects of another collection, in the order of their first photographs.

    A row without an object number is an object of its own. `read` gives batches of photographs, whose items are those
    of the other collection.
    """

    def __init__(self, photographs: Collection) -> None:
        """Put the photographs of each object together.

        Args:
            photographs: the other collection.

        Raises:
            ArttlError: if it has no object numbers.
        """
        if "object_number" not in photographs.head:
            raise ArttlError("--per-object needs object numbers: name --metadata or --shards")
        self._base = photographs
        self.head = (*photographs.head, "photographs")
        self.tasks = photographs.tasks
        self.identity = f"objects of {photographs.identity}"
        object_of: dict[bytes, int] = {}
        objects = array("q")
        for item in range(len(photographs)):
            row = photographs.row(item)
            # Of a million numbers only digests are kept.
            name = f"{row.institution}\0{row.object_number}".encode()
            key = hashlib.blake2b(name, digest_size=12).digest() if row.object_number else b"%d" % item
            objects.append(object_of.setdefault(key, len(object_of)))
        order = np.argsort(np.asarray(objects), kind="stable")
        self._items = order
        self._starts = np.searchsorted(np.asarray(objects)[order], np.arange(len(object_of) + 1))
        several = int((np.diff(self._starts) > 1).sum())
        self.sentences = [
            *photographs.sentences,
            f"objects    {counted(len(self), 'object')} of {counted(len(photographs), 'photograph')},"
            f" {several:,} with several",
        ]

    def __len__(self) -> int:
        return len(self._starts) - 1

    def items(self, number: int) -> list[int]:
        """The photographs of an object."""
        items: list[int] = self._items[self._starts[number] : self._starts[number + 1]].tolist()
        return items

    def photographs(self, objects: Sequence[int]) -> int:
        """How many photographs some objects have."""
        return int((self._starts[np.asarray(objects) + 1] - self._starts[np.asarray(objects)]).sum())

    def row(self, item: int, readable: Sequence[int] | None = None) -> Row:
        """What the table says of an object.

        Args:
            item: the object.
            readable: its photographs that could be read, of which the first names it and whose number is given; by
                default all.

        Returns:
            The row, with all labels that the catalogue has for any of the object's photographs.
        """
        items = self.items(item)
        used = items if readable is None else readable
        rows = {number: self._base.row(number) for number in items}
        catalogued: dict[str, tuple[str, ...]] = {}
        for row in rows.values():
            for task, labels in row.catalogued.items():
                catalogued[task] = tuple(dict.fromkeys((*catalogued.get(task, ()), *labels)))
        first = rows[used[0] if used else items[0]]
        return replace(first, head=(*first.head, str(len(used))), catalogued=catalogued)

    def read(self, parts: Mapping[int, Sequence[int]], how: HowToRead) -> Iterator[PictureBatch]:
        """See `Collection`; parts are of objects, and batches of photographs."""
        return self._base.read(
            {part: list(chain.from_iterable(map(self.items, objects))) for part, objects in parts.items()},
            how,
        )
