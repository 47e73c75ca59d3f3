"""One shard: a plain WebDataset tar and the DALI index beside it, written in one pass.

A sample is three members, `<key>.jpg`, `<key>.json` and `<key>.row`.
"""

from __future__ import annotations

import hashlib
import struct
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from arttl.files import commit, write_bytes
from arttl.shards.index import index_line, index_text
from arttl.shards.sample import EXTENSIONS

# A USTAR header has 100 bytes for the name, and "<key>.json" must fit: longer names take a second header, whose
# offset DALI's index would get wrong.
MAX_KEY_LENGTH = 95


_AFTER_NAME = b"0000444\0" + 2 * b"0000000\0"  # mode, owner, group
_AFTER_SIZE = b"00000000000\0"  # time
_AFTER_CHECKSUM = (b"0" + bytes(100) + b"ustar\00000" + bytes(64)).ljust(356, b"\0")
_FIXED_SUM = sum(_AFTER_NAME + _AFTER_SIZE + 8 * b" " + _AFTER_CHECKSUM)


@dataclass(frozen=True, slots=True)
class FileDigest:
    """Size and SHA-256 of a written file."""

    name: str
    bytes: int
    sha256: str


class ShardWriter:
    """Writes `<name>.tar` and `<name>.idx`; neither exists before `close`.

    The same samples give the same bytes: members carry no time, no owner and mode 0444.
    """

    def __init__(self, directory: Path, name: str, scratch: Path) -> None:
        """Open a shard.

        Args:
            directory: where the finished files go.
            name: without suffix, such as `train-00000`.
            scratch: folder for unfinished files, on the same disk.
        """
        self._directory = directory
        self._name = name
        self._scratch = scratch
        self._temporary = scratch / f"{name}.tar.part"
        self._file = self._temporary.open("wb")
        self._hashing = _HashingFile(self._file)
        self._index: list[str] = []

    @property
    def samples(self) -> int:
        """How many samples were added."""
        return len(self._index)

    def add(self, key: str, jpeg: bytes, metadata: bytes, row: int) -> None:
        """Append one sample.

        Args:
            key: letters, digits, `_` and `-`, at most `MAX_KEY_LENGTH` of them.
            jpeg: the picture.
            metadata: the sample's JSON, UTF-8.
            row: its row in the manifest.
        """
        if len(key) > MAX_KEY_LENGTH or "." in key or "/" in key:
            raise ValueError(f"key {key!r} does not fit a shard")
        components: list[tuple[str, int, int]] = []
        pieces: list[bytes] = []
        offset = self._hashing.written
        for extension, data in zip(EXTENSIONS, (jpeg, metadata, struct.pack("<q", row)), strict=True):
            header = ustar_header(f"{key}.{extension}", len(data))
            components.append((extension, offset + len(header), len(data)))
            pieces += [header, data, bytes(-len(data) % tarfile.BLOCKSIZE)]
            offset += len(header) + len(data) + len(pieces[-1])
        self._hashing.write(b"".join(pieces))
        self._index.append(index_line(key, components))

    def close(self) -> tuple[FileDigest, FileDigest]:
        """Finish both files and rename them; the index first, so that a tar is never without one.

        Returns:
            The digests of the tar and of the index.
        """
        end = self._hashing.written + 2 * tarfile.BLOCKSIZE
        self._hashing.write(bytes(2 * tarfile.BLOCKSIZE + -end % tarfile.RECORDSIZE))
        self._file.close()
        index = index_text(self._index).encode()
        write_bytes(self._directory / f"{self._name}.idx", index, self._scratch)
        commit(self._temporary, self._directory / f"{self._name}.tar")
        return (
            FileDigest(f"{self._name}.tar", self._hashing.written, self._hashing.sha256.hexdigest()),
            FileDigest(f"{self._name}.idx", len(index), hashlib.sha256(index).hexdigest()),
        )

    def abandon(self) -> None:
        """Remove what was written; nothing appears in the folder."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)


def ustar_header(name: str, size: int) -> bytes:
    """The header of a regular file of mode 0444 without owner or time (POSIX.1-1988, ustar), 512 bytes.

    The bytes are those of `tarfile.TarInfo.tobuf`, which took a seventh of the time of packing a small picture.

    Args:
        name: at most 100 letters of ASCII.
        size: of the file, bytes, below 8 GiB.

    Raises:
        ValueError: if either does not fit.
    """
    encoded = name.encode("ascii")
    if len(encoded) > 100 or not 0 <= size < 1 << 33:
        raise ValueError(f"{name!r} of {size} bytes does not fit a tar header")
    length = b"%011o\0" % size
    checksum = b"%06o\0 " % (_FIXED_SUM + sum(encoded) + sum(length))
    return b"".join((encoded.ljust(100, b"\0"), _AFTER_NAME, length, _AFTER_SIZE, checksum, _AFTER_CHECKSUM))


class _HashingFile:
    """A binary file with a running digest of what is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.written = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.sha256.update(data)
        self.written += len(data)
