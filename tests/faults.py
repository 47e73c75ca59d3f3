"""Operations on files, each of which can be made to fail: mkdir, opening to write, writing tensors, fsync, rename."""

from __future__ import annotations

import builtins
import errno
import fcntl
import hashlib
import io
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from safetensors import SafetensorError

from arttl.errors import ArttlError
from arttl.models import folders


def path_of(descriptor: int) -> Path:
    """The path of an open file or folder."""
    if sys.platform == "darwin":
        return Path(os.fsdecode(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0")))
    return Path(f"/proc/self/fd/{descriptor}").readlink()


class _Interception:
    """Calls `before` ahead of every operation on a file below `root`, with its number and what it is."""

    def __init__(self, root: Path, before: Callable[[int, str], None]) -> None:
        self.root, self.before, self.count = root.resolve(), before, 0

    def note(self, what: str, path: Any) -> None:
        path = path_of(path) if isinstance(path, int) else Path(os.fsdecode(path)).absolute()
        if threading.current_thread() is threading.main_thread() and path.is_relative_to(self.root):
            self.count += 1
            self.before(self.count, f"{what} {path}")


@contextmanager
def operations(root: Path, before: Callable[[int, str], None]) -> Iterator[_Interception]:
    """Intercept every operation by which something below `root` is written, renamed, flushed or removed."""
    noted = _Interception(root, before)

    def wrapped(what: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            if options.get("dir_fd") is None and not (what == "mkdir" and Path(path).is_dir()):
                noted.note(what, path)
            return real(path, *args, **options)

        return call

    def opened(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            if not isinstance(file, int) and set(mode) & set("wax+"):
                noted.note("open", file)
            return real(file, mode, *args, **options)

        return call

    def save_file(tensors: Any, path: Path) -> None:
        try:
            noted.note("write", path)
        except OSError as error:  # half the file, and the error as safetensors has it
            Path(path).write_bytes(b"\0" * 100)
            raise SafetensorError(f"I/O error: {error.strerror} (os error {error.errno})") from error
        real_save_file(tensors, path)

    def write_table(table: Any, path: Path, **options: Any) -> None:
        noted.note("write", path)
        real_write_table(table, path, **options)

    real_save_file, real_write_table = folders.save_file, pq.write_table
    with pytest.MonkeyPatch.context() as patch:
        for name in ("mkdir", "rename", "replace", "fsync", "unlink", "posix_fallocate"):
            patch.setattr(os, name, wrapped(name, getattr(os, name)))
        for module in (io, builtins):
            patch.setattr(module, "open", opened(open))
        patch.setattr(folders, "save_file", save_file)
        patch.setattr(pq, "write_table", write_table)
        yield noted


def full_disk(root: Path, number: int, command: Callable[[], object]) -> str | None:
    """Run a command whose n-th operation below `root` finds the disk full.

    Returns:
        The sentence that it ended with; None if it ended well, having fewer operations.
    """

    def before(count: int, what: str) -> None:
        if count == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), what)

    try:
        with operations(root, before):
            command()
    except ArttlError as error:
        return str(error)
    return None


def states_of_kills(root: Path, into: Path, command: Callable[[], object]) -> list[Path]:
    """Run a command, and copy what lies in `root` before each of its operations: what a kill there would leave."""
    states: list[Path] = []

    def before(count: int, what: str) -> None:
        states.append(into / f"{count:04d}")
        shutil.copytree(root, states[-1])

    with operations(root, before):
        command()
    return states


def digest(root: Path) -> str:
    """Of the names and bytes below a folder, but for what tells the time."""
    found = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if "tensorboard" not in path.parts:
            found.update(f"{path.relative_to(root)}\0{path.is_dir()}".encode())
            if path.is_file() and path.name != "metrics.jsonl":
                found.update(path.read_bytes())
    return found.hexdigest()
