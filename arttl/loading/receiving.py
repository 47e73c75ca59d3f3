"""The bytes of a file at an address that fsspec supports, within limits of size and time."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator
from typing import Any

import fsspec  # type: ignore[import-untyped]

from arttl.fetching.pace import Pace

_CHUNK = 1 << 20
_CHUNKS_AHEAD = 2
_GLANCE = 0.5  # seconds between two looks at whether reading was given up
_SILENCE = 60.0  # seconds without a byte from a web server


class StoppedError(Exception):
    """Reading ended while a file was being fetched."""


def received(address: str, most: int, stop: threading.Event) -> Generator[bytes, None, None]:
    """The bytes of a file, no more than so many and one.

    A thread reads them, which is left to end by itself where they come too slowly: no file system has a limit for that.

    Args:
        address: of the file.
        most: see above.
        stop: set when they are no longer needed.

    Raises:
        StoppedError: if `stop` is set.
        TooSlowError: if they come too slowly.
        Exception: whatever the file system raises.
    """
    chunks: queue.Queue[bytes | BaseException] = queue.Queue(_CHUNKS_AHEAD)
    given_up = threading.Event()

    def hand_over(chunk: bytes | BaseException) -> None:
        while not given_up.is_set():
            with contextlib.suppress(queue.Full):
                chunks.put(chunk, timeout=_GLANCE)
                return

    def read() -> None:
        left = most + 1
        try:
            with fsspec.open(address, "rb", **_options(address)) as source:
                while left and not given_up.is_set() and (chunk := source.read(min(_CHUNK, left))):
                    hand_over(chunk)
                    left -= len(chunk)
            hand_over(b"")
        except BaseException as error:
            hand_over(error)

    thread = threading.Thread(target=read, name="arttl-receive", daemon=True)
    thread.start()
    pace = Pace()
    try:
        while not stop.is_set():
            try:
                chunk = chunks.get(timeout=max(0.0, min(pace.remaining, _GLANCE)))
            except queue.Empty:
                pace.count(0)
                continue
            if isinstance(chunk, BaseException):
                raise chunk
            if not chunk:
                return
            yield chunk
            pace.count(len(chunk))
        raise StoppedError
    finally:
        given_up.set()
        with contextlib.suppress(queue.Empty):
            chunks.get_nowait()  # makes room for the chunk that the thread may be at
        thread.join(_GLANCE)


def _options(address: str) -> dict[str, Any]:
    """How fsspec reads a file from beginning to end."""
    if not address.startswith(("http://", "https://")):
        return {"cache_type": "readahead", "block_size": 8 * _CHUNK}
    import aiohttp

    # As a stream: of a range, fsspec keeps whatever the server sends. Large files may take any time in all.
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SILENCE, sock_read=_SILENCE)
    return {"block_size": 0, "client_kwargs": {"timeout": timeout}}
