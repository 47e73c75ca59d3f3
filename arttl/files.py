"""The only writer of files that must appear whole: written under another name, flushed to the disk, then renamed.

Until then it is called `.NAME.HOST-PROCESS.unfinished` and lies beside its final name, so that two processes never
write the same temporary file; the leftovers of a killed process are removed by the next that writes the same name.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from arttl.errors import ArttlError

_HOST = f"{zlib.crc32(platform.node().encode()):08x}"
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.(?P<host>[0-9a-f]{8})-(?P<process>[0-9]+)(-replaced)?\.unfinished")

_OF_SAFETENSORS = re.compile(
    r"\.tmp[A-Za-z0-9]{6}"
)  # beside the file that it is told to write, and then renamed


class WriteError(ArttlError):
    """A file or folder that cannot be written.

    Attributes:
        strerror: the system's reason, such as "No space left on device".
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be written: {reason}")
        self.strerror = reason


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's errors within into one sentence that names `path`.

    Raises:
        WriteError: for every `OSError`, and for a `WriteError` about a part of `path`.
    """
    try:
        yield
    except (OSError, WriteError) as error:
        raise WriteError(path, error.strerror or str(error)) from error


@contextmanager
def whole_file(path: Path, scratch: Path | None = None) -> Iterator[Path]:
    """A temporary path, which gets its final name at the end of the block, or is removed where the block fails.

    Args:
        path: the final name; a file or a link there is replaced.
        scratch: folder for the temporary file, on the same disk; by default that of `path`.

    Raises:
        WriteError: if it cannot be written.
    """
    with writing(path):
        if path.exists() and not path.is_file():
            raise WriteError(
                path, f"it is a {'folder' if path.is_dir() else 'device or a pipe'}; name a file"
            )
        if scratch is None:
            _remove_leftovers_of(path)
        with _renamed(
            _temporary(path) if scratch is None else scratch / f"{path.name}.part", path
        ) as temporary:
            yield temporary


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder, which gets its final name at the end of the block, or is removed where the block fails.

    Args:
        path: the final name; a folder there is replaced. Its parent is made.

    Raises:
        WriteError: if it cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers_of(path)
        with _renamed(_temporary(path), path) as temporary:
            temporary.mkdir()
            yield temporary


@contextmanager
def _renamed(temporary: Path, final: Path) -> Iterator[Path]:
    try:
        yield temporary
        commit(temporary, final)
    except BaseException:
        with suppress(OSError):
            _delete(temporary)
        raise


def commit(temporary: Path, final: Path) -> None:
    """Flush a finished file, or a folder with all in it, and give it its final name, which survives a power cut.

    Raises:
        WriteError: if that fails.
    """
    with writing(final):
        for path in sorted(temporary.rglob("*")) if temporary.is_dir() else ():
            _flush(path)
        _flush(temporary)
        if final.is_dir():
            replaced = _set_aside(final)
            temporary.rename(final)
            _delete(replaced)
        else:
            temporary.replace(final)
        _flush(final.parent)


def write_bytes(path: Path, data: bytes | Iterable[bytes], scratch: Path | None = None) -> None:
    """Write a whole file; `scratch` as for `whole_file`."""
    with whole_file(path, scratch) as temporary, temporary.open("wb") as file:
        file.writelines([data] if isinstance(data, bytes) else data)


def write_text(path: Path, text: str) -> None:
    """Write a whole file of UTF-8, without changing the ends of lines."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object, scratch: Path | None = None, *, indent: int | None = 1) -> None:
    """Write a whole file of JSON."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    write_bytes(path, (text if indent is None else text + "\n").encode(), scratch)


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Append lines and flush them; a last line that a kill left without its end is removed first.

    Raises:
        WriteError: if the file cannot be written.
    """
    with writing(path), path.open("a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write("".join(f"{line}\n" for line in lines).encode())
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[str]:
    """The lines of `append_lines`, without one that a kill left without its end; none where there is no file."""
    return path.read_bytes().decode().split("\n")[:-1] if path.is_file() else []


def digest_of_file(path: Path, algorithm: str = "sha256") -> str:
    """The digest of a file's bytes, in hexadecimal.

    Args:
        path: the file, of any size.
        algorithm: a name that `hashlib` knows.

    Raises:
        OSError: if the file cannot be read.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def make_folder(path: Path) -> None:
    """Make a folder and its parents where they are missing.

    Raises:
        WriteError: if that fails.
    """
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


def remove(path: Path) -> None:
    """Remove a file, or a folder at once: one killed in the middle leaves no part of it under its name.

    What an ended process has left of it goes too.

    Raises:
        WriteError: if that fails.
    """
    with writing(path):
        if path.parent.is_dir():
            _remove_leftovers_of(path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(_set_aside(path))
        else:
            path.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, busy: str | None = None) -> Iterator[None]:
    """Hold a lock between processes; a killed process releases it.

    Args:
        path: of the file of the lock, which stays.
        busy: what to say if another process holds it; None: wait for that one.

    Raises:
        WriteError: if the file cannot be made.
        ArttlError: if another process holds it.
    """
    from filelock import FileLock, Timeout  # not for those who only read

    lock = FileLock(path)
    with writing(path):
        try:
            lock.acquire(timeout=-1 if busy is None else 0)
        except Timeout as error:  # an OSError too
            raise ArttlError(busy or "") from error
    try:
        yield
    finally:
        lock.release()


def is_leftover(path: Path) -> bool:
    """Whether a name is that of something unfinished."""
    return _LEFTOVER.fullmatch(path.name) is not None


def remove_leftovers(folder: Path) -> None:
    """Remove all that is unfinished in a folder that no other process writes into, by safetensors too.

    Raises:
        WriteError: if that fails.
    """
    with writing(folder):
        for path in folder.iterdir() if folder.is_dir() else ():
            if is_leftover(path) or _OF_SAFETENSORS.fullmatch(path.name):
                _delete(path)


def _delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _temporary(path: Path, suffix: str = "") -> Path:
    return path.with_name(f".{path.name}.{_HOST}-{os.getpid()}{suffix}.unfinished")


def _set_aside(folder: Path) -> Path:
    """Rename a folder to what the next writer of its name removes."""
    aside = _temporary(folder, "-replaced")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    return aside


def _remove_leftovers_of(final: Path) -> None:
    """Remove what ended processes of this machine have left of a file or folder."""
    for path in final.parent.iterdir():
        match = _LEFTOVER.fullmatch(path.name)
        if match and (match["name"], match["host"]) == (final.name, _HOST):
            process = int(match["process"])
            if process == os.getpid() or not _is_alive(process):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    if os.name != "posix":
        return True  # os.kill would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _flush(path: Path) -> None:
    if path.is_dir() and os.name != "posix":  # folders cannot be opened there, and need not be
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
