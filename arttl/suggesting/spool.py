"""A list of rows in a temporary file, for collections of any size."""

from __future__ import annotations

import json
import tempfile
from array import array
from collections.abc import Sequence

_IN_MEMORY = 16 * 2**20  # bytes of rows before there is a file


class Spool:
    """Rows of texts, read again by their index; eight bytes of memory each."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - as long as this lives
        self._ends = array("q", [0])
        self._is_at_end = True  # a seek would write out what is buffered

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, row: Sequence[str]) -> None:
        """Add a row."""
        data = json.dumps(row).encode()
        if not self._is_at_end:
            self._file.seek(self._ends[-1])
            self._is_at_end = True
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def read(self, index: int) -> list[str]:
        """A row, from 0."""
        start, end = self._ends[index], self._ends[index + 1]
        self._is_at_end = False
        self._file.seek(start)
        row: list[str] = json.loads(self._file.read(end - start))
        return row
