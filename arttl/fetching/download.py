"""Downloads that are resumed where they broke off, and checked at the end."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from arttl.errors import ArttlError
from arttl.files import commit, digest_of_file

_CHUNK = 1 << 20
_TIMEOUT = 60.0  # seconds without a byte
_ATTEMPTS = 6  # in a row without a byte
# Worth another attempt; any other status from 400 to 499 will not change.
_TEMPORARY = (408, 425, 429)
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
    """Download a file into a folder, resuming an earlier call.

    Args:
        remote: the file.
        folder: of the file, and of `NAME.part` until it is complete and its sum is right.
        progress: called with the number of bytes downloaded so far.
        pause: seconds before the second attempt, doubled up to half a minute for each one after it.

    Returns:
        The file.

    Raises:
        ArttlError: if it cannot be downloaded, or arrives twice with a wrong sum.
    """
    final, part = folder / remote.name, folder / f"{remote.name}.part"
    if final.is_file() and final.stat().st_size == remote.size and digest_of_file(final, "md5") == remote.md5:
        progress(remote.size)
        return final
    for _ in range(2):
        _complete(remote, part, progress, pause)
        if digest_of_file(part, "md5") == remote.md5:
            commit(part, final)
            return final
        # It is not known which of its bytes are wrong.
        part.unlink()
    raise ArttlError(
        f"{remote.name} arrived twice with a wrong MD5 sum, not {remote.md5}: try again later or ask the publisher"
    )


def _complete(remote: RemoteFile, part: Path, progress: Callable[[int], None], pause: float) -> None:
    """Attempts until `part` has as many bytes as the file."""
    failures, reason = 0, ""
    while (have := part.stat().st_size if part.exists() else 0) != remote.size:
        if have > remote.size:
            part.unlink()
            continue
        if failures:
            time.sleep(min(pause * 2 ** (failures - 1), 30.0))
        try:
            _append_rest(remote, part, have, progress)
            reason = "the connection ended early"
        except urllib.error.HTTPError as error:
            if error.code == 416 and have:  # the server's file is shorter than what is here
                part.unlink()
            elif 400 <= error.code < 500 and error.code not in _TEMPORARY:
                raise ArttlError(
                    f"{remote.name} cannot be downloaded: {remote.url} returns {error.code} {error.reason}"
                ) from error
            reason = f"HTTP {error.code} {error.reason}"
        except _BROKEN as error:
            if isinstance(error, OSError) and error.filename is not None:  # of our own disk, not the network
                raise ArttlError(f"{error.filename} cannot be written: {error.strerror}") from error
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        now = part.stat().st_size if part.exists() else 0
        failures = 0 if now > have else failures + 1
        if failures >= _ATTEMPTS:
            raise ArttlError(
                f"{remote.name} cannot be downloaded from {remote.url} ({reason}): {now:,} of {remote.size:,} bytes are"
                " here, and the same command resumes it"
            )


def _append_rest(remote: RemoteFile, part: Path, have: int, progress: Callable[[int], None]) -> None:
    headers = {"User-Agent": "arttl", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    # RemoteFile's address was checked to be of the web when the list was read.
    request = urllib.request.Request(remote.url, headers=headers)
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
        content_range = str(response.headers.get("Content-Range", ""))
        resumed = have > 0 and response.status == 206 and content_range.startswith(f"bytes {have}-")
        done = have if resumed else 0
        with part.open("ab" if resumed else "wb") as file:
            while done < remote.size and (chunk := response.read(min(_CHUNK, remote.size - done))):
                try:
                    file.write(chunk)
                except OSError as error:
                    raise ArttlError(f"{part} cannot be written: {error.strerror}") from error
                done += len(chunk)
                progress(done)
