"""Shards at an address: fetched ahead into a bounded local cache, verified, kept for the next run.

Any address that fsspec supports (`https://`, `s3://`, `gs://`, `hf://`, ...) can replace a folder of shards. The small
files are fetched when the shards are opened, the tars in the order of an epoch, ahead of the reading.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from arttl.cache import cache_folder
from arttl.documents import LARGEST, parse_json, read_json, structured
from arttl.errors import ArttlError, without_credentials
from arttl.fetching.pace import TooSlowError
from arttl.files import digest_of_file, locked, make_folder, whole_file, write_bytes, write_json
from arttl.loading.receiving import StoppedError, received
from arttl.shards.manifest import DatasetRecord, FileRecord, Manifest

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):(//?)(?=.)")  # a Path leaves one slash of two
_SMALL_FILE = re.compile(r"[a-z]+-[0-9]{5,}\.idx|manifest\.parquet")
_FOLDER = re.compile(r"[0-9a-f]{24}")
_TAR = re.compile(r"[a-z]+-[0-9]{5,}\.tar")
_SOURCE = "source.json"
_ATTEMPTS = 5
_JOIN_TIMEOUT = 10.0  # seconds
_PAUSE = 0.5  # seconds before the second attempt; twice as long before each further one
_GIB = 1 << 30


T = TypeVar("T")


_addresses: dict[Path, str] = {}  # with their credentials, which no file has, by folder of the cache


class _DamagedError(Exception):
    """A file arrived with another digest."""


def is_remote(shards: str | Path) -> bool:
    """Whether this is an address, not a folder."""
    return _ADDRESS.match(str(shards)) is not None


def read_manifest(shards: str | Path) -> Manifest:
    """The manifest of a folder, or of an address, whose small files are then fetched.

    The cache is the folder `$ARTTL_CACHE`, by default `~/.cache/arttl`. It keeps the most recently used tars, up to
    `$ARTTL_CACHE_GIB` (100) in total.

    Raises:
        ArttlError: if there are no finished shards, or the address cannot be reached.
    """
    is_address = _ADDRESS.match(str(shards))
    if not is_address:
        return Manifest.read(shards)
    address = str(shards).rstrip("/")
    scheme, slashes = is_address.groups()
    if len(slashes) == 1:
        address = address.replace(":/", ":///" if scheme == "file" else "://", 1)
    dataset = _fetch_dataset(address)
    files = _of_shards(parse_json(dataset, DatasetRecord, f"{address}/dataset.json", surplus=True).files)
    if not files:
        raise ArttlError(f"{address}/dataset.json describes no finished shards: pack them anew")
    name = hashlib.sha256(address.encode() + dataset).hexdigest()[:24]  # another packing is another folder
    folder = cache_folder() / name
    make_folder(folder)
    _addresses[folder] = address
    write_json(folder / _SOURCE, {"address": without_credentials(address)}, indent=None)
    remote = RemoteShards(folder, address, files)
    for file in files:
        if _SMALL_FILE.fullmatch(file):
            remote.ensure(file)
    write_bytes(folder / "dataset.json", dataset)
    return Manifest.read(folder)


def _of_shards(files: Mapping[str, FileRecord]) -> dict[str, FileRecord]:
    """The files that shards may have; their names become paths."""
    return {name: file for name, file in files.items() if _SMALL_FILE.fullmatch(name) or _TAR.fullmatch(name)}


@dataclass(frozen=True)
class _Source:
    address: str


class RemoteShards:
    """The cached files of one address, for any number of threads and processes.

    Attributes:
        address: of the shards.
    """

    def __init__(self, folder: Path, address: str, files: Mapping[str, FileRecord]) -> None:
        self.address = address
        self._folder, self._files = folder, files
        self._limit = _limit()
        self._verified: set[str] = set()  # by this process
        self._positions: dict[str, int] = {}  # of tars, in the order in which the epoch reads them
        self._reached = -1  # position of the last tar that was read from
        self._advanced = threading.Condition()
        self._reserved = 0  # bytes of the files that are being fetched
        self._room_changed = threading.Condition()

    @classmethod
    def of(cls, manifest: Manifest) -> RemoteShards | None:
        """Fetches a manifest's tars; None where they lie in its folder, that is, anywhere outside the cache."""
        if manifest.directory.parent != cache_folder():
            return None
        if not (manifest.directory / _SOURCE).exists():
            return None
        try:
            source = read_json(manifest.directory / _SOURCE, _Source)
        except ArttlError as error:
            raise ArttlError(f"the cache {manifest.directory} is damaged: delete that folder") from error
        address = _addresses.get(manifest.directory, source.address)
        dataset = structured(
            manifest.dataset, DatasetRecord, manifest.directory / "dataset.json", surplus=True
        )
        return cls(manifest.directory, address, _of_shards(dataset.files))

    def ensure(self, name: str) -> None:
        """Fetch and verify a file, unless the cache has it verified.

        Raises:
            ArttlError: naming the file, if it cannot be fetched, or is not what was packed.
        """
        with self._advanced:
            position = self._positions.get(name, -1)
            is_next = position > self._reached
            if is_next:
                self._reached = position
                self._advanced.notify_all()
        self._obtain(name, threading.Event())
        if is_next:
            self._touch(name)

    def _obtain(self, name: str, stop: threading.Event) -> None:
        path, file = self._folder / name, self._files[name]
        if name in self._verified and path.exists():
            return
        with locked(self._folder / f"{name}.lock"):
            if not _is_whole(path, file):
                with self._room_for(file.bytes):
                    self._fetch(name, stop)
            self._verified.add(name)

    @contextlib.contextmanager
    def _room_for(self, size: int) -> Iterator[None]:
        """Room in the cache for a file that is fetched in this context, beside those that other threads fetch."""
        with self._room_changed:
            self._room_changed.wait_for(lambda: not self._reserved or self._reserved + size <= self._limit)
            _make_room(self._folder.parent, self._reserved + size, self._limit)
            self._reserved += size
        try:
            yield
        finally:
            with self._room_changed:
                self._reserved -= size
                self._room_changed.notify_all()

    def _touch(self, name: str) -> None:
        """Mark a file as the most recently used."""
        with contextlib.suppress(OSError):  # another process deleted it; it will be fetched again
            os.utime(self._folder / name)

    @contextlib.contextmanager
    def fetching_ahead(self, names: Sequence[str]) -> Iterator[None]:
        """A context in which tars are fetched in this order in the background, as far ahead as the cache allows."""
        order = list(dict.fromkeys(names))
        self._positions, self._reached = {name: position for position, name in enumerate(order)}, -1
        stop = threading.Event()
        thread = threading.Thread(target=self._run_ahead, args=(order, stop), name="arttl-fetch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            with self._advanced:
                self._advanced.notify_all()
            thread.join(_JOIN_TIMEOUT)  # a connection that hangs is left to end by itself
            self._positions = {}

    def _run_ahead(self, order: Sequence[str], stop: threading.Event) -> None:
        sizes = [self._files[name].bytes for name in order]

        def fits(position: int) -> bool:
            """Whether the cache holds all tars from the one before that being read, whose samples may be queued."""
            return sum(sizes[max(0, self._reached - 1) : position + 1]) <= self._limit

        for position, name in enumerate(order):
            with self._advanced:
                while not stop.is_set() and not fits(position):
                    self._advanced.wait()
            if stop.is_set():
                return
            try:
                self._obtain(name, stop)
                self._touch(name)
            except (StoppedError, ArttlError):  # the reader meets the same failure and reports it
                return

    def _fetch(self, name: str, stop: threading.Event) -> None:
        address, file = f"{self.address}/{name}", self._files[name]
        with whole_file(self._folder / name) as temporary:

            def attempt() -> None:
                if _download(address, temporary, stop, file.bytes) != file.sha256:
                    size = temporary.stat().st_size
                    raise _DamagedError(f"it has {size} bytes of another digest than dataset.json says")

            _retry(attempt, address, stop)


def _retry(attempt: Callable[[], T], address: str, stop: threading.Event) -> T:
    """The result of the first attempt that succeeds."""
    shown, slow = without_credentials(address), 0
    for number in range(_ATTEMPTS):
        if number and stop.wait(_PAUSE * 2 ** (number - 1)):
            raise StoppedError
        try:
            return attempt()
        except (StoppedError, ArttlError):
            raise
        except ImportError as error:
            raise ArttlError(
                f'{shown} cannot be read: {error}; pip install "fsspec[http]" (s3, gs, ...) for it'
            ) from error
        except _DamagedError as error:
            reason = str(error)
        except TooSlowError as error:
            reason, slow = str(error), slow + 1
            if slow == 2:  # each took minutes
                break
        except Exception as error:  # each file system has its own
            reason = without_credentials(f"{type(error).__name__}: {error}".splitlines()[0])
    raise ArttlError(
        f"{shown} could not be fetched in {number + 1} attempts ({reason}); check the address and the connection, or"
        " copy the shards to a folder"
    )


def _download(address: str, to: Path, stop: threading.Event, most: int) -> str:
    """Write a file, no more than so many bytes and one, and return its SHA-256."""
    digest = hashlib.sha256()
    with contextlib.closing(received(address, most, stop)) as chunks, to.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
    return digest.hexdigest()


def _fetch_dataset(address: str) -> bytes:
    shown = without_credentials(address)

    def attempt() -> bytes:
        try:
            return b"".join(received(f"{address}/dataset.json", LARGEST, threading.Event()))
        except (FileNotFoundError, ValueError) as error:
            # ValueError: a protocol that fsspec does not support.
            raise ArttlError(
                f"there are no finished shards at {shown}: dataset.json is missing"
                f" ({without_credentials(str(error))})"
            ) from error

    dataset = _retry(attempt, f"{address}/dataset.json", threading.Event())
    if len(dataset) > LARGEST:
        raise ArttlError(f"{shown}/dataset.json has more than 64 MiB, which no collection needs")
    return dataset


def _is_whole(path: Path, file: FileRecord) -> bool:
    try:
        status = path.lstat()  # a link in the cache is not ours
        whole = stat.S_ISREG(status.st_mode) and status.st_size == file.bytes
        return whole and digest_of_file(path) == file.sha256
    except OSError:
        return False


def _make_room(cache: Path, needed: int, limit: int) -> None:
    """Delete the least recently used tars until so many bytes fit; only those that were fetched into the cache."""
    if needed > limit:
        raise ArttlError(
            f"a shard of {needed / _GIB:.2f} GiB does not fit in a cache of {limit / _GIB:.2f}: raise $ARTTL_CACHE_GIB"
        )
    kept = []
    fetched = (path for source in cache.glob(f"*/{_SOURCE}") for path in source.parent.glob("*.tar"))
    for path in fetched:
        if path.is_symlink() or path.parent.is_symlink() or not _FOLDER.fullmatch(path.parent.name):
            continue
        with contextlib.suppress(OSError):  # another process deleted it
            status = path.stat()
            kept.append((status.st_mtime_ns, status.st_size, path))
    total = sum(size for _, size, _ in kept)
    for _, size, path in sorted(kept):
        if total + needed <= limit:
            return
        path.unlink(missing_ok=True)
        total -= size


def _limit() -> int:
    text = os.environ.get("ARTTL_CACHE_GIB", "100")
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not limit > 0:
        raise ArttlError(f"$ARTTL_CACHE_GIB is {text!r}: give a number of GiB above 0")
    return int(limit * _GIB)
