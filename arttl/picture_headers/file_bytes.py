"""The bytes of a picture, in memory or, of a large one, read part by part where they lie."""

from __future__ import annotations

import hashlib
from typing import IO, Protocol

import numpy as np
import numpy.typing as npt

from arttl.picture_headers.bad_pictures import BadPicture

_AT_ONCE = 1 << 20


class Bytes(Protocol):
    """What `bytes` and `FileBytes` have in common."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice, /) -> bytes: ...


class FileBytes:
    """A file, or a part of it, whose slices are read when they are asked for; it is closed by who opened it."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size = file, start, size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: slice) -> bytes:
        start, stop, _ = index.indices(self._size)
        data = bytearray(max(0, stop - start))
        return bytes(memoryview(data)[: self.read_into(start, memoryview(data))])

    def read_into(self, start: int, buffer: memoryview) -> int:
        """Fill a buffer from an offset on; how many bytes there were, fewer only where the file became shorter.

        Raises:
            BadPicture: if the disk gives none.
        """
        done = 0
        try:
            self._file.seek(self._start + start)
            while done < len(buffer) and (count := self._file.readinto(buffer[done:])):  # type: ignore[attr-defined]
                done += count
        except OSError as error:
            raise BadPicture("unreadable", error.strerror or str(error)) from error
        return done


def whole(data: Bytes) -> bytes:
    """All of it in memory."""
    return data if isinstance(data, bytes) else data[:]


def part(data: Bytes, start: int, count: int, scratch: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """`count` bytes from an offset on, which `scratch` may be used for and is large enough for.

    Raises:
        ValueError: if there are fewer.
    """
    if start + count > len(data):
        raise ValueError("the file is cut off")
    if isinstance(data, FileBytes):
        buffer = scratch[:count]
        if data.read_into(start, buffer.data) < count:
            raise ValueError("the file became shorter while it was read")
        return buffer
    return np.frombuffer(memoryview(whole(data))[start : start + count], np.uint8)


def sha256_of(data: Bytes) -> str:
    """The SHA-256 of all of it, in hexadecimal digits."""
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    digest = hashlib.sha256()
    for start in range(0, len(data), _AT_ONCE):
        digest.update(data[start : start + _AT_ONCE])
    return digest.hexdigest()
