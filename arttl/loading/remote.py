"""Shards at an address: fetched ahead into a bounded local cache, verified, kept for the next run.

Any address that fsspec knows (`https://`, `s3://`, `gs://`, `hf://`, ...) may stand where a folder of shards may. The
small files come at once, the tars as an epoch comes to them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
from filelock import FileLock

from arttl.errors import ArttlError
from arttl.files import commit, make_folder, write_bytes, write_json
from arttl.shards.manifest import Manifest

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):(//?)(?=.)")  # one slash: what a Path makes of it
_SMALL_FILE = re.compile(r"[a-z]+-[0-9]{5,}\.idx|manifest\.parquet")
_TAR = re.compile(r"[a-z]+-[0-9]{5,}\.tar")
_SOURCE = "source.json"
_ATTEMPTS = 5
_PATIENCE = 10.0  # seconds
_PAUSE = 0.5  # seconds before the second attempt; twice as long before each further one
_CHUNK = 1 << 20
_GIB = 1 << 30


class _Stopped(Exception):
    """The reader has gone."""


def is_remote(shards: str | Path) -> bool:
    """Whether this is an address and no folder."""
    return _ADDRESS.match(str(shards)) is not None


def read_manifest(shards: str | Path) -> Manifest:
    """The manifest of a folder, or of an address, whose small files are then fetched.

    The cache is the folder `$ARTTL_CACHE`, by default `~/.cache/arttl`, and keeps up to `$ARTTL_CACHE_GIB` (100) of
    tars, those used last.

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
    dataset = _fetch_bytes(address, "dataset.json")
    try:
        files = _checked(json.loads(dataset)["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ArttlError(f"{address}/dataset.json describes no finished shards: pack them anew") from error
    name = hashlib.sha256(address.encode() + dataset).hexdigest()[:24]  # another packing is another folder
    folder = _cache() / name
    make_folder(folder)
    write_json(folder / _SOURCE, {"address": address}, indent=None)
    remote = RemoteShards(folder, address, files)
    for file in files:
        if _SMALL_FILE.fullmatch(file):
            remote.ensure(file)
    write_bytes(folder / "dataset.json", dataset)
    return Manifest.read(folder)


@dataclass(frozen=True)
class _File:
    bytes: int
    sha256: str


def _checked(files: Mapping[str, Any]) -> dict[str, _File]:
    """The files that shards may have; their names become paths."""
    found = {}
    for name, digest in files.items():
        if _SMALL_FILE.fullmatch(name) or _TAR.fullmatch(name):
            found[name] = _File(int(digest["bytes"]), str(digest["sha256"]))
    return found


class RemoteShards:
    """The cached files of one address. Safe to use from many threads, and beside other processes."""

    def __init__(self, folder: Path, address: str, files: Mapping[str, _File]) -> None:
        self._folder, self._address, self._files = folder, address, files
        self._limit = _limit()
        self._here: set[str] = set()  # verified by this process
        self._order: list[str] = []  # of tars, as the epoch comes to them
        self._place: dict[str, int] = {}  # of each in the order
        self._reached = -1  # the last one that was read from
        self._moved = threading.Condition()

    @classmethod
    def of(cls, manifest: Manifest) -> RemoteShards | None:
        """What a manifest's tars are fetched by; None where they lie in its folder, which may be anyone's."""
        if manifest.directory.parent != _cache():
            return None
        try:
            source = json.loads((manifest.directory / _SOURCE).read_text(encoding="utf-8"))
            return cls(manifest.directory, source["address"], _checked(manifest.dataset["files"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArttlError(f"the cache {manifest.directory} is damaged: delete that folder") from error

    @property
    def address(self) -> str:
        """Where the shards are."""
        return self._address

    def ensure(self, name: str) -> None:
        """Have a file in the cache, verified; fetch it if need be.

        Raises:
            ArttlError: naming the file, if it cannot be fetched, or is not what was packed.
        """
        with self._moved:
            place = self._place.get(name, -1)
            comes = place > self._reached
            if comes:  # the epoch has come to it
                self._reached = place
                self._moved.notify_all()
        self._obtain(name, threading.Event())
        if comes:
            self._touch(name)

    def ensure_all(self, names: Sequence[str]) -> None:
        """Have several files at once.

        Raises:
            ArttlError: as `ensure`, or if the cache is too small for all of them.
        """
        size = sum(self._files[name].bytes for name in names)
        if size > self._limit:
            raise ArttlError(
                f"DALI opens all of an epoch's shards at once, {size / _GIB:.2f} GiB, and the cache has"
                f" {self._limit / _GIB:.2f}: raise $ARTTL_CACHE_GIB, or choose --engine cpu"
            )
        for name in names:
            self._obtain(name, threading.Event())

    def _obtain(self, name: str, stop: threading.Event) -> None:
        path, file = self._folder / name, self._files[name]
        if name in self._here and path.exists():
            return
        with FileLock(self._folder / f"{name}.lock"):
            if not _is_whole(path, file):
                _make_room(self._folder.parent, file.bytes, self._limit)
                self._fetch(name, stop)
            self._here.add(name)

    def _touch(self, name: str) -> None:
        """Note that a file was used last."""
        with contextlib.suppress(OSError):  # another process deleted it, and it will be fetched again
            os.utime(self._folder / name)

    @contextlib.contextmanager
    def fetching_ahead(self, names: Sequence[str]) -> Iterator[None]:
        """Fetch tars in this order in the background, as far ahead as the cache allows."""
        self._order, self._reached = list(dict.fromkeys(names)), -1
        self._place = {name: place for place, name in enumerate(self._order)}
        stop = threading.Event()
        thread = threading.Thread(target=self._run_ahead, args=(stop,), name="arttl-fetch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            with self._moved:
                self._moved.notify_all()
            thread.join(_PATIENCE)  # a connection that hangs is left to end by itself
            self._order, self._place = [], {}

    def _run_ahead(self, stop: threading.Event) -> None:
        for place, name in enumerate(self._order):
            with self._moved:
                while not stop.is_set() and not self._fits(place):
                    self._moved.wait()
            if stop.is_set():
                return
            try:
                self._obtain(name, stop)
                self._touch(name)
            except (_Stopped, ArttlError):  # the reader will meet the same failure, and say so
                return

    def _fits(self, place: int) -> bool:
        """Whether all from the one before that is read (some of whose samples may be on their way) to this one fit."""
        window = self._order[max(0, self._reached - 1) : place + 1]
        return sum(self._files[name].bytes for name in window) <= self._limit

    def _fetch(self, name: str, stop: threading.Event) -> None:
        file = self._files[name]
        part = self._folder / f"{name}.part"
        reason = ""
        for attempt in range(_ATTEMPTS):
            if attempt and stop.wait(_PAUSE * 2 ** (attempt - 1)):
                raise _Stopped
            try:
                digest = _download(f"{self._address}/{name}", part, stop)
            except ImportError as error:
                raise _needs_package(self._address, error) from error
            except Exception as error:  # each file system has its own
                if isinstance(error, _Stopped):
                    raise
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                continue
            if digest == file.sha256:
                commit(part, self._folder / name)
                return
            reason = f"it has {part.stat().st_size} bytes of another digest than dataset.json says"
        part.unlink(missing_ok=True)
        raise ArttlError(
            f"{self._address}/{name} could not be fetched in {_ATTEMPTS} attempts ({reason}); check the address and"
            " the connection, or copy the shards to a folder"
        )


def _download(address: str, to: Path, stop: threading.Event) -> str:
    """Write a file, and give its SHA-256."""
    digest = hashlib.sha256()
    with (
        fsspec.open(address, "rb", cache_type="readahead", block_size=8 * _CHUNK) as source,
        to.open("wb") as out,
    ):
        while chunk := source.read(_CHUNK):
            if stop.is_set():
                raise _Stopped
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def _fetch_bytes(address: str, name: str) -> bytes:
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE * 2 ** (attempt - 1))
        try:
            with fsspec.open(f"{address}/{name}", "rb") as file:
                found: bytes = file.read()
                return found
        except ImportError as error:
            raise _needs_package(address, error) from error
        except (FileNotFoundError, ValueError) as error:  # ValueError: a protocol that fsspec does not know
            raise ArttlError(
                f"there are no finished shards at {address}: {name} is missing ({error})"
            ) from error
        except Exception as error:  # each file system has its own
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
    raise ArttlError(
        f"{address}/{name} could not be read in {_ATTEMPTS} attempts ({reason}); check the connection"
    )


def _needs_package(address: str, error: ImportError) -> ArttlError:
    return ArttlError(f'{address} cannot be read: {error}; pip install "fsspec[http]" (s3, gs, ...) for it')


def _is_whole(path: Path, file: _File) -> bool:
    try:
        if path.stat().st_size != file.bytes:
            return False
        digest = hashlib.sha256()
        with path.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        return False
    return digest.hexdigest() == file.sha256


def _make_room(cache: Path, wanted: int, limit: int) -> None:
    """Delete the tars used longest ago until another one fits."""
    if wanted > limit:
        raise ArttlError(
            f"a shard of {wanted / _GIB:.2f} GiB does not fit in a cache of {limit / _GIB:.2f}: raise $ARTTL_CACHE_GIB"
        )
    kept = []
    for path in cache.glob("*/*.tar"):
        with contextlib.suppress(OSError):  # another process deleted it
            found = path.stat()
            kept.append((found.st_mtime_ns, found.st_size, path))
    total = sum(size for _, size, _ in kept)
    for _, size, path in sorted(kept):
        if total + wanted <= limit:
            return
        path.unlink(missing_ok=True)
        total -= size


def _cache() -> Path:
    return Path(os.environ.get("ARTTL_CACHE") or Path.home() / ".cache" / "arttl")


def _limit() -> int:
    text = os.environ.get("ARTTL_CACHE_GIB", "100")
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not limit > 0:
        raise ArttlError(f"$ARTTL_CACHE_GIB is {text!r}: give a number of GiB above 0")
    return int(limit * _GIB)
