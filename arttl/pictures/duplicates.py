"""Files of the same bytes among a collection's pictures, found without reading most of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from arttl.pictures.picture_file import PictureFile

_CHUNK = 1 << 20
_END = 4096  # bytes compared at either end before whole files are compared


def same_bytes(
    rows: npt.NDArray[np.int64], image: Callable[[int], PictureFile]
) -> Iterator[npt.NDArray[np.int64]]:
    """Rows whose images are files of the same bytes.

    Sizes are compared first, then beginnings and ends, and whole files (by SHA-256) only where these are equal.
    Files that are missing or cannot be read equal none; packing will reject them with the reason.

    Args:
        rows: to compare, ascending.
        image: row to its image.

    Yields:
        Each set of two or more, ascending, in the order of their first rows.
    """
    keys = np.array([_size(image(int(row))) for row in rows], dtype="S16")
    for digest in (_ends, _whole):
        rows, keys = _shared(rows, keys)
        # The size stays a part of the key, since files of different sizes may have equal ends.
        digests = [digest(image(int(row)), key) for row, key in zip(rows, keys, strict=True)]
        keys = np.array(digests, dtype="S32")
    rows, keys = _shared(rows, keys)
    rows_of_key: dict[bytes, list[int]] = {}
    for row, key in zip(rows.tolist(), keys.tolist(), strict=True):
        rows_of_key.setdefault(key, []).append(row)
    for together in rows_of_key.values():
        yield np.array(together, dtype=np.int64)


def _shared(
    rows: npt.NDArray[np.int64], keys: npt.NDArray[np.bytes_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bytes_]]:
    """The rows whose key another row has too; the empty key counts as no key."""
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    kept = (counts[inverse.reshape(-1)] > 1) & (keys != b"")
    return rows[kept], keys[kept]


def _size(image: PictureFile) -> bytes:
    try:
        size = image.size()
    except (OSError, ValueError):
        return b""
    return b"%d" % size if size else b""


def _ends(image: PictureFile, size: bytes) -> bytes:
    digest = hashlib.blake2b(size, digest_size=15)
    try:
        digest.update(image.read(0, _END))
        digest.update(image.read(max(int(size) - _END, 0), _END))
    except OSError:
        return b""
    return digest.hexdigest().encode()


def _whole(image: PictureFile, ends: bytes) -> bytes:
    digest = hashlib.sha256(ends)
    start = 0
    try:
        while chunk := image.read(start, _CHUNK):
            digest.update(chunk)
            start += len(chunk)
    except OSError:
        return b""
    return digest.hexdigest()[:32].encode()
