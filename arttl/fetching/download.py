"""Downloads that go on where they broke off, and are checked at the end."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from arttl.errors import ArttlError
from arttl.files import commit

_CHUNK = 1 << 20
_TIMEOUT = 60.0  # seconds without a byte
_ATTEMPTS = 6  # in a row that bring nothing
# Worth another try; any other answer from 400 to 499 will not change.
_PASSING = (408, 425, 429)
_BROKEN = (OSError, http.client.HTTPException)


@dataclass(frozen=True)
class RemoteFile:
    """A file as its publisher lists it.

    Attributes:
        name: a plain file name.
        url: where it is.
        size: in bytes.
        md5: in hexadecimal.
    """

    name: str
    url: str
    size: int
    md5: str


def download(
    remote: RemoteFile,
    folder: Path,
    *,
    progress: Callable[[int], None] = lambda done: None,
    pause: float = 1.0,
) -> Path:
    """Bring a file into a folder, going on with what an earlier call has left there.

    Args:
        remote: which.
        folder: of the file, and of `NAME.part` until it is whole and its sum is right.
        progress: called with the number of bytes that are here.
        pause: seconds before the second attempt, doubled up to half a minute for each one after it.

    Returns:
        The file.

    Raises:
        ArttlError: if it cannot be had, or twice arrives with a wrong sum.
    """
    final, part = folder / remote.name, folder / f"{remote.name}.part"
    if final.is_file() and final.stat().st_size == remote.size and md5_of(final) == remote.md5:
        progress(remote.size)
        return final
    for _ in range(2):
        _bring(remote, part, progress, pause)
        if md5_of(part) == remote.md5:
            commit(part, final)
            return final
        # Nothing tells which of its bytes are wrong.
        part.unlink()
    raise ArttlError(
        f"{remote.name} arrived twice with a wrong MD5 sum, not {remote.md5}: try again later, or tell the publisher"
    )


def md5_of(path: Path) -> str:
    """MD5 of a file, in hexadecimal."""
    found = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _bring(remote: RemoteFile, part: Path, progress: Callable[[int], None], pause: float) -> None:
    """Attempts until `part` has as many bytes as the file."""
    in_vain, reason = 0, ""
    while (have := part.stat().st_size if part.exists() else 0) != remote.size:
        if have > remote.size:
            part.unlink()
            continue
        if in_vain:
            time.sleep(min(pause * 2 ** (in_vain - 1), 30.0))
        try:
            _read_on(remote, part, have, progress)
            reason = "the connection ended early"
        except urllib.error.HTTPError as error:
            if error.code == 416 and have:  # the server's file is shorter than what is here
                part.unlink()
            elif 400 <= error.code < 500 and error.code not in _PASSING:
                raise ArttlError(
                    f"{remote.name} cannot be downloaded: {remote.url} answers {error.code} {error.reason}"
                ) from error
            reason = f"HTTP {error.code} {error.reason}"
        except _BROKEN as error:
            if isinstance(error, OSError) and error.filename is not None:  # of our own disk, not the network
                raise ArttlError(f"{error.filename} cannot be written: {error.strerror}") from error
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        now = part.stat().st_size if part.exists() else 0
        in_vain = 0 if now > have else in_vain + 1
        if in_vain >= _ATTEMPTS:
            raise ArttlError(
                f"{remote.name} cannot be downloaded from {remote.url} ({reason}): {now:,} of {remote.size:,} bytes are"
                " here, and the same command goes on from there"
            )


def _read_on(remote: RemoteFile, part: Path, have: int, progress: Callable[[int], None]) -> None:
    headers = {"User-Agent": "arttl", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    # RemoteFile's address was checked to be of the web when the list was read.
    request = urllib.request.Request(remote.url, headers=headers)
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        begins = str(answer.headers.get("Content-Range", ""))
        goes_on = have > 0 and answer.status == 206 and begins.startswith(f"bytes {have}-")
        done = have if goes_on else 0
        with part.open("ab" if goes_on else "wb") as file:
            while done < remote.size and (chunk := answer.read(min(_CHUNK, remote.size - done))):
                try:
                    file.write(chunk)
                except OSError as error:
                    raise ArttlError(f"{part} cannot be written: {error.strerror}") from error
                done += len(chunk)
                progress(done)
