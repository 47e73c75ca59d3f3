"""Rows of bytes in a temporary file, for collections of any size."""

from __future__ import annotations

import tempfile
from array import array
from pathlib import Path

_IN_MEMORY = 16 * 2**20  # bytes of rows before there is a file


class Spool:
    """Rows by their index, from 0; twelve bytes of memory each."""

    def __init__(self, directory: Path | None = None) -> None:
        """Start empty.

        Args:
            directory: for the temporary file; by default the system's.
        """
        where = None if directory is None else str(directory)
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=where)  # noqa: SIM115 - as long as this lives
        self._end = 0
        self._is_at_end = True  # a seek would write out what is buffered
        self._starts = array("q")
        self._sizes = array("i")

    def __len__(self) -> int:
        return len(self._starts)

    def append(self, data: bytes) -> int:
        """Add a row; its index."""
        self._starts.append(0)
        self._sizes.append(0)
        self.replace(len(self) - 1, data)
        return len(self) - 1

    def replace(self, index: int, data: bytes) -> None:
        """Give a row other contents; the file grows by them."""
        if not self._is_at_end:
            self._file.seek(self._end)
            self._is_at_end = True
        self._file.write(data)
        self._starts[index], self._sizes[index] = self._end, len(data)
        self._end += len(data)

    def read(self, index: int) -> bytes:
        """The contents of a row."""
        self._is_at_end = False
        self._file.seek(self._starts[index])
        return self._file.read(self._sizes[index])
